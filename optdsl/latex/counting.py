"""How a loop without a header of numbers counts its steps: `t \\gets t + 1` in its body."""

from __future__ import annotations

from collections.abc import Sequence

from optdsl.latex import shapes
from optdsl.latex.clock import LETTERS
from optdsl.latex.notation import Digits, Infix, Raw, Sides, Symbol
from optdsl.latex.problems import refuse


def clock_of(
    loop: tuple[str, int], before: Sequence[Sides], inside: Sequence[Sides]
) -> tuple[str, int]:
    """Return the letter that a loop counts by, and its number where the first step reads it.

    `t \\gets t + 1` says so. Where nothing of the body reads t before it counts, it counts at the
    head; where nothing does after it, at the end. Raises DiagnosticError where both do, where it
    counts twice, and where only a branch counts it.
    """
    counts = [name for one in inside if (name := counted(one))]
    letter = loop[0]
    if letter not in counts:
        letter = next((name for name in counts if name in LETTERS), letter)
    at_head = counts_first(inside, letter)
    starts = [
        int(value.text)
        for one in before
        for side, value in [(one.sides[0], one.sides[-1])]
        if _is_letter(side, letter)
        if isinstance(value, Digits) and value.text.isdigit()
    ]
    begun = starts[-1] if starts else 0 if at_head else 1
    return letter, begun + at_head


def check_branch(statements: Sequence[Sides], letter: str) -> None:
    """A clock that stands still in some steps counts no steps."""
    for one in statements:
        if counted(one) == letter:
            message = f"`{letter}` counts the steps, but here only some of them"
            hint = "count outside of the branch, or give what counts here a name of its own"
            raise refuse("latex-clock", message, one.span, hint)


def counts_first(inside: Sequence[Sides], letter: str) -> bool:
    """Has the letter counted where the body reads it?

    Raises DiagnosticError where it has in one place and has not in another.
    """
    places = [place for place, one in enumerate(inside) if counted(one) == letter]
    if not places:
        return False
    first, *others = places
    if others:
        message = f"`{letter}` counts twice in one step"
        raise refuse("latex-clock", message, inside[others[0]].span, "let it count once")
    earlier, later = (
        any(_reads(one, letter) for one in part) for part in (inside[:first], inside[first + 1 :])
    )
    if earlier and later:
        message = f"`{letter}` is read before and after it counts"
        hint = (
            f"count at the head of the loop or at its end, and write `{letter}-1` or `{letter}+1`"
        )
        raise refuse("latex-clock", message, inside[first].span, hint)
    return not earlier


def sets_clock(one: Sides, letter: str) -> bool:
    """Does it give the letter its first number?"""
    return _is_letter(one.sides[0], letter) and isinstance(one.sides[-1], Digits)


def counted(one: Sides) -> str:
    """Return the letter of `t \\gets t + 1`."""
    match one.sides:
        case (Symbol(name, "letter", ""), value) if value is not None and _is_next(value, name):
            return name
    return ""


def _is_next(raw: Raw, letter: str) -> bool:
    match raw:
        case Infix(first, (("+", Digits("1")),)):
            return _is_letter(first, letter)
    return False


def _is_letter(raw: Raw | None, letter: str) -> bool:
    return isinstance(raw, Symbol) and (raw.name, raw.kind, raw.font) == (letter, "letter", "")


def _reads(one: Sides, letter: str) -> bool:
    return any(isinstance(node, Symbol) and node.name == letter for node in shapes.walk(one.sides))
