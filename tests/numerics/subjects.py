"""What is measured: every shipped optimizer, and every shipped transform before one.

Tensors are of mixed shapes; gradients range over many powers of ten, with zeros, and are small as a
whole in every third step, so that a clip is met from both sides. Hyperparameters move with t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import optdsl
from optdsl.checks.equivalence.question import speaks_of_rows
from optdsl.library import load_system, shipped, single_rules
from optdsl.model.expressions import Apply, Kind, Number, Value, walk
from optdsl.model.system import Hyperparameter, System

SHAPES = ((0,), (3, 0), (), (1,), (7,), (33,), (17, 19), (3, 5, 7))
FEW = (*SHAPES, (20_001,))  # several chunks
FEWER = (*SHAPES, (5_000,))  # two
MANY = (*SHAPES, (1000, 1001))
STEPS = 200
CHECKPOINTS = (1, 2, 3, 10, 50, 200)

Array = Any


#: Measured in every run of the tests; the others take their turn with the slow ones.
QUICK = (
    "SGD", "Momentum", "Nesterov", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW",
    "ClipByGlobalNorm | Adam", "SkipNonfinite | Adam", "WeightDecay | Momentum",
)  # fmt: skip


@cache
def rules() -> tuple[str, ...]:
    """Return the rules that are measured; one that is newly shipped is among them.

    Those that see a tensor as a matrix are not: the oracle has entries alone. They are held to
    fifty digits in tests/model/test_matrices.py.
    """
    entrywise = [name for name in single_rules() if not speaks_of_rows(load_system(name))]
    families = {name: shipped()[name].family for name in entrywise}
    optimizers = [name for name, family in families.items() if family == "optimizer"]
    transforms = [name for name, family in families.items() if family == "transform"]
    return (*optimizers, *(f"{name} | Adam" for name in transforms), "WeightDecay | Momentum")


@dataclass(frozen=True)
class Subject:
    """A rule, compiled and not."""

    rule: str
    system: System
    compiled: Any
    reference: Any

    @property
    def modes(self) -> tuple[str, ...]:
        """How it may be stepped: with gradients, or where that differs also with a function."""
        if self.compiled.layout.ready is None:
            return ("function",)
        return ("ready", "function") if self.asks_elsewhere else ("ready",)

    @property
    def asks_elsewhere(self) -> bool:
        """Are gradients taken at another point than theta?"""
        here = (None, Value("theta", Kind.ENTRY, -1))
        return any(gradient.point not in here for gradient in self.system.gradients)

    @property
    def draws(self) -> bool:
        """Does the rule draw random numbers? The oracle has none."""
        equations = (each.value for each in self.system.equations)
        return any(type(node).__name__ == "Draw" for value in equations for node in walk(value))

    def settings(self) -> dict[str, Callable[[int], float]]:
        """Return hyperparameters by name, each as a function of the step."""
        return {each.name: _moving(each, self.system) for each in self.system.hyperparameters}


@cache
def subject(rule: str) -> Subject:
    return Subject(rule, load_system(rule), optdsl.load(rule), optdsl.load(rule, "reference"))


def _moving(hyper: Hyperparameter, system: System) -> Callable[[int], float]:
    """Return a hyperparameter that moves between its default and 0.8 of it."""
    default = _default(hyper, system)
    domain = hyper.domain
    if domain is not None and (domain.whole or 0.8 * default not in domain):
        return lambda t: default
    return lambda t: default * (0.9 + 0.1 * math.cos(t))


def _default(hyper: Hyperparameter, system: System) -> float:
    match hyper.default:
        case Number(value):
            return float(value)
        case Apply("neg", (Number(value),)):
            return -float(value)
        case Value(name):
            return _default(system.hyperparameter(name), system)
    raise AssertionError(f"say here which {hyper.name} to take for {system.name}")


def parameters(shapes: tuple[tuple[int, ...], ...], dtype: Any, seed: int = 0) -> list[Array]:
    """Return tensors of ordinary, small, large and zero entries."""
    random = np.random.default_rng(seed)
    arrays = []
    for shape in shapes:
        size = 10 ** random.choice([0.0, 0.0, 0.0, -6.0, 3.0], size=shape)
        keep = random.random(shape) > 0.05
        arrays.append(np.array(random.normal(size=shape) * size * keep, dtype))
    return arrays


def gradients(
    shapes: tuple[tuple[int, ...], ...], dtype: Any, seed: int = 1
) -> Iterator[list[Array]]:
    """Yield gradients, one list a step."""
    random = np.random.default_rng(seed)
    total = sum(math.prod(shape) for shape in shapes)
    pool = random.normal(size=2 * total + 1) * np.exp(2 * random.normal(size=2 * total + 1))
    pool[random.random(len(pool)) < 0.05] = 0
    t = 0
    while True:
        t += 1
        begin = random.integers(0, total + 1)
        scale = random.choice([-1, 1]) * (1e-5 if t % 3 == 0 else 1.0)
        flat = (scale * pool[begin : begin + total]).astype(dtype)
        arrays = []
        for shape in shapes:
            count = math.prod(shape)
            arrays.append(flat[:count].reshape(shape).copy())
            flat = flat[count:]
        yield arrays


def states_of(optimizer: Any) -> dict[str, Any] | None:
    """Return states by name, as `state_dict` tells them; None before the first step."""
    stored = optimizer.state_dict()
    (cohort,) = stored["cohorts"]
    if not cohort["started"]:
        return None
    found: dict[str, Any] = {}
    columns = {
        "tensor": iter(stored["tensor"].T),
        "all": iter(stored["everything"]),
        "step": iter(cohort["step_state"]),
    }
    for slot in type(optimizer).layout.states:
        if slot.kind == "entry":
            entries = stored["entries"][slot.name]
            found[slot.name] = [entries[str(i)] for i in range(len(stored["shapes"]))]
        else:
            found[slot.name] = next(columns[slot.kind])
    return found


def in_double(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state for float64 parameters, equal in every entry."""
    entries = {
        name: {key: array.astype(np.float64) for key, array in arrays.items()}
        for name, arrays in state["entries"].items()
    }
    return {**state, "dtype": "float64", "entries": entries}
