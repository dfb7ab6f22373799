"""Where values are undefined: both sides must be so in the same places.

A condition under which a value is defined is either proved, or it must stand on
both sides. One undefined state, theta among them, spoils others later. So where states may be
undefined, one output must take up every such condition and keep it: then both
sides are defined up to the same step, and that output is undefined from then on. Each side must
keep it by what it reads itself: a state of theirs may be defined where ours is no more. What
reads no such state is not concerned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from fractions import Fraction

from optdsl.checks.equivalence.polynomials import Polynomial, variable
from optdsl.checks.equivalence.rationals import Condition, Rational, of_factors
from optdsl.checks.equivalence.reading import condition_holds, reads, state_read
from optdsl.checks.equivalence.roots import sign_of
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Kind

Conditions = frozenset[Condition]
State = tuple[object, object]  # whose it is, and its name
_NEVER: Condition = ("never",)


@dataclass
class Definedness:
    """The conditions of all values of a step in one case."""

    case: Context
    first: bool
    pairs: dict[str, tuple[Conditions, Conditions]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)  # ours, and theirs
    ours: dict[str, Conditions] = field(default_factory=dict)
    theirs: dict[str, Conditions] = field(default_factory=dict)
    maps: dict[str, Conditions] = field(default_factory=dict)
    before: dict[str, Conditions] = field(default_factory=dict)

    def add_pair(
        self, name: str, ours: Rational, theirs: Rational, output: str | None = None
    ) -> None:
        """Note values that must be defined in the same places; `output` is their name of one."""
        self.pairs[name] = (self._open(ours), self._open(theirs))
        if output is not None:
            self.outputs[name] = output

    def add_ours(self, name: str, value: Rational) -> None:
        """Note a state of ours."""
        self.ours[name] = self._open(value)

    def add_theirs(self, name: str, value: Rational) -> None:
        """Note a state of theirs."""
        self.theirs[name] = self._open(value)

    def add_map(self, name: str, value: Rational) -> None:
        """Note what a state of theirs is in our names: this must be defined where ours are."""
        self.maps[name] = self._open(value)

    def add_before(self, name: str, value: Rational) -> None:
        """Note what a state of theirs was, in our names, before the step."""
        self.before[name] = self._open(value)

    def opened(self, side: int) -> Conditions:
        """Return all conditions that are not proved on one side, 0 for ours."""
        states = self.theirs if side else self.ours
        sets = [*states.values(), *(pair[side] for pair in self.pairs.values())]
        return _without_reads(frozenset().union(*sets))

    def states(self) -> dict[State, Conditions]:
        """Return the conditions of every state; those of theirs are ours by what they are here."""
        found: dict[State, Conditions] = {("ours", name): c for name, c in self.ours.items()}
        for name, conditions in self.theirs.items():
            found["theirs", name] = conditions | self.maps.get(name, frozenset())
        return found

    def both_sides(self) -> list[tuple[Conditions, Conditions]]:
        """Return ours and theirs of all that is shown to be equal."""
        states = [(mapped, self.theirs[name]) for name, mapped in self.maps.items()]
        return [*self.pairs.values(), *states]

    def absorbs(self, name: str, concerned: Set[str]) -> bool:
        """Is an output undefined on both sides as soon as anything is, and ever after?"""
        for side, kept in enumerate(self._of_sides(name)):
            if self.opened(side) - self.pairs[name][side]:
                return False
            if not self.first and any(
                not any(state_read(c) == kept and c[0] != "unless" for c in self.pairs[each][side])
                for each in concerned
            ):
                return False
        return True

    def spreads(self, name: str, concerned: Set[str], open_states: Set[State]) -> bool:
        """May one entry be undefined and a reduction carry that to others on one side only?

        It does not where what takes in all entries of an open state takes in those of the output
        `name`, the same on both sides, and so does whatever makes that output of the next step.
        """
        ours, theirs = (
            [_taken_in(self.pairs[each][side], open_states, kept) for each in sorted(concerned)]
            for side, kept in enumerate(self._of_sides(name))
        )
        if ours != theirs or any(None in taken for taken in (ours, theirs)):
            return True
        for side, kept in enumerate(self._of_sides(name)):
            own = _taken_in(self.pairs[name][side], open_states, kept) or set()
            for state in {s for s in self.states() if s[0] == kept[0]} & open_states:
                taken = _taken_in(self.states()[state], open_states, kept)
                if taken is None or not taken <= own:
                    return True
        return False

    def _of_sides(self, name: str) -> tuple[State, State]:
        return ("ours", name), ("theirs", self.outputs[name])

    def _open(self, value: Rational) -> Conditions:
        """Return the conditions that are not proved, in a canonical form."""
        left: set[Condition] = set()
        for condition in value.conditions:
            if reads(condition) or not condition_holds(condition, self.case):
                left.update(canonical(condition, self.case))
        return frozenset(left)


def canonical(condition: Condition, case: Context) -> Conditions:
    """Return conditions that together say the same, written in one way."""
    match condition:
        case ("nonzero", Polynomial() as polynomial):
            if case.sign(polynomial) == {0}:
                return frozenset({_NEVER})
            powers = Rational(polynomial).factored()[1]
            return frozenset().union(*(_nonzero(p, case) for p in powers if 0 in case.sign(p)))
        case ("nonneg" | "positive" as wanted, Fraction() as content, frozenset() as factors):
            if sign_of(of_factors(content, dict(factors)), case) == {-1}:
                return frozenset({_NEVER})
            kept = frozenset((p, n % 2) for p, n in factors if case.sign(p) != {1})
            return frozenset({(wanted, content > 0, kept)})
        case ("all", Kind() as kind, tuple() as inner):
            found = canonical(inner, case.for_all(kind))
            return frozenset(("all", kind, item) for item in found)
    return frozenset({condition})


def _nonzero(factor: Polynomial, case: Context) -> Conditions:
    """An irreducible factor is not zero; a root is zero where what is below it is."""
    atom = next(iter(factor.atoms))
    if atom.below is not None and factor == variable(atom):
        return canonical(("nonzero", atom.below), case)
    return frozenset({("nonzero", factor)})


@dataclass
class Account:
    """The definedness of all cases of a proof."""

    entries: list[Definedness] = field(default_factory=list)

    def add(self, defined: Definedness) -> None:
        """Take up one case."""
        self.entries.append(defined)

    def judge(self) -> str | None:
        """Return what may be undefined on one side only, or None."""
        for entry in self.entries:
            for name, conditions in entry.maps.items():
                if _without_reads(conditions) - entry.opened(0):
                    return f"the map of {name} may be undefined"
            for name, (ours, theirs) in entry.pairs.items():
                if _without_reads(ours) != _without_reads(theirs):
                    return f"{name} may be undefined on one side only"
        spoiled = self._open_states()
        concerned = {
            name
            for entry in self.entries
            for name, (ours, theirs) in entry.pairs.items()
            if _states_read(ours | theirs) & spoiled
        }
        if not concerned:
            return None
        if self._open_together(spoiled):
            return None
        outputs = set.intersection(*(set(entry.outputs) for entry in self.entries))
        keeping = [n for n in outputs if all(e.absorbs(n, concerned) for e in self.entries)]
        if not keeping:
            return "a state may be undefined"
        if all(any(e.spreads(n, concerned, spoiled) for e in self.entries) for n in keeping):
            return "a state may be undefined, and reductions carry that to other entries"
        return None

    def _open_together(self, open_states: Set[State]) -> bool:
        """Is every state of theirs undefined just where those of ours are that it is made of?

        It is by induction, if a step that takes up the same conditions on both sides reads such
        states only. Where the map between them may be undefined itself, it tells nothing.
        """
        made_of: dict[str, set[str]] = {}
        for entry in self.entries:
            for name, conditions in entry.before.items():
                if not all(condition[0] == "reads" for condition in conditions):
                    return False
                ours = {str(mine) for owner, mine in _states_read(conditions) if owner == "ours"}
                made_of.setdefault(name, set()).update(ours)
        return all(
            _told(ours, open_states) == _told(theirs, open_states, made_of)
            for entry in self.entries
            for ours, theirs in entry.both_sides()
        )

    def _open_states(self) -> set[State]:
        """Return the states that may be undefined, by themselves or by what they read."""
        states = [item for entry in self.entries for item in entry.states().items()]
        found = {state for state, conditions in states if _without_reads(conditions)}
        known = -1
        while known != len(found):
            known = len(found)
            found |= {state for state, conditions in states if _states_read(conditions) & found}
        return found


def _states_read(conditions: Conditions) -> set[State]:
    """Return the states that must have been defined before."""
    return {read for c in conditions if (read := state_read(c)) is not None}


def _told(
    conditions: Conditions,
    open_states: Set[State],
    made_of: Mapping[str, Iterable[str]] | None = None,
) -> Conditions:
    """Return conditions in which open states of theirs, if `made_of` is given, are told by ours."""
    found: set[Condition] = set()
    for condition in conditions:
        state = state_read(condition)
        if state is None:
            found.add(condition)
        elif made_of is None or (state[0] == "theirs" and state[1] not in made_of):
            found |= {condition} if state in open_states else set()
        elif state[0] == "theirs":  # ours are read for the map only
            mine = [n for n in made_of[str(state[1])] if ("ours", n) in open_states]
            found |= {_reading(condition, name) for name in mine}
    return frozenset(found)


def _reading(condition: Condition, name: str) -> Condition:
    """Return a condition that reads a state of ours in place of another."""
    match condition:
        case (*outer, tuple() as inner):
            return (*outer, _reading(inner, name))
    return ("reads", "ours", name)


def _taken_in(conditions: Conditions, open_states: Set[State], kept: State) -> set[Kind] | None:
    """Return the kinds to which a value reduces `kept`; None if one takes in another, not it."""
    taken: dict[Kind, set[State]] = {}
    for condition in conditions:
        state = state_read(condition)
        if state in open_states and condition[0] != "reads":
            if condition[0] != "all" or condition[2][0] != "reads":  # type: ignore[index]
                return None
            taken.setdefault(condition[1], set()).add(state)  # type: ignore[arg-type]
    return set(taken) if all(kept in states for states in taken.values()) else None


def _without_reads(conditions: Conditions) -> Conditions:
    return frozenset(c for c in conditions if not reads(c))
