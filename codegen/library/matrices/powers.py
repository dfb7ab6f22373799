"""Powers of symmetric matrices, by their eigenvalues, in LLVM code: float64 throughout."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.dispatch import Level
from optdsl.codegen.library.matrices.eigen import eigen_function
from optdsl.codegen.library.matrices.products import Crew, Products, View, packed_words
from optdsl.codegen.library.passes.tasks import FOR_EACH
from optdsl.codegen.support.arithmetic import declared, extreme, intrinsic_call
from optdsl.codegen.support.emitting import (
    BYTE,
    DOUBLE,
    HALF,
    NUMBERS,
    VOID,
    WORD,
    counted,
    load,
    once,
    place,
    room,
    store,
    word,
)
from optdsl.storage import Storage

_WIDE = Storage("float64")
#: Sizes of the largest entry within which squares neither overflow nor vanish.
_LEAST, _MOST = 1e-100, 1e100


def power_words(builder: Any, n: Any) -> Any:
    """Return the room that a power takes: two matrices, three rows, factors of a product."""
    square = builder.mul(n, n)
    rows = builder.mul(n, word(3))
    return builder.add(
        builder.add(builder.add(square, square), rows), packed_words(builder, (n, n, n), DOUBLE)
    )


def power_function(module: Any, level: Level) -> Any:
    """Return the function of powers: (for_each, pool, n, matrix, exponent, scratch).

    The power takes the place of the matrix, of which it reads what lies on and below the diagonal.
    Eigenvalues that rounding has made negative count as 0; a matrix that is not finite gives NaN.
    """
    name = f"power{level.ending}"
    arguments = {
        "for_each": FOR_EACH, "pool": BYTE.as_pointer(), "n": WORD, "matrix": NUMBERS,
        "exponent": DOUBLE, "scratch": NUMBERS,
    }  # fmt: skip
    made, builder = once(module, name, VOID, arguments)
    if builder is None:
        return made
    made.attributes.add("noinline")
    for_each, pool, n, matrix, exponent, scratch = made.args
    square = builder.mul(n, n)
    vectors = scratch
    scaled = place(builder, vectors, square)
    values = place(builder, scaled, square)
    beside, work = place(builder, values, n), place(builder, values, builder.mul(n, word(2)))
    packed = place(builder, values, builder.mul(n, word(3)))
    scale = _scale(builder, n, matrix)
    _mirrored(builder, n, matrix, scaled, scale)
    finite = builder.fcmp_ordered("==", scale, scale)
    with builder.if_then(builder.not_(finite)):
        _give_up(builder, square, matrix)
    given = [n, scaled, vectors, values, beside, work]
    failed = builder.call(eigen_function(module, level), given)
    with builder.if_then(builder.icmp_signed("!=", failed, ir.Constant(HALF, 0))):
        _give_up(builder, square, matrix)
    _raise(builder, n, values, vectors, scaled, scale, exponent)
    shape, steps = (n, n), (n, 1)
    left = View(vectors, _WIDE, shape, steps).turned
    products = Products(module, DOUBLE, level)
    crew = Crew(for_each, pool)
    products.multiply(builder, crew, matrix, left, View(scaled, _WIDE, shape, steps), packed)
    builder.ret_void()
    return made


def _scale(builder: Any, n: Any, matrix: Any) -> Any:
    """Return what to divide a matrix by: 1 for usual ones, NaN for one that is not finite."""
    largest = room(builder, DOUBLE)
    builder.store(ir.Constant(DOUBLE, 0.0), largest)
    with counted(builder, word(0), builder.mul(n, n)) as index:
        size = intrinsic_call(builder, "fabs", load(builder, matrix, index))
        builder.store(extreme(">")(builder, builder.load(largest), size), largest)
    found = builder.load(largest)
    endless = builder.fcmp_unordered("uno", found, builder.fsub(found, found))
    usual = builder.or_(
        builder.and_(builder.fcmp_ordered(">", found, ir.Constant(DOUBLE, _LEAST)),
                     builder.fcmp_ordered("<", found, ir.Constant(DOUBLE, _MOST))),
        builder.fcmp_ordered("==", found, ir.Constant(DOUBLE, 0.0)),
    )  # fmt: skip
    scale = builder.select(usual, ir.Constant(DOUBLE, 1.0), found)
    return builder.select(endless, ir.Constant(DOUBLE, float("nan")), scale)


def _mirrored(builder: Any, n: Any, matrix: Any, scaled: Any, scale: Any) -> None:
    """Write in full what lies on and below the diagonal, divided by the scale."""
    with counted(builder, word(0), n) as row:
        line = builder.mul(row, n)
        with counted(builder, word(0), builder.add(row, word(1))) as column:
            at = builder.add(line, column)
            entry = builder.fdiv(load(builder, matrix, at), scale)
            store(builder, entry, scaled, at)
            store(builder, entry, scaled, builder.add(builder.mul(column, n), row))


def _give_up(builder: Any, square: Any, result: Any) -> None:
    """Write NaN, and return."""
    with counted(builder, word(0), square) as index:
        store(builder, ir.Constant(DOUBLE, float("nan")), result, index)
    builder.ret_void()


def _raise(
    builder: Any, n: Any, values: Any, vectors: Any, scaled: Any, scale: Any, exponent: Any
) -> None:
    """Write each eigenvector times a power of its eigenvalue."""
    power = declared(builder.module, "pow", DOUBLE, [DOUBLE] * 2)
    with counted(builder, word(0), n) as row:
        value = builder.fmul(load(builder, values, row), scale)
        held = builder.fcmp_ordered(">", value, ir.Constant(DOUBLE, 0.0))
        value = builder.select(held, value, ir.Constant(DOUBLE, 0.0))
        raised = builder.call(power, [value, exponent])
        line = builder.mul(row, n)
        with counted(builder, word(0), n) as column:
            at = builder.add(line, column)
            store(builder, builder.fmul(raised, load(builder, vectors, at)), scaled, at)
