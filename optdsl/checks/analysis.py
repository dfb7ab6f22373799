"""All that is found of a rule by looking at its equations alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from optdsl.checks.alone import Alone, each_alone
from optdsl.checks.invariance import Invariance, find_invariance
from optdsl.checks.numerics import Numerics, find_troubles
from optdsl.checks.sparsity import Sparsity, find_sparsity
from optdsl.checks.units import Units, infer_units
from optdsl.model.alternatives import Rule
from optdsl.model.system import System


@dataclass(frozen=True)
class Analysis:
    """Units, numerics, sparsity and invariance of a system.

    Where a rule chooses, `name` is that of the choice, and `case` says which tensors
    take this system; it is looked at as if there were no others.
    """

    name: str
    case: str | None
    system: System
    units: Units
    invariance: Invariance
    sparsity: Sparsity
    numerics: Numerics


def analyze(system: System) -> Analysis:
    """Look at a system from all sides.

    >>> from optdsl.library import load_system
    >>> analyze(load_system("SGD")).sparsity.verdict
    'proved'
    """
    return _analyzed(Alone(system.name, system))


def analyze_each(rule: Rule) -> Iterator[Analysis]:
    """Look at a rule, or at each of those that it chooses among.

    Raises:
        DiagnosticError: one goes on from what another one left.

    >>> from optdsl.library import load_rule
    >>> [each.case for each in analyze_each(load_rule("SGD if ndim == 1 else SignSGD"))]
    ['where ndim == 1', 'where not ndim == 1']
    """
    return map(_analyzed, each_alone(rule))


def _analyzed(alone: Alone) -> Analysis:
    system = alone.system
    return Analysis(
        alone.name,
        alone.case,
        system,
        infer_units(system),
        find_invariance(system),
        find_sparsity(system),
        find_troubles(system),
    )
