"""The expressions of claims, over the names of a system."""

from __future__ import annotations

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span, did_you_mean
from optdsl.language import syntax
from optdsl.model.expressions import (
    Clock,
    Constant,
    Expression,
    Kind,
    Number,
    Value,
    apply,
)
from optdsl.model.functions import BINARY, ELEMENTWISE
from optdsl.model.numbers import time_index
from optdsl.model.system import System


def translate(expression: syntax.Expression, system: System) -> Expression:
    """Return an expression over the names of `system`; a name without an index is at t.

    Raises:
        DiagnosticError: for a name that the system does not have.
    """
    match expression:
        case syntax.Number(text):
            return Number(expression.value, text)
        case syntax.Constant(name):
            return Constant(name)
        case syntax.Name():
            return _name(expression, system)
        case syntax.Unary("-", operand):
            return apply("neg", translate(operand, system))
        case syntax.Binary(operator, left, right) if operator in BINARY:
            return apply(BINARY[operator], translate(left, system), translate(right, system))
        case syntax.Conditional(value, condition, syntax.Node() as otherwise):
            parts = (condition, value, otherwise)
            return apply("select", *(translate(part, system) for part in parts))
        case syntax.Call(function, arguments) if function in ELEMENTWISE:
            plain = [a for a in arguments if not isinstance(a, syntax.Keyword | syntax.Scope)]
            if len(plain) == len(arguments) and ELEMENTWISE[function][1] in (None, len(plain)):
                return apply(ELEMENTWISE[function][0], *(translate(a, system) for a in plain))
    raise _error("claim-expression", "a claim cannot be made with this", expression.span)


def _name(node: syntax.Name, system: System) -> Expression:
    if node.name == "t" and not node.indices:
        return Clock()
    offset = 0
    if node.indices:
        time = time_index(node.indices[0]) if len(node.indices) == 1 else None
        if time is None or time[0] != "t":
            raise _error("claim-expression", "a claim speaks of step t", node.span, "write `[t]`")
        offset = time[1]
    kinds = kinds_of(system)
    if node.name not in kinds:
        hint = did_you_mean(node.name, kinds) or f"it has {', '.join(kinds)}"
        message = f"{system.name} has no `{node.name}`"
        raise _error("claim-name", message, node.span, hint)
    return Value(node.name, kinds[node.name], offset)


def kinds_of(system: System) -> dict[str, Kind]:
    """Return the names of a system and their kinds."""
    kinds = {hyper.name: Kind.STEP for hyper in system.hyperparameters}
    kinds |= {asked.name: Kind.ENTRY for asked in system.gradients}
    kinds |= dict.fromkeys(system.losses, Kind.ALL)
    kinds |= {state.name: state.kind for state in system.states}
    kinds |= {equation.name: equation.kind for equation in system.equations}
    if system.family != "schedule":
        kinds["theta"] = Kind.ENTRY
    return kinds


def _error(code: str, message: str, span: Span | None, hint: str | None = None) -> DiagnosticError:
    return DiagnosticError(Diagnostic(code, message, span, hint))
