"""What the CUDA target does not compile, each with its reason."""

from __future__ import annotations

from optdsl.codegen.storing import stored
from optdsl.codegen.unit import Unit
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.program.lines import has_lines_alone
from optdsl.program.program import Matrices


def refuse_blocks(unit: Unit) -> None:
    """Raise a DiagnosticError for a state whose entries share a scale a block."""
    for state, storage in stored(unit.system).formats.items():
        if storage.block is not None:
            raise DiagnosticError(
                Diagnostic(
                    "not-on-cuda",
                    f"{unit.system.name} keeps {state} as {storage}, which the target numba-cuda "
                    "does not store",
                    hint="store it as bfloat16 or float16, or use the target numba-cpu",
                )
            )


def refuse_matrices(unit: Unit, stage: Matrices) -> None:
    """Raise a DiagnosticError for what is computed of whole matrices."""
    if has_lines_alone(stage):
        return
    raise DiagnosticError(
        Diagnostic(
            "not-on-cuda",
            f"{unit.system.name} computes with whole matrices (products or powers), for which the "
            "target numba-cuda has no kernels",
            hint="the target numba-cpu runs it",
        )
    )
