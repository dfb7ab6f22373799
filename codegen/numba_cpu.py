"""The Numba target: one parallel loop over all tensors a pass, float32 and float64."""

from __future__ import annotations

from optdsl.codegen.blocks import Functions, indent
from optdsl.codegen.loops import Loop
from optdsl.codegen.naming import comment
from optdsl.codegen.unit import Unit

from optdsl.model.expressions import Value
from optdsl.program.program import Accumulate, Pass

NAME = "numba-cpu"
BIND = "bind_chunks"
IMPORTS = {
    "numba": ("prange",),
    "optdsl.codegen.support.chunks": ("bind_chunks", "over_chunks"),
    "optdsl.codegen.support.kernels": (
        "add", "cos", "cube", "entrywise", "exp", "float64", "floor", "greatest", "inf", "isfinite",
        "kernel", "least", "log", "logical_not", "maximum", "minimum", "mod", "pi", "sign",
        "sqrt", "square", "view", "where",
    ),
}  # fmt: skip

_FOLDS = {"min": "least", "max": "greatest"}
_STARTS = {"min": "inf", "max": "-inf", "any": "False"}


def emit_pass(unit: Unit, stage: Pass, functions: Functions) -> str:
    """Add the kernel of one pass; return the name of the function that runs it over a table."""
    loop = Loop(unit, stage, real=lambda text: f"real({text})", prefix="")
    totals = [loop.names.value(Value(each.name, each.kind)) for each in stage.reductions]
    entries = loop.loaded(lambda array: f"{array}[i]")
    entries += loop.computed()
    for reduction, total in zip(stage.reductions, totals, strict=True):
        entries += _accumulated(loop, reduction, total)
    entries += loop.stored(lambda array: f"{array}[i]")
    arrays = [loop.arrays[stream] for stream in loop.streams]
    work = [
        f"real = {arrays[0]}.dtype.type",
        *loop.head,
        *(f"{total} = {_STARTS.get(each.operator, '0.0')}"
          for each, total in zip(stage.reductions, totals, strict=True)),
        f"for i in range({arrays[0]}.size):",
        *indent(entries),
        *(f"partials[{column}] = {total}" for column, total in enumerate(totals)),
    ]  # fmt: skip
    header = f"def NAME({', '.join([*arrays, *loop.shared])}):"
    given = {"numbers": "scalars[cohort[row]]", "tensor": "tensor[row]",
             "everything": "everything", "partials": "partials[chunk]"}  # fmt: skip
    call = ", ".join([*arrays, *(given[name] for name in loop.shared)])
    update = functions.add("update", ["@entrywise", header, *indent(work)])
    views = [
        f"{array} = view(addresses[chunk, {k}], counts[chunk], formats[{k}])"
        for k, array in enumerate(arrays)
    ]
    run = [
        "@kernel",
        "def NAME(formats, addresses, counts, rows, "
        "cohort, scalars, tensor, everything, partials):",
        *indent(
            [
                "for chunk in prange(counts.size):",
                *indent(
                    [
                        "row = rows[chunk]",
                        *views,
                        f"{update}({call})",
                    ]
                ),
            ]
        ),
    ]
    return f"over_chunks({functions.add('kernel', run)})"


def _accumulated(loop: Loop, reduction: Accumulate, total: str) -> list[str]:
    text = loop.write(reduction.argument)
    about = reduction.comment if " = " in reduction.comment else (
        f"{reduction.name} = {reduction.comment}"
    )  # fmt: skip
    lines = [f"# {comment(about)}"]
    match reduction.operator:
        case "norm" | "rms":
            lines.append(f"{total} = add({total}, square(float64({text})))")
        case "dot":
            assert reduction.other is not None
            other = loop.write(reduction.other)
            lines.append(f"{total} = add({total}, float64({text})*float64({other}))")
        case "min" | "max":
            lines.append(f"{total} = {_FOLDS[reduction.operator]}({total}, {text})")
        case "any":
            lines.append(f"{total} = {total} | ({text})")
        case _:
            lines.append(f"{total} = add({total}, {text})")
    return lines
