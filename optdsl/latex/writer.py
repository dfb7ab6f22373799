"""Writes expressions and definitions as LaTeX.

What the reader reads is written so that it is read back as the same tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from optdsl.language import format_expression, syntax
from optdsl.latex import trees
from optdsl.latex.symbols import write_name

# How tightly an expression binds, loosest first.
ANY, OR, AND, NOT, COMPARISON, SUM, PRODUCT, POWER, ATOM = range(9)

_COMPARED = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}
_SIGNS = {"+": "+", "-": "-", "*": r"\cdot", "@": r"\mathbin{@}", "|": r"\mathbin{|}"}
_COMMANDS = frozenset({"min", "max", "exp", "log", "cos"})
_WORD = re.compile(r"\\(?:mathrm|mathit|text)\{[^{}]{2,}\}")
_LOSSES = (("J", "J"), ("L", "L"), ("F", "F"), ("H", "H"))


def write_expression(expression: syntax.Expression) -> str:
    r"""Return the LaTeX of an expression.

    >>> from optdsl.latex import read_expression
    >>> write_expression(read_expression(r"\gamma v_{t-1} + \eta g_t"))
    '\\gamma \\cdot v_{t-1} + \\eta \\cdot g_{t}'
    """
    return _Writer(_names([expression]), _is_linear(expression)).write(expression)


def write_equation(equation: syntax.Equation) -> str:
    """Return the LaTeX of an equation, its targets joined by `=`."""
    names = _names([*equation.targets, equation.value])
    return _equation(equation, _Writer(names, _is_linear(equation.value)), " = ")


def write_equations(definition: syntax.Definition) -> str:
    """Return the equations of a definition as an `aligned` block."""
    parts: list[syntax.Expression] = []
    for statement in definition.statements:
        match statement:
            case syntax.Equation(targets, value):
                parts += [*targets, value]
            case syntax.Draw(target, distribution):
                parts += [target, distribution]
            case syntax.SkipWhen(value) | syntax.Evaluate(value):
                parts.append(value)
    writer = _Writer(_names(parts), any(map(_is_linear, parts)))
    rows = [row for statement in definition.statements if (row := _row(statement, writer))]
    rows += [row for index in _tuple_indices(definition) if (row := _row(index, writer))]
    if definition.value is not None:
        rows = [rf"\mathrm{{{_spelled(definition.name)}}} &= {writer.write(definition.value)}"]
    inside = " \\\\\n".join(rows)
    return f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"


def _tuple_indices(definition: syntax.Definition) -> Iterable[syntax.Index]:
    """Yield the indices that run over a tuple: from 1 to how many it holds."""
    found: dict[str, syntax.Index] = {}
    for statement in definition.statements:
        match statement:
            case syntax.Hyper(_, (syntax.Name(letter),), _, syntax.Tuple(items)):
                high = syntax.Number(str(len(items)))
                found[letter] = syntax.Index(letter, syntax.Range(syntax.Number("1"), high))
    return found.values()


def _row(statement: syntax.Statement, writer: _Writer) -> str | None:
    match statement:
        case syntax.Equation():
            return _equation(statement, writer, " &= ")
        case syntax.Draw(target, distribution):
            return rf"{writer.write(target)} &\sim {writer.distribution(distribution)}"
        case syntax.SkipWhen(condition):
            return rf"& \text{{skip when }} {writer.write(condition)}"
        case syntax.Evaluate(point):
            return rf"& \text{{evaluate at }} {writer.write(point)}"
        case syntax.Index(name, span):
            low, high = writer.write(span.low), writer.write(span.high)
            return rf"& {writer.write(syntax.Name(name))} \in \{{{low}, \dots, {high}\}}"
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


def _is_linear(expression: syntax.Expression) -> bool:
    """Does it hold matrices?"""
    return any(
        (isinstance(node, syntax.Attribute) and node.name == "T")
        or (isinstance(node, syntax.Binary) and node.operator == "@")
        or (isinstance(node, syntax.Call) and node.function in ("matpow", "eye"))
        for node in trees.within(expression)
    )


def _is_number(expression: syntax.Expression) -> bool:
    """Is it evidently no matrix: a literal, or a small letter without a time?"""
    match expression:
        case syntax.Number():
            return True
        case syntax.Name(name, ()):
            return name not in ("theta", "g") and not name[0].isupper()
        case syntax.Call("norm" | "sum" | "mean" | "rms" | "dot", (*_, last)):
            return not isinstance(last, syntax.Scope) or last.name == "all"
    return False


class _Writer:
    """Writes the expressions of one definition; `taken` are the names it has."""

    def __init__(self, taken: frozenset[str], linear: bool = False) -> None:
        self._taken = taken
        self._linear = linear
        self._in_case = False
        self._loss = next(latex for name, latex in _LOSSES if name not in taken or latex == "H")

    def write(self, expression: syntax.Expression, level: int = ANY) -> str:
        """Return the LaTeX of `expression`, in brackets where it binds looser than `level`."""
        text, own = self._text(expression)
        return text if own >= level else rf"\left({text}\right)"

    def distribution(self, drawn: syntax.Call) -> str:
        """Return the LaTeX of what is drawn from; papers print the variance of a normal one."""
        first, second = (self._argument(argument) for argument in drawn.arguments)
        if any(name.startswith("I") for name in self._taken):  # beside a variance: the identity
            return rf"\operatorname{{{drawn.function}}}\left({first}, {second}\right)"
        if drawn.function == "uniform":
            return rf"\mathcal{{U}}\left({first}, {second}\right)"
        match drawn.arguments[1]:
            case syntax.Call("sqrt", (variance,)):
                second = self._argument(variance)
            case syntax.Number("0" | "1"):
                pass
            case deviation if not isinstance(deviation, syntax.Keyword | syntax.Scope):
                second = self.write(syntax.Binary("^", deviation, syntax.Number("2")))
        return rf"\mathcal{{N}}\left({first}, {second}\right)"

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
                return self._transposed(value), POWER
            case syntax.Attribute(value, name):
                head = format_expression(value)
                return rf"\mathrm{{{_spelled(head)}.{_spelled(name)}}}", ATOM
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
        if self._linear and operator in "*/^":
            return self._of_entries(expression)
        if operator == "==" and not self._in_case:
            return rf"\left({self.write(left, SUM)} = {self.write(right, SUM)}\right)", ATOM
        if operator == "/":
            return rf"\frac{{{self.write(left)}}}{{{self.write(right)}}}", PRODUCT
        if operator == "^":
            base = self.write(left, ATOM)
            if not isinstance(left, syntax.Name | syntax.Number) or base == "10":
                base = rf"\left({self.write(left)}\right)"
            exponent = self._exponent(right)
            if _WORD.fullmatch(exponent) and isinstance(left, syntax.Name):
                base = rf"\left({base}\right)"  # a word on a name belongs to the name
            return f"{base}^{{{exponent}}}", POWER
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

    def _of_entries(self, expression: syntax.Binary) -> tuple[str, int]:
        """A product, quotient or power beside matrices says that it is one of entries."""
        left, right = expression.left, expression.right
        if expression.operator == "^":
            base = rf"\left({self.write(left)}\right)"
            if isinstance(left, syntax.Name):
                base = self.write(left, ATOM)
            plain = isinstance(left, syntax.Number) or _is_number(left)
            mark = "" if plain else r"\odot "
            if not mark and _WORD.fullmatch(self._exponent(right)):
                base = rf"\left({self.write(left)}\right)"
            return f"{base}^{{{mark}{self._exponent(right)}}}", POWER
        if expression.operator == "/":
            if _is_number(right):
                return rf"\frac{{{self.write(left)}}}{{{self.write(right)}}}", PRODUCT
            return rf"{self.write(left, PRODUCT)} \oslash {self.write(right, POWER)}", SUM
        sign = r"\cdot" if _is_number(left) or _is_number(right) else r"\odot"
        return f"{self.write(left, PRODUCT)} {sign} {self.write(right, POWER)}", PRODUCT

    def _transposed(self, value: syntax.Expression) -> str:
        """A transposed capital is a matrix; a transposed letter would be a vector."""
        if isinstance(value, syntax.Name) and len(value.name) == 1 and value.name.isupper():
            return rf"{self.write(value, ATOM)}^{{\top}}"
        return rf"\operatorname{{transpose}}\left({self.write(value)}\right)"

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
            value = self.write(rest.value)
            before, self._in_case = self._in_case, True
            rows.append(rf"{value} & \text{{if }} {self.write(rest.condition)}")
            self._in_case = before
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
            twice = isinstance(first, syntax.Call) and name == first.function == "abs"
            if around is not None and not twice:  # `||x||` is a norm
                return around[0] + inside + around[1]
            if name == "grad":
                return self._gradient(first, inside)
        if name == "dot" and arguments[2:] == (syntax.Scope("all"),):
            pair = ", ".join(map(self._argument, arguments[:2]))
            return rf"\left\langle {pair} \right\rangle"
        match expression:
            case syntax.Call(
                "sum" | "max", (syntax.Call("abs", (inside_abs,)), syntax.Scope("all"))
            ):
                kind = "1" if name == "sum" else r"\infty"
                return rf"\left\|{self._argument(inside_abs)}\right\|_{{{kind}}}"
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
