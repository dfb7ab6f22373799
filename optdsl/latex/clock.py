"""Which letter counts the steps: t, or the one that the equations show to."""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.latex import shapes
from optdsl.latex.declared import Declared, spellings
from optdsl.latex.notation import (
    Braces,
    Digits,
    Group,
    Infix,
    Raw,
    Run,
    Scripted,
    Sides,
    Symbol,
)

#: Letters that count steps in papers, besides t.
LETTERS = frozenset("kns")


def with_clock(
    statements: tuple[Sides, ...], declared: Declared, letter: str | None = None, first: int = 1
) -> tuple[Sides, ...]:
    """Return the statements with t for the letter that counts the steps.

    `letter` is the one that a loop counts by, `first` its number in the first step: where that
    is 0, the letter is t - 1; what no equation sets keeps its number, so that step 1 reads the
    first value. Without a loop the equations show it: something is set at `k + 1`
    from `k`, or at `k` from `k - 1`, and nothing has a t.
    """
    found = letter or find(statements, declared)
    if found is None or (found == "t" and first == 1):
        return statements
    if first == 1:
        return tuple(shapes.rebuild(one, lambda node: _moved(node, found, 1)) for one in statements)
    made = {shapes.key_of(one.sides[0]) for one in statements if len(one.sides) > 1}

    def change(node: object) -> object:
        if (
            isinstance(node, Scripted)
            and _is_timed(node, found)
            and shapes.key_of(node) not in made
        ):
            return shapes.rebuild(node, lambda part: _moved(part, found, 1))
        return _moved(node, found, first)

    return tuple(shapes.rebuild(one, change) for one in statements)


def _is_timed(node: Scripted, letter: str) -> bool:
    """Is the letter its time? What stands above the line without brackets may be a power."""
    times = [
        item
        for script in node.scripts
        for item in script.items
        if not script.raised or isinstance(item, Group)
    ]
    return any((_offset(one) or ("", 0))[0] == letter for one in times)


def find(statements: tuple[Sides, ...], declared: Declared) -> str | None:
    """Return the letter other than t that the equations show to count the steps."""
    nodes = list(shapes.walk(statements))
    if any(isinstance(node, Symbol) and node.name == "t" for node in nodes):
        return None
    targets = [one.sides[0] for one in statements if len(one.sides) > 1]
    on_targets = list(_indices(shapes.walk(tuple(targets))))
    ahead = {letter for letter, offset in on_targets if offset > 0}
    behind = {letter for letter, offset in _indices(nodes) if offset < 0}
    counting = (ahead | (behind & {letter for letter, _ in on_targets})) - spellings(declared)
    counting -= {_fixed(one) for one in statements}
    return counting.pop() if len(counting) == 1 else None


def _fixed(statement: Sides) -> str:
    """Return the letter that a statement gives numbers to: `k = 1, \\dots, 5`."""
    match statement:
        case Sides((Symbol(name), Run(_, Digits()))):
            return name
    return ""


def _indices(nodes: Iterable[object]) -> Iterable[tuple[str, int]]:
    """Yield each letter that stands alone in a script, and what is added to it there."""
    for node in nodes:
        for script in node.scripts if isinstance(node, Scripted) else ():
            for item in script.items:
                found = _offset(item)
                if found is not None:
                    yield found


def _offset(raw: Raw) -> tuple[str, int] | None:
    match raw:
        case Group("(" | "[", (inner,)) | Braces(inner):
            return _offset(inner)
        case Symbol(name, "letter", "") if name in LETTERS | {"t"}:
            return name, 0
        case Infix(Symbol(name, "letter", ""), ((("+" | "-") as sign, Digits(text)),)):
            if name in LETTERS | {"t"} and text.isdigit():
                return name, int(sign + text)
    return None


def _moved(node: object, letter: str, first: int) -> object:
    """Return `k + 1` as `t + 1`, or as `t` where k is 0 in the first step."""
    shift = first - 1
    match node:
        case Infix(Symbol(name, "letter", ""), ((("+" | "-") as sign, Digits(text)),), span):
            if name == letter and text.isdigit():
                return _clock(int(sign + text) + shift, node, Symbol("t", "letter", "", span))
        case Symbol(name, "letter", "", span) if name == letter:
            return _clock(shift, node, Symbol("t", "letter", "", span))
    return None


def _clock(offset: int, node: Raw, clock: Symbol) -> Raw:
    if not offset:
        return clock
    amount = Digits(str(abs(offset)), node.span)
    moved = Infix(clock, (("+" if offset > 0 else "-", amount),), node.span)
    return Braces(moved, node.span)
