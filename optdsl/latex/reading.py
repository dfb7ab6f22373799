"""Gives the notation its meaning: the syntax tree of the language.

Every node of the notation is either read whole or refused at its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NoReturn, cast

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.language import syntax
from optdsl.latex import conditions, gradients, shapes
from optdsl.latex.names import Evidence, Named, settle, sort_scripts
from optdsl.latex.notation import (
    Bars,
    Braces,
    Cases,
    Chain,
    Comparison,
    Digits,
    Fraction,
    Group,
    Infix,
    Logic,
    Negative,
    Operator,
    Raw,
    Root,
    Script,
    Scripted,
    Sign,
    Slice,
    Symbol,
)
from optdsl.latex.problems import refuse

_SINGLE = frozenset(
    [
        "sqrt",
        "exp",
        "log",
        "cos",
        "abs",
        "sign",
        "floor",
        "finite",
        "norm",
        "mean",
        "rms",
        "sum",
        "any",
    ]
)


@dataclass
class Reader:
    """Reads the expressions of one group of equations; remembers each symbol's notation."""

    evidence: Evidence
    seen: dict[str, Named] = field(default_factory=dict)
    letters: dict[frozenset[str], Span] = field(default_factory=dict)
    loss: Named | None = None

    def expression(self, raw: Raw) -> syntax.Expression:
        """Return what `raw` says; DiagnosticError where it cannot be read whole."""
        match raw:
            case Digits(text, span):
                return syntax.Number(text, span=span)
            case Sign("pi" | "inf" as name, span):
                return syntax.Constant(name, span=span)
            case Braces(value) if not shapes.is_symbol(raw):
                return self.expression(value)
            case Group():
                return self._group(raw)
            case Fraction():
                return self._fraction(raw)
            case Root():
                return self._root(raw)
            case Bars(double, value, span):
                inside = self.expression(value)
                if double:  # a paper's vectors hold all parameters
                    return syntax.Call("norm", (inside, syntax.Scope("all")), span=span)
                return syntax.Call("abs", (inside,), span=span)
            case Negative(operand, span):
                return syntax.Unary("-", self.expression(operand), span=span)
            case Infix():
                return self._infix(raw)
            case Chain(_, span):
                return self._product(self.factors(raw), span)
            case Cases():
                return conditions.cases(raw, self)
            case Scripted() if not shapes.is_symbol(raw):
                return self._scripted(raw)
        if shapes.is_symbol(raw):
            return self._symbol(raw)
        self._refuse_rest(raw)

    def _refuse_rest(self, raw: Raw) -> NoReturn:
        message, hint = "this is not understood here", None
        match raw:
            case Operator(name, "function"):
                message = f"expected what `{name}` is taken of"
            case Operator("partial"):
                message, hint = (
                    "a lone partial derivative",
                    "write `\\frac{\\partial L}{\\partial w}`",
                )
            case Operator("nabla"):
                message = "expected the function whose gradient this is"
            case Sign("top"):
                message = "a transpose is not understood yet"
            case Comparison() | Logic():
                message = "a condition stands only within cases"
            case Slice():
                message = "a slice stands only in the data of a loss"
        raise refuse("latex-unexpected", message, raw.span, hint)

    # ----------------------------------------------------------------- symbols

    def name(self, raw: Raw) -> tuple[Named, syntax.Name]:
        """Return a symbol's name and time; its powers are left to the caller."""
        named, name = settle(sort_scripts(raw, self.evidence), self.evidence)
        self._remember(named)
        return named, name

    def _remember(self, named: Named) -> None:
        before = self.seen.setdefault(named.name, named)
        if before.printed_as != named.printed_as:
            message = f"`{named.span.text}` and `{before.span.text}` would both be `{named.name}`"
            raise refuse("latex-ambiguous", message, named.span)
        if before.components != named.components:
            message = f"`{named.span.text}` and `{before.span.text}` differ in their components"
            hint = "an index that means elementwise stands on every occurrence of a symbol"
            raise refuse("latex-components", message, named.span, hint)
        if named.components:
            letters = frozenset(named.components)
            other = next(iter(self.letters), letters)
            if other != letters:
                message = "components of two kinds in one group of equations"
                raise refuse("latex-components", message, named.span)
            self.letters[letters] = named.span

    def _symbol(self, raw: Raw) -> syntax.Expression:
        if shapes.is_euler(raw) and "e" not in self.evidence.declared:
            return self._exponential(raw)
        named, name = self.name(raw)
        for script in named.raised if not name.indices else ():
            moving = self.evidence.timed(name.name) or name.name == "g"
            if moving and shapes.time_of(script.items[0]) is not None:
                hint = "write `x_t` or `x^{(t)}` for a time, `(x)^t` for a power"
                raise refuse("latex-ambiguous", "is this a power or a time?", script.span, hint)
        return self._raise(name, named.raised, raw.span)

    def _exponential(self, raw: Raw) -> syntax.Expression:
        match raw:
            case Scripted(_, (Script(True, (exponent,), _),), span):
                return syntax.Call("exp", (self.expression(exponent),), span=span)
        hint = "write `e^{x}` for the exponential, or declare e"
        raise refuse("latex-ambiguous", "a lone `e` is not understood", raw.span, hint)

    def _raise(
        self, base: syntax.Expression, scripts: tuple[Script, ...], span: Span
    ) -> syntax.Expression:
        for script in scripts:
            (exponent,) = script.items
            base = syntax.Binary("^", base, self.expression(exponent), span=span)
        return base

    def _scripted(self, raw: Scripted) -> syntax.Expression:
        """A power of something that is no symbol; a norm may carry the subscript 2."""
        base, scripts = raw.base, list(raw.scripts)
        if isinstance(base, Operator) and base.kind != "function":
            self._refuse_rest(base)
        if isinstance(base, Operator):
            hint = f"write `(\\{base.name} x)^2` for a power"
            raise refuse("latex-script", "a script on a function", scripts[0].span, hint)
        if isinstance(base, Fraction | Cases):
            hint = "put brackets around what is raised"
            raise refuse("latex-script", "a script on a fraction", scripts[0].span, hint)
        if isinstance(base, Bars) and base.double:
            twos = [script for script in scripts if not script.raised and shapes.says(script, "2")]
            scripts = [script for script in scripts if script not in twos[:1]]
        if len(scripts) > 1 or any(not shapes.is_power(script) for script in scripts):
            raise refuse("latex-script", "this script is not understood", scripts[-1].span)
        literal = shapes.power_of_ten(base, scripts)
        if literal is not None:
            return syntax.Number(f"1e{literal}", span=raw.span)
        return self._raise(self.expression(base), tuple(scripts), raw.span)

    # ---------------------------------------------------------------- operators

    def _group(self, raw: Group) -> syntax.Expression:
        if len(raw.items) > 1:
            message = "a list stands only behind a function's name"
            raise refuse("latex-unexpected", message, raw.items[1].span)
        value = self.expression(raw.items[0])
        if raw.bracket == "\\lfloor":
            return syntax.Call("floor", (value,), span=raw.span)
        return value

    def _fraction(self, raw: Fraction) -> syntax.Expression:
        if shapes.starts_partial(raw.numerator) or shapes.starts_partial(raw.denominator):
            return gradients.derivative(raw, [], self)
        upper, lower = self.expression(raw.numerator), self.expression(raw.denominator)
        return syntax.Binary("/", upper, lower, span=raw.span)

    def _root(self, raw: Root) -> syntax.Expression:
        radicand = self.expression(raw.radicand)
        if raw.degree is None:
            return syntax.Call("sqrt", (radicand,), span=raw.span)
        one = syntax.Number("1", span=raw.span)
        degree = syntax.Binary("/", one, self.expression(raw.degree), span=raw.degree.span)
        return syntax.Binary("^", radicand, degree, span=raw.span)

    def _infix(self, raw: Infix) -> syntax.Expression:
        if raw.rest[0][0] in ("+", "-"):
            value = self.expression(raw.first)
            for sign, operand in raw.rest:
                right = self.expression(operand)
                span = raw.first.span.to(operand.span)
                operator: Literal["+", "-"] = "+" if sign == "+" else "-"
                value = syntax.Binary(operator, value, right, span=span)
            return value
        return self._products(raw)

    def _products(self, raw: Infix) -> syntax.Expression:
        value: syntax.Expression | None = None
        divided = False
        parts = (("*", raw.first), *raw.rest)
        scientific = shapes.scientific(raw)
        if scientific is not None:
            value = syntax.Number(scientific, span=raw.first.span.to(raw.rest[0][1].span))
            parts = parts[2:]
        for sign, operand in parts:
            factors = self.factors(operand)
            if divided or (sign in ("/", "mod") and len(factors) > 1):
                hint = "write `\\frac`, or put brackets around the divisor"
                message = "is this still under the division?"
                raise refuse("latex-ambiguous", message, operand.span, hint)
            if sign in ("/", "mod"):
                divided = True
            for factor in factors:
                value = self._join(sign, value, factor, raw.first.span.to(operand.span))
        return cast(syntax.Expression, value)

    def _join(
        self, sign: str, left: syntax.Expression | None, right: syntax.Expression, span: Span
    ) -> syntax.Expression:
        if left is None:
            return right
        if sign == "mod":
            if isinstance(left, syntax.Binary) and left.operator in "*/":
                raise refuse("latex-ambiguous", "how far does this reach?", span, "use brackets")
            return syntax.Call("mod", (left, right), span=span)
        return syntax.Binary("/" if sign == "/" else "*", left, right, span=span)

    def _product(self, factors: list[syntax.Expression], span: Span) -> syntax.Expression:
        value = factors[0]
        for factor in factors[1:]:
            place = span if factor.span is None else Span(span.source, span.start, factor.span.end)
            value = syntax.Binary("*", value, factor, span=place)
        return value

    # --------------------------------------------------------------- side by side

    def factors(self, raw: Raw) -> list[syntax.Expression]:
        """Return the factors of an implied product, functions applied to what follows them."""
        if not isinstance(raw, Chain):
            return [self.expression(raw)]
        found: list[syntax.Expression] = []
        rest = list(raw.factors)
        while rest:
            head = rest.pop(0)
            if shapes.is_function(head):
                found.append(self._function(cast(Operator, head), rest))
            elif shapes.is_nabla(head):
                found.append(gradients.gradient(head, rest, self))
            elif isinstance(head, Fraction) and shapes.starts_partial(head.numerator):
                found.append(gradients.derivative(head, rest, self))
            elif rest and shapes.is_statistic(head, rest[0]):
                found.append(self._statistic(head, rest.pop(0)))
                if rest and shapes.is_group(rest[0], "("):
                    raise self._function_or_factor(head.span.to(rest[0].span))
            elif rest and shapes.is_symbol(head) and shapes.is_group(rest[0], "("):
                found.extend(self._symbol_and_group(head, rest.pop(0)))
            elif found and shapes.is_group(head, "(") and shapes.holds_time(head):
                raise self._function_or_factor(head.span)
            elif found and isinstance(shapes.unscripted(head), Digits):
                hint = "a product with a number behind wants a sign, as in `x \\cdot 2`"
                message = "a number behind a factor"
                raise refuse("latex-ambiguous", message, head.span, hint)
            else:
                found.append(self.expression(head))
        return found

    def _function(self, head: Operator, rest: list[Raw]) -> syntax.Expression:
        if not rest:
            self._refuse_rest(head)
        argument = rest.pop(0)
        scripts: tuple[Script, ...] = ()
        base = argument
        if isinstance(argument, Scripted) and isinstance(argument.base, Group):
            base, scripts = argument.base, argument.scripts
        if isinstance(base, Group) and base.bracket != "\\lfloor":
            if set(base.separators) - {","}:
                raise refuse("latex-unexpected", "expected commas in this list", base.span)
            items = base.items
        elif rest:
            hint = "put the argument in brackets"
            message = f"how far does `{head.name}` reach?"
            raise refuse("latex-ambiguous", message, rest[0].span, hint)
        else:
            items = (base,)
        if head.name in _SINGLE and len(items) > 1:
            message = f"`{head.name}` takes one argument"
            raise refuse("latex-unexpected", message, items[1].span)
        values = tuple(self.expression(item) for item in items)
        if any(not shapes.is_power(script) for script in scripts) or len(scripts) > 1:
            raise refuse("latex-script", "this script is not understood", scripts[-1].span)
        span = head.span.to(argument.span)
        call = syntax.Call(head.name, values, span=head.span.to(base.span))
        return self._raise(call, scripts, span)

    def _statistic(self, head: Raw, bracket: Raw) -> syntax.Expression:
        """`E[g^2]_t`: one name made of the letters and of what stands in the brackets."""
        group = cast(Group, shapes.unscripted(bracket))
        inside = "_".join(self._spelled(item) for item in group.items)
        scripts = bracket.scripts if isinstance(bracket, Scripted) else ()
        symbol = cast(Symbol, head)
        span = head.span.to(bracket.span)
        whole = Symbol(f"{symbol.name}_{inside}", "word", symbol.font, head.span.to(group.span))
        return self._stateful(Scripted(whole, scripts, span) if scripts else whole)

    def _spelled(self, raw: Raw) -> str:
        """Spell `g^2` as g2: the name of what is averaged."""
        if shapes.is_symbol(raw):
            named = sort_scripts(raw, self.evidence)
            powers = [shapes.digits(script) for script in named.raised]
            if named.time is None and not named.components and None not in powers:
                return named.name + "".join(cast("list[str]", powers))
        raise refuse("latex-symbol", "expected a symbol or its power", raw.span)

    def _stateful(self, raw: Raw) -> syntax.Expression:
        """A name with an own time: a number below it is a time too."""
        named = sort_scripts(raw, self.evidence)
        if named.number is not None and named.time is None:
            index = syntax.Number(named.number, span=raw.span)
            name = syntax.Name(Named(named.letter, named.font, raw.span).name, (index,))
            return self._raise(name, named.raised, raw.span)
        self._remember(named)
        _, name = settle(named, self.evidence)
        return self._raise(name, named.raised, raw.span)

    def _symbol_and_group(self, head: Raw, follower: Raw) -> list[syntax.Expression]:
        """`w(t)`, `f(a, b)` or a product with a bracket: the declarations decide."""
        group = cast(Group, shapes.unscripted(follower))
        scripts = follower.scripts if isinstance(follower, Scripted) else ()
        named = sort_scripts(head, self.evidence)
        span = head.span.to(follower.span)
        time = shapes.time_of(group.items[0]) if len(group.items) == 1 else None
        if len(group.items) > 1:
            return [self._named_state(head, group, scripts, span)]
        if time is not None and named.time is None and self.evidence.timed(named.name):
            index = Script(False, group.items, (), group.span)
            return [self.expression(Scripted(head, (index, *scripts), span))]
        alone = time is not None or shapes.single(group.items[0])
        if alone and (time == 0 or named.time is not None or not self._declared(named)):
            raise self._function_or_factor(span)
        return [self.expression(head), self.expression(follower)]

    def _function_or_factor(self, span: Span) -> DiagnosticError:
        hint = "write `\\cdot` for a product, or declare the symbol, as `f(t)` for a function"
        message = "is this a function of what stands in the brackets, or a product?"
        return refuse("latex-ambiguous", message, span, hint)

    def _declared(self, named: Named) -> bool:
        return named.name in self.evidence.declared

    def _named_state(
        self, head: Raw, group: Group, scripts: tuple[Script, ...], span: Span
    ) -> syntax.Expression:
        """`MeanSquare(w_{i,j}, t)`: a state named after a function and its argument."""
        time = shapes.time_of(group.items[-1])
        if time is None or set(group.separators) - {","} or not isinstance(head, Symbol):
            message = "this function is not understood"
            raise refuse("latex-function", message, span, "a state is named `Name(w, t)`")
        parts = [head.name]
        for item in group.items[:-1]:
            if not shapes.is_symbol(item):
                raise refuse("latex-symbol", "expected a symbol", item.span)
            parts.append(self.name(item)[0].name)
        place = head.span.to(group.span)
        whole = Symbol("_".join(parts), "word", head.font, place)
        index = Script(False, (group.items[-1],), (), group.items[-1].span)
        return self._stateful(Scripted(whole, (index, *scripts), span))
