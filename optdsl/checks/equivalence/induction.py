"""Proof that two systems agree at every step.

Step 1 is taken from the starts. Then, supposing that their states are the given
functions of ours after step t - 1, every point, every output and every state of
step t is shown to agree. Nothing that is skipped counts as shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import process_time

from optdsl.checks.equivalence.cases import GiveUp, cases
from optdsl.checks.equivalence.congruence import congruent
from optdsl.checks.equivalence.defined import Account, Definedness
from optdsl.checks.equivalence.frames import Frames
from optdsl.checks.equivalence.invariants import find_invariants
from optdsl.checks.equivalence.number_ranges import Range
from optdsl.checks.equivalence.question import (
    THETA,
    Question,
    memories,
    reads_theta,
    speaks_of_matrices,
)
from optdsl.checks.equivalence.rationals import Rational
from optdsl.checks.equivalence.roots import Unreadable, equal
from optdsl.checks.equivalence.sides import Lazy, Side
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Expression, Kind, Value


@dataclass
class Proof:
    """An attempt to prove that two systems agree, with one map between their states.

    `goals` are further values of theirs, and what they are claimed to be in our names.
    `observed` are the smallest and the largest number that a state of ours was seen to be.
    """

    question: Question
    maps: Mapping[str, Expression]
    goals: Mapping[str, Expression] = field(default_factory=dict)
    observed: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seconds: float = 2.5
    reason: str | None = None
    _frames: Frames = field(init=False)
    _verified: set[str] = field(init=False)  # states of theirs that are shown to be as mapped

    def __post_init__(self) -> None:
        self._frames = Frames(self.question, self.maps)
        theirs = self.question.theirs
        self._verified = set(self.maps) - set(theirs.outputs)
        if "theta" not in theirs.outputs and reads_theta(theirs):
            self._verified.add("theta")

    @property
    def invariants(self) -> Mapping[str, Range]:
        """The ranges of our states that were found."""
        return self._frames.invariants

    def holds(self) -> bool:
        """Is it proved? If not, `reason` says what was in the way."""
        if self.is_quick():
            return True
        obstacle = _obstacle(self.question)
        if obstacle is not None:
            self.reason = obstacle
            return False
        deadline = process_time() + self.seconds
        begun = {splits: Account() for splits in (False, True)}
        begun = {s: a for s, a in begun.items() if self._step(True, s, a, deadline)}
        if not begun:  # in the first step no state is open, so no invariant could help
            return False
        find_invariants(self._frames, deadline, self.observed)
        return any(self._later(splits, account, deadline) for splits, account in begun.items())

    def is_quick(self) -> bool:
        """Are both sides the same terms?"""
        return self._maps_reach_goals() and congruent(self.question, self.maps)

    def _maps_reach_goals(self) -> bool:
        """Is all that is claimed of theirs what the map says of their states anyway?"""
        states = {state.name for state in self.question.theirs.states} | {"theta"}
        return all(n in states and self.maps.get(n) == value for n, value in self.goals.items())

    def _later(self, splits: bool, account: Account, deadline: float) -> bool:
        if not self._step(False, splits, account, deadline):
            return False
        judged = account.judge()
        if judged is not None:
            self.reason = judged
        return judged is None

    def _step(self, first: bool, splits: bool, account: Account, deadline: float) -> bool:
        """Do both agree in the first step, or in any later one, in every case?"""

        def attempt(case: Context) -> bool:
            return self._agree(case, first, account)

        try:
            context = self._frames.context(first, splits)
            return all(agreed for _, agreed in cases(context, attempt, deadline))
        except (GiveUp, Unreadable) as problem:
            self.reason = str(problem) or "too many cases"
            return False

    # ------------------------------------------------------------------- step

    def _agree(self, case: Context, first: bool, account: Account) -> bool:
        ours = self._frames.ours(case, first)
        theirs = self._frames.theirs(ours, first)
        defined = Definedness(case, first)
        agreed = (
            self._points(ours, theirs, defined)
            and self._outputs(ours, theirs, defined)
            and self._states(ours, theirs, defined)
            and self._goals(ours, theirs, defined)
        )
        if agreed:
            if not first:
                self._before(theirs, defined)
            account.add(defined)
        return agreed

    def _before(self, theirs: Side, defined: Definedness) -> None:
        """Note which states of theirs were read, and of which of ours they are made."""
        shown = {*self._verified, *self.question.theirs.outputs} & set(memories(theirs.system))
        for name in shown:
            if isinstance(theirs.before, Lazy) and theirs.before.was_read(name):
                defined.add_before(name, theirs.before[name])

    def _points(self, ours: Side, theirs: Side, defined: Definedness) -> bool:
        left, right = ours.points(), theirs.points()
        if left.keys() != right.keys():
            return self._fail("the number of gradients")
        for number, mine in left.items():
            defined.add_pair(f"point {number + 1}", mine, right[number])
            if not equal(mine, right[number], defined.case):
                return self._fail(f"the point of gradient {number + 1}")
        return True

    def _outputs(self, ours: Side, theirs: Side, defined: Definedness) -> bool:
        question = self.question
        pairs = [
            (name, other, self._mapped(other, Value(name, Kind.ENTRY), ours), theirs.output(other))
            for name, other in zip(question.ours.outputs, question.theirs.outputs, strict=True)
        ]
        if question.ours.evaluation is not None or question.theirs.evaluation is not None:
            pairs.append(("evaluate", "evaluate", _evaluation(ours), _evaluation(theirs)))
        for name, named, mine, other in pairs:
            defined.add_pair(name, mine, other, output=named)
            if not equal(mine, other, defined.case):
                return self._fail(f"the output {name}")
        return True

    def _states(self, ours: Side, theirs: Side, defined: Definedness) -> bool:
        for name in memories(self.question.ours):
            defined.add_ours(name, ours.named(name))
        for name in memories(self.question.theirs):
            defined.add_theirs(name, theirs.named(name))
            if name in self._verified:
                mapped = ours.value(self.maps.get(name, THETA))
                defined.add_map(name, mapped)
                if not equal(mapped, theirs.named(name), defined.case):
                    return self._fail(f"the state {name}")
        return True

    def _goals(self, ours: Side, theirs: Side, defined: Definedness) -> bool:
        for name, mapped in self.goals.items():
            mine, other = ours.value(mapped), theirs.named(name)
            defined.add_pair(name, mine, other)
            if not equal(mine, other, defined.case):
                return self._fail(f"the claimed {name}")
        return True

    def _mapped(self, theirs: str, otherwise: Value, ours: Side) -> Rational:
        return ours.value(self.maps.get(theirs, otherwise))

    def _fail(self, reason: str) -> bool:
        self.reason = reason
        return False


def _evaluation(side: Side) -> Rational:
    if side.system.evaluation is not None:
        return side.value(side.system.evaluation)
    return side.named(side.system.outputs[0])


def _obstacle(question: Question) -> str | None:
    ours, theirs = question.ours, question.theirs
    if ours.skips or theirs.skips:
        return "a rule that skips steps"
    if any(speaks_of_matrices(system) for system in (ours, theirs)):
        return "matrices"
    return None
