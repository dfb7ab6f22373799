"""What was found of a rule, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from optdsl.checks.analysis import Analysis
    from optdsl.checks.invariance import Scaling

Tone = Literal["good", "bad", "note", ""]


@dataclass(frozen=True)
class Line:
    """A sentence, how it is meant, and what it rests on."""

    text: str
    tone: Tone = ""
    details: tuple[str, ...] = ()


def sections(analysis: Analysis) -> Iterator[tuple[str, list[Line]]]:
    """Yield titles and sentences."""
    yield "units", list(_units(analysis))
    if analysis.system.family != "schedule":
        yield "zero gradients", list(_sparsity(analysis))
        yield "scale of the loss", list(_invariance(analysis))
    if analysis.system.family == "optimizer":
        yield "numerics", list(_numerics(analysis))


def in_short(analysis: Analysis) -> Iterator[Line]:
    """Yield a few words for each check."""
    from optdsl.checks.units import unit_text

    units = analysis.units
    carried = [
        f"{name} {unit_text(unit)}" for name, unit in units.carriers.items()
        if name not in units.beside
    ]  # fmt: skip
    yield Line(", ".join(carried) or "none", "note" if units.misfits else "")
    found = analysis.sparsity
    if found.verdict == "proved":
        yield Line(f"may be skipped{_if(found.provided)}", "good")
    else:
        where = (found.where,) if found.where else ()
        text = f"only{_if(where)}" if where else "count"
        yield Line(text if found.verdict == "differs" else "not decided")
    yield _scale_in_short(analysis)
    yield _numerics_in_short(analysis)


def _if(conditions: tuple[str, ...]) -> str:
    return f" if {' and '.join(conditions)}" if conditions else ""


def _scale_in_short(analysis: Analysis) -> Line:
    found = analysis.invariance
    if found.verdict == "proved":
        return Line("does not matter", "good")
    if found.zero is not None:
        return Line("does not matter" + _if(tuple(f"{name} = 0" for name in found.zero.zero)))
    for scaling, verb in ((found.scaling, "gives"), (found.scaled, "needs")):
        if scaling is not None and (verb == "gives" or scaling.hyperparameters):
            c = _letter(analysis)
            moved = {n: p for n, p in scaling.outputs.items() if p} if verb == "gives" else {}
            return Line(f"{verb} " + ", ".join(_multiplied(moved or scaling.hyperparameters, c)))
    return Line("matters" if found.verdict == "differs" else "not decided")


def _numerics_in_short(analysis: Analysis) -> Line:
    troubles = analysis.numerics.troubles
    undefined = [each for each in troubles if each.what == "undefined" and each.at_default]
    if undefined:
        where = " where theta is 0" if "theta[0]" in undefined[0].inputs else ""
        return Line(f"undefined for zero gradients{where}", "bad")
    narrow = dict.fromkeys(
        each.format for each in troubles if each.format != "float32" and each.what != "overflow"
    )
    return Line(", ".join(f"mind {name}" for name in narrow))


# ---------------------------------------------------------------------- units


def _units(analysis: Analysis) -> Iterator[Line]:
    from optdsl.checks.units import unit_text

    units = analysis.units
    if units.reason is not None:
        yield Line(units.reason, "note")
        return
    if analysis.system.family == "optimizer":
        yield from _fit(analysis)
    torn = {misfit.subject for misfit in units.misfits}
    carried = [
        f"{name} carries {unit_text(unit)}"
        for name, unit in units.carriers.items()
        if name not in torn
    ]
    if carried:
        yield Line(", ".join(carried))
    elif not units.misfits:
        yield Line("no hyperparameter carries a unit")
    measured = {**units.states, **units.outputs}
    if measured:
        yield Line(", ".join(f"{name} has {unit_text(unit)}" for name, unit in measured.items()))
    for misfit in units.misfits:
        yield Line(misfit.message, "bad", (f"in {misfit.where}",))


def _fit(analysis: Analysis) -> Iterator[Line]:
    units = analysis.units
    if units.fits:
        text = "steps are in the units of theta; no factor has to carry them"
        return (yield Line(text, "good"))
    factors = [name for name in units.carriers if name not in units.beside]
    if factors:
        yield Line(f"steps are in the units of theta only as {' and '.join(factors)} carr"
                   f"{'ies' if len(factors) == 1 else 'y'} what is missing")  # fmt: skip


# ------------------------------------------------------------------- sparsity


def _sparsity(analysis: Analysis) -> Iterator[Line]:
    found = analysis.sparsity
    given = "u" if analysis.system.family == "transform" else "theta"
    kept = "is 0" if given == "u" else "and the states stay as they are"
    if found.verdict == "proved":
        text = f"proved: where the gradient is 0, {given} {kept}"
        if given == "u":
            text = "proved: what is given is 0 wherever the gradient is, and states stay"
        details = tuple(f"provided {condition}" for condition in found.provided)
        details += tuple(f"every entry is still read by {reduction}" for reduction in found.reads)
        yield Line(f"{text}, so such entries may be skipped", "good", details)
    elif found.parted is not None:
        parted = found.parted
        changes = parted.changes or f"{parted.what} is not 0"
        yield Line(
            f"entries whose gradient is 0 count, too: {changes}",
            "",
            (
                f"{parted.what} is {parted.full}, but {parted.sparse} where they are skipped",
                f"at {_inputs(parted.inputs)}",
            ),
        )
        if found.where is not None:
            yield Line(f"they may be skipped if {found.where} (proved)", "good")
    else:
        yield Line("neither a proof nor a counterexample was found", "note")


def _inputs(inputs: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in inputs.items())


# ----------------------------------------------------------------- invariance


def _invariance(analysis: Analysis) -> Iterator[Line]:
    found = analysis.invariance
    if found.verdict == "proved":
        assert found.scaling is not None
        c = _letter(analysis)
        text = f"proved: multiplying the loss by any {c} > 0 changes no step"
        yield Line(text, "good", tuple(_map(found.scaling, c)))
        return
    if found.changed is not None:
        changed = found.changed
        yield Line(
            "multiplying the loss changes the step",
            "",
            (
                f"by {changed.factor}: {changed.what} is {changed.after} instead of "
                f"{changed.before}",
                f"at {_inputs(changed.inputs)}",
            ),
        )
    else:
        yield Line("neither a proof nor a counterexample was found", "note")
    c = _letter(analysis)
    for scaling in (found.scaling, found.zero, found.scaled):
        if scaling is not None:
            yield _proved(scaling, c)


def _proved(scaling: Scaling, c: str) -> Line:
    """Say under what the scale of the loss changes nothing, or what it changes."""
    given = list(_multiplied({n: p for n, p in scaling.outputs.items() if p}, c))
    what = f"gives {' and '.join(given)}" if given else "changes nothing"
    zero = _if(tuple(f"{name} = 0" for name in scaling.zero))
    along = " and ".join(_multiplied(scaling.hyperparameters, c))
    text = f"proved: a loss multiplied by {c} {what}{zero}" + (f" with {along}" if along else "")
    return Line(text, "good", tuple(_map(scaling, c)))


def _letter(analysis: Analysis) -> str:
    """Return a letter for the scale that the rule itself does not use."""
    system = analysis.system
    used = {h.name for h in system.hyperparameters} | {e.name for e in system.equations}
    return next(letter for letter in ("c", "k", "s", "scale") if letter not in used)


def _map(scaling: Scaling, c: str) -> Iterator[str]:
    if scaling.states:
        moved = ", ".join(
            f"{name} {_times(power, c)}" if power else f"{name} as before"
            for name, power in scaling.states.items()
        )
        yield f"the states are then {moved}"


def _multiplied(powers: Mapping[str, Fraction], c: str) -> Iterator[str]:
    for name, power in powers.items():
        yield f"{name} {_times(power, c)}"


def _times(power: Fraction, c: str) -> str:
    """Return `times c^2`, `over c`."""
    size = abs(power)
    text = c if size == 1 else f"{c}^{size}" if size.denominator == 1 else f"{c}^({size})"
    return f"times {text}" if power > 0 else f"over {text}"


# ------------------------------------------------------------------- numerics


def _numerics(analysis: Analysis) -> Iterator[Line]:
    found = analysis.numerics
    if found.defined == "proved":
        given = _if(tuple(f"{name} > 0" for name in found.provided))
        given = f",{given}" if given else ""
        yield Line(f"proved: every value is defined, whatever the gradients are{given}", "good")
    elif found.defined == "refuted":
        yield Line("values may be undefined", "bad")
    else:
        where = "" if found.unproved is None else f": {found.unproved} may not be"
        yield Line(f"it is not proved that every value is defined{where}", "note")
    for trouble in found.troubles:
        if trouble.what == "undefined":
            hypers = {name: value for name, value in trouble.inputs.items() if name != "g"}
            text = trouble.message + _if((_inputs(hypers),) if hypers else ())
        else:
            text = trouble.message
            if trouble.what != "lost":
                text = f"{trouble.format}: {text}"
        tone: Tone = "bad" if trouble.what == "undefined" and trouble.at_default else "note"
        where = "float32" if trouble.what == "undefined" else trouble.format
        seen = f"seen on the reference target, stored in {where}, with {_inputs(trouble.inputs)}"
        yield Line(text, tone, (seen,))
