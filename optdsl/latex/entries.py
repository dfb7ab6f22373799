"""Loops over the entries of a tensor, `i = 1, ..., d`: what they say is said of every entry.

The letter of the loop is left out: `g_{t,i}`, `g_t^i` and `g_t(i)` are one entry of g_t, and what
is set so is set entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from optdsl.latex import shapes
from optdsl.latex.notation import Bars, Big, Chain, Group, Raw, Script, Scripted, Sides
from optdsl.latex.problems import refuse

_Said = TypeVar("_Said", Raw, Sides)
_GAP = r"(?:\s|\\[,;:! ]|\\text\{\s*\})*"
_HEADER = re.compile(
    rf"{_GAP}\$?{_GAP}(?P<letter>[a-z]){_GAP}(?:=|\\gets|\\leftarrow){_GAP}(?P<first>[01])"
    rf"(?:{_GAP},{_GAP}[12]{_GAP})?\$?(?:{_GAP},)?{_GAP}"
    r"(?:\\[lc]?dots|\\to|\\KwTo|to|\\text\{ ?to ?\})"
    rf"{_GAP},?{_GAP}\$?{_GAP}d{_GAP}(?P<less>-{_GAP}1)?{_GAP}\$?{_GAP}(?:do)?{_GAP}"
)


def entry_letter(header: str) -> str:
    """Return the letter of a loop over all entries: from 1 to d, or from 0 to d - 1."""
    match = _HEADER.fullmatch(header)
    if match is None or (match["first"] == "0") != bool(match["less"]):
        return ""
    return "" if match["letter"] in "td" else match["letter"]


def said_of_all(said: _Said, letters: Iterable[str]) -> _Said:
    """Return what a line or a condition in loops over entries says of the whole tensor.

    Raises DiagnosticError where it may say something else of one entry.
    """
    for letter in letters:
        said = _without(said, letter)
    return said


def _without(said: _Said, letter: str) -> _Said:
    def change(node: object) -> object:
        match node:
            case Scripted(base, scripts, span):
                kept = tuple(one for script in scripts for one in _kept(script, letter))
                if kept == scripts:
                    return None
                _check_is_entry(node, letter)
                return Scripted(base, kept, span) if kept else base
            case Chain(factors, span) if any(_is_call(*two, letter) for two in pairwise(factors)):
                entries = _without_calls(factors, letter)
                rebuilt = tuple(shapes.rebuild(one, change) for one in entries)
                return rebuilt[0] if len(rebuilt) == 1 else Chain(rebuilt, span)
            case Bars(True) | Big() if letter in shapes.letters_on(node):
                message = "is this of one entry, or of all?"
                raise refuse("latex-ambiguous", message, node.span, "write `|x|` for its size")
        return None

    return shapes.rebuild(said, change)


def _kept(script: Script, letter: str) -> tuple[Script, ...]:
    """Return a script without the letter of the loop: `_{t,i}` is `_t`, `^i` nothing."""
    items = tuple(one for one in script.items if shapes.letter_of(one) != letter)
    if len(items) == len(script.items):
        return (script,)
    separators = script.separators[: max(len(items) - 1, 0)]
    return (replace(script, items=items, separators=separators),) if items else ()


def _check_is_entry(node: Scripted, letter: str) -> None:
    """A Greek letter without a time that is raised to the letter may be a power of it."""
    base = shapes.unscripted(node)
    timed = any(shapes.time_of(item) is not None for one in node.scripts for item in one.items)
    lowered = any(not one.raised for one in node.scripts)
    latin = getattr(base, "kind", "") != "greek" and shapes.is_symbol(base)
    if not (timed or lowered or latin):
        hint = f"write `x_{letter}` for the entry"
        raise refuse("latex-ambiguous", "an entry, or a power?", node.span, hint)


def _is_call(head: Raw, follower: Raw, letter: str) -> bool:
    """`w_t(i)`: an entry."""
    match follower:
        case Group("(" | "[", (item,)):
            return shapes.is_symbol(head) and shapes.letter_of(item) == letter
    return False


def _without_calls(factors: tuple[Raw, ...], letter: str) -> tuple[Raw, ...]:
    kept = [two for one, two in pairwise(factors) if not _is_call(one, two, letter)]
    return (factors[0], *kept)
