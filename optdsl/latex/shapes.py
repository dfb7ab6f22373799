"""Shapes that the notation takes: what a piece of it looks like, whatever it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from optdsl.diagnostics import Span
from optdsl.latex.notation import (
    Accent,
    Braces,
    Chain,
    Change,
    Digits,
    Group,
    Infix,
    Negative,
    Operator,
    Raw,
    Script,
    Scripted,
    Sign,
    Symbol,
)

COMPONENTS = frozenset("ij")


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


def components_of(raw: Raw) -> tuple[str, ...]:
    """Return the letters where `raw` is a component index, `i` or `ii`, else nothing."""
    match raw:
        case Symbol(name, kind, "") if set(name) <= COMPONENTS and len(name) < 3:
            if (kind == "letter") == (len(name) == 1):  # `\text{i}` is a word
                return tuple(name)
    return ()


def unscripted(raw: Raw) -> Raw:
    """Return what carries the scripts."""
    return raw.base if isinstance(raw, Scripted) else raw


def is_euler(raw: Raw) -> bool:
    """Is it the letter e, perhaps with an exponent?"""
    match unscripted(raw):
        case Symbol("e", "letter" | "word", ""):
            return True
    return False


def is_function(raw: Raw) -> bool:
    """Is it a function's name, waiting for its argument?"""
    return isinstance(raw, Operator) and raw.kind == "function"


def is_nabla(raw: Raw) -> bool:
    """Is it a nabla, perhaps with its parameter below?"""
    head = unscripted(raw)
    return isinstance(head, Operator) and head.kind == "nabla"


def is_group(raw: Raw, bracket: str) -> bool:
    """Is it a bracketed group, perhaps with scripts?"""
    group = unscripted(raw)
    return isinstance(group, Group) and group.bracket == bracket


def is_statistic(head: Raw, follower: Raw) -> bool:
    """`E[...]` and `RMS[...]`: a capital E or a word before square brackets."""
    named = isinstance(head, Symbol) and (head.name == "E" or head.kind == "word")
    return named and is_group(follower, "[")


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
    return not (isinstance(item, Sign) and item.name == "top")


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
