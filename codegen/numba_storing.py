"""How the loops of Numba kernels load and store states in formats of their own.

Formats of 16 bits are the business of `view`, which makes arrays that widen and round. Of states
in blocks, one block of entries is worked on at a time. Where all have blocks of one size and
round to the nearest, the arrays of `block_arrays` widen and round; else a block is widened into
room that stays in the nearest cache, and rounded when it has been worked on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from optdsl.codegen.loops import Loop
from optdsl.codegen.source import indent
from optdsl.codegen.storing import Access, Words
from optdsl.runtime.formats import SCALE
from optdsl.storage import Storage


def _store(array: str, storage: Storage | None, value: str, words: Words | None) -> str:
    if words is None or storage is None or storage.block is not None:
        return f"{array}[i] = {value}"
    return f"{array}[i] = {storage.format}_by_chance({value}, {words()})"


ACCESS = Access(
    load=lambda array, storage: f"{array}[i]",
    store=_store,
    words=lambda counter: f"i, {counter}",
    lost=lambda value, array: (
        f"where(isfinite({value} - {array}[i]), {value} - {array}[i], real(0.0))"
    ),
)


@dataclass
class _Lines:
    """The lines around `update`: before all blocks, before and after each, and after all."""

    before: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def by_blocks(loop: Loop, update: str, arguments: list[str]) -> list[str]:
    """Return the lines that run `update` over each block of entries of a chunk."""
    lines = _Lines(opened=[f"count = min({loop.block}, counts[chunk] - begin)"])
    for place, (stream, array) in enumerate(loop.arrays.items()):
        block = loop.kept.block(stream)
        if block is None:
            address = f"addresses[chunk, {place}] + begin*size_of(formats[{place}])"
            lines.opened.append(f"{array} = view({address}, count, formats[{place}])")
        else:
            records = f"addresses[chunk, {place}] + begin//{block}*{block + SCALE}"
            _around(loop, stream, records, lines)
    given = ["begins[chunk] + begin" if each == "begins[chunk]" else each for each in arguments]
    work = [*lines.opened, f"{update}({', '.join(given)})", *lines.closed]
    each = f"for begin in range(0, counts[chunk], {loop.block}):"
    return [*lines.before, each, *indent(work), *lines.after]


def _around(loop: Loop, stream: str, records: str, lines: _Lines) -> None:
    """Add the lines of a state in blocks, of which `records` is where those of this turn are."""
    array, storage = loop.arrays[stream], loop.kept.formats[stream]
    block, written = storage.block, stream in {store.stream for store in loop.stage.stores}
    if block == loop.block and not written:
        lines.opened.append(f"{array} = read_block({records}, count)")
    elif block == loop.block and not storage.stochastic:
        lines.before.append(f"{array} = before_blocks(rooms(), {block})")
        lines.opened.append(f"{array} = next_block({array}, {records}, count)")
        lines.after.append(f"last_block({array}, {block})")
    else:
        lines.before.append(f"{array}_room = room()")
        lines.opened.append(f"{array} = open_blocks({records}, {block}, count, {array}_room)")
        if written:
            lines.closed.append(_closed(loop, stream, f"{array}, {records}, {block}"))


def _closed(loop: Loop, stream: str, place: str) -> str:
    if not loop.kept.formats[stream].stochastic:
        return f"close_blocks({place})"
    loop.draws = True
    seed, step = loop.unit.slots.seed, loop.rounding_step
    assert seed is not None
    counter = (
        f"begins[chunk] + begin, row, scalars[cohort[row], {step}], {loop.kept.code(stream)}, "
        f"everything[{seed}], everything[{seed + 1}]"
    )
    return f"close_blocks_by_chance({place}, {counter})"
