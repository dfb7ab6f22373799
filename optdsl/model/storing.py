"""Storage formats of states, as a spec or a caller names them.

What a system means does not depend on them: proofs are about real numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean
from optdsl.language import syntax
from optdsl.model.alternatives import Rule, systems_of
from optdsl.model.choosing import each_system
from optdsl.model.expressions import Kind, number
from optdsl.model.problems import Problems
from optdsl.model.system import State, System
from optdsl.storage import Storage, read_storage


def declare_storage(
    statement: syntax.Storage, storages: dict[str, syntax.Storage], problems: Problems
) -> None:
    """Note how a state is stored; what is no format, or comes twice, is a problem."""
    if statement.name in storages:
        problems.error(
            "defined-twice", f"`{statement.name}` has two storage formats", statement.span,
            "keep one of them",
        )  # fmt: skip
    wrong = _of(statement).problem or _misplaced(statement.name, _of(statement))
    if wrong is not None:
        problems.error("bad-storage", wrong, statement.span)
    storages.setdefault(statement.name, statement)


def _of(statement: syntax.Storage) -> Storage:
    return Storage(statement.format, statement.block, statement.rounding)


def _misplaced(name: str, storage: Storage) -> str | None:
    if name == "theta" and storage.format != "bfloat16":
        return "parameters are float32 or float64, as the arrays say, or bfloat16"
    if name != "theta" and storage.rounding == "compensated":
        return "only what parameters lose by rounding is kept: `state theta : bfloat16 compensated`"
    return None


def storage_text(storages: Mapping[str, syntax.Storage], name: str) -> str | None:
    """Return the storage of what is called `name` as text, None where nothing is said."""
    return str(_of(storages[name])) if name in storages else None


def check_storages(
    storages: Mapping[str, syntax.Storage], states: Mapping[str, Kind], problems: Problems
) -> None:
    """What is no state, or has no value an entry, has no storage format of its own."""
    for name, statement in storages.items():
        wrong = None if name == "theta" else _not_stored(name, states)
        if wrong is not None:
            problems.error("bad-storage", wrong[0], statement.span, wrong[1])


def _not_stored(name: str, states: Mapping[str, Kind]) -> tuple[str, str | None] | None:
    if name not in states:
        hint = did_you_mean(name, states) or "the states are " + ", ".join(states or ("none",))
        return f"`{name}` is no state: no step reads its past", hint
    if states[name] is not Kind.ENTRY:
        return (
            f"`{name}` has no value an entry, so its format saves nothing",
            "leave it as it is: such numbers are float64 or as the parameters",
        )
    return None


def _not_there(rule: Rule, name: str, states: Mapping[str, Kind]) -> tuple[str, str | None] | None:
    if name != "theta":
        return _not_stored(name, states)
    return ("a schedule has no parameters", None) if rule.family == "schedule" else None


def with_storage(rule: Rule, given: Mapping[str, str]) -> Rule:
    """Return `rule` with the storage formats that a caller names, by state.

    >>> from optdsl.library import load_system
    >>> [s.storage for s in with_storage(load_system("Adam"), {"v": "bfloat16"}).states]
    [None, 'bfloat16']

    Raises:
        DiagnosticError: there is no such state or no such format.
    """
    states = {state.name: state.kind for system in systems_of(rule) for state in system.states}
    for name, text in given.items():
        storage = read_storage(text)
        if storage is None:
            wrong: tuple[str, str | None] | None = (
                f"`{text}` is no storage format", 'write "bfloat16" or "int8 blockwise(256)"',
            )  # fmt: skip
        else:
            said = storage.problem or _misplaced(name, storage)
            wrong = (said, None) if said else None
            wrong = wrong or _not_there(rule, name, states)
        if wrong is not None:
            raise DiagnosticError(
                Diagnostic("bad-storage", f"`{rule.name}`: {wrong[0]}", None, wrong[1])
            )
    texts = {name: str(read_storage(text)) for name, text in given.items()}
    return each_system(rule, lambda system: _stored(system, texts))


def _stored(system: System, texts: Mapping[str, str]) -> System:
    def kept(state: State) -> State:
        return replace(state, storage=texts.get(state.name, state.storage))

    parameters = texts.get("theta", system.parameters)
    return replace(system, states=tuple(map(kept, system.states)), parameters=parameters)


def without_storage(system: System) -> System:
    """Return `system` with every state, and theta, as the parameters are given."""
    states = tuple(replace(state, storage=None) for state in system.states)
    return replace(system, states=states, parameters=None)


#: What the rounding of compensated parameters has lost, as a stream of its own.
REST = "lost in rounding theta"


def is_compensated(system: System) -> bool:
    """Does `system` keep what rounding takes from its parameters?"""
    storage = None if system.parameters is None else read_storage(system.parameters)
    return storage is not None and storage.rounding == "compensated"


def with_rest(system: System) -> System:
    """Return `system` with a state for what rounding takes from its parameters, where it keeps it.

    No equation moves it: loads of theta add it, and stores keep what they lose.
    """
    if not is_compensated(system):
        return system
    rest = State(REST, Kind.ENTRY, number(0), storage="bfloat16")
    return replace(system, states=(*system.states, rest))
