"""Stages of matrices that need no matrices: what there is one of a row, of a column, of a tensor.

Such a stage finishes the sums that a pass has left, computes what follows a row or a column at a
time, and reduces that to numbers a tensor.
"""

from __future__ import annotations

from optdsl.model.expressions import Draw, Kind, Matrix, Reduce, values, walk
from optdsl.program.program import Accumulate, Assignment, Matrices
from optdsl.runtime.shapes import LEAST_COLUMNS, LEAST_ROWS

_KINDS = {Kind.ROW, Kind.COLUMN}


def has_lines_alone(stage: Matrices) -> bool:
    """Does a stage work with values a row, a column and a tensor, and with no whole matrix?"""
    arrays = {each.value.kind for each in stage.loads}
    arrays |= {each.value.kind for each in stage.stores}
    return arrays <= _KINDS and all(map(_of_lines, stage.body))


def _of_lines(assignment: Assignment) -> bool:
    value = assignment.expression
    inner, kinds = [value], {value.kind}
    if isinstance(value, Reduce):
        inner = list(value.arguments)
        kinds = {each.kind for each in inner if not each.kind.is_number}
        if value.kind is not Kind.TENSOR or len(kinds) != 1:
            return False
    nodes = (node for each in inner for node in walk(each))
    return kinds <= _KINDS and not any(isinstance(n, Matrix | Reduce | Draw) for n in nodes)


def rounds(stage: Matrices) -> list[list[Assignment]]:
    """Return the reductions to a number, by the round of work over all rows and columns they need.

    What needs a number of the same stage comes a round later than that.
    """
    first = {each.name: 0 for each in stage.folds}
    found: list[list[Assignment]] = [[]]
    for each in stage.body:
        read = [v.name for v in values(each.expression) if v.offset == 0 and v.name in first]
        own = max((first[name] for name in read), default=0)
        found += [[] for _ in range(own + 1 - len(found))]
        if each.kind is Kind.TENSOR:
            found[own].append(each)
        first[each.name] = own + (each.kind is Kind.TENSOR)
    return found


def bytes_left(reduction: Accumulate, width: int) -> float:
    """Return the bytes a parameter of `width` bytes that a pass leaves of a reduction.

    These are float64 sums: one a row and strip of as many columns as 32 threads load at once, or
    one a column and block of rows. So many bytes they are for a matrix of whole strips, and of
    whole blocks of the fewest rows; fewer where blocks are higher. A last strip or block that is
    not full leaves as much as a whole one, so a matrix that is narrower or lower than one leaves
    8 bytes a row or a column.

    >>> from optdsl.model.expressions import Value
    >>> g = Value("g", Kind.ENTRY)
    >>> bytes_left(Accumulate("r", "sum", g, Kind.ROW), 4)
    0.0625
    >>> bytes_left(Accumulate("c", "sum", g, Kind.COLUMN), 4)
    0.125
    """
    if reduction.kind.is_number:
        return 0
    return 8 / (LEAST_COLUMNS * 8 // width if reduction.kind is Kind.ROW else LEAST_ROWS)
