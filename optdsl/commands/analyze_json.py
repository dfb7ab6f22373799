"""What `optdsl analyze` found, as plain data; docs/json.md says what each field means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optdsl.checks.analysis import Analysis
    from optdsl.checks.invariance import Invariance, Scaling
    from optdsl.checks.numerics import Numerics
    from optdsl.checks.sparsity import Sparsity
    from optdsl.checks.units import Units


def as_json(found: Iterable[Analysis]) -> dict[str, Any]:
    """Return the document that `optdsl analyze --json` prints."""
    return {"rules": [_rule(analysis) for analysis in found]}


def _rule(analysis: Analysis) -> dict[str, Any]:
    return {
        "name": analysis.name,
        "case": _case(analysis),
        "family": analysis.system.family,
        "units": _units(analysis.units),
        "sparsity": _sparsity(analysis.sparsity),
        "invariance": _invariance(analysis.invariance),
        "numerics": _numerics(analysis.numerics),
    }


def _case(analysis: Analysis) -> dict[str, str] | None:
    if analysis.case is None:
        return None
    return {"title": analysis.case, "rule": analysis.system.name}


def _units(units: Units) -> dict[str, Any]:
    return {
        "fits": units.fits,
        "hyperparameters": _all_powers(units.hyperparameters),
        "states": _all_powers(units.states),
        "outputs": _all_powers(units.outputs),
        "beside": sorted(units.beside),
        "misfits": [{"where": m.where, "message": m.message} for m in units.misfits],
        "reason": units.reason,
    }


def _all_powers(units: Mapping[str, Mapping[str, Fraction]]) -> dict[str, dict[str, str]]:
    return {name: _powers(unit) for name, unit in units.items()}


def _powers(powers: Mapping[str, Fraction]) -> dict[str, str]:
    return {name: str(power) for name, power in powers.items()}


def _numerics(found: Numerics) -> dict[str, Any]:
    return {
        "defined": found.defined,
        "provided": list(found.provided),
        "unproved": found.unproved,
        "troubles": [
            {
                "what": trouble.what,
                "format": trouble.format,
                "message": trouble.message,
                "inputs": dict(trouble.inputs),
                "at_default": trouble.at_default,
            }
            for trouble in found.troubles
        ],
    }


def _sparsity(found: Sparsity) -> dict[str, Any]:
    parted = found.parted
    return {
        "verdict": found.verdict,
        "provided": list(found.provided),
        "reads": list(found.reads),
        "where": found.where,
        "counterexample": None
        if parted is None
        else {
            "step": parted.step,
            "what": parted.what,
            "inputs": dict(parted.inputs),
            "full": parted.full,
            "skipped": parted.sparse,
            "changes": parted.changes,
        },
    }


def _invariance(found: Invariance) -> dict[str, Any]:
    changed = found.changed
    return {
        "verdict": found.verdict,
        "scaling": _scaling(found.scaling),
        "at_zero": _scaling(found.zero),
        "scaled_along": _scaling(found.scaled),
        "counterexample": None
        if changed is None
        else {
            "factor": changed.factor,
            "step": changed.step,
            "what": changed.what,
            "inputs": dict(changed.inputs),
            "before": changed.before,
            "after": changed.after,
        },
    }


def _scaling(scaling: Scaling | None) -> dict[str, Any] | None:
    if scaling is None:
        return None
    return {
        "states": _powers(scaling.states),
        "outputs": _powers(scaling.outputs),
        "hyperparameters": _powers(scaling.hyperparameters),
        "zero": list(scaling.zero),
    }
