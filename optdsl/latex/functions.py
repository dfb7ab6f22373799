"""Reads functions: those of the language, those that are declared, and states named like one."""

from __future__ import annotations

from typing import cast

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.language import syntax
from optdsl.latex import shapes, trees
from optdsl.latex.declared import Function
from optdsl.latex.names import Named, settle, sort_scripts
from optdsl.latex.notation import (
    Bars,
    Braces,
    Comparison,
    Group,
    Infix,
    Operator,
    Raw,
    Script,
    Scripted,
    Symbol,
    Where,
)
from optdsl.latex.problems import refuse
from optdsl.latex.reads import Reads

Argument = syntax.Expression | syntax.Keyword | syntax.Scope
_SINGLE = frozenset(
    ["sqrt", "exp", "log", "cos", "abs", "sign", "floor", "finite"]
    + ["norm", "mean", "rms", "sum", "any"]
)
#: Letters that papers keep for functions: before a bracket they are no factors.
_LIKE_FUNCTIONS = frozenset(("f", "h", "phi", "psi", "Phi", "Psi"))
#: What algorithms call the procedure that gives a gradient.
_GRADIENTS = frozenset(("stochasticGradient", "StochasticGradient", "Gradient", "gradient", "Grad"))
_REDUCING = frozenset(["norm", "mean", "rms", "sum", "any", "max", "min", "dot"])


def call(head: Operator, rest: list[Raw], reader: Reads) -> syntax.Expression:
    """Read a function with its argument, which is taken from `rest`."""
    if not rest:
        message = f"expected what `{head.name}` is taken of"
        raise refuse("latex-unexpected", message, head.span)
    argument = rest.pop(0)
    scripts: tuple[Script, ...] = ()
    base = argument
    if isinstance(argument, Scripted) and isinstance(argument.base, Group):
        base, scripts = argument.base, argument.scripts
    if isinstance(argument, Scripted) and isinstance(argument.base, Braces):
        hint = "put the argument in brackets"
        message = f"is this a script on `{head.name}`, or on what it is taken of?"
        raise refuse("latex-ambiguous", message, argument.scripts[0].span, hint)
    bracketed = isinstance(base, Group) and base.bracket in ("(", "[", "\\{")
    if bracketed:
        group = cast(Group, base)
        _check_braces(head, group, scripts, rest)
        if set(group.separators) - {","}:
            raise refuse("latex-unexpected", "expected commas in this list", base.span)
        items = group.items
    elif rest or head.kind == "operator":
        hint = "put the argument in brackets"
        place = rest[0].span if rest else base.span
        raise refuse("latex-ambiguous", f"how far does `{head.name}` reach?", place, hint)
    else:
        items = (base,)
    span = head.span.to(base.span)
    value = _applied(head, [_argument(item, head, reader) for item in items], items, span)
    return reader.raised(value, scripts, head.span.to(argument.span))


def _check_braces(
    head: Operator, group: Group, scripts: tuple[Script, ...], rest: list[Raw]
) -> None:
    """`\\log{a + b}` prints `log a + b`: its braces say how far it reaches to the source alone."""
    if not group.span.text.startswith("{"):
        return
    sums = [item for item in group.items if isinstance(item, Infix) and item.rest[0][0] in "+-"]
    behind = [*scripts, *rest, *sums]
    if behind:
        hint = "put the argument in brackets"
        raise refuse("latex-ambiguous", f"how far does `{head.name}` reach?", behind[0].span, hint)


def clipped(head: Raw, rest: list[Raw], reader: Reads) -> syntax.Expression | None:
    """Read `\\operatorname{clip}_{[a, b]}(x)`: the interval stands below; None where none does."""
    match head:
        case Scripted(
            Operator("clip") as function, (Script(False, (Group("[", (low, high), (",",)),)),)
        ):
            pass
        case _:
            return None
    match rest[0] if rest else None:
        case Group("(" | "[" | "\\{" as bracket, (value,)) as group:
            rest[0] = Group(bracket, (value, low, high), (",", ","), group.span)
    return call(function, rest, reader)


def _applied(
    head: Operator, values: list[Argument], items: tuple[Raw, ...], span: Span
) -> syntax.Expression:
    plain = [value for value in values if not isinstance(value, syntax.Scope)]
    if head.name == "transpose" and len(values) == 1 and len(plain) == 1:
        return syntax.Attribute(cast(syntax.Expression, values[0]), "T", span=span)
    letters = [one for one in plain[1:] if isinstance(one, syntax.Name) and not one.indices]
    over = head.name in _REDUCING and len(letters) == 1  # over an index: `mean(v[i, t], i)`
    if head.name in _SINGLE and len(plain) > 1 and not over:
        message = f"`{head.name}` takes one argument"
        raise refuse("latex-unexpected", message, items[1].span)
    if head.name == "clip" and len(values) == 3:
        x, low, high = cast("list[syntax.Expression]", values)
        return syntax.Call("min", (syntax.Call("max", (x, low), span=span), high), span=span)
    if head.name == "clip":
        hint = "declare what it is, as in `where $\\mathrm{clip}(x, c)$ = min(max(x, -c), c)`"
        message = "`clip` takes what it clips, the least, the most"
        raise refuse("latex-unexpected", message, span, hint)
    return syntax.Call(head.name, tuple(values), span=span)


def _argument(raw: Raw, head: Operator, reader: Reads) -> Argument:
    """An argument: a value, a value by its name, or where a reduction runs."""
    if isinstance(raw, Where):
        if head.name not in _REDUCING:
            raise refuse("latex-unexpected", "this stands only in a reduction", raw.span)
        return syntax.Scope(raw.name, span=raw.span)
    match raw:
        case Comparison("==", left, right) if head.kind == "operator" and shapes.is_symbol(left):
            return syntax.Keyword(_keyword(left, reader), reader.expression(right), span=raw.span)
    return reader.expression(raw)


def _keyword(raw: Raw, reader: Reads) -> str:
    if isinstance(raw, Symbol):
        return raw.name
    return sort_scripts(raw, reader.evidence).name


# ----------------------------------------------------------------- declared


def declared(head: Raw, rest: list[Raw], reader: Reads) -> syntax.Expression | None:
    """Read a function that the reader was told; None where the head is none, or has no brackets."""
    if not ((rest and shapes.is_group(rest[0], "(")) or (rest and shapes.is_group(rest[0], "["))):
        return None
    function = _look_up(head, reader)
    if function is None:
        return None
    follower = rest.pop(0)
    group = cast(Group, shapes.unscripted(follower))
    if len(group.items) != len(function.parameters) or set(group.separators) - {",", ";"}:
        count = len(function.parameters)
        message = f"`{function.name}` is declared with {count} argument{'s' * (count > 1)}"
        raise refuse("latex-function", message, group.span)
    read = {name.name for name, _ in trees.names_in(function.value)}
    values = {
        parameter: reader.expression(item)
        for parameter, item in zip(function.parameters, group.items, strict=True)
        if parameter in read
    }

    def change(name: syntax.Name, _: bool) -> syntax.Expression:
        return values.get(name.name, name)

    value = trees.rewrite(function.value, change)
    scripts = follower.scripts if isinstance(follower, Scripted) else ()
    return reader.raised(value, scripts, head.span.to(follower.span))


def _look_up(head: Raw, reader: Reads) -> Function | None:
    """A declared `\\Pi` is that function whatever stands below it, unless that has its own."""
    known = reader.evidence.functions
    if not known:
        return None
    base = shapes.unscripted(head)
    if isinstance(base, Operator):
        return known.get(base.name)
    if not isinstance(base, Symbol):
        return None
    try:
        exact = known.get(sort_scripts(head, reader.evidence).name)
    except DiagnosticError:
        exact = None
    return exact or known.get(base.name)


def undeclared(head: Raw, span: Span) -> DiagnosticError:
    """Return the error for a function that nobody said anything of, such as a projection."""
    printed = shapes.unscripted(head).span.text
    message = f"nothing says what the function `{printed}` is"
    return refuse("latex-function", message, span, f"declare it, as in `where ${printed}(x)$ = x`")


# -------------------------------------------------------------------- states


def statistic(head: Raw, bracket: Raw, reader: Reads) -> syntax.Expression:
    """`E[g^2]_t`: one name made of the letters and of what stands in the brackets."""
    group = cast(Group, shapes.unscripted(bracket))
    inside = "_".join(_spelled(item, reader) for item in group.items)
    scripts = bracket.scripts if isinstance(bracket, Scripted) else ()
    symbol = cast(Symbol, head)
    span = head.span.to(bracket.span)
    whole = Symbol(f"{symbol.name}_{inside}", "word", symbol.font, head.span.to(group.span))
    return _stateful(Scripted(whole, scripts, span) if scripts else whole, reader)


def _spelled(raw: Raw, reader: Reads) -> str:
    """Spell `g^2` as g2: the name of what is averaged."""
    if isinstance(raw, Braces):
        return _spelled(raw.value, reader)
    if shapes.is_symbol(raw):
        named = sort_scripts(raw, reader.evidence)
        powers = [shapes.digits(script) for script in named.raised]
        if named.time is None and not named.components and None not in powers:
            return named.name + "".join(cast("list[str]", powers))
    hint = "write `\\operatorname{mean}(x)` for the mean of the entries"
    raise refuse("latex-symbol", "expected a symbol or its power", raw.span, hint)


def _stateful(raw: Raw, reader: Reads) -> syntax.Expression:
    """A name with an own time: a number below it is a time too."""
    named = sort_scripts(raw, reader.evidence)
    if named.number is not None and named.time is None:
        index = syntax.Number(named.number, span=raw.span)
        name = syntax.Name(Named(named.letter, named.font, raw.span).name, (index,), span=raw.span)
        return reader.raised(name, named.raised, raw.span)
    reader.remember(named)
    _, name = settle(named, reader.evidence)
    return reader.raised(name, named.raised, raw.span)


def named_state(
    head: Raw, group: Group, scripts: tuple[Script, ...], span: Span, reader: Reads
) -> syntax.Expression:
    """`MeanSquare(w_{i,j}, t)`: a state named after a function and its argument."""
    time = shapes.time_of(group.items[-1])
    if time is None or set(group.separators) - {","} or not isinstance(head, Symbol):
        printed = shapes.unscripted(head).span.text
        parameters = ", ".join("xyzuvw"[: len(group.items)])
        message = "this function is not understood"
        hint = f"declare it, as in `where ${printed}({parameters})$ = x`"
        raise refuse("latex-function", message, span, f"{hint}; a state is named `Name(w, t)`")
    parts = [head.name]
    for item in group.items[:-1]:
        if not shapes.is_symbol(item):
            raise refuse("latex-symbol", "expected a symbol", item.span)
        parts.append(reader.name(item)[0].name)
    place = head.span.to(group.span)
    whole = Symbol("_".join(parts), "word", head.font, place)
    index = Script(False, (group.items[-1],), (), group.items[-1].span)
    return _stateful(Scripted(whole, (index, *scripts), span), reader)


def symbol_and_group(head: Raw, follower: Raw, reader: Reads) -> list[syntax.Expression]:
    """`w(t)`, `f(a, b)` or a product with a bracket: the declarations decide."""
    group = cast(Group, shapes.unscripted(follower))
    scripts = follower.scripts if isinstance(follower, Scripted) else ()
    span = head.span.to(follower.span)
    if shapes.is_projection(head):
        raise undeclared(head, shapes.unscripted(head).span)
    named = sort_scripts(head, reader.evidence)
    time = shapes.time_of(group.items[0]) if len(group.items) == 1 else None
    if len(group.items) > 1:
        return [named_state(head, group, scripts, span, reader)]
    if any(word.startswith("prime") for word in named.words):
        raise function_or_factor(span)
    if not group.items:
        raise refuse("latex-unexpected", "expected something in these brackets", group.span)
    if time is not None and named.time is None and reader.evidence.timed(named.name):
        index = Script(False, group.items, (), group.span)
        return [reader.expression(Scripted(head, (index, *scripts), span))]
    alone = time is not None or shapes.single(group.items[0])
    alone = alone or isinstance(group.items[0], Bars) or named.letter in _LIKE_FUNCTIONS
    known = named.name in reader.evidence.declared
    base = shapes.unscripted(head)
    word = base.name if isinstance(base, Symbol) and base.kind == "word" else ""
    word = word if len(word) > 1 else ""
    if word in _GRADIENTS and len(group.items) == 1 and not (known or scripts):
        return [syntax.Call("grad", (reader.expression(group.items[0]),), span=span)]
    if word and not (known or named.name in reader.evidence.targets | reader.evidence.times.keys()):
        raise function_or_factor(span)
    if alone and (time == 0 or named.time is not None or not known):
        raise function_or_factor(span)
    return [reader.expression(head), reader.expression(follower)]


def function_or_factor(span: Span) -> DiagnosticError:
    """Return the error for `f(y)`, which may be a product."""
    hint = "write `\\cdot` for a product, or declare the function, as in `where $f(x)$ = x`"
    message = "is this a function of what stands in the brackets, or a product?"
    return refuse("latex-ambiguous", message, span, hint)
