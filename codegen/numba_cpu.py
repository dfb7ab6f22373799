"""The Numba target: one loop over all tensors a pass, shared by threads, float32 and float64."""

from __future__ import annotations

import re
from collections.abc import Sequence

from optdsl.codegen import matrices
from optdsl.codegen.host import emit_combine as emit_combine
from optdsl.codegen.host import emit_scalars as emit_scalars
from optdsl.codegen.loops import Loop, all_streams, described
from optdsl.codegen.naming import comment
from optdsl.codegen.numba_storing import ACCESS, by_blocks
from optdsl.codegen.source import Functions, indent, wrapped
from optdsl.codegen.support.words import WORDS
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Kind, Value
from optdsl.program.program import Accumulate, Matrices, Pass, neutral
from optdsl.runtime.shapes import Form

NAME = "numba-cpu"
BIND = "bind_chunks"
RUNTIME = "optdsl.runtime"
DTYPES = ()
ROW_PARTIALS: Form = "row"
IMPORTS = {
    "optdsl.codegen.support.chunks": ("bind_chunks", "over_chunks"),
    "optdsl.codegen.support.words": WORDS,
    "optdsl.codegen.support.row_chunks": ("LONGEST", "as_rows"),
    **matrices.IMPORTS,
}  # fmt: skip

_FOLDS = {"min": "least", "max": "greatest"}


def emit_pass(unit: Unit, stage: Pass, functions: Functions) -> str:
    """Add the kernel of one pass; return the name of the function that runs it over a table."""
    loop = Loop(
        unit, stage, real=lambda text: f"real({text})", prefix="", place="real(0.0), i",
        divides=True,
    )  # fmt: skip
    update = functions.add("update", _update(loop, stage))
    if stage.by_rows:
        kernel = functions.add("kernel", _kernel_by_rows(loop, update, all_streams(unit, stage)))
    else:
        kernel = functions.add("kernel", _kernel(loop, update))
    return f"over_chunks({kernel})"


def bind_pass(unit: Unit, stage: Pass) -> str | None:
    """Return the text of what makes the table of a pass, where that is not BIND."""
    if not stage.by_rows:
        return None
    return f"as_rows({', '.join(map(repr, all_streams(unit, stage).values()))})"


def emit_matrices(
    unit: Unit, stage: Matrices, functions: Functions
) -> tuple[str, str, tuple[str, ...]]:
    """Add the functions of a stage of matrices; return its texts and its streams."""
    return matrices.emit_matrices(unit, stage, functions, wide=False)


def _update(loop: Loop, stage: Pass) -> list[str]:
    """Return the function that does the work of one chunk, or of one piece of a row."""
    totals = [_total(loop, each) for each in stage.reductions]
    columns = [each.kind is Kind.COLUMN for each in stage.reductions]
    entries = [
        *loop.loaded(ACCESS),
        *_vectors(loop, Kind.COLUMN),
        *loop.computed(),
        *(line for each, total, column in zip(stage.reductions, totals, columns, strict=True)
          for line in _accumulated(loop, each, f"{total}[i]" if column else total)),
        *loop.stored(ACCESS),
    ]  # fmt: skip
    first = loop.arrays[loop.streams[0]]
    starts, ends = [], []
    numbers = 0
    for each, total, column in zip(stage.reductions, totals, columns, strict=True):
        if column:
            continue
        place = f"partials[{numbers}]" if each.kind.is_number else f"{loop.partials[each.name]}[0]"
        numbers += each.kind.is_number
        begun = f"{place} != 0.0" if each.operator == "any" else place
        fresh = "False" if each.operator == "any" else str(neutral(each.operator))
        start = begun if stage.by_rows or loop.block else fresh
        starts.append(f"{total} = {start}")
        ends.append(f"{place} = {total}")
    head = [*loop.head, *_vectors(loop, Kind.ROW), *starts]
    every = [*head, f"for i in range({first}.size):", *indent(entries), *ends]
    real = [f"real = {first}.dtype.type"] if any("real(" in line for line in every) else []
    arrays = [*loop.arrays.values(), *loop.vectors.values(), *loop.partials.values()]
    header = f"def NAME({', '.join([*arrays, *loop.shared])}):"
    return ["@entrywise", header, *indent([*real, *every])]


def _total(loop: Loop, reduction: Accumulate) -> str:
    """Return the name of a running total; of a value a column it is an array."""
    if reduction.kind is Kind.COLUMN:
        return loop.partials[reduction.name]
    return loop.names.value(Value(reduction.name, reduction.kind))


def _vectors(loop: Loop, kind: Kind) -> list[str]:
    place = "0" if kind is Kind.ROW else "i"
    lines = []
    for value, array in loop.vectors.items():
        if value.kind is kind:
            boolean = value.name in loop.unit.predicates
            text = f"{array}[{place}] != 0.0" if boolean else f"real({array}[{place}])"
            lines.append(f"{loop.names.value(value)} = {text}")
    return lines


#: What a kernel is given of a table, of the rows of numbers, and to share the chunks.
_TABLE = (
    "take", "formats", "addresses", "counts", "rows", "cohort", "scalars", "tensor", "everything",
    "partials",
)  # fmt: skip
_GIVEN = {
    "numbers": "row_of(scalars, cohort[row])",
    "tensor": "row_of(tensor, row)",
    "everything": "everything",
    "partials": "row_of(partials, chunk)",
    "begin": "begins[chunk]",
    "identity": "row",
}


def _kernel(loop: Loop, update: str) -> list[str]:
    """Return the function that runs `update` over every chunk."""
    arguments = [*loop.arrays.values(), *(_GIVEN[name] for name in loop.shared)]
    if loop.block:
        body = [*_cleared(loop, list(loop.streams)), *by_blocks(loop, update, arguments)]
    else:
        body = [
            f"{array} = view(addresses[chunk, {column}], counts[chunk], formats[{column}])"
            for column, array in enumerate(loop.arrays.values())
        ]
        body.append(f"{update}({', '.join(arguments)})")
    if any(re.search(r"\brow\b", argument) for argument in arguments):
        body.insert(0, "row = rows[chunk]")
    return _kernel_lines(_TABLE, loop, body)


def _kernel_lines(parameters: Sequence[str], loop: Loop, body: list[str]) -> list[str]:
    """Return the function of a kernel, of what it does to one chunk."""
    given = [*parameters, *(["begins"] if loop.draws else [])]
    return ["@kernel", *wrapped("def NAME(", given, "):"), *indent(_over_chunks(body))]


def _over_chunks(body: list[str]) -> list[str]:
    """Return the loop over all chunks that this thread takes."""
    return [
        "before = flush_tiny()",
        "first, last = next_chunks(take)",
        "while first < last:",
        *indent(["for chunk in range(first, last):", *indent(body)]),
        *indent(["first, last = next_chunks(take)"]),
        "restore(before)",
    ]


def _kernel_by_rows(loop: Loop, update: str, forms: dict[str, Form]) -> list[str]:
    """Return the function that runs `update` over every piece of the rows of every chunk."""
    names = [*loop.arrays.values(), *loop.vectors.values(), *loop.partials.values()]
    given = {**_GIVEN, "begin": "begins[chunk] + line*width + begin"}
    arguments = [*names, *(given[name] for name in loop.shared)]
    offsets = {"entry": "line*width + begin", "row": "line", "column": "begin", "blocks": "begin"}
    pieces = []
    for place, (name, form) in enumerate(zip(names, forms.values(), strict=True)):
        offset = f"({offsets[form]})" if "+" in offsets[form] else offsets[form]
        address = f"addresses[chunk, {place}] + {offset}*size_of(formats[{place}])"
        count = "1" if form == "row" else "count"
        pieces.append(f"{name} = view({address}, {count}, formats[{place}])")
    pieces.append(f"{update}({', '.join(arguments)})")
    body = ["width = columns[chunk]", *_cleared(loop, list(forms))]
    if any(re.search(r"\brow\b", argument) for argument in arguments):
        body.insert(0, "row = rows[chunk]")
    inner = ["count = min(LONGEST, width - begin)", *pieces]
    body += [
        "for line in range(counts[chunk]):",
        *indent(["for begin in range(0, width, LONGEST):", *indent(inner)]),
    ]
    return _kernel_lines((*_TABLE[:4], "columns", *_TABLE[4:]), loop, body)


def _cleared(loop: Loop, streams: list[str]) -> list[str]:
    """Return the lines that start the running totals of a chunk."""
    lines = []
    numbers = 0
    for each in loop.stage.reductions:
        start = neutral(each.operator)
        if each.kind.is_number:
            lines.append(f"partials[chunk, {numbers}] = {start}")
            numbers += 1
        else:
            place = streams.index(each.partial)
            count = "counts[chunk]" if each.kind is Kind.ROW else "width"
            address = f"addresses[chunk, {place}]"
            lines.append(f"fill(view({address}, {count}, formats[{place}]), {start})")
    return lines


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
        case "any" if reduction.kind is Kind.COLUMN:
            held = loop.condition(reduction.argument)
            lines.append(f"{total} = where({held}, 1.0, {total})")
        case "any":
            lines.append(f"{total} = {total} | {loop.condition(reduction.argument)}")
        case _:
            lines.append(f"{total} = add({total}, {text})")
    return lines
