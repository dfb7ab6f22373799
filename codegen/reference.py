"""The reference target: plain NumPy, a tensor at a time, float64 inside."""

from __future__ import annotations

from optdsl.codegen import matrices
from optdsl.codegen.host import emit_combine as emit_combine
from optdsl.codegen.host import emit_scalars as emit_scalars
from optdsl.codegen.loops import Loop, all_streams, described
from optdsl.codegen.naming import comment
from optdsl.codegen.source import Functions, indent
from optdsl.codegen.storing import Access, Words
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Expression, Kind
from optdsl.program.program import Accumulate, Matrices, Pass
from optdsl.runtime.shapes import Form
from optdsl.storage import Storage

NAME = "reference"
BIND = "bind_whole"
RUNTIME = "optdsl.runtime"
DTYPES = ()
ROW_PARTIALS: Form = "row"
IMPORTS = {
    "optdsl.codegen.support.draws": ("entry_words", "standard_normal", "standard_uniform"),
    "optdsl.codegen.support.folding": ("over_all", "partial", "per_tensor"),
    "optdsl.codegen.support.tables": ("bind_whole",),
    "optdsl.runtime.formats": ("load", "lost", "store"),
    **matrices.IMPORTS,
}


def emit_pass(unit: Unit, stage: Pass, functions: Functions) -> str:
    """Add the functions of one pass; return the name of the one that runs it over a table."""
    loop = Loop(unit, stage, real=str, prefix="np.")
    names = [*loop.arrays.values(), *loop.vectors.values(), *loop.partials.values()]
    arrays = ", ".join(names)
    access = _access(loop)
    work = loop.loaded(access)
    work += loop.read_vectors(lambda array, kind: f"{array}.astype(np.float64)")
    work += loop.computed()
    numbers = 0
    for reduction in stage.reductions:
        if reduction.kind.is_number:
            work += _accumulated(loop, reduction, numbers)
            numbers += 1
        else:
            work += _kept_apart(loop, reduction)
    work += loop.stored(access)
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


def _access(loop: Loop) -> Access:
    """Return how NumPy loads and stores: states in blocks and of 16 bits by functions."""
    first = loop.arrays[loop.streams[0]]

    def load(array: str, storage: Storage | None) -> str:
        if storage is not None and storage.block is not None:
            return f'load("{storage}", {array}, {first}.shape)'
        return f"{array}.astype(np.float64)"

    def store(array: str, storage: Storage | None, value: str, words: Words | None) -> str:
        if storage is None:
            return f"{array}[...] = {value}"
        return f'store("{storage}", {array}, {value}{"" if words is None else f", {words()}"})'

    return Access(
        load,
        store,
        words=lambda counter: f"entry_words({first}, {counter})",
        lost=lambda value, array: f"lost({value}, {array})",
    )


def bind_pass(unit: Unit, stage: Pass) -> str | None:
    """Return the text of what makes the table of a pass, where that is not BIND."""
    if not stage.by_rows:
        return None
    return f"as_matrices({', '.join(map(repr, all_streams(unit, stage).values()))})"


def emit_matrices(
    unit: Unit, stage: Matrices, functions: Functions
) -> tuple[str, str, tuple[str, ...]]:
    """Add the functions of a stage of matrices; return its texts and its streams."""
    return matrices.emit_matrices(unit, stage, functions, wide=True)


def _kept_apart(loop: Loop, reduction: Accumulate) -> list[str]:
    """Return the lines of a reduction to a value a row or a column."""
    arguments = [_whole(loop, each) for each in reduction.arguments]
    arguments.insert(1, "1" if reduction.kind is Kind.ROW else "0")
    kept = loop.partials[reduction.name]
    text = f'reduced("{reduction.operator}", {", ".join(arguments)})'
    store = f"{kept}[...] = {text}"
    if reduction.kind is Kind.COLUMN:
        store = f'in_first_block("{reduction.operator}", {text}, {kept})'
    return [f"# {comment(described(reduction))}", store]


def _whole(loop: Loop, expression: Expression) -> str:
    """Return the text of an expression with a value for every entry."""
    text = loop.write(expression)
    if expression.kind is Kind.ENTRY:
        return text
    return f"np.broadcast_to({text}, {loop.arrays[loop.streams[0]]}.shape)"


def _accumulated(loop: Loop, reduction: Accumulate, column: int) -> list[str]:
    arguments = [_whole(loop, each) for each in reduction.arguments]
    return [
        f"# {comment(described(reduction))}",
        f'partials[{column}] = partial("{reduction.operator}", {", ".join(arguments)})',
    ]
