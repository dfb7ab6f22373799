"""What LLVM code is written with: rows of words of eight bytes, arrays, and loops over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir

VOID, WORD, HALF, SHORT, BYTE, DOUBLE, FLOAT = (
    ir.VoidType(), ir.IntType(64), ir.IntType(32), ir.IntType(16), ir.IntType(8), ir.DoubleType(),
    ir.FloatType(),
)  # fmt: skip
WORDS, NUMBERS = WORD.as_pointer(), DOUBLE.as_pointer()


def word(value: int) -> Any:
    """Return a whole number of 64 bits."""
    return ir.Constant(WORD, int(value))


def place(builder: Any, base: Any, index: Any) -> Any:
    """Return the address of one item of an array."""
    return builder.gep(base, [word(index) if isinstance(index, int) else index])


def load(builder: Any, base: Any, index: Any) -> Any:
    """Read one item of an array."""
    return builder.load(place(builder, base, index))


def store(builder: Any, value: Any, base: Any, index: Any) -> None:
    """Write one item of an array."""
    builder.store(value, place(builder, base, index))


def numbers_at(builder: Any, record: Any, offset: int) -> Any:
    """Return the numbers that begin at a word of a record."""
    return builder.bitcast(place(builder, record, offset), NUMBERS)


def array_at(builder: Any, address: Any, kind: Any) -> Any:
    """Return the array of this kind of number that begins at an address, a word."""
    return builder.inttoptr(address, kind.as_pointer())


def room(builder: Any, kind: Any, count: int = 1) -> Any:
    """Return room for so many items, which lasts as long as the function runs."""
    with builder.goto_entry_block():
        return builder.alloca(kind, word(max(count, 1)))


@contextmanager
def counted(builder: Any, begin: Any, end: Any, step: int = 1) -> Iterator[Any]:
    """Write a loop; what stands within it is done for each index below `end`."""
    index = room(builder, WORD)
    builder.store(begin, index)
    test, body, after = (builder.append_basic_block(name) for name in ("test", "body", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    current = builder.load(index)
    builder.cbranch(builder.icmp_signed("<", current, end), body, after)
    builder.position_at_end(body)
    yield current
    builder.store(builder.add(current, word(step), flags=("nsw",)), index)
    builder.branch(test)
    builder.position_at_end(after)


def counter(builder: Any) -> Any:
    """Return room for a word that counts, from 0."""
    counted_in = room(builder, WORD)
    builder.store(word(0), counted_in)
    return counted_in


def count_on(builder: Any, counted_in: Any) -> Any:
    """Count one more; return how many that makes."""
    more = builder.add(builder.load(counted_in), word(1))
    builder.store(more, counted_in)
    return more


def is_true(builder: Any, number: Any) -> Any:
    """Return whether a number that was stored for true or false is true: NaN counts as true."""
    return builder.fcmp_unordered("!=", number, ir.Constant(number.type, 0.0))


def smaller(builder: Any, a: Any, b: Any) -> Any:
    """Return the smaller of two whole numbers."""
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def function(module: Any, name: str, result: Any, arguments: dict[str, Any]) -> tuple[Any, Any]:
    """Begin an internal function; return it and a builder at its beginning.

    Arguments are named; those that point never overlap.
    """
    made, builder = public(module, name, result, arguments)
    made.linkage = "internal"
    for argument in made.args:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")
    return made, builder


def once(module: Any, name: str, result: Any, arguments: dict[str, Any]) -> tuple[Any, Any]:
    """Return the function of this name, and a builder of its body where that is still to come.

    So a function that several others call is written by the first of them.
    """
    known = module.globals.get(name)
    return function(module, name, result, arguments) if known is None else (known, None)


def public(module: Any, name: str, result: Any, arguments: dict[str, Any]) -> tuple[Any, Any]:
    """Begin a function that others see; return it and a builder at its beginning."""
    made = ir.Function(module, ir.FunctionType(result, list(arguments.values())), name)
    for argument, label in zip(made.args, arguments, strict=True):
        argument.name = label
    return made, ir.IRBuilder(made.append_basic_block("entry"))
