"""Makes one conditional value of what the branches of an algorithm set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.latex import shapes
from optdsl.latex.notation import (
    Braces,
    Case,
    Cases,
    Digits,
    Operator,
    Raw,
    Scripted,
    Sides,
    Symbol,
)
from optdsl.latex.problems import refuse


@dataclass(frozen=True)
class Branch:
    """What holds in a branch, and what is set there; the last may hold otherwise."""

    condition: Raw | None
    statements: tuple[Sides, ...]
    place: Span


@dataclass(frozen=True)
class Inner:
    """What one branch alone sets, the place of the branch, and whether it keeps its last value."""

    statement: Sides
    branch: Span
    keeps: bool
    condition: Raw | None


def joined(
    before: list[Sides],
    branches: list[Branch],
    place: Span,
    inner: list[Inner],
    above: Sequence[Sides] = (),
) -> list[Sides]:
    """Return the statements before the branches and those that the branches make.

    `above` stands before a branch within which all of this is.

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
    for text, first in _in_order(branches, targets).items():
        found = _joined(text, first, found, branches, place, inner, above)
    return found


def _joined(
    text: str,
    first: Sides,
    found: list[Sides],
    branches: list[Branch],
    place: Span,
    inner: list[Inner],
    above: Sequence[Sides],
) -> list[Sides]:
    """Return what is found so far, and what the branches together make of one name."""
    target = first.sides[0]
    assert target is not None, "a branch sets a name"
    setting = [_sets(branch, text) for branch in branches]
    if all(setting) and branches[-1].condition is None:
        return [*found, _made(first, _rows(branches, text, place), place)]
    earlier = next((one for one in reversed(found) if _is_set(one, text)), None)
    known = earlier or next((one for one in reversed(above) if _is_set(one, text)), None)
    rows = _rows(branches, text, place)
    if (
        earlier
        and _only_last_leave(setting, branches)
        and _may_move(earlier, text, found, branches)
    ):
        rows.append(Case(_side(earlier), None, earlier.span))
        return [*(one for one in found if one is not earlier), _made(first, rows, place)]
    if known or not has_time(target):
        rows = _rows(branches, text, place, target)
        if known and branches[-1].condition is not None:
            rows.append(Case(target, None, known.span))
        return [*found, _made(first, rows, place)]
    if setting.count(True) > 1:
        raise _undefined(first)
    branch = branches[setting.index(True)]
    if setting[0] and not any(_changes(one.condition) for one in branches[:1]):
        inner.append(Inner(first, branch.place, True, branch.condition))
        return [*found, _made(first, rows, place)]
    inner.append(Inner(first, branch.place, False, branch.condition))
    return [*found, first]


def _rows(
    branches: list[Branch], text: str, place: Span, otherwise: Raw | None = None
) -> list[Case]:
    """What the branches set, each with its condition; `otherwise` in those that do not."""
    rows = []
    for branch in branches:
        value = _set(branch, text) if _sets(branch, text) else otherwise
        if value is not None:
            rows.append(Case(value, branch.condition, place))
    while otherwise is not None and len(rows) > 1 and rows[-1].condition is not None:
        if rows[-1].value is not otherwise:
            break
        rows.pop()
    return rows


def _made(first: Sides, rows: list[Case], place: Span) -> Sides:
    return replace(first, sides=(first.sides[0], Cases(tuple(rows), place)))


def _only_last_leave(setting: list[bool], branches: list[Branch]) -> bool:
    """Do the branches that set it come first, with a condition each?"""
    count = setting.count(True)
    return all(setting[:count]) and all(one.condition is not None for one in branches[:count])


def _changes(condition: Raw | None) -> bool:
    """May a condition hold in some steps only? Not if it is of hyperparameters alone."""
    nodes = [] if condition is None else list(shapes.walk_raw(condition))
    clock = any(isinstance(node, Symbol) and node.name in "tkns" for node in nodes)
    return condition is None or clock or any(isinstance(node, Operator) for node in nodes)


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
    sets = [*behind, *(one for branch in branches for one in branch.statements)]
    made = {_printed(one.sides[0]) for one in sets if one.sides[0] is not None} - {text}
    return text not in reads and not made & _reads(earlier.sides[1:])


def _in_order(branches: list[Branch], targets: dict[str, Sides]) -> dict[str, Sides]:
    """What a branch reads behind its setting is made before it, and what it reads above, after."""
    after: dict[str, dict[str, Raw]] = {name: {} for name in targets}
    for branch in branches:
        names = [_printed(one.sides[0]) for one in branch.statements if one.sides[0] is not None]
        for place, one in enumerate(branch.statements):
            for node in shapes.walk_raw(one.sides[1:]):
                name = _printed(node)
                if name in names and name != names[place]:
                    above = names.index(name) < place
                    first, then = (name, names[place]) if above else (names[place], name)
                    after[then].setdefault(first, node)
    asked = _asked(branches, targets)
    for name, node in asked.items():
        after[name] |= {other: node for other in targets if other != name}
    order: dict[str, Sides] = {}
    while len(order) < len(targets):
        waiting = [name for name in targets if name not in order]
        ready = [name for name in waiting if after[name].keys() <= order.keys()]
        if not ready:
            node = next(iter(after[waiting[-1]].values()))
            if asked:
                message = "this is set in the branch itself, and read by what it sets behind it"
                raise refuse("latex-algorithm", message, next(iter(asked.values())).span)
            hint = "set what the branches set in one order"
            raise refuse(
                "latex-algorithm", "another branch sets this in another order", node.span, hint
            )
        order[ready[0]] = targets[ready[0]]
    return order


def _undefined(first: Sides) -> DiagnosticError:
    message = "what is this where the condition does not hold?"
    return refuse("latex-algorithm", message, first.span, "give an `\\Else`")


def check_inner(inner: list[Inner], statements: list[Sides]) -> None:
    """What one branch alone sets may be read there alone, at the same time, and must be.

    Where hyperparameters alone choose the branch, it may be a state of the branch.
    """
    values = tuple(each.sides[1:] for each in statements)
    made = {shapes.key_of(each.sides[0]) for each in statements} - {()}
    for one in inner:
        target = one.statement.sides[0]
        assert target is not None, "a branch sets a name"
        text, key = _printed(target), shapes.key_of(target)
        reads = [
            node
            for node in shapes.walk_raw(values)
            if isinstance(node, Scripted) and shapes.key_of(node) == key
        ]
        if one.keeps:
            labels = _labels(target)
            reads = [node for node in reads if _labels(node) == labels]
        within = [one.branch.start <= node.span.start < one.branch.end for node in reads]
        same = one.keeps or all(_printed(node).startswith(text) for node in reads)
        chosen = shapes.walk_raw(one.condition) if one.keeps else ()
        moving = any(shapes.key_of(node) in made for node in chosen)
        if not reads or not all(within) or not same or moving:
            raise _undefined(one.statement)


def _labels(raw: Raw) -> set[str]:
    """The words on a name: `v_t^{max}` is another name than `v_t`."""
    scripts = raw.scripts if isinstance(raw, Scripted) else ()
    items = [item for script in scripts if script.raised for item in script.items]
    return {_printed(item) for item in items if not isinstance(item, Digits)}


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


def _asked(branches: list[Branch], targets: dict[str, Sides]) -> dict[str, Raw]:
    """Return what conditions read and the branches set: it is set last, as all else asks first."""
    return {
        _printed(node): node
        for branch in branches
        if branch.condition is not None
        for node in shapes.walk_raw(branch.condition)
        if _printed(node) in targets
    }


def has_time(raw: Raw | None) -> bool:
    """Has it a letter that may count steps as a script?"""
    return raw is not None and any(
        isinstance(node, Symbol) and node.name in "tkns"
        for node in shapes.walk(raw.scripts if isinstance(raw, Scripted) else ())
    )


def _printed(raw: Raw) -> str:
    """What a symbol is, with its scripts in one order; anything else as it is printed."""
    match raw:
        case Scripted(base, scripts):
            signs = [("^" if one.raised else "_", one.items) for one in scripts]
            said = [sign + ",".join(map(_printed, items)) for sign, items in signs]
            return _printed(base) + "".join(sorted(said))
        case Braces(value):
            return _printed(value)
    return "".join(raw.span.text.split())
