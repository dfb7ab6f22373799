"""Gives the notation its meaning: the syntax tree of the language.

Every node of the notation is either read whole or refused at its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex import conditions, gradients, matrices, products, shapes, sums
from optdsl.latex.declared import Total
from optdsl.latex.names import Evidence, Named, settle, sort_scripts
from optdsl.latex.notation import (
    Bars,
    Big,
    Braces,
    Cases,
    Chain,
    Comparison,
    Digits,
    Entrywise,
    Fraction,
    Group,
    Infix,
    Logic,
    Member,
    Negative,
    Operator,
    Raw,
    Root,
    Script,
    Scripted,
    Sign,
    Slice,
    Symbol,
    Text,
)
from optdsl.latex.problems import refuse


@dataclass
class Reader:
    """Reads the expressions of one group of equations; remembers each symbol's notation.

    `totals` are the running sums and products that were met, and `draws` the random
    numbers: each is a name of its own with an equation of its own.
    """

    evidence: Evidence
    seen: dict[str, Named] = field(default_factory=dict)
    letters: dict[frozenset[str], Span] = field(default_factory=dict)
    loss: Named | None = None
    data: tuple[Raw, ...] | None = None
    initial: bool = False  # are we before the loop of an algorithm?
    layer: bool = False  # is this statement done layer by layer?
    totals: list[Total] = field(default_factory=list)
    draws: list[tuple[syntax.Name, syntax.Call]] = field(default_factory=list)
    indices: dict[str, syntax.Index] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)  # components of the symbols read so far

    def value(self, raw: Raw) -> syntax.Expression:
        """Return what the side of an equation says; its cases need not cover all."""
        if isinstance(raw, Cases):
            return conditions.cases(raw, self, covering=False)
        return self.expression(raw)

    def expression(self, raw: Raw) -> syntax.Expression:
        """Return what `raw` says; DiagnosticError where it cannot be read whole."""
        match raw:
            case Digits(text, span):
                return syntax.Number(text, span=span)
            case Text(text, span):
                return syntax.String(text, span=span)
            case Sign("pi" | "inf" | "true" | "false" as name, span):
                return syntax.Constant(name, span=span)
            case Comparison() | Logic():
                return conditions.condition(raw, self)
            case Negative(operand, span):
                return syntax.Unary("-", self.expression(operand), span=span)
            case Infix():
                return self._infix(raw)
            case Chain(_, span):
                return products.product(self, raw, span)
            case Cases():
                return conditions.cases(raw, self)
            case Big():
                return sums.big(raw, self)
        return self._unit(raw)

    def _unit(self, raw: Raw) -> syntax.Expression:
        """Read what stands together: a bracket, a fraction, a root, a symbol with its scripts."""
        match raw:
            case Braces(value) if not shapes.is_symbol(raw):
                return self.expression(value)
            case Group():
                return self._group(raw)
            case Fraction():
                return self._fraction(raw)
            case Root():
                return self._root(raw)
            case Bars():
                return self._bars(raw, [])
            case Scripted() if not shapes.is_symbol(raw):
                return self._scripted(raw)
        if shapes.is_symbol(raw):
            return self._symbol(raw)
        self.refuse_rest(raw)

    def refuse_rest(self, raw: Raw) -> NoReturn:
        """Refuse what means nothing where it stands."""
        message, hint = "this is not understood here", None
        match raw:
            case Operator(name, "function" | "operator"):
                message = f"expected what `{name}` is taken of"
            case Operator("partial"):
                message = "a lone partial derivative"
                hint = "write `\\frac{\\partial L}{\\partial w}`"
            case Operator("nabla"):
                message = "expected the function whose gradient this is"
            case Sign("top"):
                message = "expected something that is transposed before this"
            case Member():
                message, hint = "what runs over a set is not understood", sums.EXAMPLES
            case Slice():
                message = "a slice stands only in the data of a loss"
            case Entrywise():
                message = "a power of entries stands only in a superscript"
        raise refuse("latex-unexpected", message, raw.span, hint)

    # ----------------------------------------------------------------- symbols

    def name(self, raw: Raw) -> tuple[Named, syntax.Name]:
        """Return a symbol's name and time; its powers are left to the caller."""
        named, name = settle(sort_scripts(raw, self.evidence), self.evidence)
        self.remember(named)
        return named, name

    def remember(self, named: Named) -> None:
        """Refuse a symbol that is another one's name, or differs from itself elsewhere."""
        self.met.update(named.components)
        if self.initial and not named.components:
            return  # `v = 0` before a loop that sets `v^l`
        before = self.seen.setdefault(named.name, named)
        apart = (before.time is None) != (named.time is None)  # `\\boldsymbol{\\eta}_t`, `\\eta`
        alike = replace(before, font=named.font) if apart else before
        if alike.printed_as != named.printed_as:
            message = f"`{named.span.text}` and `{before.span.text}` would both be `{named.name}`"
            raise refuse("latex-ambiguous", message, named.span)
        if self._entries_of(before) != self._entries_of(named):
            message = f"`{named.span.text}` and `{before.span.text}` differ in their components"
            hint = "an index that means elementwise stands on every occurrence of a symbol"
            raise refuse("latex-components", message, named.span, hint)
        entries = frozenset(self._entries_of(named)) - self.evidence.layers
        if entries:
            other = next(iter(self.letters), entries)
            if other != entries:
                message = "components of two kinds in one group of equations"
                raise refuse("latex-components", message, named.span)
            self.letters[entries] = named.span

    def _entries_of(self, named: Named) -> set[str]:
        """The components that no sum runs over; a layer's part of a vector is none."""
        return set(named.components) - self.evidence.summed - self.evidence.blocks

    def _symbol(self, raw: Raw) -> syntax.Expression:
        if shapes.is_euler(raw) and "e" not in self.evidence.declared:
            return self._exponential(raw)
        if (inner := matrices.transposed(raw, self.evidence)) is not None:
            return self._transposed(inner, raw.span)
        if (test := shapes.indicated(raw)) is not None:
            return conditions.indicator(test, raw.span, self)
        if isinstance(base := shapes.unscripted(raw), Symbol) and base.name.isdigit():
            message = "ones, or a condition that is not understood"
            raise refuse("latex-symbol", message, raw.span, "write `1` for a vector of ones")
        if shapes.is_dotted(raw):
            return shapes.attribute(raw)
        named, name = self.name(raw)
        if named.name in self.evidence.squared:
            return replace(name, name=named.name + "2")
        for script in named.raised if not name.indices else ():
            moving = self.evidence.timed(name.name) or name.name == "g"
            corrects = raw.span.start in self.evidence.corrections
            power = corrects and name.name not in self.evidence.targets
            moving = moving or (bool(self.evidence.raised) and not power)
            if moving and shapes.time_of(script.items[0]) is not None:
                hint = "write `x_t` or `x^{(t)}` for a time, `(x)^t` for a power"
                raise refuse("latex-ambiguous", "is this a power or a time?", script.span, hint)
        return self.raised(name, named.raised, raw.span)

    def _transposed(self, inner: Raw, span: Span) -> syntax.Expression:
        if not matrices.is_capital(inner):
            message = "a transposed vector stands before what it is multiplied by"
            hint = "`g^\\top h` is an inner product; an outer product is as wide as the parameter"
            raise refuse("latex-script", message, span, hint)
        return syntax.Attribute(self.expression(inner), "T", span=span)

    def _exponential(self, raw: Raw) -> syntax.Expression:
        match raw:
            case Scripted(_, (Script(True, (Symbol(kind="mark"),), _) as script,)):
                hint = "write `e^{-t}`: without braces only the sign stands above the line"
                raise refuse("latex-script", "this script is not understood", script.span, hint)
            case Scripted(_, (Script(True, (exponent,), _),), span):
                return syntax.Call("exp", (self.expression(exponent),), span=span)
        hint = "write `e^{x}` for the exponential, or declare e"
        raise refuse("latex-ambiguous", "a lone `e` is not understood", raw.span, hint)

    def raised(
        self, base: syntax.Expression, scripts: tuple[Script, ...], span: Span
    ) -> syntax.Expression:
        """Return a power of `base`; a script that is none is refused."""
        if len(scripts) > 1 or any(not shapes.is_power(script) for script in scripts):
            raise refuse("latex-script", "this script is not understood", scripts[-1].span)
        for script in scripts:
            base = matrices.raised(base, script.items[0], span, self)
        return base

    def _scripted(self, raw: Scripted) -> syntax.Expression:
        """A power or a transpose of something that is no symbol; a norm may say which it is."""
        base, scripts = raw.base, list(raw.scripts)
        if isinstance(base, Operator) and base.kind not in ("function", "operator"):
            self.refuse_rest(base)
        if isinstance(base, Operator):
            hint = f"write `(\\{base.name} x)^2` for a power"
            raise refuse("latex-script", "a script on a function", scripts[0].span, hint)
        single = isinstance(base, Fraction) and len(scripts) == 1
        if single and (past := gradients.derivative_at_time(base, scripts[0], self)) is not None:
            return past
        if isinstance(base, Fraction | Cases):
            hint = "put brackets around what is raised"
            raise refuse("latex-script", "a script on a fraction", scripts[0].span, hint)
        if (inner := matrices.transposed(raw, self.evidence)) is not None:
            return self._transposed(inner, raw.span)
        if isinstance(base, Bars) and base.double:
            value = self._bars(base, scripts)
        elif (literal := shapes.power_of_ten(base, scripts)) is not None:
            return syntax.Number(f"1e{literal}", span=raw.span)
        else:
            value = self.expression(base)
        return self.raised(value, tuple(scripts), raw.span)

    # ---------------------------------------------------------------- brackets

    def _group(self, raw: Group) -> syntax.Expression:
        if raw.bracket == "\\langle":
            if len(raw.items) != 2 or set(raw.separators) - {","}:
                message = "an inner product is of two: `\\langle a, b \\rangle`"
                raise refuse("latex-unexpected", message, raw.span)
            return matrices.inner_product(raw.items[0], raw.items[1], raw.span, self)
        if len(raw.items) != 1:
            message = "a list stands only behind a function's name"
            place = raw.items[1].span if raw.items else raw.span
            raise refuse("latex-unexpected", message, place)
        if raw.bracket == "[" and isinstance(raw.items[0], Comparison | Logic):
            return conditions.indicator(raw.items[0], raw.span, self)  # Iverson's bracket
        value = self.expression(raw.items[0])
        if raw.bracket == "\\lfloor":
            return syntax.Call("floor", (value,), span=raw.span)
        if raw.bracket == "\\lceil":  # the least whole number above is minus the greatest below
            negative = syntax.Unary("-", value, span=raw.span)
            floor = syntax.Call("floor", (negative,), span=raw.span)
            return syntax.Unary("-", floor, span=raw.span)
        return value

    def _bars(self, raw: Bars, scripts: list[Script]) -> syntax.Expression:
        """Read an absolute value, or a norm, taking from `scripts` what says which norm it is."""
        value = self.expression(raw.value)
        if not raw.double:
            return syntax.Call("abs", (value,), span=raw.span)
        lowered = [script for script in scripts if not script.raised and not script.point]
        kind = shapes.norm_kind(lowered[0]) if lowered else "2"
        if kind is None:
            message = "this norm is not understood"
            hint = "there are the norms 0, 1, 2, F and \\infty"
            raise refuse("latex-script", message, lowered[0].span, hint)
        scripts[:] = [script for script in scripts if script not in lowered[:1]]
        where = () if kind == "F" else self.scope(raw.value)
        if kind in ("2", "F"):
            return syntax.Call("norm", (value, *where), span=raw.span)
        if kind == "0":  # how many entries are not zero
            one, zero = syntax.Number("1", span=raw.span), syntax.Number("0", span=raw.span)
            test = syntax.Binary("!=", value, zero, span=raw.span)
            count = syntax.Conditional(one, test, zero, span=raw.span)
            return syntax.Call("sum", (count, *where), span=raw.span)
        size = syntax.Call("abs", (value,), span=raw.span)
        return syntax.Call("sum" if kind == "1" else "max", (size, *where), span=raw.span)

    def scope(self, *values: Raw) -> tuple[syntax.Scope, ...]:
        """A paper's vectors hold all parameters, unless an index of layers stands on them."""
        for value in values:
            above, below = shapes.layer_letters(value)
            if (above & (shapes.COMPONENTS | self.evidence.layers)) - self.evidence.members:
                return ()
            if below & self.evidence.layers:
                return ()
            if (below & shapes.COMPONENTS) - self.evidence.members - self.evidence.summed:
                hint = "write the number of a layer above the line: `x^{(i)}`"
                message = "is this index one of layers, or of components?"
                raise refuse("latex-ambiguous", message, value.span, hint)
        if self.layer:
            message = "is this of the layer, or of all layers?"
            hint = "write the number of the layer above the line: `w^l`"
            raise refuse("latex-ambiguous", message, values[0].span, hint)
        return (syntax.Scope("all"),)

    def _fraction(self, raw: Fraction) -> syntax.Expression:
        if shapes.starts_partial(raw.numerator) or shapes.starts_partial(raw.denominator):
            return gradients.derivative(raw, [], self)
        upper, lower = self.expression(raw.numerator), self.expression(raw.denominator)
        if matrices.is_matrix(lower, self.evidence):
            raise refuse("latex-ambiguous", "a division by a matrix", raw.denominator.span)
        return syntax.Binary("/", upper, lower, span=raw.span)

    def _root(self, raw: Root) -> syntax.Expression:
        radicand = self.expression(raw.radicand)
        if raw.degree is None:
            return syntax.Call("sqrt", (radicand,), span=raw.span)
        one = syntax.Number("1", span=raw.span)
        degree = syntax.Binary("/", one, self.expression(raw.degree), span=raw.degree.span)
        return syntax.Binary("^", radicand, degree, span=raw.span)

    def _infix(self, raw: Infix) -> syntax.Expression:
        if raw.rest[0][0] not in ("+", "-"):
            return products.products(self, raw)
        value = self.expression(raw.first)
        for sign, operand in raw.rest:
            right = self.expression(operand)
            span = raw.first.span.to(operand.span)
            operator: Literal["+", "-"] = "+" if sign == "+" else "-"
            value = syntax.Binary(operator, value, right, span=span)
        return value

    def factors(self, raw: Raw) -> list[syntax.Expression]:
        """Return the factors of an implied product, functions applied to what follows them."""
        return products.factors(self, raw)
