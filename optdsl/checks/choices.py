"""Comparing rules that choose: case by case, where that decides.

Two such rules agree where every case of the one agrees with every case of the other that a
tensor could be in at the same step. That is sound only where the cases have nothing else in
common that could differ: numbers for all tensors must span the same tensors on both sides, and
a rule that begins late must begin anew. Where this is not so, nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from optdsl.checks.equivalence import Verdict
from optdsl.checks.tensors import could_hold, exclude
from optdsl.model.alternatives import Alternatives, Case, Rule, Window
from optdsl.model.expressions import (
    Apply,
    Clock,
    Draw,
    Expression,
    Fact,
    Kind,
    Number,
    Reduce,
    walk,
)
from optdsl.model.merging import everywhere, names_of, rename
from optdsl.model.system import System


@dataclass(frozen=True)
class Pair:
    """A case of ours and one of theirs that a tensor could be in at once.

    `certain` says that a difference of the two is one of the whole rules, if it shows
    within the first `steps`.
    """

    title: str
    ours: System
    theirs: System
    certain: bool
    steps: int | None = None


def pairs(ours: Rule, theirs: Rule) -> list[Pair] | str:
    """Return what has to agree, case by case, or why that cannot be told."""
    left, right = _cases(ours), _cases(theirs)
    if {case.windows for case in left} != {case.windows for case in right}:
        return "they do not change from rule to rule at the same steps"
    spans = _spans(ours), _spans(theirs)
    if "unlike" in spans or len(set(spans) - {"none"}) > 1:
        return "their numbers for all tensors may span different tensors"
    found = []
    met: list[tuple[Case, Case]] = []
    for mine, other in product(left, right):
        if mine.windows != other.windows or exclude(mine.condition, other.condition):
            continue
        both = [begun(case, rule) for case, rule in ((mine, ours), (other, theirs))]
        if both[0] is None or both[1] is None:
            return "what goes on where one rule follows another is not compared"
        met.append((mine, other))
        found.append(_pair(mine, other, both[0], both[1]))
    if "own" in spans and not _one_to_one(met):
        return "their numbers for all tensors may span different tensors"
    return found


def together(found: list[tuple[Pair, Verdict]]) -> Verdict:
    """Return the verdict on two rules from those on their pairs of cases."""
    for pair, verdict in found:
        if verdict.kind == "differs":
            example = verdict.counterexample
            assert example is not None
            in_time = pair.steps is None or example.step <= pair.steps
            if pair.certain and in_time:
                what = f"{example.what} ({pair.title})"
                return replace(verdict, counterexample=replace(example, what=what))
            where = "for no tensor that takes this rule" if in_time else "only after its last step"
            reason = f"{pair.title}: they differ, but perhaps {where}"
            return Verdict("not understood", reason)
    for kind in ("not understood", "agrees"):
        for pair, verdict in found:
            if verdict.kind == kind:
                return replace(verdict, reason=f"{pair.title}: {verdict.reason}")
    verdicts = [verdict for _, verdict in found]
    moved = next((v.output_map for v in verdicts if v.output_map is not None), None)
    return Verdict(
        "proved",
        domains=_distinct(text for v in verdicts for text in v.domains),
        starts=_distinct(text for v in verdicts for text in v.starts),
        constant=_distinct(text for v in verdicts for text in v.constant),
        state_map=_distinct(text for v in verdicts for text in v.state_map),
        output_map=moved,
        invariants=_distinct(text for v in verdicts for text in v.invariants),
        steps=min(v.steps for v in verdicts),
        points=sum(v.points for v in verdicts),
        digits=min(v.digits for v in verdicts),
    )


def _distinct(texts: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _cases(rule: Rule) -> tuple[Case, ...]:
    return rule.cases if isinstance(rule, Alternatives) else (Case(rule),)


def _pair(mine: Case, other: Case, ours: System, theirs: System) -> Pair:
    apart = any(_reads_facts(system) for system in (ours, theirs))
    certain = not apart and could_hold(mine.condition, other.condition)
    title = mine.title if mine.title != mine.system.name else other.title
    steps = [w.until - w.after for w in mine.windows if w.until is not None]
    return Pair(title, plain(ours), plain(theirs), certain, min(steps, default=None))


def _reads_facts(system: System) -> bool:
    return any(isinstance(state.start, Fact) for state in system.states)


def plain(system: System) -> System:
    """Call hyperparameters as their own definitions do, where that is clear."""
    local = [hyper.local_name for hyper in system.hyperparameters]
    taken = names_of(system)
    changes = {
        hyper.name: hyper.local_name
        for hyper in system.hyperparameters
        if local.count(hyper.local_name) == 1 and hyper.local_name not in taken
    }
    return rename(system, changes)


def _one_to_one(met: list[tuple[Case, Case]]) -> bool:
    left, right = [id(mine) for mine, _ in met], [id(other) for _, other in met]
    return len(set(left)) == len(left) and len(set(right)) == len(right)


# -------------------------------------------------------- numbers for all tensors


def _spans(rule: Rule) -> str:
    """Say over which tensors the numbers for all tensors of `rule` run.

    They are "all", a case's "own", or "unlike" one another; "none" where there is no such number.
    """
    found: set[str] = set()
    for case in _cases(rule):
        for name in _numbers(case.system):
            everywhere_ = all(name in _numbers(other.system) for other in _cases(rule))
            shared = isinstance(rule, Alternatives) and name in rule.shared
            if isinstance(rule, System) or (shared and everywhere_):
                found.add("all")
            else:
                found.add("unlike" if shared else "own")
    if len(found) > 1:
        return "unlike"
    return next(iter(found), "none")


def _numbers(system: System) -> set[str]:
    """Return the equations that reduce over all tensors, and the states that span them."""
    names = {state.name for state in system.states if state.kind is Kind.ALL}
    for equation in system.equations:
        if any(_spans_all(node) for node in walk(equation.value)):
            names.add(equation.name)
    bodies = [asked.point for asked in system.gradients if asked.point is not None]
    bodies += [skip.condition for skip in system.skips]
    bodies += [] if system.evaluation is None else [system.evaluation]
    if any(_spans_all(node) for body in bodies for node in walk(body)):
        names.add("(unnamed)")
    return names


def _spans_all(node: Expression) -> bool:
    return isinstance(node, Reduce) and node.kind is Kind.ALL


# ------------------------------------------------------------------- late beginnings


def begun(case: Case, rule: Rule) -> System | None:
    """Return the rule of a case as it is from its first step on, None where that is not told."""
    late = [window for window in case.windows if window.after]
    if not case.windows or not isinstance(rule, Alternatives):
        return case.system
    if any(window.part for window in case.windows) or len(case.windows) > 1:
        return None
    if any(state.name in rule.shared for state in case.system.states):
        return None
    return _from_one(case.system, late[0]) if late else case.system


def _from_one(system: System, window: Window) -> System | None:
    """Return a rule that begins after some steps as one that begins with the first."""

    def change(node: Expression) -> Expression | None:
        match node:
            case Apply("sub", (Clock(0) as clock, Number(value))) if value == window.after:
                return replace(clock, offset=clock.offset + _MARK)
            case Draw():
                return node
        return None

    marked = everywhere(system, change)
    expressions = [equation.value for equation in marked.equations]
    expressions += [asked.point for asked in marked.gradients if asked.point is not None]
    expressions += [skip.condition for skip in marked.skips]
    expressions += [] if marked.evaluation is None else [marked.evaluation]
    clocks = [c for e in expressions for c in walk(e) if isinstance(c, Clock) and not c.part]
    if any(clock.offset < _MARK // 2 for clock in clocks) or _draws(expressions):
        return None

    def back(node: Expression) -> Expression | None:
        if isinstance(node, Clock) and node.offset > _MARK // 2:
            return replace(node, offset=node.offset - _MARK)
        return None

    hypers = tuple(replace(hyper, begins=0) for hyper in system.hyperparameters)
    return replace(everywhere(marked, back), hyperparameters=hypers)


def _draws(expressions: list[Expression]) -> bool:
    return any(isinstance(node, Draw) for e in expressions for node in walk(e))


#: No step is as late as this: it tells clocks that count from the beginning of a late rule.
_MARK = 10**9


def undecided(reason: str) -> Verdict:
    """Return the verdict on rules that cannot be compared case by case."""
    return Verdict("not understood", f"rules that choose are compared case by case, and {reason}")
