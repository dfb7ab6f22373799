"""Which storage formats the passes and stages of a program can load and store."""

from __future__ import annotations

from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.storing import is_compensated
from optdsl.program.program import Matrices, Pass, Program, Stage
from optdsl.storage import known_storage


def refuse_storage(program: Program) -> None:
    """Refuse blocks and random rounding where whole matrices or rows are worked on.

    Raises:
        DiagnosticError: it says which state.
    """
    system = program.system
    said = {state.name: known_storage(state.storage) for state in system.states if state.storage}
    if system.parameters is not None:
        said["theta"] = known_storage(system.parameters)
    streams = [name for stage in program.stages for name in _by_rows(stage)]
    for name in dict.fromkeys(streams):
        storage = said.get(name)
        if storage is None:
            continue
        if storage.block is not None or storage.stochastic or is_compensated(system):
            raise DiagnosticError(
                Diagnostic(
                    "not-compiled",
                    f"`{system.name}` works on rows or matrices of `{name}`, which is stored as "
                    f"{storage}: this is not compiled yet",
                    hint="bfloat16 and float16, rounded to the nearest, are",
                )
            )


def _by_rows(stage: Stage) -> list[str]:
    """Return the streams of a stage that does not work entry by entry."""
    if isinstance(stage, Matrices) or (isinstance(stage, Pass) and stage.by_rows):
        loaded = [load.stream for load in stage.loads]
        return loaded + [store.stream for store in stage.stores]
    return []
