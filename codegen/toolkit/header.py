"""A C header for the kernels of a rule: to launch them from C or C++ by the driver's own calls."""

from __future__ import annotations

from collections.abc import Sequence

from optdsl.codegen.naming import comment, identifier
from optdsl.codegen.source import indent
from optdsl.codegen.support.cuda.tables import Lines, Tiles
from optdsl.codegen.support.cuda.words import WARPS
from optdsl.codegen.toolkit.building import Build, BuiltKernel
from optdsl.codegen.toolkit.c_numbers import HELPERS, numbers_function
from optdsl.codegen.unit import Unit
from optdsl.codegen.versions import Imprint
from optdsl.program.describing import equations_text
from optdsl.runtime.layout import Guard
from optdsl.runtime.shapes import LEAST_ENTRIES, LEAST_ROWS

_COMMON = """\
#ifndef OPTDSL_COMMON
#define OPTDSL_COMMON

/* The tables of one pass. All but the last three are addresses on the card.
 *
 *   owners     int64[blocks]              the tensor that each block works on
 *   chunks     int64[blocks]              which chunk of it: chunk c begins at entry c*CHUNK
 *   firsts     int64[tensors + 1]         the first block of each tensor, then how many there are
 *   sizes      int64[tensors]             entries of each tensor
 *   shapes     int64[tensors][3]          rows, columns, and rows of a tile, of each tensor; unused
 *                                         in passes that do not tell rows and columns apart
 *   addresses  int64[tensors][streams]    where the arrays of each tensor begin, a column a stream
 *   rows       int64[tensors]             the row of each tensor in `cohort` and `tensor`
 *   partials   double[blocks][reductions] room for partial sums; unused in passes without any
 */
typedef struct optdsl_table {
    CUdeviceptr owners, chunks, firsts, sizes, shapes, addresses, rows, partials;
    int64_t blocks, tensors, entries; /* entries: the sum of all sizes */
} optdsl_table;

/* What all launches of a step read, by address on the card.
 *
 *   cohort      int64[tensors]             the row of each tensor in `numbers` and `exactly`
 *   numbers     real[cohorts][NUMBERS]     numbers of the step, in the type entries are computed in
 *   exactly     double[cohorts][NUMBERS]   the same numbers, not rounded
 *   tensor      double[tensors][TENSOR]    numbers a tensor; kernels write them
 *   everything  double[EVERYTHING]         numbers for all tensors; kernels write them
 */
typedef struct optdsl_numbers {
    CUdeviceptr cohort, numbers, exactly, tensor, everything;
} optdsl_numbers;

/* Return how many blocks a pass over tensors of these sizes has. Where `owners`, `chunks` and
 * `firsts` are not null, fill them: they go to the card. */
static inline int64_t optdsl_blocks(const int64_t *sizes, int64_t tensors, int64_t chunk,
                                    int64_t *owners, int64_t *chunks, int64_t *firsts) {
    int64_t blocks = 0;
    for (int64_t tensor = 0; tensor < tensors; ++tensor) {
        const int64_t pieces = (sizes[tensor] + chunk - 1) / chunk;
        if (firsts) firsts[tensor] = blocks;
        for (int64_t piece = 0; piece < pieces; ++piece) {
            if (owners) owners[blocks + piece] = tensor;
            if (chunks) chunks[blocks + piece] = piece;
        }
        blocks += pieces;
    }
    if (firsts) firsts[tensors] = blocks;
    return blocks;
}

/* Return how many rows of a matrix are worked on together, where `tall` is 0 and the shape says
 * so: the third number of `shapes`. */
static inline int64_t optdsl_tall(int64_t rows, int64_t columns, int64_t tall) {
    const int64_t entries = columns ? (@ENTRIES@ + columns - 1) / columns : @ENTRIES@;
    int64_t least = @ROWS@;
    if (tall) return tall;
    if (least < entries) least = entries;
    while (least * least < rows) ++least;
    if (least > rows) least = rows;
    return least < 1 ? 1 : least;
}

/* Return how many blocks a pass over tiles, `strip` columns wide, has for a matrix: what
 * `optdsl_blocks` is given as sizes, with chunks of 1. */
static inline int64_t optdsl_tiles(int64_t rows, int64_t columns, int64_t strip, int64_t tall) {
    const int64_t high = optdsl_tall(rows, columns, tall);
    const int64_t tiles = ((columns + strip - 1) / strip) * ((rows + high - 1) / high);
    return (tiles + @WARPS@ - 1) / @WARPS@;
}

/* Return the same for a kernel of so many rows, or columns, a block; 0 stands for none. */
static inline int64_t optdsl_lines(int64_t rows, int64_t columns, int64_t of_rows,
                                   int64_t of_columns) {
    int64_t blocks = of_rows ? (rows + of_rows - 1) / of_rows : 0;
    if (of_columns) blocks += (columns + of_columns - 1) / of_columns;
    return blocks;
}

static inline CUresult optdsl_launch_pass(CUfunction kernel, const optdsl_table *table,
                                          CUdeviceptr extent,
                                          const optdsl_numbers *numbers, CUstream stream) {
    CUdeviceptr given[11] = {
        table->owners, table->chunks, extent, table->addresses, table->rows,
        numbers->cohort, numbers->numbers, numbers->exactly, numbers->tensor,
        numbers->everything, table->partials};
    void *places[11];
    if (table->blocks == 0) return CUDA_SUCCESS;
    for (int i = 0; i < 11; ++i) places[i] = &given[i];
    return cuLaunchKernel(kernel, (unsigned)table->blocks, 1, 1, THREADS, 1, 1, 0, stream, places,
                          NULL);
}

static inline CUresult optdsl_launch_finish(CUfunction kernel, int64_t blocks,
                                            const optdsl_table *table, CUdeviceptr extent,
                                            const optdsl_numbers *numbers, CUstream stream) {
    CUdeviceptr given[10] = {
        table->firsts, extent, (CUdeviceptr)table->tensors, (CUdeviceptr)table->entries,
        table->rows, numbers->cohort, numbers->exactly, numbers->tensor, numbers->everything,
        table->partials};
    void *places[10];
    if (blocks == 0) return CUDA_SUCCESS;
    for (int i = 0; i < 10; ++i) places[i] = &given[i];
    return cuLaunchKernel(kernel, (unsigned)blocks, 1, 1, THREADS, 1, 1, 0, stream, places, NULL);
}

@HELPERS@
#endif /* OPTDSL_COMMON */
"""


#: What the cuts of tensors are made of, as the header calls it.
_GEOMETRY = {
    "WARPS": WARPS, "ROWS": LEAST_ROWS, "ENTRIES": LEAST_ENTRIES,
}  # fmt: skip


def header_text(build: Build, name: str, imprint: Imprint) -> str:
    """Return the text of the header of a rule, whose names begin with `name`."""
    guard = f"OPTDSL_{name.upper()}_H"
    threads = next((each.threads for each in build.kernels), 0)
    common = _COMMON.replace("THREADS", str(threads)).replace("@HELPERS@", HELPERS)
    for word, value in _GEOMETRY.items():
        common = common.replace(f"@{word}@", str(value))
    return "\n".join(
        [
            *_title(build, imprint),
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            "#include <cuda.h>",
            "#include <math.h>",
            "#include <stddef.h>",
            "#include <stdint.h>",
            "",
            common,
            *_constants(build, name),
            *_kernels(build, name),
            *_numbers(build, name),
            *_step(build, name),
            f"#endif /* {guard} */",
            "",
        ]
    )


def _title(build: Build, imprint: Imprint) -> list[str]:
    """Return the comment at the head: the rule, and its equations."""
    rule = build.rule
    words = [f"{rule.name}: {rule.doc}" if rule.doc else rule.name, ""]
    for unit in build.units:
        words += [*(f"    {line}" for line in equations_text(unit.system)), ""]
    words += [f"Parameters hold {build.dtype}.", *imprint.paragraph, ""]
    words += [f"Written by optdsl {imprint.version}. Do not edit."]
    safe = (comment(line).replace("*/", "* /") for line in words)
    first, *rest = (f" {line}".rstrip() for line in safe)
    return [f"/*{first}", *(f" *{line}" for line in rest), " */"]


def _constants(build: Build, name: str) -> list[str]:
    """Return the lengths of arrays, and the places in `hyper` of hyperparameters."""
    layout, upper = build.layout, name.upper()
    step_states = sum(each.kind == "step" for each in layout.states)
    counts = {
        "HYPER": len(layout.hyperparameters), "STEP_STATE": step_states,
        "NUMBERS": layout.scalars, "TENSOR": layout.tensor, "EVERYTHING": layout.everything,
        "KERNELS": len(build.kernels),
    }  # fmt: skip
    if layout.seed is not None:
        counts["SEED"] = layout.seed
    lines = ["/* How long the arrays on the card are; one of length 0 may be a null address."]
    if layout.seed is not None:
        lines += [" * From SEED on, `everything` holds the low and the high 32 bits of the seed."]
    lines += [" */", "enum {"]
    lines += indent([f"{upper}_{what} = {count}," for what, count in counts.items()])
    lines += ["};", "", "/* Where each hyperparameter stands in `hyper`. */", "enum {"]
    for place, slot in enumerate(layout.hyperparameters):
        default = slot.default if isinstance(slot.default, float) else None
        said = f"  /* default {default!r} */" if default is not None else ""
        lines += indent([f"{upper}_HYPER_{identifier(slot.name).upper()} = {place},{said}"])
    return [*lines, "};", ""] if layout.hyperparameters else [*lines[:-2], ""]


def _kernels(build: Build, name: str) -> list[str]:
    """Return the names of the kernels, and of the columns and chunks of each pass."""
    upper = name.upper()
    lines = ["/* The kernels, by the names that cuModuleGetFunction knows. */"]
    lines += [f"static const char *const {name}_entries[] = {{"]
    lines += indent([f'"{each.entry}",' for each in build.kernels]) + ["};", ""]
    lines += ["/* Where each kernel stands in that table. */", "enum {"]
    lines += indent(
        [f"{each.entry.upper()} = {place}," for place, each in enumerate(build.kernels)]
    )
    lines += ["};", ""]
    for each in build.kernels:
        if each.has_table:
            lines += _columns(each)
    passes = [each for each in build.step if each.has_table]
    lines += [
        "/* How many tables a step needs: one for each kernel with columns, in this order. */"
    ]
    return [*lines, f"enum {{ {upper}_TABLES = {len(passes)} }};", ""]


def _columns(built: BuiltKernel) -> list[str]:
    upper = built.entry.upper()
    match built.cut:
        case Tiles(height):
            said = "columns and rows of a tile"
            cut: dict[str, int | None] = {"STRIP": built.strip, "TALL": height}
        case Lines(rows, columns):
            said, cut = "rows or columns a block", {"ROWS": rows, "COLUMNS": columns}
        case _:
            said, cut = "entries a block", {"CHUNK": built.chunk}
    lines = [f"/* {built.entry}: columns of `addresses`, {said}, reductions. */", "enum {"]
    for place, (stream, dtype) in enumerate(zip(built.streams, built.formats, strict=True)):
        lines += indent([f"{upper}_{identifier(stream).upper()} = {place}, /* {dtype} */"])
    counts = {"STREAMS": len(built.streams), **cut, "REDUCTIONS": built.reductions}
    lines += indent([f"{upper}_{what} = {count}," for what, count in counts.items()])
    return [*lines, "};", ""]


def _numbers(build: Build, name: str) -> list[str]:
    """Return the functions that compute the numbers of a step, one a part and case."""
    lines: list[str] = []
    for case, unit in enumerate(build.units):
        program = unit.ready or unit.function
        for part in range(unit.system.parts):
            function = _numbers_name(name, build.units, case, part, unit)
            text = numbers_function(unit, program, part, function)
            if text:
                said = (
                    f"/* The numbers of step t, counted from 1{_of(build.units, case, part, unit)}."
                )
                lines += [
                    said,
                    " * `exactly` is one row of NUMBERS; rounded to the type of the entries it is",
                    " * a row of `numbers`. `step_state` is moved on by one step. */",
                    *text,
                    "",
                ]
    return lines


def _numbers_name(name: str, units: Sequence[Unit], case: int, part: int, unit: Unit) -> str:
    of_case = f"_case_{case}" if len(units) > 1 else ""
    of_part = f"_part_{part}" if unit.system.parts > 1 else ""
    return f"{name}_numbers{of_case}{of_part}"


def _of(units: Sequence[Unit], case: int, part: int, unit: Unit) -> str:
    words = [f"case {case}"] if len(units) > 1 else []
    words += [f"part {part}"] if unit.system.parts > 1 else []
    return f", of {' and '.join(words)}" if words else ""


def _step(build: Build, name: str) -> list[str]:
    """Return the function that launches a step; none where a step is more than launches."""
    stages = build.layout.ready or build.layout.function
    if (
        build.layout.ready is None
        or len(build.units) > 1
        or any(isinstance(stage, Guard) for stage in stages)
    ):
        why = "asks for gradients" if build.layout.ready is None else "chooses what to launch"
        return [f"/* A step of this rule {why}: launch its kernels one by one. */", ""]
    lines = [
        "/* Put one step on a stream: `kernels` are those of the table above, `tables` those of",
        " * each pass. Nothing waits for the card. */",
        f"static inline CUresult {name}_step(",
        "    const CUfunction *kernels, const optdsl_table *tables,",
        "    const optdsl_numbers *numbers, CUstream stream) {",
        "    CUresult status = CUDA_SUCCESS;",
    ]
    table = -1
    for built in build.step:
        table += built.has_table
        launch = _launch(built, max(table, 0))
        lines += indent(["if (status == CUDA_SUCCESS)", *indent([f"status = {launch};"])])
    return [*lines, "    return status;", "}", ""]


def _launch(built: BuiltKernel, table: int) -> str:
    kernel = f"kernels[{built.entry.upper()}]"
    over = f"&tables[{table}], tables[{table}].{'shapes' if built.by_shape else 'sizes'}"
    if built.has_table:
        return f"optdsl_launch_pass({kernel}, {over}, numbers, stream)"
    blocks = "1" if built.kernel.kind == "all" else f"tables[{table}].tensors"
    return f"optdsl_launch_finish({kernel}, {blocks}, {over}, numbers, stream)"
