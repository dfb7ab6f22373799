"""Is every value defined, whatever the gradients are?

Ranges of values decide it in most cases, and in milliseconds. Where they do not, since
values are bounded by each other, polynomials do.
"""

from __future__ import annotations

from optdsl.checks.ranges.throughout import defined_throughout, first_unproved
from optdsl.checks.sparsity_proof import (
    assuming_least,
    could_hold,
    defined_case_by_case,
    supposing_most,
    written_out,
)
from optdsl.model.system import System
from optdsl.program.formulas import formula, indexed_names


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


def first_open(system: System) -> str | None:
    """Return a value that ranges do not show to be defined, even if no hyperparameter is 0.

    >>> from optdsl.library import load_system
    >>> first_open(load_system("AdaMax"))
    'eta/(1 - beta1^t)*m[t]/u[t]'
    """
    found = first_unproved(supposing_most(system))
    return None if found is None else formula(found, indexed_names(system))
