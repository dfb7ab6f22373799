"""What the CUDA target does not compile, each with its reason."""

from __future__ import annotations

from optdsl.codegen.storing import stored
from optdsl.codegen.unit import Unit
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.program.program import Matrices, Pass


def refuse_rows(unit: Unit, stage: Pass) -> None:
    """Raise a DiagnosticError for a pass that tells rows and columns apart."""
    if stage.by_rows:
        raise DiagnosticError(
            Diagnostic(
                "not-on-cuda",
                f"{unit.system.name} reduces matrices to rows and columns, for which the target "
                "numba-cuda has no kernels",
                hint="the target numba-cpu runs it",
            )
        )


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
    raise DiagnosticError(
        Diagnostic(
            "not-on-cuda",
            f"{unit.system.name} computes with whole matrices (products, powers, or values a row "
            "and a column), for which the target numba-cuda has no kernels",
            hint="the target numba-cpu runs it",
        )
    )
