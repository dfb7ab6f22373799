"""The reference target: plain NumPy, a tensor at a time, float64 inside."""

from __future__ import annotations

from optdsl.codegen.blocks import Functions, indent
from optdsl.codegen.loops import Loop, described
from optdsl.codegen.naming import comment
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Kind
from optdsl.program.program import Accumulate, Pass

NAME = "reference"
BIND = "bind_whole"
IMPORTS = {
    "optdsl.codegen.support.draws": ("standard_normal", "standard_uniform"),
    "optdsl.codegen.support.folding": ("over_all", "partial", "per_tensor"),
    "optdsl.codegen.support.tables": ("bind_whole",),
}


def emit_pass(unit: Unit, stage: Pass, functions: Functions) -> str:
    """Add the functions of one pass; return the name of the one that runs it over a table."""
    loop = Loop(unit, stage, real=str, prefix="np.")
    arrays = ", ".join(loop.arrays[stream] for stream in loop.streams)
    work = loop.loaded(lambda array: f"{array}.astype(np.float64)")
    work += loop.computed()
    for column, reduction in enumerate(stage.reductions):
        work += _accumulated(loop, reduction, column)
    work += loop.stored(lambda array: f"{array}[...]")
    header = f"def NAME({', '.join([arrays, *loop.shared])}):"
    given = {"numbers": "scalars[cohort[row]]", "tensor": "tensor[row]",
             "everything": "everything", "partials": "partials[chunk]",
             "begin": "0", "identity": "row"}  # fmt: skip
    call = ", ".join(["*arrays", *(given[name] for name in loop.shared)])
    update = functions.add("update", [header, *indent([*loop.head, *work])])
    run = [
        "@quiet",
        "def NAME(table, cohort, scalars, tensor, everything, partials):",
        *indent(
            [
                "for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):",
                *indent([f"{update}({call})"]),
            ]
        ),
    ]
    return functions.add("pass", run)


def _accumulated(loop: Loop, reduction: Accumulate, column: int) -> list[str]:
    arguments = [loop.write(reduction.argument)]
    if reduction.argument.kind is not Kind.ENTRY:
        first = loop.arrays[loop.streams[0]]
        arguments = [f"np.broadcast_to({arguments[0]}, {first}.shape)"]
    if reduction.other is not None:
        arguments.append(loop.write(reduction.other))
    return [
        f"# {comment(described(reduction))}",
        f'partials[{column}] = partial("{reduction.operator}", {", ".join(arguments)})',
    ]
