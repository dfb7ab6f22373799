"""Conditions on the facts of a tensor as Python text: which case of a rule takes it."""

from __future__ import annotations

from optdsl.codegen.printing import COMPARED
from optdsl.model.expressions import Apply, Constant, Expression, Fact, Number, apply

_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "mod": "%"}
_OPPOSITE = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}
_FUNCTIONS = {"finite": "np.isfinite", "min": "min", "max": "max", "abs": "abs"}


def condition_text(condition: Expression) -> str:
    """Return a condition on the facts of a tensor as Python text.

    >>> from optdsl.model.expressions import apply, number
    >>> condition_text(apply("eq", Fact("ndim"), number(2)))
    'tensor.ndim == 2.0'
    >>> taller = apply("not", apply("le", Fact("rows"), Fact("columns")))
    >>> condition_text(taller)
    'tensor.rows > tensor.columns'
    """
    return _written(condition)[0]


def _written(node: Expression) -> tuple[str, int]:
    """Return the text of a condition, and how tightly it binds."""
    match node:
        case Constant("true" | "false" as name):
            return name.capitalize(), 9
        case Constant(name):
            return f"np.{name}", 9
        case Number(value):
            return repr(float(value)), 9
        case Apply("ne" | "eq" as operator, (Fact("named", pattern), _)):
            return f"tensor.named({pattern!r}) {COMPARED[operator]} 0.0", 4
        case Fact(name):
            return f"tensor.{name}", 9
        case Apply("and" | "or" as operator, (left, right)):
            strength = 2 if operator == "and" else 1
            return f"{_bound(left, strength)} {operator} {_bound(right, strength + 1)}", strength
        case Apply("not", (inner,)):
            said = _opposite(inner)
            return (f"not {_bound(inner, 3)}", 3) if said is None else _written(said)
        case Apply("neg", (inner,)):
            return f"-{_bound(inner, 9)}", 8
        case Apply(operator, (left, right)) if operator in COMPARED:
            return f"{_bound(left, 5)} {COMPARED[operator]} {_bound(right, 5)}", 4
        case Apply(operator, (left, right)) if operator in _ARITHMETIC:
            return f"{_bound(left, 9)} {_ARITHMETIC[operator]} {_bound(right, 9)}", 5
        case Apply(operator, arguments):
            called = ", ".join(_written(each)[0] for each in arguments)
            return f"{_FUNCTIONS.get(operator, f'np.{operator}')}({called})", 9
    raise AssertionError(f"{node} stands in the condition of a case")


def _opposite(node: Expression) -> Expression | None:
    """Return what holds where `node` does not, None where only `not` says it for every tensor."""
    match node:
        case Apply("not", (inner,)):
            return inner
        case Apply("and" | "or" as operator, (left, right)):
            joined = "or" if operator == "and" else "and"
            return apply(joined, apply("not", left), apply("not", right))
        case Apply(operator, (left, right)) if operator in _OPPOSITE and (
            operator in ("eq", "ne") or (_counts(left) and _counts(right))
        ):
            return apply(_OPPOSITE[operator], left, right)
    return None


def _counts(node: Expression) -> bool:
    """Is it made of facts so that it is a number for every tensor, unlike 0/0 or sqrt(-1)?"""
    match node:
        case Apply("add" | "sub" | "mul" | "neg", arguments):
            return all(map(_counts, arguments))
    return isinstance(node, Number | Fact)


def _bound(node: Expression, strength: int) -> str:
    text, own = _written(node)
    return text if own >= strength else f"({text})"
