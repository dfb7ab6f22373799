"""What a group of equations shows about its symbols, found before they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax
from optdsl.latex import matrices, shapes, sums
from optdsl.latex.corrections import corrections
from optdsl.latex.declared import Function
from optdsl.latex.names import Evidence, Named, sort_scripts
from optdsl.latex.notation import (
    Accent,
    Bars,
    Big,
    Chain,
    Change,
    Group,
    Operator,
    Raw,
    Run,
    Script,
    Scripted,
    Sides,
    Symbol,
)

_LAYERS = frozenset(("l", "ell"))


def survey(
    statements: tuple[Sides, ...],
    declared: Iterable[str | syntax.Name | Function],
    members: Iterable[str] = (),
) -> Evidence:
    """Return what the statements show about their symbols.

    A declared name with a time (`f[t]`) is a function of t wherever it stands;
    `members` are letters known to run over a range.
    """
    declared = tuple(declared)
    plain = frozenset(name for name in declared if isinstance(name, str))
    named = [name for name in declared if isinstance(name, syntax.Name)]
    timed = {name.name for name in named if name.indices}
    numbers = plain | {name.name for name in named}
    evidence = Evidence(numbers - timed, lone_symbol=True)
    evidence.functions = {one.name: one for one in declared if isinstance(one, Function)}
    evidence.times.update((name, {0}) for name in timed)
    evidence.members.update(members)
    evidence.plain.update(symbol.name for symbol in shapes.on_the_line(statements))
    _note_bare(statements, evidence)
    for node in shapes.walk(statements):
        _note_letters(node, evidence)
    for statement in statements:
        target = statement.sides[0]
        if target is not None and len(statement.sides) > 1:
            _note_raised(target, evidence)
    for statement in statements:
        target = statement.sides[0]
        if target is not None and len(statement.sides) > 1:
            _note_target(target, statement, evidence)
    if evidence.raised:
        evidence.corrections.update(corrections(statements))
    _note_starts(statements, evidence)
    for statement in statements * 2:  # what is known at the end counts from the beginning
        for node in shapes.walk(statement):
            _note(node, evidence)
    _note_squares(statements, evidence)
    for node in shapes.walk(statements):
        if isinstance(node, Scripted):
            _note_transposed(node, evidence)
        elif isinstance(node, Operator) and node.name in ("matpow", "eye", "transpose"):
            evidence.linear = True
    evidence.blocks -= evidence.indices | evidence.members
    evidence.lone_symbol = False
    return evidence


def _note_bare(node: object, evidence: Evidence) -> None:
    """Which symbols stand somewhere without a script?"""
    if isinstance(node, Scripted):
        node = node.scripts if shapes.is_symbol(node) else tuple(shapes.parts(node))
    elif isinstance(node, Raw) and shapes.is_symbol(node):
        if (named := _sorted_or_none(node, evidence)) is not None:
            evidence.bare.add(named.name)
        return
    for part in node if isinstance(node, tuple) else shapes.parts(node):
        _note_bare(part, evidence)


def _note_letters(node: object, evidence: Evidence) -> None:
    """Which letters are indices, and of what: layers, members, entries."""
    match node:
        case Bars(True, value):
            evidence.layers.update(shapes.letters_on(value) & _LAYERS)
            evidence.blocks.update(shapes.layer_letters(value)[0] & shapes.COMPONENTS)
        case Big():
            try:
                found = sums.bounds(node)
            except DiagnosticError:
                return
            kind = sums.kind_of(found, evidence)
            if kind == "members":
                evidence.members.update(found.letters)
            elif kind == "entries":
                evidence.summed.update(found.letters)
        case Sides((Symbol(letter), Run()), ("in",)) if letter != "t":
            evidence.members.add(letter)
        case Scripted(_, scripts):
            for script in scripts:
                if not script.raised:
                    evidence.indices.update(
                        letter for item in script.items for letter in shapes.components_of(item)
                    )


def _note_raised(target: Raw, evidence: Evidence) -> None:
    """`m^t = ...` sets m at a time: nobody sets a power of t."""
    if not shapes.is_symbol(target):
        return
    named = _sorted_or_none(target, evidence)
    if named is None or named.time is not None or len(named.raised) != 1:
        return
    if shapes.time_of(named.raised[0].items[0]) is not None:
        evidence.raised |= {named.name, "g"}


def _note_transposed(node: Scripted, evidence: Evidence) -> None:
    """A capital that is transposed is a matrix."""
    inner = matrices.transposed(node, evidence)
    evidence.linear = evidence.linear or inner is not None
    if inner is None or not matrices.is_capital(inner):
        return
    for part in shapes.walk_raw(inner):
        if shapes.is_symbol(part) and matrices.is_capital(part):
            named = _sorted_or_none(part, evidence)
            if named is not None:
                evidence.matrices.add(named.name)


def _note_squares(statements: tuple[Sides, ...], evidence: Evidence) -> None:
    """`\\sigma_t^2 = ...`: a symbol that is set, and read, by its square alone."""
    squares: set[str] = set()
    for statement in statements:
        target = statement.sides[0]
        if target is None or len(statement.sides) < 2 or not shapes.is_symbol(target):
            continue
        named = _sorted_or_none(target, evidence)
        if named is not None and [shapes.digits(script) for script in named.raised] == ["2"]:
            squares.add(named.name)
    if not squares:
        return
    inner: set[int] = set()
    for node in shapes.walk(statements):
        if isinstance(node, Scripted):
            named = _sorted_or_none(node, evidence) if shapes.is_symbol(node) else None
            inner.update(id(part) for part in shapes.walk(node) if part is not node)
            if named is None or id(node) in inner:
                continue
            if [shapes.digits(script) for script in named.raised] != ["2"]:
                squares.discard(named.name)
        elif isinstance(node, Symbol) and id(node) not in inner:
            squares.discard(node.name)
    evidence.squared |= squares


def _note(node: object, evidence: Evidence) -> None:
    if isinstance(node, Script) and not node.raised:
        for item in node.items:
            evidence.indices.update(shapes.components_of(item))
    if isinstance(node, Scripted) and shapes.is_symbol(node):
        named = _sorted_or_none(node, evidence)
        if named is not None and named.time is not None:
            evidence.times.setdefault(named.name, set()).add(named.time)
        if named is not None and named.members:
            evidence.families.add(named.name)
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
        rest = statement.sides[1:]
        read = {
            other.name
            for side in rest
            for node in shapes.walk(side)
            if (other := _bare_symbol(node, evidence)) is not None
        }
        if named.time is None and named.name in read:
            evidence.entries.add(named.name)


def _note_starts(statements: tuple[Sides, ...], evidence: Evidence) -> None:
    """`m_0 = v_0 = 0` gives starts; so does `m_1 = g_1` where m is set at t elsewhere."""
    set_at_time: set[str] = set()
    first: set[str] = set()
    for statement in statements:
        for side in statement.sides[:-1]:
            named = None
            if side is not None and shapes.is_symbol(side):
                named = _sorted_or_none(side, evidence)
            if named is None:
                continue
            if named.time is not None:
                set_at_time.add(named.name)
            elif named.at == "0":
                evidence.starts.add(named.name)
            elif named.number == "0":
                evidence.starts.add(replace(named, number=None).name)
            elif named.number == "1":
                first.add(replace(named, number=None).name)
    evidence.starts |= first & set_at_time


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
