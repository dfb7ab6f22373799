"""Where values are undefined: both sides must be so in the same places.

A condition under which a value is defined is either proved, or it must stand on
both sides. One undefined state spoils others later, so where states may be
undefined, one output must take up every such condition and keep it: then both
sides are defined up to the same step, and that output is undefined from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from optdsl.checks.equivalence.polynomials import Polynomial, join, variable
from optdsl.checks.equivalence.rationals import Condition, Rational, of_factors
from optdsl.checks.equivalence.reading import condition_holds
from optdsl.checks.equivalence.roots import sign_of
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Kind

Conditions = frozenset[Condition]
_NEVER: Condition = ("never",)


@dataclass
class Definedness:
    """The conditions of all values of a step in one case."""

    case: Context
    first: bool
    pairs: dict[str, tuple[Conditions, Conditions]] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    ours: dict[str, Conditions] = field(default_factory=dict)
    theirs: dict[str, Conditions] = field(default_factory=dict)
    maps: dict[str, Conditions] = field(default_factory=dict)

    def add_pair(self, name: str, ours: Rational, theirs: Rational, output: bool = False) -> None:
        """Note values that must be defined in the same places."""
        self.pairs[name] = (self._open(ours), self._open(theirs))
        if output:
            self.outputs.add(name)

    def add_ours(self, name: str, value: Rational) -> None:
        """Note a state of ours."""
        self.ours[name] = self._open(value)

    def add_theirs(self, name: str, value: Rational) -> None:
        """Note a state of theirs."""
        self.theirs[name] = self._open(value)

    def add_map(self, name: str, value: Rational) -> None:
        """Note what a state of theirs is in our names: this must be defined where ours are."""
        self.maps[name] = self._open(value)

    def opened(self, side: int) -> Conditions:
        """Return all conditions that are not proved on one side, 0 for ours."""
        states = self.theirs if side else self.ours
        sets = [*states.values(), *(pair[side] for pair in self.pairs.values())]
        return _without_reads(frozenset().union(*sets))

    @property
    def states_open(self) -> bool:
        """May a state be undefined?"""
        sets = [*self.ours.values(), *self.theirs.values()]
        return bool(_without_reads(frozenset().union(*sets)))

    def spreads(self, reductions: frozenset[Kind]) -> bool:
        """May one entry be undefined and a reduction carry that to others, which are not yet?"""
        opened = self.opened(0) | self.opened(1)
        return any(not _kind(c).within(kind) for c in opened for kind in reductions)

    def absorbs(self, name: str) -> bool:
        """Is an output undefined on both sides as soon as anything is, and ever after?"""
        for side in (0, 1):
            if self.opened(side) - self.pairs[name][side]:
                return False
            kept: Condition = ("reads", "ours", name)
            if not self.first and any(kept not in pair[side] for pair in self.pairs.values()):
                return False
        return True

    def _open(self, value: Rational) -> Conditions:
        """Return the conditions that are not proved, in a canonical form."""
        left: set[Condition] = set()
        for condition in value.conditions:
            if condition[0] == "answers":
                continue
            if condition[0] == "reads" or not condition_holds(condition, self.case):
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


def _kind(condition: Condition) -> Kind:
    """Return for how many values at once a condition decides."""
    match condition:
        case ("nonzero", Polynomial() as polynomial):
            return polynomial.kind
        case ("nonneg" | "positive", _, frozenset() as factors):
            return join(factor.kind for factor, _ in factors)
        case ("all", Kind() as kind, _):
            return kind
    return Kind.ENTRY


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
    reductions: frozenset[Kind] = frozenset()  # the kinds that values are reduced to

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
        if not any(entry.states_open for entry in self.entries):
            return None
        if any(entry.spreads(self.reductions) for entry in self.entries):
            return "a state may be undefined, and reductions carry that to other entries"
        outputs = set.intersection(*(entry.outputs for entry in self.entries))
        if any(all(entry.absorbs(name) for entry in self.entries) for name in outputs):
            return None
        return "a state may be undefined"


def _without_reads(conditions: Conditions) -> Conditions:
    return frozenset(c for c in conditions if c[0] != "reads")
