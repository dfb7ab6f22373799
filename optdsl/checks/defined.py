"""Is every value defined, whatever the gradients are?

Ranges of values decide it in most cases, and in milliseconds. Where they do not, since
values are bounded by each other, polynomials do.
"""

from __future__ import annotations

from optdsl.checks.ranges.throughout import defined_throughout
from optdsl.checks.sparsity_proof import (
    assuming_least,
    could_hold,
    defined_case_by_case,
    written_out,
)
from optdsl.model.system import System


def proved_defined(system: System) -> tuple[str, ...] | None:
    """Return the hyperparameters that must not be 0 for every value to be defined.

    None where it is not proved that every value is defined, whatever the gradients are, even if
    none of them is 0.

    >>> from optdsl.library import load_system
    >>> proved_defined(load_system("Adam"))
    ('epsilon',)
    """
    found = assuming_least(system, lambda variant: defined_throughout(variant) or None)
    plain = written_out(system) if found is None and could_hold(system) else None
    if plain is not None:
        found = assuming_least(plain, lambda variant: defined_case_by_case(variant) or None)
    return None if found is None else found[0]
