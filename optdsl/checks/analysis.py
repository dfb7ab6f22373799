"""All that is found of a rule by looking at its equations alone."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.checks.invariance import Invariance, find_invariance
from optdsl.checks.numerics import Numerics, find_troubles
from optdsl.checks.sparsity import Sparsity, find_sparsity
from optdsl.checks.units import Units, infer_units
from optdsl.model.system import System


@dataclass(frozen=True)
class Analysis:
    """Units, numerics, sparsity and invariance of a system."""

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
    return Analysis(
        system,
        infer_units(system),
        find_invariance(system),
        find_sparsity(system),
        find_troubles(system),
    )
