"""Writes expressions and definitions as LaTeX.

What the reader reads is written so that it is read back as the same tree.
"""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.symbols import write_name

# How tightly an expression binds, loosest first.
ANY, OR, AND, NOT, COMPARISON, SUM, PRODUCT, POWER, ATOM = range(9)

_COMPARED = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}
_SIGNS = {"+": "+", "-": "-", "*": r"\cdot", "@": r"\mathbin{@}", "|": r"\mathbin{|}"}
_COMMANDS = frozenset({"min", "max", "exp", "log", "cos"})
_LOSSES = (("J", "J"), ("L", "L"), ("F", "F"), ("H", "H"))


def write_expression(expression: syntax.Expression) -> str:
    r"""Return the LaTeX of an expression.

    >>> from optdsl.latex import read_expression
    >>> write_expression(read_expression(r"\gamma v_{t-1} + \eta g_t"))
    '\\gamma \\cdot v_{t-1} + \\eta \\cdot g_{t}'
    """
    return _Writer(_names([expression])).write(expression)


def write_equation(equation: syntax.Equation) -> str:
    """Return the LaTeX of an equation, its targets joined by `=`."""
    return _equation(equation, _Writer(_names([*equation.targets, equation.value])), " = ")


def write_equations(definition: syntax.Definition) -> str:
    """Return the equations of a definition as an `aligned` block."""
    parts: list[syntax.Expression] = []
    for statement in definition.statements:
        if isinstance(statement, syntax.Equation):
            parts += [*statement.targets, statement.value]
    writer = _Writer(_names(parts))
    rows = [row for statement in definition.statements if (row := _row(statement, writer))]
    if definition.value is not None:
        rows = [rf"\mathrm{{{_spelled(definition.name)}}} &= {writer.write(definition.value)}"]
    inside = " \\\\\n".join(rows)
    return f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"


def _row(statement: syntax.Statement, writer: _Writer) -> str | None:
    match statement:
        case syntax.Equation():
            return _equation(statement, writer, " &= ")
        case syntax.Draw(target, distribution):
            return rf"{writer.write(target)} &\sim {writer.write(distribution)}"
        case syntax.SkipWhen(condition):
            return rf"& \text{{skip when }} {writer.write(condition)}"
        case syntax.Evaluate(point):
            return rf"& \text{{evaluate at }} {writer.write(point)}"
        case syntax.Index(name, span):
            low, high = writer.write(span.low), writer.write(span.high)
            return rf"{writer.write(syntax.Name(name))} &= {low}, \dots, {high}"
    return None


def _equation(equation: syntax.Equation, writer: _Writer, sign: str) -> str:
    first, *others = map(writer.write, (*equation.targets, equation.value))
    return first + sign + " = ".join(others)


def _spelled(name: str) -> str:
    return name.replace("_", r"\_")


def _names(expressions: Iterable[syntax.Expression]) -> frozenset[str]:
    return frozenset(
        name.name for expression in expressions for name, _ in trees.names_in(expression)
    )


class _Writer:
    """Writes the expressions of one definition; `taken` are the names it has."""

    def __init__(self, taken: frozenset[str]) -> None:
        self._taken = taken
        self._loss = next(latex for name, latex in _LOSSES if name not in taken or latex == "H")

    def write(self, expression: syntax.Expression, level: int = ANY) -> str:
        """Return the LaTeX of `expression`, in brackets where it binds looser than `level`."""
        text, own = self._text(expression)
        return text if own >= level else rf"\left({text}\right)"

    def _text(self, expression: syntax.Expression) -> tuple[str, int]:
        match expression:
            case syntax.Number(text):
                return _number(text)
            case syntax.Constant(name):
                return {"pi": r"\pi", "inf": r"\infty"}.get(name, rf"\text{{{name}}}"), ATOM
            case syntax.String(text):
                return rf"\text{{\textquotedbl {_spelled(text)}\textquotedbl}}", ATOM
            case syntax.Name():
                return self._name(expression), ATOM
            case syntax.Attribute(value, "T"):
                return rf"{self.write(value, ATOM)}^{{\top}}", POWER
            case syntax.Attribute(value, name):
                return rf"{self.write(value, ATOM)}.\mathrm{{{_spelled(name)}}}", ATOM
            case syntax.Unary("not", operand):
                return rf"\lnot {self.write(operand, NOT)}", NOT
            case syntax.Unary(_, operand):
                return f"-{self.write(operand, PRODUCT)}", SUM
            case syntax.Binary():
                return self._binary(expression)
            case syntax.Conditional():
                return self._cases(expression), ATOM
            case syntax.Call():
                return self._call(expression), ATOM
            case syntax.Tuple(items):
                return rf"\left({', '.join(map(self.write, items))}\right)", ATOM
            case syntax.Sequence(first, steps, second):
                texts = (self.write(part) for part in (first, steps, second))
                return r"{} \text{{ for }} {} \text{{ then }} {}".format(*texts), ANY

    def _name(self, name: syntax.Name) -> str:
        """A numbered name beside one with that letter and a time is spelled out."""
        stem = name.name.rstrip("0123456789")
        return write_name(name, plain=stem != name.name and stem in self._taken)

    def _binary(self, expression: syntax.Binary) -> tuple[str, int]:
        left, right = expression.left, expression.right
        operator = expression.operator
        if operator == "/":
            return rf"\frac{{{self.write(left)}}}{{{self.write(right)}}}", PRODUCT
        if operator == "^":
            base = self.write(left, ATOM)
            if not isinstance(left, syntax.Name | syntax.Number) or base == "10":
                base = rf"\left({self.write(left)}\right)"
            return f"{base}^{{{self._exponent(right)}}}", POWER
        if operator in ("+", "-"):
            return f"{self.write(left, SUM)} {operator} {self.write(right, PRODUCT)}", SUM
        if operator in _COMPARED:
            sign = _COMPARED[operator]
            return f"{self.write(left, SUM)} {sign} {self.write(right, SUM)}", COMPARISON
        if operator == "and":
            return rf"{self.write(left, AND)} \land {self.write(right, NOT)}", AND
        if operator == "or":
            return rf"{self.write(left, OR)} \lor {self.write(right, AND)}", OR
        sign = _SIGNS[operator]
        return f"{self.write(left, PRODUCT)} {sign} {self.write(right, POWER)}", PRODUCT

    def _exponent(self, exponent: syntax.Expression) -> str:
        """A lone letter that would be read as an index or a transpose is set as a word."""
        match exponent:
            case syntax.Name("i" | "j" | "l" | "ell" | "T" as name, ()):
                return rf"\text{{{name}}}"
        return self.write(exponent)

    def _cases(self, expression: syntax.Conditional) -> str:
        rows = []
        rest: syntax.Expression | None = expression
        while isinstance(rest, syntax.Conditional):
            rows.append(rf"{self.write(rest.value)} & \text{{if }} {self.write(rest.condition)}")
            rest = rest.otherwise
        if rest is not None:
            rows.append(rf"{self.write(rest)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def _call(self, expression: syntax.Call) -> str:
        name, arguments = expression.function, expression.arguments
        first = arguments[0] if arguments else None
        if len(arguments) == 1 and first is not None:
            inside = self._argument(first)
            around = {
                "sqrt": (r"\sqrt{", "}"),
                "abs": (r"\left|", r"\right|"),
                "floor": (r"\left\lfloor ", r"\right\rfloor"),
            }.get(name)
            if around is not None:
                return around[0] + inside + around[1]
            if name == "grad":
                return self._gradient(first, inside)
        if name == "norm" and arguments[1:] == (syntax.Scope("all"),) and first is not None:
            return rf"\left\|{self._argument(first)}\right\|"
        head = f"\\{name}" if name in _COMMANDS else rf"\operatorname{{{_spelled(name)}}}"
        return rf"{head}\left({', '.join(map(self._argument, arguments))}\right)"

    def _gradient(
        self, point: syntax.Expression | syntax.Keyword | syntax.Scope, inside: str
    ) -> str:
        names = [] if isinstance(point, syntax.Keyword | syntax.Scope) else trees.names_in(point)
        nabla = r"\nabla_{\theta}" if any(name.name == "theta" for name, _ in names) else r"\nabla"
        return rf"{nabla} {self._loss}\left({inside}\right)"

    def _argument(self, argument: syntax.Expression | syntax.Keyword | syntax.Scope) -> str:
        match argument:
            case syntax.Keyword(name, value):
                return rf"\mathrm{{{_spelled(name)}}} = {self.write(value)}"
            case syntax.Scope(name):
                return rf"\text{{{name}}}"
        return self.write(argument)


def _number(text: str) -> tuple[str, int]:
    """Write a power of ten as one: `1e-8` is 10^{-8}."""
    mantissa, letter, exponent = text.lower().partition("e")
    if not letter:
        return text, ATOM
    power = f"10^{{{exponent.removeprefix('+')}}}"
    return (power, POWER) if mantissa == "1" else (rf"{mantissa} \times {power}", PRODUCT)
