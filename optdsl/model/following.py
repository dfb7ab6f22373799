"""One schedule after another."""

from __future__ import annotations

from dataclasses import replace

from optdsl.model.expressions import Clock, Expression, Kind, Number, Value, apply, number
from optdsl.model.merging import everywhere, names_of, of_host, once, rename
from optdsl.model.system import Equation, State, System


def one_after_another(first: System, steps: int, second: System) -> System:
    """Return the schedule that is `first` for a number of steps, and `second` from then on.

    `second` counts its own steps from 1 when it begins; before, its states stand still.
    """
    host = of_host(first) | of_host(second)
    first = rename(first, {first.outputs[0]: _fresh("first", host)})
    clashes = (names_of(second) & names_of(first)) - host
    changes = {name: _fresh(name, names_of(first) | names_of(second)) for name in sorted(clashes)}
    second = rename(second, {**changes, second.outputs[0]: _fresh("second", host)})
    gives = _fresh("eta", names_of(first) | names_of(second))
    second = _later(second, steps)
    going = apply("le", Clock(), number(steps))
    chosen = apply("select", going, _output(first), _output(second))
    return replace(
        first,
        hyperparameters=once((*first.hyperparameters, *second.hyperparameters), set()),
        states=(*first.states, *second.states),
        equations=(*first.equations, *second.equations, Equation(gives, chosen)),
        handed_in=(*first.handed_in, *second.handed_in),
        outputs=(gives,),
        fed=(*first.fed, *second.fed),
        source="\n\n".join(dict.fromkeys((first.source, second.source))),
    )


def _output(system: System) -> Value:
    return Value(system.outputs[0], Kind.STEP)


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _later(system: System, steps: int) -> System:
    """Return `system` as one that takes its first step after a number of others."""
    begun = apply("gt", Clock(), number(steps))
    own = apply("select", begun, apply("sub", Clock(), number(steps)), number(1))

    def change(node: Expression) -> Expression | None:
        match node:
            case Clock(_, 0):
                return own
            case Clock(_, offset):
                return apply("add", own, Number(number(offset).value, str(offset)))
        return None

    system = everywhere(system, change)
    states = {state.name: state.kind for state in system.states}

    def held(equation: Equation) -> Equation:
        if equation.name not in states:
            return equation
        last = Value(equation.name, states[equation.name], -1)
        return replace(equation, value=apply("select", begun, equation.value, last))

    return replace(
        system,
        states=tuple(_started(state) for state in system.states),
        equations=tuple(held(equation) for equation in system.equations),
    )


def _started(state: State) -> State:
    """A state that nothing reads in its first step is kept before it: it starts anywhere."""
    return state if state.start is not None else replace(state, start=number(0))
