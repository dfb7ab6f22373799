"""Expressions as a person writes them: `beta1*m[t-1] + (1 - beta1)*g[t]`."""

from __future__ import annotations

from collections.abc import Collection

from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Fact,
    Kind,
    Matrix,
    Number,
    Reduce,
    Step,
    Value,
    transform,
)
from optdsl.model.system import System

_INFIX = {
    "or": ("or", 1), "and": ("and", 2),
    "lt": ("<", 4), "le": ("<=", 4), "gt": (">", 4), "ge": (">=", 4), "eq": ("==", 4),
    "ne": ("!=", 4), "add": ("+", 5), "sub": ("-", 5), "mul": ("*", 6), "div": ("/", 6),
    "pow": ("^", 8),
}  # fmt: skip
_SELECT, _NOT, _NEGATE, _ATOM = 0, 3, 7, 9
_TIGHT = {"mul", "div", "pow"}
_SCOPES = {Kind.ALL: ", all", Kind.ROW: ", per row", Kind.COLUMN: ", per column"}


def formula(expression: Expression, indexed: Collection[str] = ()) -> str:
    """Return `expression` in the notation of specs; names in `indexed` carry their `[t]`.

    >>> from optdsl.model.expressions import apply, number
    >>> formula(apply("sub", number(1), Value("beta1", Kind.STEP)))
    '1 - beta1'
    """
    return _write(expression, indexed)[0]


def indexed_names(system: System) -> frozenset[str]:
    """Return the names of `system` that are read at more than one time, and its gradients."""
    states = {state.name for state in system.states}
    gradients = {gradient.name for gradient in system.gradients} | set(system.losses)
    return frozenset(states | gradients | {"theta"})


def with_facts(expression: Expression, system: System) -> Expression:
    """Return `expression` with the facts of a tensor in place of the states that keep them.

    An author writes `rows/columns`; a system reads the states `tensor_rows` and `tensor_columns`,
    which start as these facts and stay so.
    """
    facts: dict[Expression, Expression] = {
        Value(name, Kind.TENSOR, -1): fact for name, fact in facts_kept(system).items()
    }
    return transform(expression, facts.get) if facts else expression


def facts_kept(system: System) -> dict[str, Fact]:
    """Return the states of `system` that keep a fact of each tensor, and the fact."""
    return {s.name: s.start for s in system.states if isinstance(s.start, Fact)}


def _write(expression: Expression, indexed: Collection[str]) -> tuple[str, int]:
    match expression:
        case Number(value, text):
            return text, _NEGATE if value < 0 else _ATOM
        case Constant(name):
            return name, _ATOM
        case Clock(part, offset):
            clock = "t" if part == 0 else f"t{part + 1}"
            return (clock, _ATOM) if offset == 0 else (f"{clock} {offset:+d}".replace("+", "+ "), 5)
        case Value(name, _, offset):
            return _value(name, offset, indexed), _ATOM
        case Reduce(operator, kind=kind):
            inside = ", ".join(formula(each, indexed) for each in expression.arguments)
            return f"{operator}({inside}{_SCOPES.get(kind, '')})", _ATOM
        case Matrix(operator, arguments):
            return _matrix(operator, arguments, expression.kind, indexed)
        case Apply(operator, arguments):
            return _operation(operator, arguments, indexed)
        case Fact(name, pattern):
            return name if pattern is None else f'{name}("{pattern}")', _ATOM
        case Step(rule, point, gradient):
            given = [point] if gradient is None else [point, gradient]
            inside = ", ".join(formula(each, indexed) for each in given)
            return f"{rule}({inside})", _ATOM
        case Draw(distribution, number, step):
            which = f"{distribution}{number + 1}" if number else distribution
            later = step.offset if isinstance(step, Clock) else 0
            return f"{which}(0, 1)" + (f"[t{later:+d}]" if later else ""), _ATOM


def _value(name: str, offset: int, indexed: Collection[str]) -> str:
    if offset:
        return f"{name}[t{offset:+d}]"
    return f"{name}[t]" if name in indexed else name


def _matrix(
    operator: str, arguments: tuple[Expression, ...], kind: Kind, indexed: Collection[str]
) -> tuple[str, int]:
    if operator == "identity":
        return f"eye({kind.axes[0]})", _ATOM
    if operator == "transpose":
        return f"{_above(arguments[0], _ATOM, indexed)}.T", _ATOM
    if operator == "product":
        left, right = (_above(arguments[0], 6, indexed), _above(arguments[1], 7, indexed))
        return f"{left} @ {right}", 6
    return f"matpow({', '.join(formula(each, indexed) for each in arguments)})", _ATOM


def _operation(
    operator: str, arguments: tuple[Expression, ...], indexed: Collection[str]
) -> tuple[str, int]:
    if operator in _INFIX:
        return _infix(operator, arguments, indexed)
    if operator == "neg":
        return f"-{_above(arguments[0], _NEGATE, indexed)}", _NEGATE
    if operator == "not":
        return f"not {_above(arguments[0], _NOT, indexed)}", _NOT
    if operator == "select":
        condition, value, otherwise = arguments
        text = (
            f"{_above(value, _SELECT + 1, indexed)} if {_above(condition, _SELECT + 1, indexed)}"
            f" else {_above(otherwise, _SELECT, indexed)}"
        )
        return text, _SELECT
    return f"{operator}({', '.join(formula(each, indexed) for each in arguments)})", _ATOM


def _infix(
    operator: str, arguments: tuple[Expression, ...], indexed: Collection[str]
) -> tuple[str, int]:
    symbol, strength = _INFIX[operator]
    rightward = operator == "pow"
    strict = 4 <= strength < 5
    left = _above(arguments[0], strength + (rightward or strict), indexed)
    right = _above(arguments[1], strength + (not rightward), indexed)
    between = symbol if operator in _TIGHT else f" {symbol} "
    return f"{left}{between}{right}", strength


def _above(expression: Expression, strength: int, indexed: Collection[str]) -> str:
    text, own = _write(expression, indexed)
    return text if own >= strength else f"({text})"
