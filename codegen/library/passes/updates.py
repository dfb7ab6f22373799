"""One piece of a pass: the loop over some entries, with states in blocks widened around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.blocks import Blocks, room_for
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.storing import rounding_key
from optdsl.codegen.support.emitting import (
    DOUBLE,
    WORD,
    counted,
    load,
    place,
    room,
    smaller,
    store,
    word,
)
from optdsl.model.expressions import Clock, Kind
from optdsl.program.program import Pass, neutral
from optdsl.storage import Storage


@dataclass(frozen=True)
class Update:
    """The function of `entries.py` for a pass, and how it is called for one level."""

    module: Any
    interface: Interface
    stage: Pass
    storages: dict[str, Storage]
    function: Any
    ending: str

    @property
    def block(self) -> int:
        """The entries that are worked on at once, because they share a scale; 0 if none do."""
        return max((each.block or 0 for each in self.storages.values()), default=0)

    def places(self, builder: Any, arrays: list[Any], entry: Any) -> list[Any]:
        """Return where an entry lies in each array, one with which a block begins."""
        return [
            place(builder, array, entry if each.block is None
                  else Blocks(self.module, each.block, self.ending).offset(builder, entry))
            for array, each in zip(arrays, self.storages.values(), strict=True)
        ]  # fmt: skip

    def call(
        self, builder: Any, arrays: list[Any], count: Any, numbers: list[Any], begin: Any,
        identity: Any,
    ) -> None:  # fmt: skip
        """Work on `count` entries; `begin` says which one of the tensor is the first."""
        if not self.block:
            builder.call(self.function, [*arrays, count, *numbers, begin, identity])
            return
        rooms = {name: room_for(builder, self.block)
                 for name, each in self.storages.items() if each.block is not None}  # fmt: skip
        keys = self._keys(builder, numbers, identity)
        if not self.stage.by_rows:
            self.clear(builder, numbers[-1])
        with counted(builder, word(0), count, self.block) as first:
            some = smaller(builder, builder.sub(count, first), word(self.block))
            at = dict(zip(self.storages, self.places(builder, arrays, first), strict=True))
            for name, numbers_of in rooms.items():
                builder.call(self._blocks(name).open(), [at[name], some, numbers_of])
            entry = builder.add(begin, first)
            given = list({**at, **rooms}.values())
            builder.call(self.function, [*given, some, *numbers, entry, identity])
            for name in {each.stream: None for each in self.stage.stores if each.stream in rooms}:
                close = self._blocks(name).close(self._code(name))
                builder.call(close, [at[name], some, rooms[name], keys[name], entry])

    def _blocks(self, stream: str) -> Blocks:
        block = self.storages[stream].block
        assert block is not None
        return Blocks(self.module, block, self.ending)

    def _code(self, stream: str) -> int | None:
        """Return what tells the noise of a stream from others, or None where it rounds plainly."""
        if not self.storages[stream].stochastic:
            return None
        return self.interface.kept.code(stream)

    def _keys(self, builder: Any, numbers: list[Any], identity: Any) -> dict[str, Any]:
        """Return for each stream in blocks the key of its noise; no address where it has none."""
        slots = self.interface.unit.slots
        scalars, everything = numbers[0], numbers[2]
        keys: dict[str, Any] = {}
        for name, each in self.storages.items():
            keys[name] = ir.Constant(WORD.as_pointer(), None)
            code = self._code(name)
            if each.block is None or code is None:
                continue
            assert slots.seed is not None
            rows = {
                "step": (scalars, slots.scalars[Clock(self.stage.part)]),
                "low": (everything, slots.seed),
                "high": (everything, slots.seed + 1),
            }
            at = {key: builder.fptoui(load(builder, *row), WORD) for key, row in rows.items()}
            keys[name] = room(builder, WORD, 2)
            for index, half in enumerate(rounding_key(builder, {**at, "identity": identity}, code)):
                store(builder, half, keys[name], index)
        return keys

    def clear(
        self, builder: Any, partials: Any, places: dict[str, Any] | None = None, shape: Any = None
    ) -> None:
        """Start the running totals of some rows, or of the entries of several blocks."""
        numbers = 0
        for each in self.stage.reductions:
            begin = ir.Constant(DOUBLE, neutral(each.operator))
            if each.kind.is_number:
                store(builder, begin, partials, numbers)
                numbers += 1
                continue
            assert places is not None
            with counted(builder, word(0), shape[each.kind is not Kind.ROW]) as index:
                store(builder, begin, places[each.partial], index)
