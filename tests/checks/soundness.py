"""Mutants and rewrites of every shipped rule, from a seed, and what the checker says of them.

`python -m tests.checks.soundness` prints the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from optdsl.checks.equivalence import compare
from optdsl.checks.equivalence.induction import Proof
from optdsl.checks.equivalence.maps import find_maps, observed_ranges
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.refute import first_look, refute
from optdsl.library import load_system, single_rules
from optdsl.model.expressions import Value
from optdsl.model.system import System
from tests.checks.long_runs import STEPS, Outcome, long_runs
from tests.checks.mutants import mutants
from tests.checks.rewrites import Rewrite, rewrites

GROUPS = 12
MUTANTS_A_RULE = 11
REWRITES_A_RULE = 4


@dataclass
class Counts:
    """What was tried, and what became of it."""

    mutants: int = 0
    refuted: int = 0
    same: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    wrongly_proved: list[str] = field(default_factory=list)
    rewrites: int = 0
    proved: int = 0
    unproved: list[str] = field(default_factory=list)
    wrongly_refuted: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Take up the counts of another rule."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def __str__(self) -> str:
        return (
            f"{self.mutants} mutants: {self.refuted} refuted, {len(self.same)} shown by long runs "
            f"to change nothing, {len(self.wrong)} wrongly accepted, "
            f"{len(self.wrongly_proved)} proved by the prover alone; "
            f"{self.rewrites} rewrites: {self.proved} proved, {len(self.unproved)} agree, "
            f"{len(self.wrongly_refuted)} wrongly refuted"
        )


def group(number: int) -> list[str]:
    """Return the names of one group of shipped rules."""
    return list(single_rules())[number::GROUPS]


def sampled_mutants(name: str, system: System, count: int) -> list[tuple[str, System]]:
    """Return some mutants of a rule, the same every time."""
    every = list(mutants(system))
    return Random(f"mutants of {name}").sample(every, min(count, len(every)))


def sampled_rewrites(name: str, system: System, count: int) -> list[Rewrite]:
    """Return some rewrites of a rule, the same every time."""
    random = Random(f"rewrites of {name}")
    every = list(rewrites(system, random))
    return random.sample(every, min(count, len(every)))


def judge_mutants(name: str, count: int = MUTANTS_A_RULE) -> Counts:
    """Hold mutants of a rule against the checker, and against the prover alone."""
    counts, ours = Counts(), load_system(name)
    for words, theirs in sampled_mutants(name, ours, count):
        counts.mutants += 1
        verdict = compare(ours, theirs, explain=False)
        if verdict.kind == "differs":
            counts.refuted += 1
            if proved_alone(ours, theirs):
                counts.wrongly_proved.append(f"{name}, {words}")
            continue
        runs = long_runs(ours, theirs)
        line = f"{name}, {words}: {verdict.kind}, {_words(runs)}"
        (counts.same if changes_nothing(runs) else counts.wrong).append(line)
    return counts


def changes_nothing(runs: Outcome) -> bool:
    """Did no run part the systems, and was one of them defined to its end?"""
    return runs.parted is None and runs.defined >= STEPS


def _words(runs: Outcome) -> str:
    if runs.parted is not None:
        return f"parted at t = {runs.parted}"
    return f"defined for {runs.defined} steps, {runs.one_sided} branches taken one way only"


def proved_alone(ours: System, theirs: System, constant: frozenset[str] = frozenset()) -> bool:
    """Does the prover, which the refuter does not stop, call two systems equal?"""
    question = Question(ours, theirs, constant)
    same = {state.name: Value(state.name, state.kind) for state in theirs.states}
    races = refute(question, first_look(question)[:4]).races
    found, observed = find_maps(question, races), observed_ranges(races)
    maps: list[Mapping[str, object]] = [same] if found == same else [same, found]
    return any(Proof(question, m, {}, observed, 0.5).holds() for m in maps)  # type: ignore[arg-type]


def judge_rewrites(name: str, count: int = REWRITES_A_RULE) -> Counts:
    """Hold rewrites of a rule against the checker."""
    counts, ours = Counts(), load_system(name)
    for rewrite in sampled_rewrites(name, ours, count):
        counts.rewrites += 1
        verdict = compare(ours, rewrite.system, constant=rewrite.constant, explain=False)
        if verdict.kind == "proved":
            counts.proved += 1
        else:
            wrong = verdict.kind != "agrees"
            line = f"{name}, {rewrite.words}: {verdict}"
            (counts.wrongly_refuted if wrong else counts.unproved).append(line)
    return counts


if __name__ == "__main__":
    import sys
    from time import process_time

    total = Counts()
    names = sys.argv[1:] or list(single_rules())
    for name in names:
        started = process_time()
        counts = judge_mutants(name)
        middle = process_time()
        counts.add(judge_rewrites(name))
        total.add(counts)
        print(f"{name}: {middle - started:.1f} s, {process_time() - middle:.1f} s; {counts}")
        for what in ("wrong", "wrongly_proved", "wrongly_refuted", "unproved", "same"):
            for line in getattr(counts, what):
                print(f"  {what}: {line}")
    print(total)
