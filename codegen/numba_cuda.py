"""The CUDA target: flat kernels for Numba, one launch a pass over all tensors.

A thread works on as many entries as one access of 16 bytes moves; everything is loaded before
anything is stored. What a kernel is given are addresses of tables: see `cuda/signatures.py`.
"""

from __future__ import annotations

from optdsl.codegen.cuda.combine import emit_combine as emit_combine
from optdsl.codegen.cuda.lines import emit_matrices as emit_matrices
from optdsl.codegen.cuda.passes import PassKernel
from optdsl.codegen.cuda.refusals import refuse_blocks
from optdsl.codegen.cuda.scalars import emit_scalars as emit_scalars
from optdsl.codegen.cuda.tiles import TilesKernel, height_of
from optdsl.codegen.source import Functions
from optdsl.codegen.support.cuda.words import __all__ as WORDS
from optdsl.codegen.unit import Unit
from optdsl.program.program import Pass
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
