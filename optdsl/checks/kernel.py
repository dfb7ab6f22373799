"""The compiled kernel against the document: its equations, evaluated to 50 digits.

What a source claim cites is read anew from its LaTeX; neither our equations nor the compiler take
part in what is expected. Both sides walk from the same random start, with the same random
gradients; errors are in units in the last place of what was carried, which is as small as numbers
get that cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optdsl.checks.alone import Alone, each_alone
from optdsl.checks.claims import question_of
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Race
from optdsl.checks.equivalence.trials import Trial
from optdsl.checks.kernel_inputs import Run, Unfit, random_runs
from optdsl.checks.known import claim_text
from optdsl.checks.others import NotUnderstood
from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax
from optdsl.model import build, build_rule
from optdsl.model.arithmetic import Arithmetic, Real
from optdsl.model.evaluation import Entries
from optdsl.model.expressions import Draw, Value, walk
from optdsl.model.inheritance import Lookup
from optdsl.model.storing import without_storage
from optdsl.model.system import System

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 50
FORMATS = ("float32", "float64")

#: Units in the last place that one step may be off; each further step may add one.
BAR = 8


@dataclass(frozen=True)
class Worst:
    """The largest error in one format: units in the last place, after which step, of what."""

    format: str
    ulps: float
    step: int
    what: str
    good: bool


@dataclass(frozen=True)
class Verified:
    """A comparison of the kernel with one source.

    Args:
        source: the claim, as the spec has it; None where the spec's own equations stand in.
        errors: the largest error in each format.
        runs, steps, entries: how much was compared.
        reason: why nothing was compared.
    """

    source: str | None
    errors: tuple[Worst, ...] = ()
    runs: int = 0
    steps: int = 0
    entries: int = 0
    reason: str | None = None

    @property
    def good(self) -> bool:
        """Is no error larger than rounding explains?"""
        return all(worst.good for worst in self.errors)


def verify(
    definition: syntax.Definition, lookup: Lookup, *, steps: int = 20, runs: int = 4, seed: int = 0
) -> list[tuple[Alone, list[Verified]]]:
    """Run the kernel of a definition beside each of its sources; a choice rule by rule.

    A rule without a source that can be run is compared with its own equations.

    Raises:
        DiagnosticError: where the definition does not build, or a rule goes on from another's end.
    """
    found = []
    for alone in each_alone(build_rule(definition, lookup)):
        claims = _claims(definition if alone.case is None else _own(alone.system, lookup))
        found.append((alone, _verified(alone.system, claims, lookup, steps, runs, seed)))
    return found


def _claims(definition: syntax.Definition | None) -> list[syntax.Claim]:
    statements = () if definition is None else definition.statements
    return [each for each in statements if isinstance(each, syntax.Claim)]


def _own(system: System, lookup: Lookup) -> syntax.Definition | None:
    """Return the definition of a rule that a choice names, if it is taken there as it stands."""
    if system.definition is None:
        return None
    alone = build(system.definition, lookup)
    parts = ("states", "equations", "gradients", "skips", "outputs", "evaluation")
    same = all(getattr(alone, part) == getattr(system, part) for part in parts)
    return system.definition if same else None


def _verified(
    ours: System,
    claims: Iterable[syntax.Claim],
    lookup: Lookup,
    steps: int,
    runs: int,
    seed: int,
) -> list[Verified]:
    found = [
        _against(claim, ours, lookup, steps, runs, seed)
        for claim in claims
        if claim.verb == "source"
    ]
    if not any(each.errors for each in found):
        found.append(_guarded(None, ours, Question(ours, ours), steps, runs, seed))
    return found


def _against(
    claim: syntax.Claim, ours: System, lookup: Lookup, steps: int, runs: int, seed: int
) -> Verified:
    words = claim_text(claim)
    if claim.gives is not None:
        return Verified(words, reason=f"it is about {claim.gives}, which no kernel gives")
    try:
        question, _ = question_of(claim, ours, lookup)
    except (NotUnderstood, DiagnosticError) as error:
        return Verified(words, reason=error.diagnostics[0].message)
    return _guarded(words, ours, question, steps, runs, seed)


def _guarded(
    words: str | None, ours: System, question: Question, steps: int, runs: int, seed: int
) -> Verified:
    try:
        _check_fit(question)
        return _compare(words, ours, question, random_runs(question, steps, runs, seed))
    except Unfit as reason:
        return Verified(words, reason=str(reason))


def _check_fit(question: Question) -> None:
    for system in (question.ours, question.theirs):
        nodes = (node for equation in system.equations for node in walk(equation.value))
        if any(isinstance(node, Draw) for node in nodes):
            raise Unfit("it draws random numbers, which no document tells")
    outputs = dict(zip(question.theirs.outputs, question.ours.outputs, strict=True))
    for theirs, mine in outputs.items():
        mapped = question.mapping.get(theirs)
        if mapped is not None and not (isinstance(mapped, Value) and mapped.name == mine):
            raise Unfit(f"its {theirs} is another point than our {mine}")


# -------------------------------------------------------------------- compare


def _compare(words: str | None, ours: System, question: Question, runs: Sequence[Run]) -> Verified:
    worst: dict[str, Worst] = {}
    compared = 0
    formats = FORMATS if ours.family != "schedule" else ("float64",)
    for run in runs:
        race = Race(question, run.trial, Arithmetic(DIGITS)).run()
        if race.difference is not None:
            raise Unfit("it is not what our equations say; `optdsl check` shows where they part")
        expected = [{**step.outputs} for step in race.theirs]
        compared += len(expected)
        for format_ in formats:
            for reading in _readings(ours, run, format_, expected):
                before = worst.get(format_)
                if before is None or reading.ulps > before.ulps:
                    worst[format_] = reading
    return Verified(
        words,
        tuple(worst[name] for name in formats if name in worst),
        len(runs),
        compared,
        len(runs[0].trial.theta),
    )


def _readings(
    ours: System, run: Run, format_: str, expected: Sequence[dict[str, Entries | None]]
) -> Iterator[Worst]:
    walk_ = {"optimizer": _optimizer, "transform": _transform, "schedule": _schedule}[ours.family]
    for t, (given, wanted) in enumerate(zip(walk_(ours, run, format_), expected, strict=False), 1):
        for (name, got), value in zip(given.items(), wanted.values(), strict=False):
            error = _ulps(got, value, format_)
            yield Worst(format_, error, t, name, error <= BAR + t)


def _ulps(got: NDArray[Any] | None, value: Entries | None, format_: str) -> float:
    """Return the largest error of an array, in units in the last place of what was carried."""
    if got is None or value is None:
        return 0.0 if got is None and value is None else float("inf")
    entries = value if isinstance(value, tuple) else (value,) * got.size
    pairs = zip(got.ravel(), entries, strict=True)
    return max((_ulp(x, y, format_) for x, y in pairs), default=0.0)


def _ulp(got: Any, value: object, format_: str) -> float:
    import mpmath
    import numpy as np

    if not isinstance(value, Real):
        return 0.0 if not np.isfinite(got) else float("inf")
    if not np.isfinite(got):
        return float("inf")
    exact = value.value
    high = mpmath.MPContext()
    high.dps = DIGITS
    if value.exact:
        exact = high.mpf(exact.numerator) / exact.denominator
    unit = np.spacing(np.dtype(format_).type(max(value.magnitude, abs(float(exact)))))
    return float(abs(high.mpf(float(got)) - exact) / high.mpf(float(unit)))


# --------------------------------------------------------------------- kernels


def _kernel(ours: System) -> Any:
    from optdsl.codegen import compile_system
    from optdsl.runtime import from_layout

    return from_layout(compile_system(without_storage(ours), "numba-cpu"))


def _arrays(entries: Iterable[Any], trial: Trial, format_: str) -> list[Any]:
    """Return entries as the tensors of a trial."""
    import numpy as np

    values = np.array([float(x) for x in entries], format_)
    arrays, begin = [], 0
    for shape in trial.shapes:
        end = begin + (shape if isinstance(shape, int) else shape[0] * shape[1])
        arrays.append(values[begin:end].copy().reshape(shape))
        begin = end
    return arrays


def _flat(arrays: Iterable[Any]) -> Any:
    import numpy as np

    return np.concatenate([array.reshape(-1) for array in arrays])


def _optimizer(ours: System, run: Run, format_: str) -> Iterator[dict[str, Any]]:
    trial = run.trial
    arrays = _arrays(trial.theta, trial, format_)
    optimizer = _kernel(ours)(arrays, **run.hypers)
    series = dict(trial.hypers)
    for t, (answers, losses) in enumerate(zip(trial.gradients, trial.losses, strict=True)):
        turn = iter(zip(answers, losses, strict=True))

        def answer(points: Any, turn: Iterator[Any] = turn) -> tuple[float, list[Any]]:
            gradient, loss = next(turn)
            return float(loss), _arrays(gradient, trial, format_)

        inputs = {
            given.known_as: float(series[given.name][t + 1])
            for given in ours.handed_in
            if series[given.flag][t + 1]
        }
        optimizer.step(answer, **inputs)
        yield {"theta": _flat(optimizer.theta())}


def _transform(ours: System, run: Run, format_: str) -> Iterator[dict[str, Any]]:
    transform = _kernel(ours)(**run.hypers)
    theta = _arrays(run.trial.theta, run.trial, format_)
    for answers, losses in zip(run.trial.gradients, run.trial.losses, strict=True):
        loss = {"loss": float(losses[0])} if ours.losses else {}
        given = transform.update(_arrays(answers[0], run.trial, format_), theta, **loss)
        whole = None if given[0] is None else _flat(given)
        yield {ours.outputs[0]: whole}


def _schedule(ours: System, run: Run, format_: str) -> Iterator[dict[str, Any]]:
    import numpy as np

    schedule = _kernel(ours)(**run.hypers)
    series = dict(run.trial.hypers)
    steps = len(run.trial.gradients)
    inputs = {
        given.known_as: [
            float(x) if came else None
            for x, came in zip(
                series[given.name][1 : steps + 1], series[given.flag][1 : steps + 1], strict=True
            )
        ]
        for given in ours.handed_in
    }
    columns = {
        name: (schedule.output(name) if len(ours.outputs) > 1 else schedule).values(steps, **inputs)
        for name in ours.outputs
    }
    for t in range(steps):
        yield {name: np.array([column[t]]) for name, column in columns.items()}
