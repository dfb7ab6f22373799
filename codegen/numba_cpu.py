"""The Numba target: one parallel loop over all tensors a pass, float32 and float64."""

from __future__ import annotations

from optdsl.codegen.blocks import Functions, indent
from optdsl.codegen.loops import Loop, described
from optdsl.codegen.naming import comment
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Value
from optdsl.program.program import Accumulate, Pass

NAME = "numba-cpu"
BIND = "bind_chunks"
IMPORTS = {
    "numba": ("prange",),
    "optdsl.codegen.support.chunks": ("bind_chunks", "over_chunks"),
    "optdsl.codegen.support.kernel_draws": ("standard_normal", "standard_uniform"),
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
    loop = Loop(unit, stage, real=lambda text: f"real({text})", prefix="", place="real(0.0), i")
    update = functions.add("update", _update(loop, stage))
    kernel = functions.add("kernel", _kernel(loop, update))
    return f"over_chunks({kernel}, draws=True)" if loop.draws else f"over_chunks({kernel})"


def _update(loop: Loop, stage: Pass) -> list[str]:
    """Return the function that does the work of one chunk."""
    totals = [loop.names.value(Value(each.name, each.kind)) for each in stage.reductions]
    entries = [
        *loop.loaded(lambda array: f"{array}[i]"),
        *loop.computed(),
        *(line for each, total in zip(stage.reductions, totals, strict=True)
          for line in _accumulated(loop, each, total)),
        *loop.stored(lambda array: f"{array}[i]"),
    ]  # fmt: skip
    first = loop.arrays[loop.streams[0]]
    starts = [
        f"{total} = {_STARTS.get(each.operator, '0.0')}"
        for each, total in zip(stage.reductions, totals, strict=True)
    ]
    ends = [f"partials[{column}] = {total}" for column, total in enumerate(totals)]
    every = [*loop.head, *starts, f"for i in range({first}.size):", *indent(entries), *ends]
    real = [f"real = {first}.dtype.type"] if any("real(" in line for line in every) else []
    header = f"def NAME({', '.join([*loop.arrays.values(), *loop.shared])}):"
    return ["@entrywise", header, *indent([*real, *every])]


def _kernel(loop: Loop, update: str) -> list[str]:
    """Return the function that runs `update` over every chunk."""
    given = {
        "numbers": "scalars[cohort[row]]",
        "tensor": "tensor[row]",
        "everything": "everything",
        "partials": "partials[chunk]",
        "begin": "begins[chunk]",
        "identity": "row",
    }
    arguments = [*loop.arrays.values(), *(given[name] for name in loop.shared)]
    body = [
        f"{array} = view(addresses[chunk, {column}], counts[chunk], formats[{column}])"
        for column, array in enumerate(loop.arrays.values())
    ]
    body.append(f"{update}({', '.join(arguments)})")
    if any("[row]" in argument or argument == "row" for argument in arguments):
        body.insert(0, "row = rows[chunk]")
    parameters = "formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials"
    parameters += ", begins" if loop.draws else ""
    loops = ["for chunk in prange(counts.size):", *indent(body)]
    return ["@kernel", f"def NAME({parameters}):", *indent(loops)]


def _accumulated(loop: Loop, reduction: Accumulate, total: str) -> list[str]:
    text = loop.write(reduction.argument)
    lines = [f"# {comment(described(reduction))}"]
    match reduction.operator:
        case "norm" | "rms":
            lines.append(f"{total} = add({total}, square(float64({text})))")
        case "dot":
            assert reduction.other is not None
            other = loop.write(reduction.other)
            lines.append(f"{total} = add({total}, float64({text}) * float64({other}))")
        case "min" | "max":
            lines.append(f"{total} = {_FOLDS[reduction.operator]}({total}, {text})")
        case "any":
            lines.append(f"{total} = {total} | {loop.condition(reduction.argument)}")
        case _:
            lines.append(f"{total} = add({total}, {text})")
    return lines
