"""What the CUDA target does not compile, each with its reason."""

from __future__ import annotations

from optdsl.codegen.storing import stored
from optdsl.codegen.unit import Unit
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.expressions import Draw, Kind, Matrix, Reduce, walk
from optdsl.program.program import Assignment, Matrices


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
    kinds = (Kind.ROW, Kind.COLUMN)
    arrays = [each.value.kind for each in stage.loads]
    arrays += [each.value.kind for each in stage.stores]
    if all(kind in kinds for kind in arrays) and all(map(_of_lines, stage.body)):
        return
    raise DiagnosticError(
        Diagnostic(
            "not-on-cuda",
            f"{unit.system.name} computes with whole matrices (products or powers), for which the "
            "target numba-cuda has no kernels",
            hint="the target numba-cpu runs it",
        )
    )


def _of_lines(assignment: Assignment) -> bool:
    """Is it made of values a row or a column, and of numbers?"""
    value = assignment.expression
    if isinstance(value, Reduce):
        inner = [value.argument, *(() if value.other is None else (value.other,))]
        kinds = {each.kind for each in inner if not each.kind.is_number}
        if value.kind is not Kind.TENSOR or len(kinds) != 1:
            return False
    else:
        inner, kinds = [value], {value.kind}
    plain = (node for each in inner for node in walk(each))
    return kinds <= {Kind.ROW, Kind.COLUMN} and not any(
        isinstance(node, Matrix | Reduce | Draw) for node in plain
    )
