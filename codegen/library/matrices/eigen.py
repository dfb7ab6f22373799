"""Eigenvalues and eigenvectors of symmetric matrices in LLVM code, in float64.

Reflections of Householder make the matrix tridiagonal; rotations, with implicit shifts from the
end of what is left, make that diagonal (Golub and Van Loan, Matrix Computations, 8.3). Vectors lie
in rows, so that every inner loop runs through memory in order.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.dispatch import Level
from optdsl.codegen.support import arithmetic
from optdsl.codegen.support.arithmetic import intrinsic_call
from optdsl.codegen.support.emitting import (
    DOUBLE,
    HALF,
    NUMBERS,
    VOID,
    WORD,
    count_on,
    counted,
    counter,
    function,
    load,
    once,
    place,
    room,
    store,
    word,
)
from optdsl.codegen.support.lanes import Lane

#: Sweeps through a part of the matrix, for each eigenvalue: after so many, what is small beside
#: the whole matrix is nothing, even beside small eigenvalues; after so many more there is no hope.
_FINE_SWEEPS, _SWEEPS = 12, 90
_PRECISION = 2.0**-52


def eigen_function(module: Any, level: Level) -> Any:
    """Return the function of eigenvalues: (n, matrix, vectors, values, beside, work).

    The matrix, of n rows in full, is overwritten. Row k of `vectors` belongs to number k of
    `values`; `beside` and `work` are room for n numbers. It returns 0, or 1 without a result.
    """
    name = f"eigen{level.ending}"
    arguments = {"n": WORD, "matrix": NUMBERS, "vectors": NUMBERS, "values": NUMBERS,
                 "beside": NUMBERS, "work": NUMBERS}  # fmt: skip
    made, builder = once(module, name, HALF, arguments)
    if builder is None:
        return made
    made.attributes.add("noinline")
    n, matrix, vectors, values, beside, work = made.args
    loops = _Loops(module, level)
    _tridiagonal(builder, loops, n, matrix, values, beside, work)
    _reflections(builder, loops, n, matrix, vectors, work)
    _diagonal(builder, loops, n, vectors, values, beside)
    return made


class _Loops:
    """The functions of the inner loops, over some numbers in a row."""

    def __init__(self, module: Any, level: Level) -> None:
        self.module, self.level = module, level

    def _begun(self, name: str, result: Any, arguments: dict[str, Any]) -> tuple[Any, Any]:
        return function(self.module, f"{name}{self.level.ending}", result, arguments)

    def dot(self, builder: Any, count: Any, x: Any, y: Any) -> Lane:
        """Return the sum of products of two rows, or of the squares of one."""
        name = "squares" if x is y else "dot"
        made = self.module.globals.get(f"{name}{self.level.ending}")
        if made is None:
            rows = {"x": NUMBERS} if x is y else {"x": NUMBERS, "y": NUMBERS}
            made, inside = self._begun(name, DOUBLE, {"count": WORD, **rows})
            total = room(inside, DOUBLE)
            inside.store(ir.Constant(DOUBLE, 0.0), total)
            with counted(inside, word(0), made.args[0]) as index:
                one, other = (load(inside, row, index) for row in (made.args[1], made.args[-1]))
                product = inside.fmul(one, other, flags=("contract",))
                inside.store(arithmetic.add(inside, inside.load(total), product), total)
            inside.ret(inside.load(total))
        given = [count, x] if x is y else [count, x, y]
        return Lane(builder, builder.call(made, given))

    def add(self, builder: Any, count: Any, row: Any, *terms: tuple[Lane, Any]) -> None:
        """Add multiples of other rows to a row."""
        name = f"add_{len(terms)}"
        made = self.module.globals.get(f"{name}{self.level.ending}")
        if made is None:
            more = {f"{kind}{k}": NUMBERS if kind == "x" else DOUBLE
                    for k in range(len(terms)) for kind in ("a", "x")}  # fmt: skip
            made, inside = self._begun(name, VOID, {"count": WORD, "row": NUMBERS, **more})
            _, target, *others = made.args
            with counted(inside, word(0), made.args[0]) as index:
                total = load(inside, target, index)
                for factor, other in zip(others[::2], others[1::2], strict=True):
                    product = inside.fmul(factor, load(inside, other, index), flags=("contract",))
                    total = inside.fadd(total, product, flags=("contract",))
                store(inside, total, target, index)
            inside.ret_void()
        builder.call(made, [count, row, *(each for f, x in terms for each in (f.value, x))])

    def turn(self, builder: Any, count: Any, rows: tuple[Any, Any], c: Lane, s: Lane) -> None:
        """Turn two rows: (x, y) becomes (c*x - s*y, s*x + c*y)."""
        made = self.module.globals.get(f"turn{self.level.ending}")
        if made is None:
            arguments = {"count": WORD, "x": NUMBERS, "y": NUMBERS, "c": DOUBLE, "s": DOUBLE}
            made, inside = self._begun("turn", VOID, arguments)
            _, x, y, cosine, sine = made.args
            with counted(inside, word(0), made.args[0]) as index:
                one, other = load(inside, x, index), load(inside, y, index)
                kept = ("contract",)
                left, right = (
                    inside.fmul(cosine, one, flags=kept),
                    inside.fmul(sine, other, flags=kept),
                )
                store(inside, inside.fsub(left, right, flags=kept), x, index)
                left, right = (
                    inside.fmul(sine, one, flags=kept),
                    inside.fmul(cosine, other, flags=kept),
                )
                store(inside, inside.fadd(left, right, flags=kept), y, index)
            inside.ret_void()
        builder.call(made, [count, *rows, c.value, s.value])


def _number(builder: Any, value: float) -> Lane:
    return Lane(builder, ir.Constant(DOUBLE, value))


def _at(builder: Any, row: Any, index: Any) -> Lane:
    return Lane(builder, load(builder, row, index))


def _root(x: Lane) -> Lane:
    return Lane(x.builder, intrinsic_call(x.builder, "sqrt", x.value))


def _like_sign(size: Lane, sign: Lane) -> Lane:
    return Lane(size.builder, intrinsic_call(size.builder, "copysign", size.value, sign.value))


def _tridiagonal(
    builder: Any, loops: _Loops, n: Any, matrix: Any, values: Any, beside: Any, work: Any
) -> None:
    """Reflect a matrix A to tridiagonal form: its diagonal goes to `values`, what lies beside to
    `beside`, both from the last number to the first.

    So small numbers come before large ones where a matrix has both, as rotations that begin at
    the end like it. Step k leaves v, which I - v v' reflects by, in row k behind the diagonal;
    |v|^2 is 2, or 0 where nothing needs to be reflected.
    """
    last = builder.sub(n, word(1))
    with counted(builder, word(0), n) as k:
        row = place(builder, matrix, builder.mul(k, n))
        store(builder, load(builder, row, k), values, builder.sub(last, k))
        following = builder.add(k, word(1))
        with builder.if_then(builder.icmp_signed("<", k, last)):
            rest = builder.sub(n, following)
            v = place(builder, row, following)
            _reflect(builder, loops, rest, v, place(builder, beside, builder.sub(rest, word(1))))
            _both_sides(builder, loops, n, matrix, following, rest, v, work)


def _reflect(builder: Any, loops: _Loops, count: Any, v: Any, beside: Any) -> None:
    """Make of a column the vector that reflects it onto its first entry, which goes to `beside`."""
    head = _at(builder, v, 0)
    tail = loops.dot(builder, builder.sub(count, word(1)), *[place(builder, v, 1)] * 2)
    moved = tail > 0.0
    size = _like_sign(_root(tail + head * head), head)
    builder.store(moved.choose(-size, head).value, beside)
    first = head + size
    squares = tail + first * first
    # v is to be sqrt(2)/|v| times itself; nothing where the column has its form already
    factor = moved.choose(_root(_number(builder, 2.0) / moved.choose(squares, 1.0)), 0.0)
    store(builder, first.value, v, 0)
    with counted(builder, word(0), count) as index:
        # a tail of 0 may hold numbers whose squares are too small to be seen
        store(builder, moved.choose(_at(builder, v, index) * factor, 0.0).value, v, index)


def _both_sides(
    builder: Any, loops: _Loops, n: Any, matrix: Any, first: Any, count: Any, v: Any, work: Any
) -> None:
    """Make of what is left of A, from row `first` on, (I - v v') A (I - v v')."""

    def line(index: Any) -> Any:
        at = builder.mul(builder.add(first, index), n)
        return place(builder, matrix, builder.add(at, first))

    with counted(builder, word(0), count) as index:
        store(builder, loops.dot(builder, count, line(index), v).value, work, index)
    half = loops.dot(builder, count, work, v) * -0.5
    loops.add(builder, count, work, (half, v))  # w = A v - (v' A v)/2 v
    with counted(builder, word(0), count) as index:
        terms = (-_at(builder, v, index), work), (-_at(builder, work, index), v)
        loops.add(builder, count, line(index), *terms)  # A - v w' - w v'


def _reflections(builder: Any, loops: _Loops, n: Any, matrix: Any, vectors: Any, work: Any) -> None:
    """Write the product of all reflections, transposed, from the last row to the first."""
    last = builder.sub(n, word(1))

    def line_of(row: Any) -> Any:
        return place(builder, vectors, builder.mul(builder.sub(last, row), n))

    with counted(builder, word(0), n) as row:
        line = line_of(row)
        with counted(builder, word(0), n) as column:
            same = builder.icmp_signed("==", row, column)
            one = builder.select(same, ir.Constant(DOUBLE, 1.0), ir.Constant(DOUBLE, 0.0))
            store(builder, one, line, column)
    with counted(builder, word(1), n) as step:
        first = builder.sub(n, step)  # row k = first - 1 holds the vector that begins at `first`
        v = place(builder, matrix, builder.add(builder.mul(builder.sub(first, word(1)), n), first))
        count = builder.sub(n, first)
        with counted(builder, first, n) as row:
            line = place(builder, line_of(row), first)
            loops.add(builder, count, line, (-loops.dot(builder, count, line, v), v))


def _diagonal(builder: Any, loops: _Loops, n: Any, vectors: Any, values: Any, beside: Any) -> None:
    """Turn what lies beside the diagonal to nothing, from the first row on."""
    made = builder.function
    nothing = _size(builder, n, values, beside).value
    with counted(builder, word(0), n) as row:
        swept = counter(builder)
        again, sweep, done = (made.append_basic_block(each) for each in ("again", "sweep", "done"))
        builder.branch(again)
        builder.position_at_end(again)
        coarse = builder.icmp_signed(">", builder.load(swept), word(_FINE_SWEEPS))
        floor = builder.select(coarse, nothing, ir.Constant(DOUBLE, 0.0))
        end = _end_of_part(builder, n, values, beside, row, floor)
        builder.cbranch(builder.icmp_signed("==", end, row), done, sweep)
        builder.position_at_end(sweep)
        hopeless = builder.icmp_signed(">", count_on(builder, swept), word(_SWEEPS))
        with builder.if_then(hopeless):
            builder.ret(ir.Constant(HALF, 1))
        _sweep(builder, loops, n, vectors, values, beside, row, end)
        builder.branch(again)
        builder.position_at_end(done)
    builder.ret(ir.Constant(HALF, 0))


def _size(builder: Any, n: Any, values: Any, beside: Any) -> Lane:
    """Return the rounding error of the largest number in a tridiagonal matrix."""
    largest = room(builder, DOUBLE)
    builder.store(ir.Constant(DOUBLE, 0.0), largest)
    with builder.if_then(builder.icmp_signed(">", n, word(0))):
        store(builder, ir.Constant(DOUBLE, 0.0), beside, builder.sub(n, word(1)))
    with counted(builder, word(0), n) as row:
        for each in (values, beside):
            size, known = _at(builder, each, row).size(), Lane(builder, builder.load(largest))
            builder.store((size > known).choose(size, known).value, largest)
    return Lane(builder, builder.load(largest)) * _PRECISION


def _end_of_part(builder: Any, n: Any, values: Any, beside: Any, row: Any, floor: Any) -> Any:
    """Return the first row, from `row` on, beside which there is nothing to speak of.

    That is what rounding loses of its neighbours, or what is below a floor.
    """
    made = builder.function
    index = room(builder, WORD)
    builder.store(row, index)
    last = builder.sub(n, word(1))
    names = ("look", "weigh", "next", "found")
    look, weigh, following, found = (made.append_basic_block(each) for each in names)
    builder.branch(look)
    builder.position_at_end(look)
    here = builder.load(index)
    builder.cbranch(builder.icmp_signed("<", here, last), weigh, found)
    builder.position_at_end(weigh)
    one, two = (_at(builder, values, each) for each in (here, builder.add(here, word(1))))
    little = (one.size() + two.size()) * _PRECISION
    size = _at(builder, beside, here).size()
    more = builder.and_((size > little).value, (size > Lane(builder, floor)).value)
    builder.cbranch(more, following, found)
    builder.position_at_end(following)
    builder.store(builder.add(here, word(1)), index)
    builder.branch(look)
    builder.position_at_end(found)
    return builder.load(index)


def _sweep(
    builder: Any, loops: _Loops, n: Any, vectors: Any, values: Any, beside: Any, top: Any, end: Any
) -> None:
    """Chase one rotation from the end of a part up to its top (the QL step of a tridiagonal)."""
    made = builder.function
    state = _before_sweep(builder, values, beside, top, end)
    index = room(builder, WORD)
    builder.store(builder.sub(end, word(1)), index)
    names = ("test", "rotate", "torn", "turn", "through", "over")
    test, rotate, torn, turn, through, over = (made.append_basic_block(each) for each in names)
    builder.branch(test)
    builder.position_at_end(test)
    i = builder.load(index)
    builder.cbranch(builder.icmp_signed(">=", i, top), rotate, through)
    builder.position_at_end(rotate)
    g, s, c, p = (Lane(builder, builder.load(state[name])) for name in ("g", "s", "c", "p"))
    after = builder.add(i, word(1))
    e = _at(builder, beside, i)
    f, b = s * e, c * e
    r = _root(f * f + g * g)
    store(builder, r.value, beside, after)
    builder.cbranch(r.equals(0.0).value, torn, turn)
    builder.position_at_end(torn)  # the part has come apart by itself
    store(builder, (_at(builder, values, after) - p).value, values, after)
    store(builder, ir.Constant(DOUBLE, 0.0), beside, end)
    builder.branch(over)
    builder.position_at_end(turn)
    s, c = f / r, g / r
    _shift(builder, values, (i, after), (s, c, b, p), state)
    rows = tuple(place(builder, vectors, builder.mul(each, n)) for each in (i, after))
    loops.turn(builder, n, (rows[0], rows[1]), c, s)
    builder.store(builder.sub(i, word(1)), index)
    builder.branch(test)
    builder.position_at_end(through)
    g, p = (Lane(builder, builder.load(state[name])) for name in ("g", "p"))
    store(builder, (_at(builder, values, top) - p).value, values, top)
    store(builder, g.value, beside, top)
    store(builder, ir.Constant(DOUBLE, 0.0), beside, end)
    builder.branch(over)
    builder.position_at_end(over)


def _before_sweep(builder: Any, values: Any, beside: Any, top: Any, end: Any) -> dict[str, Any]:
    """Return what a sweep carries from row to row: first the shift, and no rotation."""
    under = builder.add(top, word(1))
    d, e = _at(builder, values, top), _at(builder, beside, top)
    g = (_at(builder, values, under) - d) / (e * 2.0)
    g = _at(builder, values, end) - d + e / (g + _like_sign(_root(g * g + 1.0), g))
    state = {name: room(builder, DOUBLE) for name in ("g", "s", "c", "p")}
    begin = {"g": g.value, "s": ir.Constant(DOUBLE, 1.0), "c": ir.Constant(DOUBLE, 1.0),
             "p": ir.Constant(DOUBLE, 0.0)}  # fmt: skip
    for name, value in begin.items():
        builder.store(value, state[name])
    return state


def _shift(
    builder: Any, values: Any, rows: tuple[Any, Any], rotation: tuple[Lane, ...], state: Any
) -> None:
    """Write the number that a rotation of two rows leaves, and what goes on to the next row."""
    (i, after), (s, c, b, p) = rows, rotation
    g = _at(builder, values, after) - p
    r = (_at(builder, values, i) - g) * s + c * b * 2.0
    p = s * r
    store(builder, (g + p).value, values, after)
    for name, value in {"g": c * r - b, "s": s, "c": c, "p": p}.items():
        builder.store(value.value, state[name])
