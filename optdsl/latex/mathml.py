"""Writes expressions and statements as MathML, which browsers typeset by themselves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import escape

from optdsl.language import syntax
from optdsl.latex.symbols import write_name

# How tightly an expression binds, loosest first.
ANY, OR, AND, NOT, COMPARISON, SUM, PRODUCT, POWER, ATOM = range(9)

_COMPARED = {"<": "&lt;", "<=": "≤", ">": "&gt;", ">=": "≥", "==": "=", "!=": "≠"}
_MARKS = {"hat": "^", "tilde": "~", "bar": "¯", "dot": "˙", "vec": "→"}
_FENCES = {"abs": ("|", "|"), "floor": ("⌊", "⌋")}
_TOKEN = re.compile(r"RMS|\\[A-Za-z]+\s?|\\.|[0-9]+|.")
_INVISIBLE = "<mo>&#x2062;</mo>"
_GAP = '<mspace width="0.17em"/>'


def math(inside: str, *, block: bool = False) -> str:
    """Return a whole formula; a block has its fractions and sums in full size."""
    return f'<math displaystyle="true">{inside}</math>' if block else f"<math>{inside}</math>"


def write_mathml(expression: syntax.Expression) -> str:
    """Return the MathML of an expression, without the element `math` around it.

    >>> write_mathml(syntax.Name("beta1"))
    '<msub><mi>β</mi><mrow><mn>1</mn></mrow></msub>'
    """
    return _write(expression)


def write_sides(statement: syntax.Statement) -> tuple[str, str] | None:
    """Return what stands left and right of the sign that a statement is aligned at.

    The sign belongs to the left side. Statements that compute nothing give None.
    """
    match statement:
        case syntax.Equation(targets, value):
            left = "<mo>=</mo>".join(map(_write, targets))
            return f"{left}<mo>=</mo>" if left else "", _write(value)
        case syntax.Draw(target, distribution):
            return f"{_write(target)}<mo>∼</mo>", _write(distribution)
        case syntax.SkipWhen(condition):
            return "<mtext>skip when&#xA0;</mtext>", _write(condition)
        case syntax.Evaluate(point):
            return "<mtext>evaluate at&#xA0;</mtext>", _write(point)
        case syntax.Index(name, span):
            ends = f"{_write(span.low)}<mo>,</mo><mo>…</mo><mo>,</mo>{_write(span.high)}"
            return f"{_write(syntax.Name(name))}<mo>=</mo>", ends
    return None


def _write(expression: syntax.Expression, level: int = ANY) -> str:
    """Return the MathML of `expression`, in brackets where it binds looser than `level`."""
    inside, own = _node(expression)
    return inside if own >= level else _fenced(inside)


def _fenced(inside: str, left: str = "(", right: str = ")") -> str:
    return f'<mrow><mo fence="true">{left}</mo>{inside}<mo fence="true">{right}</mo></mrow>'


def _row(inside: str) -> str:
    return f"<mrow>{inside}</mrow>"


def _node(expression: syntax.Expression) -> tuple[str, int]:
    match expression:
        case syntax.Number(text):
            return _number(text)
        case syntax.Constant(name):
            symbol = {"pi": "<mi>π</mi>", "inf": "<mi>∞</mi>"}.get(name)
            return symbol or f"<mtext>{name}</mtext>", ATOM
        case syntax.String(text):
            return f"<mtext>“{escape(text)}”</mtext>", ATOM
        case syntax.Name():
            return _name(expression), ATOM
        case syntax.Attribute(value, "T"):
            return f"<msup>{_row(_write(value, ATOM))}<mo>⊤</mo></msup>", POWER
        case syntax.Attribute(value, name):
            return f"{_write(value, ATOM)}<mo>.</mo><mi>{escape(name)}</mi>", ATOM
        case syntax.Unary("not", operand):
            return f"<mo>¬</mo>{_write(operand, NOT)}", NOT
        case syntax.Unary(_, operand):
            return f"<mo>−</mo>{_write(operand, PRODUCT)}", SUM
        case syntax.Binary():
            return _binary(expression)
        case syntax.Conditional():
            return _cases(expression), ATOM
        case syntax.Call():
            return _call(expression), ATOM
        case syntax.Tuple(items):
            return _fenced("<mo>,</mo>".join(map(_write, items))), ATOM
        case syntax.Sequence(first, steps, second):
            parts = (_write(part) for part in (first, steps, second))
            return "{}<mtext>&#xA0;for&#xA0;</mtext>{}<mtext>&#xA0;then&#xA0;</mtext>{}".format(
                *parts
            ), ANY


def _number(text: str) -> tuple[str, int]:
    """Write a power of ten as one: `1e-8` is 10^{-8}."""
    mantissa, letter, exponent = text.lower().partition("e")
    if not letter:
        return f"<mn>{mantissa}</mn>", ATOM
    digits = exponent.removeprefix("+")
    sign = "<mo>−</mo>" if digits.startswith("-") else ""
    raised = f"{sign}<mn>{digits.lstrip('-0')}</mn>"
    power = f"<msup><mn>10</mn>{_row(raised)}</msup>"
    if mantissa == "1":
        return power, POWER
    return f"<mn>{mantissa}</mn><mo>×</mo>{power}", PRODUCT


# -------------------------------------------------------------------- operators


def _binary(expression: syntax.Binary) -> tuple[str, int]:
    left, right, operator = expression.left, expression.right, expression.operator
    if operator == "/":
        match left:  # a/b*c/d is set as two fractions beside each other, not as one above another
            case syntax.Binary("*", syntax.Binary("/") as first, second):
                rest = f"<mfrac>{_row(_write(second))}{_row(_write(right))}</mfrac>"
                return f"{_write(first)}{_GAP}{rest}", PRODUCT
        return f"<mfrac>{_row(_write(left))}{_row(_write(right))}</mfrac>", POWER
    if operator == "^":
        return _power(left, right), POWER
    if operator in "+-":
        sign = "+" if operator == "+" else "−"
        return f"{_write(left, SUM)}<mo>{sign}</mo>{_write(right, PRODUCT)}", SUM
    if operator in _COMPARED:
        sign = _COMPARED[operator]
        return f"{_write(left, SUM)}<mo>{sign}</mo>{_write(right, SUM)}", COMPARISON
    if operator == "and":
        return f"{_write(left, AND)}<mo>∧</mo>{_write(right, NOT)}", AND
    if operator == "or":
        return f"{_write(left, OR)}<mo>∨</mo>{_write(right, AND)}", OR
    if operator == "|":
        return f"{_write(left, OR)}<mo>|</mo>{_write(right, AND)}", OR
    between = _INVISIBLE + _GAP if operator == "*" and not _starts_with_digit(right) else (
        "<mo>·</mo>"
    )  # fmt: skip
    return f"{_write(left, PRODUCT)}{between}{_write(right, POWER)}", PRODUCT


def _starts_with_digit(expression: syntax.Expression) -> bool:
    match expression:
        case syntax.Number():
            return True
        case syntax.Binary("^", left, _):
            return _starts_with_digit(left)
    return False


def _power(base: syntax.Expression, exponent: syntax.Expression) -> str:
    inside = _write(base, ATOM)
    if isinstance(base, syntax.Name) and inside.startswith("<msub>"):
        below, script = _parts(inside)
        return f"<msubsup>{below}{script}{_row(_write(exponent))}</msubsup>"
    return f"<msup>{_row(inside)}{_row(_write(exponent))}</msup>"


def _parts(subscripted: str) -> tuple[str, str]:
    """Return base and subscript of what `_with_subscript` made."""
    inside = subscripted.removeprefix("<msub>").removesuffix("</msub>")
    at = inside.rindex("<mrow>")
    return inside[:at], inside[at:]


def _cases(expression: syntax.Conditional) -> str:
    rows = []
    rest: syntax.Expression | None = expression
    while isinstance(rest, syntax.Conditional):
        condition = f"<mtext>if&#xA0;</mtext>{_write(rest.condition)}"
        rows.append((_write(rest.value), condition))
        rest = rest.otherwise
    if rest is not None:
        rows.append((_write(rest), "<mtext>otherwise</mtext>"))
    if len(rows) == 1:  # elsewhere the last value stays
        return _row(f'{rows[0][0]}<mspace width="1em"/>{rows[0][1]}')
    cells = "".join(f"<mtr><mtd>{a}</mtd><mtd>{b}</mtd></mtr>" for a, b in rows)
    return f'<mrow><mo fence="true">{{</mo><mtable class="cases">{cells}</mtable></mrow>'


def _call(expression: syntax.Call) -> str:
    name, arguments = expression.function, expression.arguments
    inside = "<mo>,</mo>".join(map(_argument, arguments))
    if name == "sqrt" and len(arguments) == 1:
        return f"<msqrt>{inside}</msqrt>"
    if name in _FENCES and len(arguments) == 1:
        return _fenced(inside, *_FENCES[name])
    if name == "norm" and arguments:
        over = "".join(f"<mtext>{a.name}</mtext>" for a in arguments if isinstance(a, syntax.Scope))
        length = _fenced(_argument(arguments[0]), "‖", "‖")
        return f"<msub>{length}{_row(over)}</msub>" if over else length
    if name == "grad":
        return f"<mo>∇</mo><mi>J</mi>{_fenced(inside)}"
    return f"<mi>{escape(name)}</mi><mo>&#x2061;</mo>{_fenced(inside)}"


def _argument(argument: syntax.Expression | syntax.Keyword | syntax.Scope) -> str:
    match argument:
        case syntax.Keyword(name, value):
            return f"<mi>{escape(name)}</mi><mo>=</mo>{_write(value)}"
        case syntax.Scope(name):
            return f"<mtext>{name}</mtext>"
    return _write(argument)


# ------------------------------------------------------------------------ names


def _name(name: syntax.Name) -> str:
    """Write a name as the LaTeX writer does, symbol by symbol."""
    return _symbols(iter(_TOKEN.findall(write_name(name))))


def _symbols(tokens: Iterator[str]) -> str:
    """Return the row of symbols up to the end, or to the brace that closes it."""
    row: list[str] = []
    for token in tokens:
        match token.rstrip():
            case "}":
                break
            case "_" | "^" as place:
                script = _row(_group(tokens))
                base = row.pop() if row else "<mrow></mrow>"
                tag = "msub" if place == "_" else "msup"
                row.append(f"<{tag}>{base}{script}</{tag}>")
            case symbol if symbol:
                row.append(_symbol(symbol, tokens))
    return "".join(_bracketed(row))


def _bracketed(row: list[str]) -> list[str]:
    """Put a subscript behind `]` under all that stands before it: E[g^2]_t is one name."""
    for index, part in enumerate(row):
        if part.startswith("<msub><mo>]</mo>"):
            inside = "".join(row[:index])
            below = part.removeprefix("<msub><mo>]</mo>").removesuffix("</msub>")
            base = f"<mrow>{inside}<mo>]</mo></mrow>"
            return [f"<msub>{base}{below}</msub>", *row[index + 1 :]]
    return row


def _group(tokens: Iterator[str]) -> str:
    first = next(tokens, "")
    return _symbols(tokens) if first == "{" else _symbol(first, tokens)


def _symbol(token: str, tokens: Iterator[str]) -> str:
    command = token.removeprefix("\\") if len(token) > 1 and token[0] == "\\" else ""
    if command in _MARKS:
        inside = _row(_group(tokens))
        return f'<mover accent="true">{inside}<mo stretchy="false">{_MARKS[command]}</mo></mover>'
    if command in ("mathrm", "mathit", "text"):
        return f"<mi>{escape(_plain(tokens))}</mi>"
    if command:
        return f"<mi>{_letter(command)}</mi>"
    if token.isdigit():
        return f"<mn>{token}</mn>"
    if token.isalpha():
        return f"<mi>{token}</mi>"
    return f"<mo>{'−' if token == '-' else escape(token)}</mo>"


def _plain(tokens: Iterator[str]) -> str:
    """Return the text of a group that holds nothing but text."""
    text = []
    for token in tokens:
        if token == "}":
            break
        if token != "{":
            text.append(token.removeprefix("\\"))
    return "".join(text)


def _letter(command: str) -> str:
    if command == "ell":
        return "ℓ"
    size = "CAPITAL" if command[0].isupper() else "SMALL"
    spelled = "LAMDA" if command.lower() == "lambda" else command.upper()
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {spelled}")
    except KeyError:
        return "·" if command == "cdot" else escape(command)
