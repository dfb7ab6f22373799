"""Makes one conditional value of what the branches of an algorithm set."""

from __future__ import annotations

from dataclasses import dataclass, replace

from optdsl.diagnostics import Span
from optdsl.latex import shapes
from optdsl.latex.notation import Case, Cases, Raw, Scripted, Sides, Symbol
from optdsl.latex.problems import refuse


@dataclass(frozen=True)
class Branch:
    """What holds in a branch, and what is set there; the last may hold otherwise."""

    condition: Raw | None
    statements: tuple[Sides, ...]


def joined(before: list[Sides], branches: list[Branch], place: Span) -> list[Sides]:
    """Return the statements before the branches and those that the branches make.

    What one branch sets and another does not keeps the value that a statement before
    has given it, or its last one. A name with a time has no last value.
    """
    found = list(before)
    targets: dict[str, Sides] = {}
    for branch in branches:
        for statement in branch.statements:
            if len(statement.sides) != 2 or statement.sides[0] is None:
                raise refuse("latex-algorithm", "expected one assignment", statement.span)
            targets.setdefault(_printed(statement.sides[0]), statement)
    _check_conditions(branches, targets)
    for text, first in targets.items():
        earlier = [
            one for one in found if one.sides[0] is not None and _printed(one.sides[0]) == text
        ]
        rows = [
            Case(_set(branch, text), branch.condition, place)
            for branch in branches
            if _sets(branch, text)
        ]
        complete = all(_sets(branch, text) for branch in branches)
        if not (complete and branches[-1].condition is None):
            _check_order(branches, text, first)
            if earlier:
                found.remove(earlier[-1])
                rows.append(Case(_side(earlier[-1]), None, earlier[-1].span))
            elif _has_time(first.sides[0]):
                message = "what is this where the condition does not hold?"
                raise refuse("latex-algorithm", message, first.span, "give an `\\Else`")
        found.append(replace(first, sides=(first.sides[0], Cases(tuple(rows), place))))
    return found


def _side(statement: Sides) -> Raw:
    side = statement.sides[-1]
    assert side is not None, "only a left side is left out"
    return side


def _sets(branch: Branch, text: str) -> bool:
    return any(
        one.sides[0] is not None and _printed(one.sides[0]) == text for one in branch.statements
    )


def _set(branch: Branch, text: str) -> Raw:
    values = [
        one
        for one in branch.statements
        if one.sides[0] is not None and _printed(one.sides[0]) == text
    ]
    if len(values) > 1:
        raise refuse("latex-twice", "a second assignment in one branch", values[1].span)
    return _side(values[0])


def _check_order(branches: list[Branch], text: str, first: Sides) -> None:
    """A branch that leaves the value alone may only be the last: else its case would be lost."""
    setting = [_sets(branch, text) for branch in branches]
    if False in setting and True in setting[setting.index(False) :]:
        message = "one branch sets this, another before it does not"
        raise refuse("latex-algorithm", message, first.span, "set it in every branch")
    if branches[-1].condition is None and setting[-1]:
        raise refuse("latex-algorithm", "set this in every branch", first.span)


def _check_conditions(branches: list[Branch], targets: dict[str, Sides]) -> None:
    """A condition that reads what its branch sets would be asked again after it."""
    names = {_printed(side) for one in targets.values() if (side := one.sides[0]) is not None}
    for branch in branches:
        for node in shapes.walk_raw(branch.condition) if branch.condition is not None else ():
            if _printed(node) in names:
                raise refuse("latex-algorithm", "this is set in the branch itself", node.span)


def _has_time(raw: Raw | None) -> bool:
    return raw is not None and any(
        isinstance(node, Symbol) and node.name in "tkns"
        for node in shapes.walk(raw.scripts if isinstance(raw, Scripted) else ())
    )


def _printed(raw: Raw) -> str:
    return "".join(raw.span.text.split())
