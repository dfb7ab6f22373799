"""Hyperparameters of one step, in LLVM code: what a caller left open is filled in, all is checked.

A caller leaves a number open as NaN. Then the formula or the schedule of the spec gives it; one
that is read a step ahead is what it is now. A number outside its domain is told by its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.interface import Interface, feed_key
from optdsl.codegen.library.numbers import formula_function, schedule_function
from optdsl.codegen.support.arithmetic import intrinsic_call
from optdsl.codegen.support.emitting import (
    DOUBLE,
    HALF,
    NUMBERS,
    WORDS,
    function,
    load,
    place,
    room,
    store,
    word,
)
from optdsl.model.expressions import Constant, Kind, Number, Value, values
from optdsl.model.overriding import Feed
from optdsl.model.system import Domain, Hyperparameter

OK = ir.Constant(HALF, 0)


class Settings:
    """Writes the function that makes the hyperparameters of a step.

    `resolve(hyper, clocks, states, out)` returns 0, or -k where number k, from 1, is outside its
    domain. `states` are those of the schedules, which it moves on.
    """

    def __init__(self, module: Any, interface: Interface) -> None:
        self.interface, self.unit = interface, interface.unit
        self.slots = self.unit.slots.hyper
        self.feeds = {feed.hyperparameter.name: feed for feed in self.unit.feeds}
        self.formulas = [h for h in self.unit.system.hyperparameters if self._is_open(h)]
        self.functions = {
            hyper.name: schedule_function(module, interface, self.feeds[hyper.name])
            if hyper.name in self.feeds
            else formula_function(module, interface, hyper)
            for hyper in self.formulas
        }
        arguments = {"hyper": NUMBERS, "clocks": WORDS, "states": NUMBERS, "out": NUMBERS}
        arguments |= {"now": WORDS} if interface.now else {}
        self.function, self.builder = function(module, "resolve", HALF, arguments)
        self.hyper, self.clocks, self.states, self.out = self.function.args[:4]
        self._write()

    def _is_open(self, hyper: Hyperparameter) -> bool:
        known = hyper.default is None or isinstance(hyper.default, Number | Constant)
        return hyper.name in self.feeds or not known

    @property
    def width(self) -> int:
        """How many numbers there are."""
        return len(self.slots)

    @property
    def first_state(self) -> int:
        """The word of a run at which the states of schedules begin."""
        run = self.interface.run
        keys = [feed_key(f, s.name) for f in self.unit.feeds for s in f.states]
        return min((run.offset(key) for key in keys), default=0)

    @property
    def state_count(self) -> int:
        """How many states the schedules have."""
        return sum(len(feed.states) for feed in self.unit.feeds)

    def _write(self) -> None:
        builder = self.builder
        for slot in range(self.width):
            store(builder, load(builder, self.hyper, slot), self.out, slot)
        for hyper in self._sorted():
            slot = self.slots[Value(hyper.name, Kind.STEP)]
            with self._read_now(hyper):
                self._fill(slot, lambda hyper=hyper: self._given(hyper, 0))
        by_name = {each.name: each for each in self.unit.system.hyperparameters}
        for value, slot in self.slots.items():
            if value.offset == 1:
                with self._read_now(by_name[value.name]):
                    self._fill(slot, lambda v=value: self._ahead(by_name[v.name]))
        for value, slot in self.slots.items():
            if value.name in by_name:
                with self._read_now(by_name[value.name]):
                    self._check(slot, by_name[value.name].domain)
        builder.ret(OK)

    @contextmanager
    def _read_now(self, hyper: Hyperparameter) -> Iterator[None]:
        """Do what stands within where a rule that has a hyperparameter is taken in this step."""
        found = self.interface.taken(self.builder, self.function.args[-1], hyper)
        if found is None:
            yield
            return
        with self.builder.if_then(found):
            yield

    def _sorted(self) -> list[Hyperparameter]:
        """Return the open ones so that each stands behind those that it reads."""
        waiting, found = list(self.formulas), list[Hyperparameter]()
        while waiting:
            names = {each.name for each in waiting}
            ready = [each for each in waiting if not (self._reads(each) & names) - {each.name}]
            found += ready or waiting
            waiting = [each for each in waiting if each not in found]
        return found

    def _reads(self, hyper: Hyperparameter) -> set[str]:
        if hyper.name in self.feeds:
            trees = [each.value for each in self.feeds[hyper.name].equations]
        else:
            assert hyper.default is not None
            trees = [hyper.default]
        return {value.name for tree in trees for value in values(tree)}

    def _fill(self, slot: int, give: Any) -> None:
        """Put a number where the caller gave none."""
        builder = self.builder
        number = load(builder, self.out, slot)
        with builder.if_then(builder.fcmp_unordered("uno", number, number)):
            store(builder, give(), self.out, slot)

    def _given(self, hyper: Hyperparameter, ahead: int) -> Any:
        """Return what the spec gives in this step, or so many ahead."""
        builder = self.builder
        clock = load(builder, self.clocks, self.interface.clock_of(hyper))
        begins = 0 if hyper.name in self.feeds else hyper.begins  # schedules begin by themselves
        t = builder.sitofp(builder.add(clock, word(1 + ahead - begins)), DOUBLE)
        given = [t, self.out]
        if hyper.name in self.feeds:
            first = feed_key(self.feeds[hyper.name], "")
            run = self.interface.run
            begin = min((run.offset(key) for key in run.fields if key.startswith(first)),
                        default=self.first_state)  # fmt: skip
            states = place(builder, self.states, begin - self.first_state)
            given.append(self._copied(states, self.feeds[hyper.name]) if ahead else states)
        return builder.call(self.functions[hyper.name], given)

    def _copied(self, states: Any, feed: Feed) -> Any:
        """Return a copy of the states of a schedule, for a look ahead that moves them."""
        copy = room(self.builder, DOUBLE, len(feed.states))
        for slot in range(len(feed.states)):
            store(self.builder, load(self.builder, states, slot), copy, slot)
        return copy

    def _ahead(self, hyper: Hyperparameter) -> Any:
        """Return a number of the step to come: what the caller gave for this one, or the spec."""
        builder, slot = self.builder, self.slots[Value(hyper.name, Kind.STEP)]
        now = load(builder, self.out, slot)
        if hyper not in self.formulas:
            return now
        found, given = room(builder, DOUBLE), load(builder, self.hyper, slot)
        builder.store(now, found)
        with builder.if_then(builder.fcmp_unordered("uno", given, given)):
            builder.store(self._given(hyper, 1), found)
        return builder.load(found)

    def _check(self, slot: int, domain: Domain | None) -> None:
        builder = self.builder
        number = load(builder, self.out, slot)
        within = self._within(number, domain or Domain())
        with builder.if_then(builder.not_(within)):
            builder.ret(ir.Constant(HALF, -1 - slot))

    def _within(self, number: Any, domain: Domain) -> Any:
        builder = self.builder
        low, high = (ir.Constant(DOUBLE, float(each)) for each in (domain.low, domain.high))
        above = ">" if domain.low_open or math.isinf(domain.low) else ">="
        below = "<" if domain.high_open or math.isinf(domain.high) else "<="
        inside = builder.and_(
            builder.fcmp_ordered(above, number, low), builder.fcmp_ordered(below, number, high)
        )
        if not domain.whole:
            return inside
        floor = intrinsic_call(builder, "floor", number)
        return builder.and_(inside, builder.fcmp_ordered("==", floor, number))
