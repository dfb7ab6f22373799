"""The CUDA target: flat kernels for Numba, one launch a pass over all tensors.

A thread works on as many entries as one access of 16 bytes moves; everything is loaded before
anything is stored. What a kernel is given are addresses of tables: see `support/cuda/words.py`.
"""

from __future__ import annotations

from optdsl.codegen.cuda import combine, lines, scalars
from optdsl.codegen.cuda.passes import TAKEN, PassKernel
from optdsl.codegen.cuda.refusals import refuse_blocks
from optdsl.codegen.cuda.tiles import TilesKernel, height_of
from optdsl.codegen.source import Functions
from optdsl.codegen.support.cuda.words import __all__ as WORDS
from optdsl.codegen.unit import Unit
from optdsl.program.program import Combine, Matrices, Pass, Program
from optdsl.runtime.shapes import Form

NAME = "numba-cuda"
BIND = "bind_blocks"
RUNTIME = "optdsl.cuda"
DTYPES = ()
IMPORTS = {
    "optdsl.codegen.support.cuda.launching": (
        "bind_blocks", "finished", "in_turn", "launched", "timed",
    ),
    "optdsl.codegen.support.cuda.tables": ("Lines", "Tiles"),
    "optdsl.codegen.support.cuda.words": tuple(WORDS),
}  # fmt: skip
#: What a pass leaves of a row: a sum for each strip of tiles.
ROW_PARTIALS: Form = "strips"


def emit_pass(unit: Unit, stage: Pass, functions: Functions) -> str:
    """Add the kernel of one pass; return the text of what launches it.

    Raises:
        DiagnosticError: for a rule with states whose entries share a scale a block.
    """
    refuse_blocks(unit)
    kernel = TilesKernel(unit, stage) if stage.by_rows else PassKernel(unit, stage)
    return f"launched({functions.add('kernel', kernel.lines())})"


def bind_pass(unit: Unit, stage: Pass) -> str | None:
    """Return the text of how tensors are cut, where rows and columns matter."""
    if not stage.by_rows:
        return None
    height = height_of(stage)
    return f"Tiles({height})" if height else "Tiles()"


def emit_matrices(
    unit: Unit, stage: Matrices, functions: Functions
) -> tuple[str, str, tuple[str, ...]]:
    """Add the kernels of values a row and a column; return their texts, and the streams.

    Raises:
        DiagnosticError: for a stage that works with whole matrices.
    """
    return lines.emit_lines(unit, stage, functions)


def emit_scalars(unit: Unit, program: Program, part: int, host: str, functions: Functions) -> str:
    """Add the kernel that computes the numbers of a step; return the text of it and the host's."""
    return scalars.emit_scalars(unit, program, part, host, functions, TAKEN)


def emit_combine(unit: Unit, stage: Combine, functions: Functions) -> str:
    """Add the kernels that finish reductions; return the text of what launches them."""
    return combine.emit_combine(unit, stage, functions, TAKEN)
