"""Which name a symbol with its marks and scripts is, and at which time.

The rules, once for all:
- `t`, `t-1`, `t+1` as a subscript, or in brackets as a superscript, is the time;
- a number, a word or infinity as a subscript belongs to the name: `\\beta_1` is beta1,
  `\\eta_{min}` eta_min, `\\rho_\\infty` rho_inf;
  on a name that has a past (`m_{t-1}`), on theta or g, a lone number is the time: `m_0` is m[0];
- `i`, `j`, `ii`, `i,j` beside a time, or on a name that has a time elsewhere, mean "elementwise"
  and are dropped; on a name without any time they belong to the name: `T_i` is T_i;
- a superscript is a power, but `i` or `j` belongs to the name where that letter is an index of
  the same equations (`\\eta_{min}^i` beside `T_i`); where it is not, it is refused;
- marks stand behind the letter: `\\hat{m}_t` is mhat[t]; a Delta before it: `\\Delta\\theta_t`
  is Delta_theta[t].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.language import syntax
from optdsl.latex import shapes
from optdsl.latex.notation import (
    Accent,
    Braces,
    Chain,
    Change,
    Digits,
    Group,
    Operator,
    Raw,
    Script,
    Scripted,
    Sides,
    Sign,
    Symbol,
)
from optdsl.latex.problems import refuse

_INDICES = shapes.COMPONENTS | {"t"}


@dataclass(frozen=True, slots=True)
class Named:
    """A symbol with its scripts sorted: what names it, its time, its component, its power."""

    letter: str
    font: str
    span: Span
    change: bool = False
    marks: tuple[str, ...] = ()
    number: str | None = None
    words: tuple[str, ...] = ()
    time: int | None = None
    components: tuple[str, ...] = ()
    raised: tuple[Script, ...] = ()

    @property
    def name(self) -> str:
        r"""The name in ASCII, without time and components.

        >>> from optdsl.latex import read_symbol
        >>> read_symbol(r"\hat{\beta}_1").name
        'betahat1'
        """
        head = ("Delta_" if self.change else "") + self.letter + "".join(self.marks)
        return "_".join((head + (self.number or ""), *self.words))

    @property
    def printed_as(self) -> tuple[object, ...]:
        """All by which two notations of one name may differ."""
        return (self.change, self.letter, self.font, self.marks, self.number, self.words)


@dataclass(slots=True)
class Evidence:
    """What a group of equations shows about its symbols, before they are read."""

    declared: frozenset[str] = frozenset()
    times: dict[str, set[int]] = field(default_factory=dict)
    starts: set[str] = field(default_factory=set)  # names given at a numbered time
    entries: set[str] = field(default_factory=set)  # untimed, but one value an entry
    indices: set[str] = field(default_factory=set)  # letters used as a subscript
    targets: set[str] = field(default_factory=set)
    lone_symbol: bool = False

    def timed(self, name: str) -> bool:
        """Has the name a time anywhere?"""
        return name in self.times or name == "theta"

    def has_past(self, name: str) -> bool:
        """Is a lone number on it a time?"""
        times = self.times.get(name, set())
        several = len(times) > 1 or any(time < 0 for time in times)
        timed = bool(times) and (name == "g" or name in self.starts)
        return name == "theta" or several or timed


def sort_scripts(raw: Raw, evidence: Evidence) -> Named:
    """Return the symbol `raw` with its scripts sorted; `raw` must satisfy `is_symbol`."""
    match raw:
        case Symbol(name, _, font, span):
            return Named(name, font, span)
        case Accent(mark, base, span):
            inner = _symbol_below(base, span, evidence)
            if inner.change:
                raise refuse("latex-symbol", "a mark over a difference is not understood", span)
            return replace(inner, marks=(*inner.marks, mark), span=span)
        case Change(base, span):
            inner = _symbol_below(base, span, evidence)
            if inner.change:
                raise refuse("latex-symbol", "a difference of a difference", span)
            return replace(inner, change=True, span=span)
        case Braces(value, span):
            return replace(sort_scripts(value, evidence), span=span)
        case Scripted(base, scripts, span):
            named = sort_scripts(base, evidence)
            _check_one_a_side(scripts)
            for script in scripts:
                add = _add_raised if script.raised else _add_lowered
                named = add(named, script, evidence)
            return replace(named, span=span)
    raise refuse("latex-symbol", "expected a symbol", raw.span)


def _check_one_a_side(scripts: tuple[Script, ...]) -> None:
    for raised, side in ((False, "subscript"), (True, "superscript")):
        same = [script for script in scripts if script.raised == raised]
        if len(same) > 1:
            raise refuse("latex-script", f"a second {side} on one symbol", same[1].span)


def _symbol_below(base: Raw, span: Span, evidence: Evidence) -> Named:
    if not shapes.is_symbol(base):
        raise refuse("latex-symbol", "expected a single symbol under the mark", span)
    named = sort_scripts(base, evidence)
    if named.raised:
        raise refuse("latex-symbol", "a mark over a power is not understood", span)
    return named


def _add_lowered(named: Named, script: Script, evidence: Evidence) -> Named:
    if set(script.separators) - {","}:
        raise refuse("latex-script", "this subscript is not understood", script.span)
    if named.raised and not evidence.lone_symbol and _is_group(script):
        raise refuse("latex-script", "this subscript is not understood", script.span)
    for item in script.items:
        named = _add_index(named, item, script)
    return named


def _is_group(script: Script) -> bool:
    return any(isinstance(item, Group) for item in script.items)


def _add_index(named: Named, item: Raw, script: Script) -> Named:
    time, components = shapes.time_of(item), shapes.components_of(item)
    if time is not None:
        if named.time is not None:
            raise refuse("latex-script", "a second time on one symbol", script.span)
        return replace(named, time=time)
    if components:
        return replace(named, components=named.components + components)
    match item:
        case Digits(text) if text.isdigit() and named.number is None:
            return replace(named, number=text)
        case Symbol(name, "letter" | "word" | "greek", ""):
            if set(name) <= _INDICES and (item.kind == "letter" or len(name) > 1):
                message = f"`{name}` is neither a time nor a component"
                raise refuse("latex-script", message, item.span, "write `t,i`")
            return replace(named, words=(*named.words, name))
        case Operator(name, "function") | Sign("inf" as name):
            return replace(named, words=(*named.words, name))
    hint = "a subscript is a time, a component `i` or `j`, a number or a word"
    raise refuse("latex-script", "this subscript is not understood", item.span, hint)


def _add_raised(named: Named, script: Script, evidence: Evidence) -> Named:
    if len(script.items) != 1:
        raise refuse("latex-script", "this superscript is not understood", script.span)
    (item,) = script.items
    if isinstance(item, Group) and item.bracket == "(" and len(item.items) == 1:
        (inner,) = item.items
        if shapes.time_of(inner) is not None or shapes.components_of(inner):
            return _add_index(named, inner, script)
        if isinstance(inner, Digits):
            hint = "write `^{2}` for a power"
            raise refuse("latex-ambiguous", "is this a power or an index?", script.span, hint)
    if isinstance(item, Sign) and item.name == "top":
        raise refuse("latex-script", "a transpose is not understood yet", script.span)
    letter = (item.name, item.kind) if isinstance(item, Symbol) else None
    if letter == ("T", "letter") and "T" not in evidence.declared:
        message = "is this `T` a transpose or a power?"
        raise refuse("latex-ambiguous", message, script.span, "declare T for the power")
    if shapes.components_of(item):
        return _raised_letter(named, item, script, evidence)
    if named.raised:
        raise refuse("latex-script", "a second superscript on one symbol", script.span)
    return replace(named, raised=(script,))


def _raised_letter(named: Named, item: Raw, script: Script, evidence: Evidence) -> Named:
    (*_, letter) = shapes.components_of(item)
    if evidence.lone_symbol or letter in evidence.indices:
        return replace(named, words=(*named.words, "".join(shapes.components_of(item))))
    hint = f"where `{letter}` is an index too, as in `T_{letter}`, it belongs to the name"
    raise refuse("latex-ambiguous", f"is `{letter}` a power or an index?", script.span, hint)


def settle(named: Named, evidence: Evidence) -> tuple[Named, syntax.Name]:
    """Return the symbol, and the name of the language that it is in these equations."""
    if named.time is None and named.number is not None:
        without = replace(named, number=None)
        if evidence.has_past(without.name):
            index = syntax.Number(str(int(named.number)), span=named.span)
            return without, syntax.Name(without.name, (index,), span=named.span)
    named = _as_declared(named, evidence)
    if named.time is None and named.components and not _one_an_entry(named, evidence):
        named = replace(named, words=(*named.words, "".join(named.components)), components=())
    indices = () if named.time is None else (time_index(named.time, named.span),)
    return named, syntax.Name(named.name, indices, span=named.span)


def _as_declared(named: Named, evidence: Evidence) -> Named:
    """`\\eta_0` is eta0, and eta_0 where that is declared and eta0 is not."""
    if named.number is not None and named.name not in evidence.declared:
        apart = replace(named, number=None, words=(named.number, *named.words))
        if apart.name in evidence.declared:
            return apart
    return named


def _one_an_entry(named: Named, evidence: Evidence) -> bool:
    """Does a component on an untimed name mean "elementwise"?"""
    if len(named.components) > 1 or named.name == "theta":
        return True
    return not evidence.lone_symbol and (
        evidence.timed(named.name) or named.name in evidence.entries
    )


def time_index(offset: int, span: Span) -> syntax.Expression:
    """Return `t + offset` in the language."""
    clock = syntax.Name("t", span=span)
    if offset == 0:
        return clock
    amount = syntax.Number(str(abs(offset)), span=span)
    return syntax.Binary("+" if offset > 0 else "-", clock, amount, span=span)


# ------------------------------------------------------------------ evidence


def survey(statements: tuple[Sides, ...], declared: Iterable[str | syntax.Name]) -> Evidence:
    """Return what the statements show about their symbols.

    A declared name with a time (`f[t]`) is a function of t wherever it stands.
    """
    declared = tuple(declared)
    plain = frozenset(name for name in declared if isinstance(name, str))
    named = [name for name in declared if isinstance(name, syntax.Name)]
    functions = {name.name for name in named if name.indices}
    numbers = plain | {name.name for name in named}
    evidence = Evidence(numbers - functions, lone_symbol=True)
    evidence.times.update((name, {0}) for name in functions)
    for statement in statements:
        target = statement.sides[0]
        if target is not None and len(statement.sides) > 1:
            _note_target(target, statement, evidence)
    for statement in statements * 2:  # what is known at the end counts from the beginning
        for node in shapes.walk(statement):
            _note(node, evidence)
    evidence.lone_symbol = False
    return evidence


def _note(node: object, evidence: Evidence) -> None:
    if isinstance(node, Script) and not node.raised:
        for item in node.items:
            evidence.indices.update(shapes.components_of(item))
    if isinstance(node, Scripted) and shapes.is_symbol(node):
        named = _sorted_or_none(node, evidence)
        if named is not None and named.time is not None:
            evidence.times.setdefault(named.name, set()).add(named.time)
    if isinstance(node, Chain):
        for head, group in zip(node.factors, node.factors[1:], strict=False):
            time = _applied_time(group)
            if time is not None and shapes.is_symbol(head):
                _note_applied(head, time, evidence)
            if isinstance(head, Operator) and head.kind == "partial" and shapes.is_symbol(group):
                _note_entry(group, evidence)


def _applied_time(raw: Raw) -> int | None:
    base = raw.base if isinstance(raw, Scripted) else raw
    if isinstance(base, Group) and base.bracket == "(" and len(base.items) == 1:
        return shapes.time_of(base.items[0])
    return None


def _note_applied(head: Raw, time: int, evidence: Evidence) -> None:
    """`w(t)`: nobody multiplies by a bracketed t; `k(t - 1)` alone could be a product."""
    named = _sorted_or_none(head, evidence)
    if named is not None and named.time is None:
        known = named.name in evidence.declared
        if time == 0 and not known:
            evidence.times.setdefault(named.name, set()).add(0)
        elif named.name in evidence.times:
            evidence.times[named.name].add(time)


def _note_target(target: Raw, statement: Sides, evidence: Evidence) -> None:
    if isinstance(target, Chain) and len(target.factors) == 2:
        head, group = target.factors
        time = _applied_time(group)
        named = _sorted_or_none(head, evidence) if shapes.is_symbol(head) else None
        if time is not None and named is not None:
            evidence.times.setdefault(named.name, set()).add(time)
    elif shapes.is_symbol(target):
        named = _sorted_or_none(target, evidence)
        if named is None:
            return
        evidence.targets.add(named.name)
        if named.number == "0" and named.time is None:
            evidence.starts.add(replace(named, number=None).name)
        rest = statement.sides[1:]
        read = {
            other.name
            for side in rest
            for node in shapes.walk(side)
            if (other := _bare_symbol(node, evidence)) is not None
        }
        if named.time is None and named.name in read:
            evidence.entries.add(named.name)


def _note_entry(raw: Raw, evidence: Evidence) -> None:
    named = _sorted_or_none(raw, evidence)
    if named is not None:
        evidence.entries.add(named.name)


def _bare_symbol(node: object, evidence: Evidence) -> Named | None:
    if isinstance(node, Symbol | Accent | Change | Scripted) and shapes.is_symbol(node):
        return _sorted_or_none(node, evidence)
    return None


def _sorted_or_none(raw: Raw, evidence: Evidence) -> Named | None:
    try:
        named = sort_scripts(raw, evidence)
    except DiagnosticError:
        return None
    return named
