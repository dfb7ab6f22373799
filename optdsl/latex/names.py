"""Which name a symbol with its marks and scripts is, and at which time.

The rules, once for all:
- `t`, `t-1`, `t+1` as a subscript, or in brackets as a superscript, is the time;
- a number, a word or infinity as a subscript belongs to the name: `\\beta_1` is beta1,
  `\\eta_{min}` eta_min, `\\rho_\\infty` rho_inf;
  on a name that has a past (`m_{t-1}`), on theta or g, a lone number is the time: `m_0` is m[0];
- a time may stand above the line without brackets, `m^t = ...`, where equations set it so;
- `i`, `j`, `ii`, `i,j` beside a time, or on a name that has a time elsewhere, mean "elementwise"
  and are dropped; on a name without any time they belong to the name: `T_i` is T_i;
- a superscript is a power, but `i` or `j` belongs to the name where that letter is an index of
  the same equations (`\\eta_{min}^i` beside `T_i`); where it is not, it is refused;
- a layer's letter, `w^l` within a norm, and a letter that a sum runs over are indices, too;
- `x_{t+1/2}`, in the middle of the step that ends at t+1, is x_half[t+1];
- a lone sign or prime in a script belongs to the name: `\\eta^+` is eta_plus;
- marks stand behind the letter: `\\hat{m}_t` is mhat[t]; a Delta before it: `\\Delta\\theta_t`
  is Delta_theta[t].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex import shapes
from optdsl.latex.declared import Function
from optdsl.latex.notation import (
    Accent,
    Braces,
    Chain,
    Change,
    Comparison,
    Digits,
    Group,
    Operator,
    Raw,
    Script,
    Scripted,
    Sign,
    Symbol,
)
from optdsl.latex.problems import refuse

_INDICES = shapes.COMPONENTS | {"t"}
#: Words that count: as a superscript they may be an exponent.
_COUNTS = frozenset(
    ("step", "steps", "iter", "iters", "iteration", "iterations", "epoch", "epochs", "round")
    + ("rounds", "time", "times", "timestep", "timesteps", "count", "counter", "num", "batch")
    + ("batches", "cycle", "cycles", "depth", "layer", "layers", "age", "power")
)


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
    at: str | None = None  # a numbered time beside a number: `m_{1,0}`, `m_1^{(0)}`
    members: tuple[tuple[str, int], ...] = ()
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
    raised: set[str] = field(default_factory=set)  # names with a time above the line
    corrections: set[int] = field(default_factory=set)  # where powers that correct a bias begin
    layers: set[str] = field(default_factory=set)  # letters that number layers
    blocks: set[str] = field(default_factory=set)  # others that number layers: `\\|x^{(i)}\\|`
    members: set[str] = field(default_factory=set)  # letters that run over a range
    families: set[str] = field(default_factory=set)  # names that have such a letter
    summed: set[str] = field(default_factory=set)  # letters that run over entries
    plain: set[str] = field(default_factory=set)  # letters that stand on the line
    bare: set[str] = field(default_factory=set)  # letters with their marks, without scripts
    named: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)  # timed names that are numbers
    linear: bool = False  # is anything a matrix here?
    matrices: set[str] = field(default_factory=set)
    squares: set[str] = field(default_factory=set)  # a matrix times its own transpose, and sums
    squared: set[str] = field(default_factory=set)  # symbols that only their square sets
    functions: Mapping[str, Function] = field(default_factory=dict)
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
            return _with_raised_time(replace(named, span=span), evidence)
    raise refuse("latex-symbol", "expected a symbol", raw.span)


def _with_raised_time(named: Named, evidence: Evidence) -> Named:
    """`m^t` is a time where equations set m so."""
    if named.name in evidence.raised and named.time is None and len(named.raised) == 1:
        time = shapes.time_of(named.raised[0].items[0])
        if time is not None:
            return replace(named, time=time, raised=())
    return named


def _check_one_a_side(scripts: tuple[Script, ...]) -> None:
    for raised, side in ((False, "subscript"), (True, "superscript")):
        same = [script for script in scripts if script.raised == raised and not _is_prime(script)]
        if len(same) > 1:
            raise refuse("latex-script", f"a second {side} on one symbol", same[1].span)


def _is_prime(script: Script) -> bool:
    (first, *_) = script.items
    return isinstance(first, Symbol) and first.kind == "mark" and first.name.startswith("prime")


def _symbol_below(base: Raw, span: Span, evidence: Evidence) -> Named:
    if not shapes.is_symbol(base):
        raise refuse("latex-symbol", "expected a single symbol under the mark", span)
    named = sort_scripts(base, evidence)
    if named.raised:
        raise refuse("latex-symbol", "a mark over a power is not understood", span)
    return named


def _add_lowered(named: Named, script: Script, evidence: Evidence) -> Named:
    if set(script.separators) - {","} or script.point:
        raise refuse("latex-script", "this subscript is not understood", script.span)
    if named.raised and not evidence.lone_symbol and _is_group(script):
        raise refuse("latex-script", "this subscript is not understood", script.span)
    for item in script.items:
        for part in _parts(item):
            named = _add_index(named, part, script, evidence)
    return named


def _parts(item: Raw) -> tuple[Raw, ...]:
    """`\\beta_{2t}`, `\\beta_{2_t}`: a number and the time without a comma."""
    match item:
        case Chain((Digits() as number, second)) if shapes.time_of(second) is not None:
            return (number, second)
        case Scripted(Digits() | Symbol(kind="word") as head, (Script(False, (second,)),)):
            if shapes.time_of(second) is not None:  # `\\beta_{2_t}`, `\\eta_{\\text{max}_t}`
                return (head, second)
    return (item,)


def _is_group(script: Script) -> bool:
    return any(isinstance(item, Group) for item in script.items)


def _add_index(named: Named, item: Raw, script: Script, evidence: Evidence) -> Named:
    time, components = shapes.time_of(item), shapes.components_of(item)
    letter = shapes.letter_of(item)
    member = shapes.shifted_letter(item)
    if member is not None and member[0] in evidence.members:
        return replace(named, members=(*named.members, member))
    if letter in evidence.layers | evidence.summed:
        return replace(named, components=(*named.components, letter))
    if (step := shapes.half_step_of(item)) is not None:
        named, time = replace(named, words=(*named.words, "half")), step
    if time is not None:
        if named.time is not None:
            raise refuse("latex-script", "a second time on one symbol", script.span)
        return replace(named, time=time)
    if components:
        return replace(named, components=named.components + components)
    match item:
        case Digits(text) if text.isdigit() and named.number is None:
            return replace(named, number=text)
        case Digits("0") if named.at is None and not named.members:
            return replace(named, at="0")
        case Comparison("==", Symbol("t", "letter", ""), Digits(text)) if named.number is None:
            return replace(named, number=text)  # `m_{t=0}`
        case Symbol("t", "word", ""):
            raise refuse("latex-ambiguous", "is this the time?", item.span, "write `_t` for it")
        case Symbol(name, "letter" | "word" | "greek", ""):
            if set(name) <= _INDICES and (item.kind == "letter" or len(name) > 1):
                message = f"`{name}` is neither a time nor a component"
                raise refuse("latex-script", message, item.span, "write `t,i`")
            return replace(named, words=(*named.words, name))
        case Symbol(name, "mark"):
            return replace(named, words=(*named.words, name))
        case Operator(name, "function") | Sign("inf" as name):
            return replace(named, words=(*named.words, name))
    hint = "a subscript is a time, a component `i` or `j`, a number or a word"
    raise refuse("latex-script", "this subscript is not understood", item.span, hint)


def _add_raised(named: Named, script: Script, evidence: Evidence) -> Named:
    if len(script.items) != 1:
        raise refuse("latex-script", "this superscript is not understood", script.span)
    (item,) = script.items
    if isinstance(item, Group) and item.bracket in ("(", "[") and len(item.items) == 1:
        (inner,) = item.items
        if shapes.time_of(inner) is not None or shapes.letter_of(inner):
            return _add_index(named, inner, script, evidence)
        if isinstance(inner, Digits) and named.name in evidence.families and inner.text.isdigit():
            return replace(named, members=(*named.members, ("", int(inner.text))))
        if isinstance(inner, Digits) and inner.text == "0" and named.at is None:
            return replace(named, at="0")
        if isinstance(inner, Digits):
            hint = "write `^{2}` for a power"
            raise refuse("latex-ambiguous", "is this a power or an index?", script.span, hint)
    if isinstance(item, Symbol) and item.kind == "mark":
        return replace(named, words=(*named.words, item.name))
    if (label := _label_of(item, evidence)) is not None:
        labelled = replace(named, words=(*named.words, label))
        if not evidence.lone_symbol and isinstance(item, Symbol | Group):
            _check_label(named, labelled, script, evidence)
        return labelled
    if isinstance(item, Sign) and item.name == "top":
        raise refuse("latex-script", "a transpose of this is not understood", script.span)
    if (letter := shapes.letter_of(item)) in evidence.members | evidence.layers and letter:
        return _add_index(named, item, script, evidence)
    if letter == "T" and evidence.lone_symbol is False and "T" not in evidence.declared:
        message = "is this `T` a transpose or a power?"
        raise refuse("latex-ambiguous", message, script.span, "declare T for the power")
    if letter in ("l", "ell") and letter not in evidence.declared:
        message = f"is `{script.span.text}` a power, or the number of a layer?"
        hint = "the norm of a layer, `\\\\|w^l\\\\|`, shows that it is one"
        raise refuse("latex-ambiguous", message, script.span, hint)
    if shapes.components_of(item):
        return _raised_letter(named, item, script, evidence)
    if named.raised:
        raise refuse("latex-script", "a second superscript on one symbol", script.span)
    return replace(named, raised=(script,))


def _label_of(item: Raw, evidence: Evidence) -> str | None:
    """`m^{\\text{fast}}` and `v^{\\max}`: a word above the line is no power, unless it is known."""
    match item:
        case Operator(name, "function"):
            return name
        case Group("(", (Symbol(name, "word"),)) if len(name) > 1:
            return name
        case Symbol(name, "word") if len(name) > 1:
            return None if name in evidence.declared | evidence.plain else name
    return None


def _check_label(named: Named, labelled: Named, script: Script, evidence: Evidence) -> None:
    """A word that counts, or one on what stands without it elsewhere, may be a power."""
    word = labelled.words[-1]
    counts = word.lower().split("_")[-1] in _COUNTS
    bare = named.time is None and not named.words and named.name in evidence.bare
    if labelled.name in evidence.declared | evidence.targets or word in ("max", "min"):
        return
    if counts or bare:
        message = f"is `{script.span.text}` a power, or part of a name?"
        hint = f"write `_{{\\text{{{word}}}}}` for a name, and a letter for a power, as in `^t`"
        raise refuse("latex-ambiguous", message, script.span, hint)


def _raised_letter(named: Named, item: Raw, script: Script, evidence: Evidence) -> Named:
    (*_, letter) = shapes.components_of(item)
    if evidence.lone_symbol or letter in evidence.indices:
        return replace(named, words=(*named.words, "".join(shapes.components_of(item))))
    hint = f"where `{letter}` is an index too, as in `T_{letter}`, it belongs to the name"
    raise refuse("latex-ambiguous", f"is `{letter}` a power or an index?", script.span, hint)


def settle(named: Named, evidence: Evidence) -> tuple[Named, syntax.Name]:
    """Return the symbol, and the name of the language that it is in these equations."""
    if named.at is not None and named.time is None and not named.members:
        index = syntax.Number(named.at, span=named.span)
        return replace(named, at=None), syntax.Name(named.name, (index,), span=named.span)
    if named.time is None and named.number is not None and not named.members:
        without = replace(named, number=None)
        if evidence.has_past(without.name):
            index = syntax.Number(str(int(named.number)), span=named.span)
            return without, syntax.Name(without.name, (index,), span=named.span)
    named = _as_declared(named, evidence)
    if named.time is None and named.components and not _one_an_entry(named, evidence):
        named = replace(named, words=(*named.words, "".join(named.components)), components=())
    members = tuple(time_index(shift, named.span, letter) for letter, shift in named.members)
    number = _number_beside_members(named, evidence)
    times = () if named.time is None else (time_index(named.time, named.span),)
    if number is not None:
        named = replace(named, number=None)
    indices = (*members, *(() if number is None else (number,)), *times)
    return named, syntax.Name(named.name, indices, span=named.span)


def _number_beside_members(named: Named, evidence: Evidence) -> syntax.Number | None:
    """`v_{i,0}`, the start of a member, and `X_5` or `v_{5,t}`, the member 5."""
    if named.number is None or (named.time is not None and named.members):
        return None
    without = replace(named, number=None)
    timed = evidence.timed(without.name) or evidence.lone_symbol
    if (named.members and timed) or (not named.members and without.name in evidence.families):
        return syntax.Number(named.number, span=named.span)
    return None


def _as_declared(named: Named, evidence: Evidence) -> Named:
    """`\\eta_0` is eta0, and eta_0 where that is declared and eta0 is not."""
    if named.number is not None and named.name not in evidence.declared:
        apart = replace(named, number=None, words=(named.number, *named.words))
        if apart.name in evidence.declared:
            return apart
    return named


def _one_an_entry(named: Named, evidence: Evidence) -> bool:
    """Does a component on an untimed name mean "elementwise"?"""
    if set(named.components) <= evidence.layers | evidence.summed:
        return True
    if len(named.components) > 1 or named.name == "theta":
        return True
    return not evidence.lone_symbol and (
        evidence.timed(named.name) or named.name in evidence.entries
    )


def time_index(offset: int, span: Span, letter: str = "t") -> syntax.Expression:
    """Return `t + offset` in the language, or another index so."""
    if not letter:  # the number of a member
        return syntax.Number(str(offset), span=span)
    clock = syntax.Name(letter, span=span)
    if offset == 0:
        return clock
    amount = syntax.Number(str(abs(offset)), span=span)
    return syntax.Binary("+" if offset > 0 else "-", clock, amount, span=span)
