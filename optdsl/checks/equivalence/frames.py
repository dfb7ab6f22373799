"""Both sides in one step: the first, from the starts, or any later one, from any states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from optdsl.checks.equivalence.bounds import bounds
from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.number_ranges import NON_NEGATIVE, REALS, Range
from optdsl.checks.equivalence.polynomials import Atom, Table
from optdsl.checks.equivalence.question import THETA, Question, shifted
from optdsl.checks.equivalence.rationals import Rational, constant, of_atom
from optdsl.checks.equivalence.reading import Reader
from optdsl.checks.equivalence.roots import Unreadable, put
from optdsl.checks.equivalence.sides import Lazy, Side, atoms_of, derived_states, kept_states
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Clock, Constant, Expression, Fact, Kind, Value
from optdsl.model.system import Domain, System, given


@dataclass
class Frames:
    """Builds both sides of a step, in a case.

    `maps` says what states of theirs are in our names; states without a map are
    left open. `invariants` are ranges of our states, proved elsewhere.
    """

    question: Question
    maps: Mapping[str, Expression] = field(default_factory=dict)
    functions: Functions = field(default_factory=lambda: Functions(Table()))
    invariants: dict[str, Range] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ours_derived = derived_states(self.question.ours)
        self._theirs_derived = derived_states(self.question.theirs)

    # ---------------------------------------------------------------- context

    def context(self, first: bool, splits: bool) -> Context:
        """Return what is known before any case is looked at."""
        low = 1 if first else 2
        ranges = {self.functions.time: Range(constant(low).constant)}
        return Context(ranges=ranges, ranger=self._range, teller=bounds, splits=splits)

    def _range(self, atom: Atom, context: Context) -> Range:
        match atom.form:
            case ("hyper", str(name), *_):
                return range_of_domain(self.question.domain(name))
            case ("state", "ours", str(name)):
                return self.invariants.get(name, REALS)
        return range_of_fact(atom) or self.functions.range_of(atom, context)

    # ------------------------------------------------------------------ sides

    def ours(self, context: Context, first: bool, over: Kind | None = None) -> Side:
        """Return our side of a step, or of what a reduction to the kind `over` takes in."""

        def hyper(name: str, offset: int) -> Rational:
            return self.our_hyper(name, offset + (1 if first else 0), first, context)

        def generic(kind: Kind) -> Side:
            return self.ours(context.for_all(kind), first, kind)

        clock = constant(1) if first else of_atom(self.functions.time)
        ours = self.question.ours
        answer = self._answer
        side = Side(ours, self.functions, context, clock, {}, hyper, answer, over, generic)
        side.before = self._starts(side, "ours") if first else self._ours_before(side)
        return side

    def theirs(self, ours: Side, first: bool) -> Side:
        """Return their side, in which states before the step are functions of ours."""

        def hyper(name: str, offset: int) -> Rational:
            return self._their_hyper(ours, first, name, offset)

        def generic(kind: Kind) -> Side:
            return self.theirs(ours.within(kind), first)

        theirs, context = self.question.theirs, ours.context
        answer, over = ours.answer, ours.over
        side = Side(
            theirs,
            self.functions,
            context,
            ours.clock,
            {},
            hyper,
            answer,
            over,
            generic,
            other=ours,
        )
        side.before = self._starts(side, "theirs") if first else self._theirs_before(side, ours)
        return side

    def _answer(self, index: int | None) -> Rational:
        return of_atom(self.functions.table.atom("g", index, kind=Kind.ENTRY))

    # -------------------------------------------------------- hyperparameters

    def our_hyper(self, name: str, offset: int, first: bool, context: Context) -> Rational:
        """Return a hyperparameter of ours; `offset` is from t, in the first step from 0."""
        question = self.question
        if name in question.fixed:
            return self._fixed(question.fixed[name], offset, first, context)
        try:
            declared = question.ours.hyperparameter(name)
        except KeyError:
            return self._input(name, offset)
        if isinstance(declared.default, Constant) and declared.default.name in ("true", "false"):
            return of_atom(self.functions.table.atom("flag", name, offset))
        when = () if question.is_constant(name) else (offset,)
        whole = question.domain(name).whole
        atom = self.functions.table.atom("hyper", name, *when, whole=whole)
        return put(of_atom(atom), context)

    def _input(self, name: str, offset: int) -> Rational:
        """Return an input, or the condition that it came.

        What has not come yet is undefined, so a value that reads an input is defined under
        the condition that it came; in a step that gives it, it did.
        """
        table = self.functions.table
        if name in self.question.ours.flags:
            return of_atom(table.atom("flag", name, offset))
        if name not in self.question.ours.inputs:
            raise Unreadable(name)
        flag = of_atom(table.atom("flag", given(name), offset))
        return of_atom(table.atom("input", name, offset)).under(("came", "value", flag.key()))

    def _fixed(self, value: Expression, offset: int, first: bool, context: Context) -> Rational:
        def name(read: Value) -> Rational:
            return self.our_hyper(read.name, read.offset + offset, first, context)

        def time(clock: Clock) -> Rational:
            now = constant(0) if first else of_atom(self.functions.time)
            return now + constant(offset + clock.offset)

        return Reader(self.functions, context, name, lambda _: None, time).value(value)

    def _their_hyper(self, ours: Side, first: bool, name: str, offset: int) -> Rational:
        mapped = self.question.mapping.get(name)
        if mapped is None:
            return ours.hyper(name, offset)
        if offset == 0:
            return ours.value(mapped)
        if offset == -1:
            return self._earlier(mapped, ours)
        return ours.value(shifted(mapped, offset))

    def _earlier(self, expression: Expression, side: Side) -> Rational:
        """Return what an expression was one step before, told by the states of then."""
        return self._earlier_reader(side).value(expression)

    def _earlier_reader(self, side: Side) -> Reader:
        equations = {equation.name: equation.value for equation in side.system.equations}
        gradients = {asked.name for asked in side.system.gradients} | set(side.system.losses)

        def name(read: Value) -> Rational:
            if read.offset == 0 and read.name in side.before:
                return side.before[read.name]
            if read.name in gradients or (read.name in equations and read.offset != 0):
                raise Unreadable(f"{read.name} at an earlier step")
            if read.offset == 0 and read.name in equations:
                return reader.value(equations[read.name])
            return side.hyper(read.name, read.offset - 1)

        def time(clock: Clock) -> Rational:
            return side.clock + constant(clock.offset - 1)

        def inside(kind: Kind) -> Reader:
            return self._earlier_reader(side.within(kind))

        reader = Reader(self.functions, side.context, name, lambda _: None, time, side.over, inside)
        return reader

    # ---------------------------------------------------------------- states

    def _ours_before(self, side: Side) -> Mapping[str, Rational]:
        before = Lazy(atoms_of(self.question.ours, self.functions, "ours"))
        self._tell_facts(before, side)
        self._derive(before, side, self._ours_derived)
        return before

    def _theirs_before(self, side: Side, ours: Side) -> Mapping[str, Rational]:
        before = Lazy(atoms_of(self.question.theirs, self.functions, "theirs"))
        self._tell_facts(before, side)
        facts = _kept_facts(self.question.theirs)
        for name, value in {"theta": THETA, **self.maps}.items():
            if name in before and name not in (*self._theirs_derived, *facts):
                before.find(name, partial(self._mapped, name, value, ours))
        self._derive(before, side, self._theirs_derived)
        return before

    def _mapped(self, name: str, value: Expression, ours: Side) -> Rational:
        """Return a state of theirs in our names; it is defined where it is, not where ours are."""
        return self._earlier(value, ours).under(("reads", "theirs", name))

    def _tell_facts(self, before: Lazy, side: Side) -> None:
        for name, fact in _kept_facts(side.system).items():
            before.find(name, partial(side.value, fact))

    def _derive(self, before: Lazy, side: Side, derived: Mapping[str, Expression]) -> None:
        for name, value in derived.items():
            before.find(name, partial(self._earlier, value, side))

    def _starts(self, side: Side, owner: str) -> dict[str, Rational]:
        theta = of_atom(self.functions.table.atom("theta_0", kind=Kind.ENTRY))

        def name(read: Value) -> Rational:
            return theta if read.name == "theta" else side.hyper(read.name, read.offset - 1)

        def time(clock: Clock) -> Rational:
            return constant(clock.offset)

        reader = Reader(self.functions, side.context, name, lambda _: None, time)
        starts = {"theta": theta}
        for state in side.system.states:
            if state.name == "theta":
                continue
            if state.start is None:
                atom = self.functions.table.atom("unset", owner, state.name, kind=state.kind)
                starts[state.name] = of_atom(atom).under(("unset", owner, state.name))
            else:
                starts[state.name] = reader.value(state.start)
        return starts


def _kept_facts(system: System) -> dict[str, Fact]:
    """Return what states know of a tensor, which is the same in all steps."""
    kept = kept_states(system)
    return {s.name: s.start for s in system.states if isinstance(s.start, Fact) and s.name in kept}


def range_of_fact(atom: Atom) -> Range | None:
    """Return the range of a fact about a tensor, which has an entry at least."""
    match atom.form:
        case ("fact", "rows" | "columns"):
            return Range(constant(1).constant)
        case ("fact", "ndim"):
            return NON_NEGATIVE
        case ("fact", _):  # named: it is, or it is not
            return Range(constant(0).constant, constant(1).constant)
    return None


def range_of_domain(domain: Domain) -> Range:
    """Return the range of a domain."""
    from fractions import Fraction

    low = domain.low if isinstance(domain.low, Fraction) else None
    high = domain.high if isinstance(domain.high, Fraction) else None
    return Range(low, high, domain.low_open, domain.high_open)
