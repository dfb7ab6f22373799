"""Matrices of scalars, as the evaluator has them: flat tuples, tensor behind tensor.

What is one value a row or a column is given once for each entry, as numbers a tensor are, so
that operators take it together with entries. Matrices of pairs have values of their own number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from optdsl.model.arithmetic import UNDEFINED, Arithmetic, Scalar, real
from optdsl.model.expressions import Expression, Kind, Reduce
from optdsl.model.expressions import Matrix as Operation

Values: TypeAlias = tuple[Scalar, ...]
#: The rows and columns of each tensor.
Shapes: TypeAlias = Sequence[tuple[int, int]]
#: A matrix row by row.
Matrix: TypeAlias = list[list[Scalar]]

_PAIRS = (Kind.TURNED, Kind.ROWS, Kind.COLUMNS)


def width_of(kind: Kind, shape: tuple[int, int]) -> int:
    """Return how many values of a kind a tensor has, as they are kept here."""
    rows, columns = shape
    return {Kind.ROWS: rows * rows, Kind.COLUMNS: columns * columns}.get(kind, rows * columns)


def pieces(values: Values, kind: Kind, shapes: Shapes) -> list[Values]:
    """Cut values into those of each tensor."""
    found, begin = [], 0
    for shape in shapes:
        end = begin + width_of(kind, shape)
        found.append(values[begin:end])
        begin = end
    return found


def matrices(values: Values, kind: Kind, shapes: Shapes) -> list[Matrix]:
    """Return the matrix of each tensor, with one value a row or a column where there is one."""
    return [
        _matrix(own, kind, shape)
        for own, shape in zip(pieces(values, kind, shapes), shapes, strict=True)
    ]


def _matrix(values: Values, kind: Kind, shape: tuple[int, int]) -> Matrix:
    rows, columns = shape
    sizes = {"rows": rows, "columns": columns}
    if kind.is_number:
        return [[values[0]]]
    if kind is Kind.ROW:
        return [[values[row * columns]] for row in range(rows)]
    if kind is Kind.COLUMN:
        return [list(values[:columns])]
    down, across = (sizes[axis] for axis in kind.axes)
    return [list(values[row * across : (row + 1) * across]) for row in range(down)]


def flat(found: Sequence[Matrix], kind: Kind, shapes: Shapes) -> Values:
    """Return matrices as values of a kind."""
    values: list[Scalar] = []
    for matrix, (rows, columns) in zip(found, shapes, strict=True):
        if kind is Kind.ROW:
            matrix = [line * columns for line in matrix]
        elif kind is Kind.COLUMN:
            matrix = matrix * rows
        values += [value for line in matrix for value in line]
    return tuple(values)


def widened(values: Values, kind: Kind, to: Kind, shapes: Shapes) -> Values:
    """Give values a row, or a column, to be taken together with those of a pair of them."""
    if kind is to or to not in _PAIRS:
        return values
    found = []
    for matrix, shape in zip(matrices(values, kind, shapes), shapes, strict=True):
        sizes = {"rows": shape[0], "columns": shape[1]}
        down, across = (sizes[axis] for axis in to.axes)
        lines = matrix * down if kind.axes[0] == "1" else matrix
        found.append([line * across if kind.axes[1] == "1" else line for line in lines])
    return flat(found, to, shapes)


def product(left: Matrix, right: Matrix, arithmetic: Arithmetic) -> Matrix:
    """Multiply two matrices."""
    across = range(len(right[0]) if right else 0)
    return [
        [dot(line, [other[column] for other in right], arithmetic) for column in across]
        for line in left
    ]


def dot(left: Sequence[Scalar], right: Sequence[Scalar], arithmetic: Arithmetic) -> Scalar:
    """Return the sum of the products of two lists."""
    total: Scalar = real(0)
    for a, b in zip(left, right, strict=True):
        total = arithmetic.apply("add", [total, arithmetic.apply("mul", [a, b])])
    return total


def transposed(matrix: Matrix) -> Matrix:
    """Turn a matrix."""
    return [list(line) for line in zip(*matrix, strict=True)]


def identity(size: int) -> Matrix:
    """Return the identity of a size."""
    return [[real(int(row == column)) for column in range(size)] for row in range(size)]


def power(matrix: Matrix, exponent: Scalar, arithmetic: Arithmetic) -> Matrix:
    """Return a power of a symmetric positive semidefinite matrix.

    Raises:
        Undecided: an eigenvalue is so near 0 that rounding hides whether its power is defined.
    """
    entries = [value for line in matrix for value in line]
    if exponent is UNDEFINED or any(value is UNDEFINED for value in entries):
        return [[UNDEFINED] * len(line) for line in matrix]
    spectrum = arithmetic.eigenvalues(matrix)
    if spectrum is None:
        return [[UNDEFINED] * len(line) for line in matrix]
    numbers, vectors = spectrum
    powers = [arithmetic.apply("pow", [number, exponent]) for number in numbers]
    scaled = [
        [
            arithmetic.apply("mul", [value, factor])
            for value, factor in zip(line, powers, strict=True)
        ]
        for line in vectors
    ]
    return product(scaled, transposed(vectors), arithmetic)


def of_matrices(
    expression: Operation,
    read: Callable[[Expression], Values],
    arithmetic: Arithmetic,
    shapes: Shapes,
) -> Values:
    """Return an operation on whole matrices; `read` gives every value of an expression."""
    kind, arguments = expression.kind, expression.arguments
    if expression.operator == "identity":
        axis = 0 if kind is Kind.ROWS else 1
        return flat([identity(shape[axis]) for shape in shapes], kind, shapes)
    first = matrices(read(arguments[0]), arguments[0].kind, shapes)
    if expression.operator == "transpose":
        return flat([transposed(each) for each in first], kind, shapes)
    if expression.operator == "product":
        second = matrices(read(arguments[1]), arguments[1].kind, shapes)
        pairs = zip(first, second, strict=True)
        return flat([product(a, b, arithmetic) for a, b in pairs], kind, shapes)
    exponents, found, begin = arguments[1], [], 0
    for each, (rows, columns) in zip(first, shapes, strict=True):
        found.append(power(each, read(exponents)[begin], arithmetic))
        begin += rows * columns
    return flat(found, kind, shapes)


def reduced_matrices(
    reduce: Reduce,
    read: Callable[[Expression], Values],
    fold: Callable[[Values], Scalar],
    arithmetic: Arithmetic,
    shapes: Shapes,
) -> Scalar | Values:
    """Return a reduction of or to values a row and the like; `fold` reduces a list of values."""
    entries, over = read(reduce.argument), reduce.argument.kind
    if reduce.other is not None:
        joined = over.join(reduce.other.kind)
        sides = (
            widened(read(each), each.kind, joined, shapes)
            for each in (reduce.argument, reduce.other)
        )
        entries = tuple(arithmetic.apply("mul", pair) for pair in zip(*sides, strict=True))
        over = joined
    found = matrices(entries, over, shapes)
    if reduce.kind is Kind.ROW:
        lines = [[[fold(tuple(line))] for line in matrix] for matrix in found]
        return flat(lines, Kind.ROW, shapes)
    if reduce.kind is Kind.COLUMN:
        lines = [[[fold(tuple(line)) for line in transposed(matrix)]] for matrix in found]
        return flat(lines, Kind.COLUMN, shapes)
    numbers = [fold(tuple(x for line in matrix for x in line)) for matrix in found]
    if len(numbers) == 1:
        return numbers[0]
    pairs = zip(numbers, shapes, strict=True)
    return tuple(number for number, (rows, columns) in pairs for _ in range(rows * columns))
