"""The verdict on two systems: refute first, then prove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby

from optdsl.checks.equivalence.causes import likely_cause
from optdsl.checks.equivalence.induction import Proof
from optdsl.checks.equivalence.maps import find_maps, observed_ranges
from optdsl.checks.equivalence.number_ranges import REALS, Range
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Difference, Race
from optdsl.checks.equivalence.refute import (
    DIGITS,
    Refutation,
    first_look,
    refute,
    second_look,
)
from optdsl.checks.equivalence.reverse import reversed_question
from optdsl.checks.equivalence.simplest import LONGEST, in_simple_inputs
from optdsl.checks.equivalence.starts import with_start
from optdsl.checks.equivalence.trials import Trial
from optdsl.checks.equivalence.unskipped import unskipped
from optdsl.checks.equivalence.verdict import Counterexample, Verdict
from optdsl.checks.equivalence.words import number_text, text, value_text
from optdsl.model.arithmetic import arithmetic
from optdsl.model.expressions import Expression, Fact, Value, transform
from optdsl.model.system import Hyperparameter, System

_SHOWN = 6  # steps of a counterexample, beyond which equal inputs are told together
_FEW = 3  # inputs that are tried before both sides are held against each other term for term
_NO_RUN = "no run tells: in each, rounding leaves a comparison of the first step open"


def compare(
    ours: System,
    theirs: System,
    *,
    constant: Iterable[str] = (),
    mapping: Mapping[str, Expression] | None = None,
    fixed: Mapping[str, Expression] | None = None,
    explain: bool = True,
) -> Verdict:
    """Decide whether two systems ask for gradients at the same points and give the same.

    Hyperparameters match by name and vary in time unless they are constant.

    Args:
        ours: the system whose names and domains count.
        theirs: the other.
        constant: our hyperparameters that keep their value.
        mapping: what names of theirs are, over our names; see `Question`.
        fixed: our hyperparameters that have a given value.
        explain: look for the smallest step at which they part, simple inputs, a likely cause.

    Returns:
        "proved" only when every step is proved to agree; "differs" only with a
        counterexample that was computed twice, to 50 and to 120 digits.
    """
    question = Question(ours, theirs, frozenset(constant), dict(mapping or {}), dict(fixed or {}))
    obstacle = _not_understood(question)
    if obstacle is not None:
        return Verdict("not understood", obstacle)
    asked = question
    question = with_start(unskipped(question))
    planned = first_look(question)
    found = refute(question, planned[:_FEW])
    if found.trial is None and (same := _same_terms(question, found)) is not None:
        return same
    found = refute(question, planned[_FEW:], found)
    unproved = None
    if found.trial is None:
        broken = next((r.broken_hint for r in found.races if r.broken_hint is not None), None)
        if broken is not None:
            return Verdict("not understood", _broken_hint(broken))
        unproved = _prove(question, found)
        if unproved.kind == "proved":
            return unproved
    if explain or found.trial is None:
        found = refute(question, second_look(question), found)
    if found.trial is not None:
        simple = in_simple_inputs(question, found) if explain else found
        return _differs(question, asked.ours, simple, explain)
    assert unproved is not None
    if not found.points:
        return Verdict("not understood", f"{_NO_RUN}; {unproved.reason}")
    return replace(unproved, steps=found.steps, points=found.points)


def _broken_hint(broken: Difference) -> str:
    name = broken.what.removesuffix("[t]")
    return (
        f"`where {name} = ...` is not so: at t = {broken.t} it gives {value_text(broken.ours)}, "
        f"but {name} is {value_text(broken.theirs)}"
    )


def _not_understood(question: Question) -> str | None:
    ours, theirs = question.ours, question.theirs
    if len(ours.outputs) != len(theirs.outputs) or ours.family != theirs.family:
        return (
            f"{ours.name} is a {ours.family} that gives {', '.join(ours.outputs)}, "
            f"{theirs.name} a {theirs.family} that gives {', '.join(theirs.outputs)}"
        )
    if question.strangers:
        return f"{', '.join(f'`{n}`' for n in question.strangers)} of {theirs.name} is not ours"
    known = {h.name for h in ours.hyperparameters}
    for name in (*question.constant, *question.fixed):
        if name not in known:
            return f"`{name}` is no hyperparameter of {ours.name}"
    return None


def _same_terms(question: Question, found: Refutation) -> Verdict | None:
    """Return the verdict where few runs and the quick proof suffice."""
    if any(race.broken_hint is not None for race in found.races):
        return None
    proof = _proof(question, find_maps(question, found.races), {})
    return _proved(question, question, proof, found) if proof.is_quick() else None


def _proof(
    question: Question, maps: Mapping[str, Expression], observed: Mapping[str, tuple[float, float]]
) -> Proof:
    outputs = question.theirs.outputs
    goals = {n: value for n, value in question.hints().items() if n not in outputs}
    return Proof(question, maps, goals, observed)


def _prove(question: Question, refutation: Refutation) -> Verdict:
    reasons = []
    for asked, races in _directions(question, refutation.races):
        observed = observed_ranges(races)
        for hinted in (True, False) if asked.hints() else (True,):
            maps = find_maps(asked, races, hinted=hinted)
            proof = _proof(asked, maps, observed)
            if proof.holds():
                return _proved(question, asked, proof, refutation)
            reasons.append(proof.reason or "no map between the states was found")
    return Verdict(
        "agrees",
        reasons[0],
        domains=_domains(question),
        constant=tuple(sorted(question.constant)),
        steps=refutation.steps,
        points=refutation.points,
        digits=DIGITS,
    )


def _directions(
    question: Question, races: tuple[Race, ...]
) -> Iterable[tuple[Question, tuple[Race, ...]]]:
    yield question, races
    turned = reversed_question(question)
    if turned is not None:
        yield turned, tuple(race.turned(turned) for race in races)


def _proved(question: Question, asked: Question, proof: Proof, found: Refutation) -> Verdict:
    states = ["theta", *(state.name for state in asked.ours.states)]
    turned = asked is not question
    left, right = ("ours", "theirs") if turned else ("theirs", "ours")
    state_map = tuple(
        f"{name} of {left} is {text(value, states)} of {right}"
        for name, value in proof.maps.items()
        if name != "theta"
    )
    theta = proof.maps.get("theta")
    moved = theta is not None and not (isinstance(theta, Value) and theta.name == "theta")
    return Verdict(
        "proved",
        domains=_domains(question),
        constant=tuple(sorted(question.constant)),
        state_map=state_map,
        output_map=f"{text(theta, states)} in place of theta" if moved and theta else None,
        invariants=tuple(_range_text(n, r) for n, r in proof.invariants.items() if r != REALS),
        steps=found.steps,
        points=found.points,
        digits=DIGITS,
    )


def _range_text(name: str, bounds: Range) -> str:
    if bounds.low == bounds.high:
        return f"{name}[t] = {bounds.low}"
    left = "" if bounds.low is None else f"{bounds.low} {'<' if bounds.low_open else '<='} "
    right = "" if bounds.high is None else f" {'<' if bounds.high_open else '<='} {bounds.high}"
    return f"{left}{name}[t]{right}"


def _domains(question: Question) -> tuple[str, ...]:
    return tuple(
        f"{_called(hyper)} in {hyper.domain}" if hyper.domain else f"{_called(hyper)} any number"
        for hyper in question.ours.hyperparameters
        if hyper.name not in question.fixed
    )


def _called(hyper: Hyperparameter) -> str:
    """Return what its author calls a hyperparameter, with its owner where a schedule brought it."""
    brought = hyper.name.endswith(f"{hyper.owner}_{hyper.local_name}")
    return f"{hyper.owner}.{hyper.local_name}" if brought else hyper.name


# ---------------------------------------------------------- counterexamples


def _differs(question: Question, written: System, refutation: Refutation, explain: bool) -> Verdict:
    """Return the verdict; equations of ours are told as they are `written`."""
    trial, difference = refutation.trial, refutation.difference
    assert trial is not None
    assert difference is not None
    race = Race(question, trial, arithmetic(DIGITS)).run()
    example = Counterexample(
        step=difference.t,
        what=difference.what.replace("[t]", f"[{difference.t}]"),
        inputs=_inputs(question, trial),
        ours=value_text(difference.ours),
        theirs=value_text(difference.theirs),
        equation=_first_equation(question, written, race),
        cause=likely_cause(question, trial) if explain and trial.steps <= LONGEST else None,
    )
    return Verdict(
        "differs",
        domains=_domains(question),
        constant=tuple(sorted(question.constant)),
        steps=refutation.steps,
        points=refutation.points,
        digits=DIGITS,
        counterexample=example,
    )


def _inputs(question: Question, trial: Trial) -> dict[str, str]:
    inputs = {}
    for name, series in trial.hypers:
        if len(set(series)) == 1:
            inputs[name] = number_text(series[0])
        else:
            inputs |= _by_step(name, {t: number_text(x) for t, x in enumerate(series)})
    if question.ours.family != "schedule":
        inputs["theta[0]"] = _entries_text(trial.theta)
        used = max(1, len(question.ours.gradients))
        for k in range(used):
            extra = f", request {k + 1}" if used > 1 else ""
            answers = {t: _entries_text(a[k]) for t, a in enumerate(trial.gradients, 1) if a[k:]}
            inputs |= _by_step("g", answers, extra)
            if question.ours.losses:
                losses = {t: number_text(a[k]) for t, a in enumerate(trial.losses, 1) if a[k:]}
                inputs |= _by_step("loss", losses, extra)
    return inputs


def _by_step(name: str, told: Mapping[int, str], extra: str = "") -> dict[str, str]:
    """Return what a name is at each step; of many steps, those in a row that agree together."""
    if len(told) <= _SHOWN:
        return {f"{name}[{t}]{extra}": value for t, value in told.items()}
    runs = [list(run) for _, run in groupby(told.items(), key=lambda item: item[1])]
    steps = [(run[0][0], run[-1][0], run[0][1]) for run in runs]
    return {
        f"{name}[{begin}]{extra}" if begin == end else f"{name}[{begin}..{end}]{extra}": value
        for begin, end, value in steps
    }


def _entries_text(entries: tuple[object, ...]) -> str:
    words = [number_text(entry) for entry in entries]  # type: ignore[arg-type]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"


def _first_equation(question: Question, written: System, race: Race) -> str | None:
    """Return our first equation whose value differs from theirs of the same name."""
    if len(race.ours) != len(race.theirs) or not race.ours:
        return None
    ours, theirs = race.ours[-1].values, race.theirs[-1].values
    states = ["theta", *(state.name for state in written.states)]
    facts = {s.name: s.start for s in written.states if isinstance(s.start, Fact)}

    def told(node: Expression) -> Expression | None:
        return facts.get(node.name) if isinstance(node, Value) else None

    for equation in written.equations:
        name = equation.name
        if name in theirs and name not in (*question.mapping, *facts) and name in ours:
            a, b = _tuple(ours[name]), _tuple(theirs[name])
            pairs = zip(a, b, strict=False)
            if len(a) == len(b) and not all(race.arithmetic.same(x, y) for x, y in pairs):  # type: ignore[arg-type]
                told_as = f"{name}[t]" if name in states else name
                return f"{told_as} = {text(transform(equation.value, told), states)}"
    return None


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)
