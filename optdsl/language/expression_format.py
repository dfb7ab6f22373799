"""From an expression to text, with no bracket that the tree does not need."""

from __future__ import annotations

from optdsl.language import syntax

# How tightly each kind of expression binds, loosest first.
SEQUENCE, CONDITIONAL, PIPE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, UNARY, POWER, POSTFIX = range(
    12
)

#: What binds as tightly as an operator, and what its left and its right side must.
_LEVELS: dict[str, tuple[int, int, int]] = {
    "|": (PIPE, PIPE, OR),
    "or": (OR, OR, AND),
    "and": (AND, AND, NOT),
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), (COMPARISON, SUM, SUM)),
    **dict.fromkeys(("+", "-"), (SUM, SUM, PRODUCT)),
    **dict.fromkeys(("*", "/", "@"), (PRODUCT, PRODUCT, UNARY)),
    "^": (POWER, POSTFIX, UNARY),
}

Argument = syntax.Expression | syntax.Keyword | syntax.Scope


def format_expression(expression: syntax.Expression, level: int = SEQUENCE) -> str:
    """Return the text of `expression`, in brackets where it binds looser than `level`.

    >>> x, y = syntax.Name("x"), syntax.Name("y")
    >>> format_expression(syntax.Binary("*", syntax.Binary("-", x, y), y))
    '(x - y)*y'
    """
    return _format(expression, level, False)


def _format(expression: syntax.Expression, level: int, tight: bool) -> str:
    text, own = _text(expression, tight)
    return text if own >= level else f"({text})"


def _text(expression: syntax.Expression, tight: bool) -> tuple[str, int]:
    """Return the text of an expression and how tightly it binds."""
    match expression:
        case syntax.Number(text) | syntax.Constant(text):
            return text, POSTFIX
        case syntax.String(text):
            return f'"{text}"', POSTFIX
        case syntax.Name(name, indices):
            return name + _indices(indices), POSTFIX
        case syntax.Attribute(value, name):
            return f"{_format(value, POSTFIX, tight)}.{name}", POSTFIX
        case syntax.Unary("not", operand):
            return f"not {_format(operand, NOT, tight)}", NOT
        case syntax.Unary(_, operand):
            return f"-{_format(operand, UNARY, tight)}", UNARY
        case syntax.Binary():
            return _binary(expression, tight)
        case syntax.Conditional(value, condition, otherwise):
            text = f"{_format(value, PIPE, tight)} if {_format(condition, OR, tight)}"
            if otherwise is not None:
                text += f" else {_format(otherwise, CONDITIONAL, tight)}"
            return text, CONDITIONAL
        case syntax.Call(function, arguments):
            return f"{function}({', '.join(_argument(one) for one in arguments)})", POSTFIX
        case syntax.Tuple(items):
            inside = ", ".join(format_expression(item) for item in items)
            return f"({inside}{',' if len(items) == 1 else ''})", POSTFIX
        case syntax.Sequence(first, steps, second):
            before = (
                f"{_format(first, CONDITIONAL, tight)} for {_format(steps, CONDITIONAL, tight)}"
            )
            return f"{before} then {_format(second, SEQUENCE, tight)}", SEQUENCE


def _indices(indices: tuple[syntax.Expression, ...]) -> str:
    if not indices:
        return ""
    return f"[{', '.join(_format(index, SEQUENCE, True) for index in indices)}]"


def _argument(argument: Argument) -> str:
    match argument:
        case syntax.Keyword(name, value):
            return f"{name}={format_expression(value)}"
        case syntax.Scope(name):
            return name
        case _:
            return format_expression(argument)


def _binary(expression: syntax.Binary, tight: bool) -> tuple[str, int]:
    operator = expression.operator
    own, left_level, right_level = _LEVELS[operator]
    left = _format(expression.left, left_level, tight)
    right = _format(expression.right, right_level, tight)
    if own == SUM:
        space = "" if tight else " "
    elif own == PRODUCT:
        space = " " if _only_matrices(expression) else ""
    else:
        space = "" if own == POWER else " "
    return f"{left}{space}{operator}{space}{right}", own


def _only_matrices(expression: syntax.Expression) -> bool:
    """Is this product made with `@` alone, so that spaces around it do not mislead?"""
    while isinstance(expression, syntax.Binary) and expression.operator in "*/@":
        if expression.operator != "@":
            return False
        expression = expression.left
    return True
