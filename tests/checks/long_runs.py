"""Long runs of two systems on adversarial inputs, apart from the checker's own trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from optdsl.model.arithmetic import UNDEFINED, Real, Undecided, arithmetic, real
from optdsl.model.evaluation import LOSS, Machine
from optdsl.model.expressions import Apply, Expression, Reduce, apply, number, walk
from optdsl.model.system import Domain, System

STEPS = 1000
_ENDS = [Fraction(x) for x in ("0", "1", "1/100000000", "999/1000", "1/2", "3", "1000000000")]
_INNER = [Fraction(x) for x in ("1/2", "9/10", "1/3", "99/100", "1/1000")]
_SMALL = [Fraction(x) for x in ("1/10", "1/1000", "1/100", "1/4")]
_WHOLE = [Fraction(x) for x in (1, 2, 3, 5, 8)]
_SCALES = [Fraction(x) for x in ("1", "1e-9", "1e9", "1e-3", "0")]
_COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})


@dataclass
class Outcome:
    """What long runs of two systems showed.

    `parted` is a step at which they differ; `defined` how many steps gave numbers;
    `one_sided` how many branches were only ever taken one way.
    """

    parted: int | None = None
    defined: int = 0
    one_sided: int = 0


@dataclass
class _Inputs:
    """All that both systems are given in one run, drawn from one seed."""

    system: System
    seed: int
    steps: int
    inner: bool
    constant: bool
    width: int
    hypers: dict[str, list[Real | bool]] = field(default_factory=dict)
    gradients: list[tuple[Fraction, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = Random(self.seed)
        for hyper in self.system.hyperparameters:
            pool = _numbers(hyper.domain or Domain(), self.inner)
            self.hypers[hyper.name] = self._series(random, [real(x) for x in pool])
        for given in self.system.handed_in:
            came = [random.random() < 0.6 for _ in range(self.steps + 2)]
            self.hypers[given.flag] = [False, True, *came[2:]]
            self.hypers[given.name] = self._kept(random, self.hypers[given.flag])
        scale, last = Fraction(1), tuple(Fraction(1) for _ in range(self.width))
        for t in range(self.steps + 1):
            if t % 17 == 0:
                scale = random.choice(_SCALES)
            if random.random() < 0.8:  # else the same gradient comes again
                size = random.choice((scale, scale, *_SCALES))
                last = tuple(Fraction(random.randint(-9, 9), 4) * size for _ in last)
            self.gradients.append(last)

    def _series(self, random: Random, pool: list[Real]) -> list[Real | bool]:
        if self.constant:
            return [random.choice(pool)] * (self.steps + 2)
        return [random.choice(pool) for _ in range(self.steps + 2)]

    def _kept(self, random: Random, flags: list[Real | bool]) -> list[Real | bool]:
        value, kept = real(1), []
        for came in flags:
            value = real(Fraction(random.randint(-8, 8), 2)) if came else value
            kept.append(value)
        return kept

    def hyper(self, name: str, t: int) -> Real | bool:
        if name in self.hypers:
            series = self.hypers[name]
            return series[min(max(t, 0), len(series) - 1)]
        return real(Random(f"{self.seed} {name}").choice((1, 2, 3)))  # a fact about the tensor

    def gradient(self, t: int, name: str, point: tuple[object, ...] | None) -> tuple[Real, ...]:
        """A function of the step and the point, which it reads to twenty digits."""
        base = self.gradients[t]
        if point is not None:
            salt = Random(f"{t} {[_rounded(x) for x in point]}").randint(1, 4)
            base = tuple(x * salt / 2 for x in base)
        if name == LOSS:
            return (real(sum(abs(x) for x in base)),)
        return tuple(real(x) for x in base)


def _rounded(value: object) -> object:
    if not isinstance(value, Real):
        return value
    exact = value.value if value.exact else arithmetic(50)._context.nint(value.value * 10**20)
    return round(exact * 10**20) if value.exact else int(exact)


def _numbers(domain: Domain, inner: bool) -> list[Fraction]:
    pool = _INNER if domain.high == 1 else _SMALL  # small, or a thousand steps lead too far
    pool = _WHOLE if domain.whole else pool if inner else [*_ENDS, *_INNER]
    low = domain.low if isinstance(domain.low, Fraction) else Fraction(0)
    found = [x for x in (*pool, *(low + x for x in pool)) if x in domain]
    assert found, str(domain)
    return found


def long_runs(ours: System, theirs: System, constant: bool = False) -> Outcome:
    """Run both systems on the same inputs: a thousand steps, and shorter runs at the ends."""
    outcome = Outcome()
    seen: dict[Expression, set[object]] = {}
    for seed in range(3):
        _run(ours, theirs, seed, 40, False, constant, outcome, seen)
    for seed in range(3, 6):
        if outcome.parted is None and (seed == 3 or outcome.defined < STEPS or _open(seen)):
            _run(ours, theirs, seed, STEPS if seed == 3 else 300, True, constant, outcome, seen)
    outcome.one_sided = _open(seen)
    return outcome


def _open(seen: dict[Expression, set[object]]) -> int:
    return sum(1 for sides in seen.values() if not {True, False} <= sides)


def _run(
    ours: System,
    theirs: System,
    seed: int,
    steps: int,
    inner: bool,
    constant: bool,
    outcome: Outcome,
    seen: dict[Expression, set[object]],
) -> None:
    width = 3 if any(isinstance(node, Reduce) for node in _nodes(ours, theirs)) else 2
    inputs = _Inputs(ours, seed, steps, inner, constant, width)
    digits = arithmetic(50)
    tensors = (width - 1, 1) if width == 3 else ()
    machines = [Machine(s, inputs.hyper, digits, tensors) for s in (ours, theirs)]
    start = tuple(real(Fraction(3 - 2 * i, 4)) for i in range(width))
    branches = list(dict.fromkeys(_branches(ours)))
    for machine in machines:
        machine.start(start)
    for t in range(1, steps + 1):
        try:
            left, right = (machine.step(inputs.gradient) for machine in machines)
        except Undecided:
            return
        if not _same(left.points, right.points) or not _same(
            tuple(left.outputs.values()), tuple(right.outputs.values())
        ):
            outcome.parted = t
            return
        if t <= 300:
            _look(machines[0], branches, seen)
        if any(UNDEFINED in _entries(value) for value in left.outputs.values()):
            return
        outcome.defined = max(outcome.defined, t)


def _nodes(*systems: System) -> Iterator[Expression]:
    for system in systems:
        for equation in system.equations:
            yield from walk(equation.value)


def _branches(system: System) -> Iterator[Expression]:
    """Yield a condition for every place where a value depends on which of two cases holds."""
    for node in _nodes(system):
        match node:
            case Apply(operator) if operator in _COMPARISONS:
                yield node
            case Apply("max" | "min", (left, right, *_)):
                yield apply("lt", left, right)
            case Apply("abs" | "sign", (inner,)):
                yield apply("lt", inner, number(0))


def _look(
    machine: Machine, branches: list[Expression], seen: dict[Expression, set[object]]
) -> None:
    for condition in branches:
        sides = seen.setdefault(condition, set())
        if len(sides & {True, False}) < 2:
            try:
                sides |= set(_entries(machine.read(condition)))
            except (Undecided, KeyError, TypeError):
                continue


def _entries(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _same(x: object, y: object) -> bool:
    if isinstance(x, tuple) and isinstance(y, tuple):
        return len(x) == len(y) and all(_same(a, b) for a, b in zip(x, y, strict=True))
    if isinstance(x, tuple) or isinstance(y, tuple):
        return all(_same(a, b) for a in _entries(x) for b in _entries(y))
    return x is y or arithmetic(50).same(x, y)  # type: ignore[arg-type]
