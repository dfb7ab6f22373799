"""Shapes that the notation takes: what a piece of it looks like, whatever it means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex.notation import (
    Accent,
    Braces,
    Chain,
    Change,
    Comparison,
    Digits,
    Fraction,
    Group,
    Infix,
    Logic,
    Negative,
    Operator,
    Raw,
    Script,
    Scripted,
    Sign,
    Symbol,
)

COMPONENTS = frozenset("ij")
_Node = TypeVar("_Node")


def is_symbol(raw: Raw) -> bool:
    """Is it a symbol, whatever marks, braces and scripts it has?"""
    match raw:
        case Symbol() | Accent() | Change():
            return True
        case Braces(value):
            return is_symbol(value)
        case Scripted(base):
            return is_symbol(base)
    return False


def time_of(raw: Raw) -> int | None:
    """Return n where `raw` is `t + n`, else None."""
    match raw:
        case Symbol("t", "letter", ""):
            return 0
        case Braces(value):
            return time_of(value)
        case Infix(Symbol("t", "letter", ""), ((("+" | "-") as sign, Digits(text)),)):
            if text.isdigit():
                return int(text) if sign == "+" else -int(text)
    return None


def half_step_of(raw: Raw) -> int | None:
    """Return the step that ends behind `raw` where it is in the middle of one: 1 for `t + 1/2`."""
    match raw:
        case Braces(value):
            return half_step_of(value)
        case Infix(first, ((("+" | "-") as sign, half),)) if _is_half(half):
            time = time_of(first)
            return None if time is None else time + (1 if sign == "+" else 0)
    return None


def _is_half(raw: Raw) -> bool:
    match raw:
        case Infix(Digits("1"), (("/", Digits("2")),)) | Fraction(Digits("1"), Digits("2")):
            return True
        case Braces(value):
            return _is_half(value)
    return isinstance(raw, Digits) and raw.text in ("0.5", ".5")


def components_of(raw: Raw) -> tuple[str, ...]:
    """Return the letters where `raw` is a component index, `i` or `ii`, else nothing."""
    match raw:
        case Symbol(name, kind, "") if set(name) <= COMPONENTS and len(name) < 3:
            if (kind == "letter") == (len(name) == 1):  # `\text{i}` is a word
                return tuple(name)
    return ()


def is_indicator(head: Raw, follower: Raw) -> bool:
    """Is it a doubled 1 or I before a condition in brackets?"""
    if not (isinstance(head, Symbol) and head.name in ("1", "I") and head.font):
        return False
    conditions = (Comparison, Logic)
    lone = isinstance(follower, Group) and len(follower.items) == 1
    return lone and isinstance(cast(Group, follower).items[0], conditions)


def indicated(raw: Raw) -> Raw | None:
    """Return the condition below a doubled 1: `\\mathbb{1}_{x > 0}`, `\\mathbf{1}_{[x > 0]}`."""
    match raw:
        case Scripted(Symbol("1" | "I", font=font), (Script(False, (inner,)),)) if font:
            if isinstance(inner, Group) and len(inner.items) == 1:
                inner = inner.items[0]
            return inner if isinstance(inner, Comparison | Logic) else None
    return None


def letter_of(raw: Raw) -> str:
    """Return the letter that `raw` is, `(i)` and `i` alike; empty where it is none."""
    match raw:
        case Symbol(name, "letter", "") | Symbol("ell" | "tau" as name, "greek", ""):
            return name
        case Group("(" | "[", (inner,)) | Braces(inner):
            return letter_of(inner)
    return ""


def shifted_letter(raw: Raw) -> tuple[str, int] | None:
    """Return the letter and n where `raw` is `k + n`, else None."""
    letter = letter_of(raw)
    if letter:
        return letter, 0
    match raw:
        case Group("(" | "[", (inner,)) | Braces(inner):
            return shifted_letter(inner)
        case Infix(first, ((("+" | "-") as sign, Digits(text)),)) if text.isdigit():
            letter = letter_of(first)
            return (letter, int(sign + text)) if letter else None
    return None


def index_letters(script: Script) -> tuple[str, ...]:
    """Return the letters of a script that may be indices: `i`, `ij` and `t,i` have some."""
    found: list[str] = []
    for item in script.items:
        inner = item.items[0] if isinstance(item, Group) and len(item.items) == 1 else item
        letter = letter_of(item)
        found.extend(components_of(inner) or ([letter] if letter else []))
    return tuple(found)


def letters_on(raw: Raw) -> set[str]:
    """Return every letter that stands in a script within `raw`."""
    scripts = [node for node in walk(raw) if isinstance(node, Script)]
    return {letter for script in scripts for letter in index_letters(script)}


def layer_letters(raw: Raw) -> tuple[set[str], set[str]]:
    """Return the letters that stand above the line in `raw`, and those below it."""
    scripts = [node for node in walk(raw) if isinstance(node, Script)]
    above = {letter for one in scripts if one.raised for letter in index_letters(one)}
    below = {letter for one in scripts if not one.raised for letter in index_letters(one)}
    return above, below


def norm_kind(script: Script) -> str | None:
    """Say which norm a subscript means: 1, 2, F or inf."""
    match script.items:
        case (Digits("0" | "1" | "2" as text),):
            return text
        case (Scripted(Symbol("ell" | "L"), (Script(False, (Digits("1" | "2" as text),)),)),):
            return text
        case (Symbol("F"),):
            return "F"
        case (Sign("inf"),):
            return "inf"
    return None


def says_number(raw: Raw | None, text: str) -> bool:
    """Is it just this number?"""
    return isinstance(raw, Digits) and raw.text == text


def is_projection(raw: Raw) -> bool:
    """Is it a capital Pi, which nobody uses for a number?"""
    base = unscripted(raw)
    return isinstance(base, Symbol) and base.name == "Pi" and base.kind == "greek"


def is_dotted(raw: Raw) -> bool:
    """Is it `inner.eta`, a hyperparameter of a rule?"""
    return isinstance(raw, Symbol) and "." in raw.name


def attribute(raw: Raw) -> syntax.Expression:
    """Return what `inner.eta` is."""
    first, *rest = raw.name.split(".") if isinstance(raw, Symbol) else [""]
    value: syntax.Expression = syntax.Name(first, span=raw.span)
    for name in rest:
        value = syntax.Attribute(value, name, span=raw.span)
    return value


def unscripted(raw: Raw) -> Raw:
    """Return what carries the scripts."""
    return raw.base if isinstance(raw, Scripted) else raw


def is_euler(raw: Raw) -> bool:
    """Is it the letter e, perhaps with an exponent? One with a subscript is a name."""
    if isinstance(raw, Scripted) and not all(script.raised for script in raw.scripts):
        return False
    match unscripted(raw):
        case Symbol("e", "letter" | "word", ""):
            return True
    return False


def is_function(raw: Raw) -> bool:
    """Is it a function's name, waiting for its argument?"""
    return isinstance(raw, Operator) and raw.kind in ("function", "operator")


def is_nabla(raw: Raw) -> bool:
    """Is it a nabla, perhaps with its parameter below?"""
    head = unscripted(raw)
    return isinstance(head, Operator) and head.kind == "nabla"


def key_of(raw: Raw | None) -> tuple[str, ...]:
    """Return the letter under scripts, and its marks: by these two uses of a name are known."""
    match raw:
        case Scripted(base) | Braces(base):
            return key_of(base)
        case Accent(mark, base):
            return (mark, *key_of(base))
        case Change(base):
            return ("Delta", *key_of(base))
        case Symbol(name):
            return (name,)
    return ()


def is_group(raw: Raw, bracket: str) -> bool:
    """Is it a bracketed group, perhaps with scripts?"""
    group = unscripted(raw)
    return isinstance(group, Group) and group.bracket == bracket


def is_statistic(head: Raw, follower: Raw) -> bool:
    """`E[...]` and `RMS[...]`: a capital E or a word before square brackets.

    So is any letter before square brackets with a time: `\\mu[g^2]_t`.
    """
    if not (isinstance(head, Symbol) and is_group(follower, "[")):
        return False
    scripts = follower.scripts if isinstance(follower, Scripted) else ()
    lowered = [script for script in scripts if not script.raised and len(script.items) == 1]
    timed = any(time_of(script.items[0]) is not None for script in lowered)
    return head.name == "E" or head.kind == "word" or timed


def holds_time(raw: Raw) -> bool:
    """Is it `(t)`?"""
    group = unscripted(raw)
    return isinstance(group, Group) and len(group.items) == 1 and time_of(group.items[0]) == 0


def single(raw: Raw) -> bool:
    """Is it one symbol or one number?"""
    return is_symbol(raw) or isinstance(raw, Digits | Sign)


def starts_partial(raw: Raw) -> bool:
    """Does it begin with a partial?"""
    head = raw.factors[0] if isinstance(raw, Chain) else raw
    return isinstance(head, Operator) and head.kind == "partial"


def after_partial(raw: Raw) -> list[Raw]:
    """Return what stands behind a partial."""
    return list(raw.factors[1:]) if isinstance(raw, Chain) and starts_partial(raw) else []


def says(script: Script, text: str) -> bool:
    """Does the script hold just these digits?"""
    return len(script.items) == 1 and digits(script) == text


def digits(script: Script) -> str | None:
    """Return the digits that a script holds and nothing else."""
    match script.items:
        case (Digits(text),) if text.isdigit():
            return text
    return None


def is_power(script: Script) -> bool:
    """Is it one expression above the line, and no index in brackets?"""
    if not script.raised or len(script.items) != 1:
        return False
    (item,) = script.items
    mark = isinstance(item, Symbol) and item.kind == "mark"
    return not mark and not (isinstance(item, Sign) and item.name == "top")


def whole(raw: Raw) -> str | None:
    """Return the text of a whole number, with its sign."""
    match raw:
        case Digits(text) if text.isdigit():
            return text
        case Negative(Digits(text)) if text.isdigit():
            return "-" + text
    return None


def power_of_ten(base: Raw, scripts: list[Script]) -> str | None:
    """Return n as text for `10^{n}`."""
    if isinstance(base, Digits) and base.text == "10" and len(scripts) == 1:
        return whole(scripts[0].items[0])
    return None


def scientific(raw: Infix) -> str | None:
    """`2 \\times 10^{-3}`, one number."""
    match raw:
        case Infix(Digits(text), (("\\times", Scripted(base, (script,))), *_)) if is_power(script):
            exponent = power_of_ten(base, [script])
            return None if exponent is None else f"{text}e{exponent}"
    return None


def walk(node: object) -> Iterator[object]:
    """Yield a node of the notation and all that stands in it."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif is_dataclass(node) and not isinstance(node, Span):
        yield node
        for part in fields(node):
            yield from walk(getattr(node, part.name))


def parts(node: object) -> Iterator[object]:
    """Yield what stands in a node, one level deep."""
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node) and not isinstance(node, Span):
        yield from (getattr(node, part.name) for part in fields(node))


def on_the_line(node: object) -> Iterator[Symbol]:
    """Yield the symbols that stand in no script."""
    if isinstance(node, Symbol):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from on_the_line(item)
    elif is_dataclass(node) and not isinstance(node, Span | Script):
        for part in fields(node):
            yield from on_the_line(getattr(node, part.name))


def walk_raw(node: object) -> Iterator[Raw]:
    """Yield the parts of a node that are expressions themselves."""
    for part in walk(node):
        if isinstance(part, Raw):
            yield part


def rebuild(node: _Node, change: Callable[[Any], Any]) -> _Node:
    """Rebuild a node top down; where `change` gives something, that stands instead."""
    if isinstance(node, tuple):
        return cast(_Node, tuple(rebuild(item, change) for item in node))
    if not is_dataclass(node) or isinstance(node, Span):
        return node
    changed = change(node)
    if changed is not None:
        return cast(_Node, changed)
    parts = {part.name: getattr(node, part.name) for part in fields(node)}
    return cast(
        _Node, replace(cast(Any, node), **{k: rebuild(v, change) for k, v in parts.items()})
    )


def with_letter(raw: Raw, old: str, new: str) -> Raw:
    """Return the same with another letter for an index."""

    def change(node: object) -> object:
        if isinstance(node, Symbol) and node.name == old and node.kind != "word" and not node.font:
            return Symbol(new, "letter", "", node.span)
        return None

    return rebuild(raw, change)
