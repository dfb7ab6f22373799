"""Run a system for some steps, from numbers as a person gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from optdsl.model.arithmetic import Arithmetic, Real, Scalar, real
from optdsl.model.evaluation import Choice, Machine, Oracle, Step
from optdsl.model.expressions import Expression, Fact, values
from optdsl.model.system import System


def evaluate(
    system: System,
    steps: int,
    *,
    theta: tuple[float | Fraction, ...],
    gradient: Oracle,
    hyper: Mapping[str, float | Fraction | Callable[[int], float | Fraction]] | None = None,
    digits: int = 50,
) -> list[Step]:
    """Run a system for a number of steps.

    Args:
        system: what to run.
        steps: how many steps.
        theta: the starting point, one number an entry.
        gradient: the gradient in a step, of (step, name, point).
        hyper: numbers, or functions of the step; defaults where none is given.
        digits: decimal digits.

    Returns:
        One `Step` a step. Each number in it is a `Real`, with the value and the
        magnitude carried.

    Raises:
        KeyError: for a hyperparameter with neither a value nor a default.
    """
    given = dict(hyper or {})

    facts = {"rows": 1, "ndim": 1, "columns": len(theta), "size": len(theta)}

    def choose(name: str, t: int) -> Scalar:
        if name in given:
            chosen = given[name]
            return real(chosen(t) if callable(chosen) else chosen)
        if name in told:
            return real(told[name])
        default = system.hyperparameter(name).default
        if default is None:
            raise KeyError(name)
        return _default(default, choose, t, machine)

    told = {
        str(state.start): facts.get(state.start.name, 0)  # no name fits a pattern
        for state in system.states
        if isinstance(state.start, Fact)
    }
    machine = Machine(system, choose, Arithmetic(digits))
    machine.start(tuple(real(x) for x in theta))
    return [machine.step(gradient) for _ in range(steps)]


def _default(default: Expression, choose: Choice, t: int, machine: Machine) -> Scalar:
    computed = {value.name: choose(value.name, t) for value in values(default)}
    found = machine.of_known(default, computed)
    assert isinstance(found, Real | bool)
    return found
