"""The proof that a zero gradient leaves an entry as it is, whatever its states are by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from time import process_time
from typing import TypeVar

from optdsl.checks.equivalence.cases import GiveUp, cases
from optdsl.checks.equivalence.frames import Frames
from optdsl.checks.equivalence.invariants import find_invariants
from optdsl.checks.equivalence.number_ranges import NULL
from optdsl.checks.equivalence.polynomials import Polynomial, variable
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.rationals import NOTHING, Rational
from optdsl.checks.equivalence.reading import condition_holds, reads
from optdsl.checks.equivalence.roots import Unreadable, equal
from optdsl.checks.equivalence.sides import Side
from optdsl.checks.equivalence.signs import Context
from optdsl.checks.ranges.world import Mixing, may_be_infinite, mixing_in
from optdsl.model.expressions import (
    Clock,
    Expression,
    Kind,
    Number,
    Reduce,
    Value,
    children,
    transform,
    walk,
)
from optdsl.model.system import Domain, System
from optdsl.program.formulas import formula, indexed_names

#: Kinds of which every entry has its own.
WIDE = (Kind.ENTRY, Kind.ROW, Kind.COLUMN)

_SECONDS = 1.5
_LARGEST = 4000  # nodes of an equation with all others written out


def written_out(system: System) -> System | None:
    """Return the system with each state's equation in terms of what was before the step.

    So nothing inside a reduction, which speaks of all entries, is read by a name whose value was
    found for the one entry that is looked at. None where that is too long.
    """
    values = {equation.name: equation.value for equation in system.equations}
    known: dict[str, Expression] = {}

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.offset == 0:
            return known.get(node.name)
        return None

    for name, value in values.items():
        known[name] = transform(value, change)
        if sum(1 for _ in walk(known[name])) > _LARGEST:
            return None
    gradients = tuple(
        replace(asked, point=None if asked.point is None else transform(asked.point, change))
        for asked in system.gradients
    )
    equations = tuple(replace(each, value=known[each.name]) for each in system.equations)
    return replace(system, equations=equations, gradients=gradients, evaluation=None)


def could_hold(system: System) -> bool:
    """Can the prover speak of the system?

    It knows one clock, and no infinity. It tells requests apart by the point of one entry, so no
    reduction may take in another gradient than the first.
    """
    nodes = [node for equation in system.equations for node in walk(equation.value)]
    later = {asked.name for asked in system.gradients[1:]}
    reduced = {
        node.name
        for reduce in nodes
        if isinstance(reduce, Reduce)
        for node in walk(reduce)
        if isinstance(node, Value)
    }
    clocks = {node.part for node in nodes if isinstance(node, Clock)}
    finite = not any(map(may_be_infinite, system.hyperparameters))
    return finite and len(clocks) < 2 and not reduced & later


def proof(system: System, fixed: Mapping[str, Number] | None = None) -> tuple[str, ...] | None:
    """Return the reductions that take in entries with a zero gradient, None without a proof."""
    question = Question(system, system, fixed=dict(fixed or {}))
    frames = Frames(question)
    deadline = process_time() + _SECONDS
    reads: dict[str, None] = {}
    try:
        find_invariants(frames, deadline, {})
        for first in (True, False):
            context = frames.context(first, True)

            def still(case: Context, first: bool = first) -> bool:
                side = frames.ours(case, first)
                return _unmoved(system, side) and _note_reads(system, side, reads)

            if not all(fine for _, fine in cases(_at_zero(frames, context), still, deadline)):
                return None
            if not _always_defined(system, frames, first, deadline):
                return None
    except (GiveUp, Unreadable):
        return None
    return tuple(reads)


def defined_case_by_case(system: System) -> bool:
    """Is all that a step makes shown to be defined, each case of its conditions by itself?"""
    frames = Frames(Question(system, system))
    deadline = process_time() + _SECONDS
    given = system.outputs
    try:
        find_invariants(frames, deadline, {})
        return all(
            _always_defined(system, frames, first, deadline, given) for first in (True, False)
        )
    except (GiveUp, Unreadable):
        return False


def _always_defined(
    system: System, frames: Frames, first: bool, deadline: float, given: tuple[str, ...] = ()
) -> bool:
    """Are the states defined after a step from any reachable state, and what is given?"""

    def sound(case: Context) -> bool:
        side = frames.ours(case, first)
        values = [*map(side.named, given), *(side.points().values() if given else ())]
        if given and system.evaluation is not None:
            values.append(side.value(system.evaluation))
        return _defined(system, side) and all(_is_defined(each, case) for each in values)

    return all(fine for _, fine in cases(frames.context(first, True), sound, deadline))


Found = TypeVar("Found")


def assuming_least(
    system: System, attempt: Callable[[System], Found | None]
) -> tuple[tuple[str, ...], Found] | None:
    """Return what an attempt finds, and the fewest hyperparameters that must not be 0 for it."""
    names = ends = _ends_at_zero(system)
    best = attempt(supposing_most(system))
    if best is None:
        return None
    found = attempt(system)
    if found is not None:
        return (), found
    for name in ends:
        fewer = tuple(other for other in names if other != name)
        found = attempt(_without_zeros(system, fewer))
        if found is not None:
            names, best = fewer, found
    return names, best


def supposing_most(system: System) -> System:
    """Return the system with no hyperparameter at an end of its domain that is 0."""
    return _without_zeros(system, _ends_at_zero(system))


def _ends_at_zero(system: System) -> tuple[str, ...]:
    return tuple(
        hyper.name
        for hyper in system.hyperparameters
        if hyper.domain is not None and hyper.domain.low == 0 and 0 in hyper.domain
    )


def _without_zeros(system: System, names: tuple[str, ...]) -> System:
    hypers = tuple(
        replace(hyper, domain=replace(hyper.domain or Domain(), low_open=True))
        if hyper.name in names
        else hyper
        for hyper in system.hyperparameters
    )
    return replace(system, hyperparameters=hypers)


def _at_zero(frames: Frames, context: Context) -> Context:
    """Return the case in which all gradients of the entry are zero."""
    for index in (None, *range(len(frames.question.ours.gradients))):
        atom = frames.functions.table.atom("g", index, kind=Kind.ENTRY)
        context = context.suppose(variable(atom), NULL)
    return context


def kept(system: System) -> list[str]:
    """Return the states of an entry, theta among those of an optimizer."""
    states = [state.name for state in system.memory if state.kind in WIDE]
    return states + (["theta"] if "theta" in system.outputs else [])


def _unmoved(system: System, side: Side) -> bool:
    given = [name for name in system.outputs if name != "theta"]
    pairs = [(side.named(name), side.before[name]) for name in kept(system)]
    pairs += [(side.named(name), NOTHING) for name in given if system.family == "transform"]
    return all(
        equal(after, before, side.context) and _is_defined(after, side.context)
        for after, before in pairs
    )


def _defined(system: System, side: Side) -> bool:
    """Is every state defined after a step with any gradient?"""
    names = [*(state.name for state in system.memory), *kept(system)]
    return all(_is_defined(side.named(name), side.context) for name in names)


def _is_defined(value: Rational, context: Context) -> bool:
    return all(
        reads(condition)
        or condition_holds(condition, context)
        or _is_apart_from_zero(condition, context)
        for condition in value.conditions
    )


def _is_apart_from_zero(condition: tuple[object, ...], context: Context) -> bool:
    """Is a value not zero, as it exceeds by something positive one that the case has signed?"""
    match condition:
        case ("nonzero", Polynomial() as polynomial):
            return any(_exceeds(each, context) for each in _roots_away(polynomial))
    return False


def _roots_away(polynomial: Polynomial) -> Iterator[Polynomial]:
    """Yield what is zero just where this is: a root, and what is below it."""
    yield polynomial
    for atom in polynomial.atoms:
        if atom.below is not None and polynomial == variable(atom):
            yield atom.below


def _exceeds(polynomial: Polynomial, context: Context) -> bool:
    for known, sign in context.signs.items():
        side = known if -1 not in sign else -known if 1 not in sign else None
        if side is None:
            continue
        if 0 not in sign and polynomial in _roots_away(side):
            return True
        if context.sign(polynomial - side) == {1}:
            return True
    return False


def _note_reads(system: System, side: Side, reads: dict[str, None]) -> bool:
    """Note what is made of several entries and reads those that are not zero with the gradient."""
    found = []
    for mixing in mixing_in(system):
        try:
            zero = mixing.operator not in ("any", "power") and any(
                equal(side.value(factor), NOTHING, side.context) for factor in children(mixing)
            )
        except Unreadable:
            zero = False
        if not zero:
            found.append(mixing)
    reads |= dict.fromkeys(mixing_text(system, found))
    return True


def mixing_text(system: System, mixing: Iterable[Mixing]) -> tuple[str, ...]:
    """Return as text what is made of several entries, but conditions on the gradients alone."""
    indexed = indexed_names(system)
    told = (each for each in mixing if not _only_of_gradients(each, system))
    return tuple(dict.fromkeys(formula(each, indexed) for each in told))


def _only_of_gradients(mixing: Mixing, system: System) -> bool:
    """Is it a condition on the gradients alone, which a zero meets as any number does?"""
    names = {asked.name for asked in system.gradients}
    read = {node.name for node in walk(mixing) if isinstance(node, Value)}
    return mixing.operator == "any" and read <= names
