"""One call from C, in LLVM code."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.interface import Interface, feed_key
from optdsl.codegen.library.passes.tasks import FOR_EACH, PassFunctions, count_function, tell
from optdsl.codegen.library.settings import OK, Settings
from optdsl.codegen.support.emitting import (
    BYTE,
    DOUBLE,
    HALF,
    NUMBERS,
    WORDS,
    counted,
    load,
    numbers_at,
    place,
    room,
    smaller,
    store,
    word,
)
from optdsl.model.overriding import Feed

#: Tasks of a pass, where there are many chunks: enough to balance threads. A task has at least
#: and at most so many chunks.
_TASKS, _LEAST, _LARGEST = 128, 4, 16
_POOL = BYTE.as_pointer()


class Call:
    """One call from C: its hyperparameters, checked, and the rows of numbers of this step.

    Where `given` has a function `for_each`, the threads of the caller share every pass. `now` says
    which rules are taken in this step, where that changes.
    """

    def __init__(
        self, settings: Settings, builder: Any, given: dict[str, Any], now: Any = None
    ) -> None:
        self.settings, self.builder, self.given = settings, builder, given
        self.interface, self.unit = settings.interface, settings.unit
        interface = self.interface
        run, slots = given["run"], self.unit.slots
        self.hyper = room(builder, DOUBLE, settings.width)
        self.states = room(builder, DOUBLE, settings.state_count)
        self.scalars = room(builder, DOUBLE, len(slots.scalars))
        self.everything = numbers_at(builder, run, interface.first(interface.run, "all"))
        self.step_state = numbers_at(builder, run, interface.first(interface.run, "step"))
        self.kept = numbers_at(builder, run, settings.first_state)
        for index in range(settings.state_count):
            store(builder, load(builder, self.kept, index), self.states, index)
        arguments = [given["hyper"], run, self.states, self.hyper]
        arguments += [] if now is None else [now]
        verdict = builder.call(settings.function, arguments)
        with builder.if_then(builder.icmp_signed("!=", verdict, OK)):
            builder.ret(verdict)
        if slots.seed is not None:
            self._sow(load(builder, run, interface.run.offset("seed")), slots.seed)

    def _sow(self, seed: Any, slot: int) -> None:
        builder = self.builder
        words = builder.and_(seed, word(0xFFFFFFFF)), builder.lshr(seed, word(32))
        for place_in_row, half in enumerate(words, slot):
            store(builder, builder.uitofp(half, DOUBLE), self.everything, place_in_row)

    def of_case(self, interface: Interface) -> Call:
        """Return the same call for the tensors of one case, with numbers of its own."""
        case = copy(self)
        case.interface, case.unit = interface, interface.unit
        case.scalars = room(self.builder, DOUBLE, len(case.unit.slots.scalars))
        count = len(case.unit.slots.step_state)
        case.step_state = room(self.builder, DOUBLE, count)
        for slot in range(count):
            known = load(self.builder, self.step_state, slot)
            store(self.builder, known, case.step_state, slot)
        return case

    def scalars_of(self, function: Any, part: int) -> None:
        """Compute the numbers of this step for one part."""
        builder = self.builder
        clock = load(builder, self.given["run"], self.interface.clock(part))
        t = builder.sitofp(builder.add(clock, word(1)), DOUBLE)
        builder.call(function, [t, self.hyper, self.step_state, self.scalars])

    def run(self, function: Any) -> None:
        """Run a pass, or what follows from one, over all tensors."""
        given = [self.given["tensors"], self.given["count"], self.scalars, self.everything]
        self.builder.call(function, given)

    def run_matrices(self, function: Any) -> None:
        """Run a stage of whole matrices, alone or with the threads of the caller."""
        nobody = {"for_each": ir.Constant(FOR_EACH, None), "pool": ir.Constant(_POOL, None)}
        given = nobody | self.given
        rest = [given["tensors"], given["count"], self.scalars, self.everything]
        room = self.builder.bitcast(given["room"], WORDS)
        self.builder.call(function, [*rest, room, given["for_each"], given["pool"]])

    def run_pass(self, made: PassFunctions) -> None:
        """Run a pass over all tensors: alone, or in tasks."""
        if "for_each" not in self.given:
            self.run(made.alone)
            return
        builder, shared = self.builder, self._shared()
        if made.by_rows:
            shared |= {"pieces": self.given["count"], "some": word(1)}
        data = tell(builder, shared)
        most = builder.add(shared["pieces"], builder.sub(shared["some"], word(1)))
        tasks = builder.sdiv(most, shared["some"])
        is_one = builder.icmp_signed("<=", tasks, word(1))
        with builder.if_else(is_one) as (alone, together):
            with alone, counted(builder, word(0), tasks) as number:
                builder.call(made.task, [data, number])
            with together:
                given = [self.given["pool"], tasks, made.task, data]
                builder.call(self.given["for_each"], given)
        if made.fold is not None:
            builder.call(made.fold, [data])

    def _shared(self) -> dict[str, Any]:
        """Return what the tasks of a pass over chunks are told."""
        builder = self.builder
        tensors, count = self.given["tensors"], self.given["count"]
        firsts = builder.bitcast(self.given["room"], WORDS)
        pieces = builder.call(
            count_function(builder.module, self.interface), [tensors, count, firsts]
        )
        partials = builder.bitcast(place(builder, firsts, builder.add(count, word(1))), NUMBERS)
        fair = builder.sdiv(pieces, word(_TASKS))
        some = builder.select(builder.icmp_signed("<", fair, word(_LEAST)), word(_LEAST), fair)
        some = smaller(builder, some, word(_LARGEST))
        return {
            "tensors": tensors, "count": count, "scalars": self.scalars,
            "everything": self.everything, "firsts": firsts, "partials": partials,
            "some": some, "pieces": pieces,
        }  # fmt: skip

    def ask(self, number: int) -> None:
        """Ask for a gradient."""
        given = [self.given["context"], self.given["tensors"], self.given["count"]]
        self.builder.call(self.given["gradient"], [*given, ir.Constant(HALF, number)])

    def commit(self, parts: Iterable[int]) -> None:
        """Count a step of these parts."""
        for part in parts:
            self.count(self.interface.clock(part))
            self.keep(feed for feed in self.unit.feeds if feed.hyperparameter.part == part)

    def count(self, clock: int) -> None:
        """Count a step."""
        run = self.given["run"]
        more = self.builder.add(load(self.builder, run, clock), word(1))
        store(self.builder, more, run, clock)

    def keep(self, feeds: Iterable[Feed]) -> None:
        """Let schedules stand where this step has moved them."""
        for feed in feeds:
            for state in feed.states:
                key = feed_key(feed, state.name)
                slot = self.settings.interface.run.offset(key) - self.settings.first_state
                store(self.builder, load(self.builder, self.states, slot), self.kept, slot)
