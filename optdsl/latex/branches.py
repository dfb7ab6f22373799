"""Makes one conditional value of what the branches of an algorithm set."""

from __future__ import annotations

from dataclasses import dataclass, replace

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.latex import shapes
from optdsl.latex.notation import Case, Cases, Raw, Scripted, Sides, Symbol
from optdsl.latex.problems import refuse


@dataclass(frozen=True)
class Branch:
    """What holds in a branch, and what is set there; the last may hold otherwise."""

    condition: Raw | None
    statements: tuple[Sides, ...]


def joined(
    before: list[Sides], branches: list[Branch], place: Span, inner: list[tuple[Sides, Span]]
) -> list[Sides]:
    """Return the statements before the branches and those that the branches make.

    What one branch sets and another does not keeps the value that a statement before
    has given it, or its last one. A name with a time has no last value: it is `inner` to
    its branch, and `check_inner` refuses it where something else reads it.
    """
    found = list(before)
    targets: dict[str, Sides] = {}
    for branch in branches:
        for statement in branch.statements:
            if len(statement.sides) != 2 or statement.sides[0] is None:
                raise refuse("latex-algorithm", "expected one assignment", statement.span)
            targets.setdefault(_printed(statement.sides[0]), statement)
    _check_conditions(branches, targets)
    _check_sequence(branches, list(targets))
    for text, first in targets.items():
        rows = [
            Case(_set(branch, text), branch.condition, place)
            for branch in branches
            if _sets(branch, text)
        ]
        complete = all(_sets(branch, text) for branch in branches)
        if not (complete and branches[-1].condition is None):
            earlier = next((one for one in reversed(found) if _is_set(one, text)), None)
            if earlier or not has_time(first.sides[0]):
                _check_order(branches, text, first)
            if earlier and _may_move(earlier, text, found, branches):
                found.remove(earlier)
                rows.append(Case(_side(earlier), None, earlier.span))
            elif earlier and first.sides[0] is not None:
                rows.append(Case(first.sides[0], None, earlier.span))
            elif has_time(first.sides[0]):
                setting = [branch for branch in branches if _sets(branch, text)]
                if len(setting) > 1:
                    raise _undefined(first)
                inner.append((first, _whole(setting[0])))
                found.append(first)
                continue
        found.append(replace(first, sides=(first.sides[0], Cases(tuple(rows), place))))
    return found


def _is_set(statement: Sides, text: str) -> bool:
    return statement.sides[0] is not None and _printed(statement.sides[0]) == text


def _reads(node: object) -> set[str]:
    """What is read, as it is printed."""
    return {_printed(part) for part in shapes.walk_raw(node)}


def _may_move(earlier: Sides, text: str, found: list[Sides], branches: list[Branch]) -> bool:
    """May a value be made where the branches are? Nothing may read it, or change what it reads."""
    behind = found[found.index(earlier) + 1 :]
    values = [one.sides[1:] for one in behind]
    values += [one.sides[1:] for branch in branches for one in branch.statements]
    reads = {name for value in values for name in _reads(value)}
    reads |= {name for branch in branches for name in _reads(branch.condition)}
    made = {_printed(one.sides[0]) for one in behind if one.sides[0] is not None}
    return text not in reads and not made & _reads(earlier.sides[1:])


def _check_sequence(branches: list[Branch], order: list[str]) -> None:
    """What a branch reads behind its setting is made before it, and what it reads above, after."""
    for branch in branches:
        names = [_printed(one.sides[0]) for one in branch.statements if one.sides[0] is not None]
        for place, one in enumerate(branch.statements):
            for node in shapes.walk_raw(one.sides[1:]):
                name = _printed(node)
                if name not in names or name == names[place]:
                    continue
                above = names.index(name) < place
                if above != (order.index(name) < order.index(names[place])):
                    message = "another branch sets this in another order"
                    hint = "set what the branches set in one order"
                    raise refuse("latex-algorithm", message, node.span, hint)


def _undefined(first: Sides) -> DiagnosticError:
    message = "what is this where the condition does not hold?"
    return refuse("latex-algorithm", message, first.span, "give an `\\Else`")


def _whole(branch: Branch) -> Span:
    first, *_, last = (branch.statements[0], branch.statements[-1])
    return first.span.to(last.span)


def check_inner(inner: list[tuple[Sides, Span]], statements: list[Sides]) -> None:
    """What one branch alone sets may be read there alone, at the same time, and must be."""
    values = tuple(each.sides[1:] for each in statements)
    for one, branch in inner:
        assert one.sides[0] is not None, "a branch sets a name"
        text, key = _printed(one.sides[0]), shapes.key_of(one.sides[0])
        reads = [
            node
            for node in shapes.walk_raw(values)
            if isinstance(node, Scripted) and shapes.key_of(node) == key
        ]
        within = [branch.start <= node.span.start < branch.end for node in reads]
        if not reads or not all(within) or not all(_printed(n).startswith(text) for n in reads):
            raise _undefined(one)


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
    """A condition that reads what its branch sets would be asked again for what is set below."""
    if len(targets) < 2:
        return
    for branch in branches:
        for node in shapes.walk_raw(branch.condition) if branch.condition is not None else ():
            if _printed(node) in targets:
                raise refuse("latex-algorithm", "this is set in the branch itself", node.span)


def has_time(raw: Raw | None) -> bool:
    """Has it a letter that may count steps as a script?"""
    return raw is not None and any(
        isinstance(node, Symbol) and node.name in "tkns"
        for node in shapes.walk(raw.scripts if isinstance(raw, Scripted) else ())
    )


def _printed(raw: Raw) -> str:
    return "".join(raw.span.text.split())
