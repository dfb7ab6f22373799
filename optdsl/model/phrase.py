"""Reading an expression in the names of a system, as claims have them."""

from __future__ import annotations

from optdsl.language import syntax
from optdsl.model.expressions import Expression, Kind
from optdsl.model.names import Names
from optdsl.model.problems import Problems
from optdsl.model.system import System
from optdsl.model.translation import Translator


def phrase(expression: syntax.Expression, system: System) -> Expression:
    """Return what `expression` means where the names are those of `system`.

    Raises:
        DiagnosticError: where it reads what the system does not have.

    >>> from optdsl.language import parse_expression
    >>> from optdsl.library import load_system
    >>> phrase(parse_expression("eta*v[t]"), load_system("Momentum")).operator
    'mul'
    """
    problems = Problems()
    kinds = {equation.name: equation.kind for equation in system.equations}
    kinds |= {state.name: state.kind for state in system.states}
    kinds |= {gradient.name: Kind.ENTRY for gradient in system.gradients}
    if system.family != "schedule":
        kinds["theta"] = Kind.ENTRY
    names = Names(
        family=system.family,
        hypers={hyperparameter.name for hyperparameter in system.hyperparameters},
        equations={equation.name for equation in system.equations},
        gradients={syntax.Name(g.name): g.name for g in system.gradients},
        kinds=kinds,
    )
    translated = Translator(names, problems, _no_schedules).any(expression)
    problems.raise_if_any()
    return translated


def _no_schedules(call: syntax.Expression) -> Expression | None:
    return None
