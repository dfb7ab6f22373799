"""How the loops of Numba kernels load and store states in formats of their own.

Formats of 16 bits are the business of `view`, which makes arrays that widen and round. States
in blocks are widened, a block of entries at a time, into room that stays in the nearest cache.
"""

from __future__ import annotations

from optdsl.codegen.blocks import indent
from optdsl.codegen.loops import Loop
from optdsl.codegen.storing import Target, Words
from optdsl.runtime.formats import SCALE
from optdsl.storage import Storage


def _store(array: str, storage: Storage | None, value: str, words: Words | None) -> str:
    if words is None or storage is None or storage.block is not None:
        return f"{array}[i] = {value}"
    return f"{array}[i] = {storage.format}_by_chance({value}, {words()})"


STORED = Target(
    load=lambda array, storage: f"{array}[i]",
    store=_store,
    words=lambda counter: f"i, {counter}",
    lost=lambda value, array: (
        f"where(isfinite({value} - {array}[i]), {value} - {array}[i], real(0.0))"
    ),
)


def by_blocks(loop: Loop, update: str, arguments: list[str]) -> list[str]:
    """Return the lines that run `update` over each block of entries of a chunk."""
    written = {store.stream for store in loop.stage.stores}
    rooms, opened, closed = [], [], []
    for place, (stream, array) in enumerate(loop.arrays.items()):
        block = loop.kept.block(stream)
        if block is None:
            address = f"addresses[chunk, {place}] + begin*size_of(formats[{place}])"
            opened.append(f"{array} = view({address}, count, formats[{place}])")
            continue
        records = f"addresses[chunk, {place}] + begin//{block}*{block + SCALE}"
        rooms.append(f"{array}_room = room()")
        opened.append(f"{array} = open_blocks({records}, {block}, count, {array}_room)")
        if stream in written:
            closed.append(_closed(loop, stream, f"{array}, {records}, {block}"))
    given = ["begins[chunk] + begin" if each == "begins[chunk]" else each for each in arguments]
    lines = [f"count = min({loop.block}, counts[chunk] - begin)", *opened]
    lines += [f"{update}({', '.join(given)})", *closed]
    return [*rooms, f"for begin in range(0, counts[chunk], {loop.block}):", *indent(lines)]


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
