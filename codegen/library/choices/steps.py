"""The functions that C calls, of a rule that chooses between others tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.calls import Call
from optdsl.codegen.library.choices.following import Following
from optdsl.codegen.library.choices.interface import ChoiceInterface
from optdsl.codegen.library.filters import each_tensor, in_cases
from optdsl.codegen.library.folds import finished
from optdsl.codegen.library.interface import Choice
from optdsl.codegen.library.numbers import COMBINED
from optdsl.codegen.library.settings import OK, Settings
from optdsl.codegen.library.steps import RESTED, THREADS, Loops, Steps
from optdsl.codegen.library.storing import Precision
from optdsl.codegen.support.emitting import (
    HALF,
    VOID,
    WORD,
    WORDS,
    counted,
    load,
    once,
    room,
    store,
    word,
)
from optdsl.model.system import State
from optdsl.program.cases import AskTogether, CasesProgram, InCase, Together
from optdsl.program.program import Combine, Guard, Program


class ChoiceSteps(Steps):
    """Writes the functions of C for one format; `loops` are those of each case."""

    def __init__(
        self, module: Any, rules: ChoiceInterface, settings: Settings, precision: Precision,
        ending: str, loops: Sequence[Loops],
    ) -> None:  # fmt: skip
        together = Loops({stage: each for own in loops for stage, each in own.passes.items()})
        super().__init__(module, rules, settings, precision, ending, together)
        self.rules = rules
        self.cases = [
            Steps(module, interface, settings, precision, ending, own)
            for interface, own in zip(rules.cases, loops, strict=True)
        ]
        self.folded: dict[Together, str] = {}
        self.following = Following(rules)

    def _step(self, name: str, more: dict[str, Any]) -> Any:
        made, builder = self._public(name, {"tensors": WORDS, "count": WORD, **more})
        given = {argument.name: argument for argument in made.args}
        now = self.following.now(builder, given["run"])
        call = Call(self.settings, builder, given, now)
        self._check(call)
        if now is not None:
            self.following.move(self, call, now)
        calls = [call.of_case(interface) for interface in self.rules.cases]
        rests = self._turns(self.rules.turns, calls)
        for interface, own in zip(self.rules.cases, calls, strict=True):
            with self._taken(call, interface.choice):
                for state, slot in interface.unit.slots.step_state.items():
                    if state in {each.name for each in interface.unit.system.states}:
                        store(builder, load(builder, own.step_state, slot), call.step_state, slot)
        builder.ret(self._commit(call, rests))
        return made

    def look(self, name: str, program: Program, shared: bool = False) -> Any:
        """Add a function that writes what it looks for, for tensors whose rule has it."""
        more, ending = (THREADS, "_in_threads") if shared else (self._room, "")
        made, builder = self._public(name + ending, {"tensors": WORDS, "count": WORD, **more})
        given = {argument.name: argument for argument in made.args}
        call = Call(self.settings, builder, given, self.following.before(builder, given["run"]))
        self._check(call)
        whole = self.rules.looking(name)
        assert whole is not None
        self._turns(whole, [call.of_case(interface) for interface in self.rules.cases])
        builder.ret(OK)
        return made

    # ------------------------------------------------------------------- turns

    def _turns(self, whole: CasesProgram, calls: list[Call]) -> dict[int, Any]:
        """Write what all cases do; return for those that may rest the parts that they count."""
        builder = calls[0].builder
        counted_parts: dict[int, Any] = {}
        for case, program in enumerate(whole.programs):
            if program is not None and any(isinstance(each, Guard) for each in program.stages):
                counted_parts[case] = room(builder, WORD)
                builder.store(word(self.rules.rule.parts), counted_parts[case])
        for turn in whole.turns:
            match turn:
                case InCase(case, Guard() as guard):
                    with self._awake(builder, case, counted_parts):
                        held = self.cases[case].rests(guard, calls[case])
                        with builder.if_then(held):
                            builder.store(word(guard.part + 1), counted_parts[case])
                case InCase(case, stage):
                    program = whole.programs[case]
                    assert program is not None
                    with self._awake(builder, case, counted_parts):
                        self.cases[case].stage(program, stage, calls[case])
                case AskTogether(gradient, points):
                    with self._awake(builder, points[0][0], counted_parts):
                        calls[0].ask([name for name, _ in self.rules.asked].index(gradient))
                case Together():
                    with self._awake(builder, turn.stages[0][0], counted_parts):
                        self._together(whole, turn, calls)
        return counted_parts

    @contextmanager
    def _awake(self, builder: Any, case: int, counted_parts: dict[int, Any]) -> Iterator[None]:
        """Do what stands within where a case does not rest."""
        if case not in counted_parts:
            yield
            return
        parts = builder.load(counted_parts[case])
        with builder.if_then(builder.icmp_signed("==", parts, word(self.rules.rule.parts))):
            yield

    @contextmanager
    def _taken(self, call: Call, choice: Choice | None) -> Iterator[None]:
        """Do what stands within where a case is taken in this step."""
        assert choice is not None
        now = self.following.before(call.builder, call.given["run"])
        held = self.rules.is_now(call.builder, now, choice.case)
        if held is None:
            yield
            return
        with call.builder.if_then(held):
            yield

    def _commit(self, call: Call, rests: dict[int, Any]) -> Any:
        """Count the step; return whether all rules rested in it."""
        builder, rules = call.builder, self.rules
        if not rules.guarded:
            for part in range(rules.rule.parts):
                call.count(part)
        moved = room(builder, WORD)
        builder.store(word(0), moved)
        for case, interface in enumerate(rules.cases):
            with self._taken(call, interface.choice):
                self._commit_case(call, case, rests.get(case), moved)
        held = builder.icmp_signed("==", builder.load(moved), word(0))
        return builder.select(held, RESTED, OK)

    def _commit_case(self, call: Call, case: int, rests: Any, moved: Any) -> None:
        """Count the parts of one case that have taken this step, and move their schedules on."""
        builder, rules = call.builder, self.rules
        all_parts = word(rules.rule.parts)
        parts = all_parts if rests is None else builder.load(rests)
        own = {each.hyperparameter.name for each in rules.cases[case].unit.feeds}
        first = rules.groups[rules.group(case)][0] == case
        for part in range(rules.rule.parts):
            feeds = [each for each in self.unit.feeds if each.hyperparameter.name in own
                     and each.hyperparameter.part == part]  # fmt: skip
            if not feeds and not rules.guarded:
                continue
            with builder.if_then(builder.icmp_signed("<", word(part), parts)):
                if rules.guarded and (rules.now or first):
                    call.count(rules.clock_in(case, part))
                call.keep(feeds)
        with builder.if_then(builder.icmp_signed("==", parts, all_parts)):
            builder.store(word(1), moved)

    def _together(self, whole: CasesProgram, turn: Together, calls: list[Call]) -> None:
        """Finish the reductions over several cases, then compute what follows, once."""
        case, stage = turn.stages[0]
        call = calls[case]
        if stage.reductions:
            call.run(self._finish(turn))
        if stage.assignments:
            program = whole.programs[case]
            assert program is not None
            call.run(self.cases[case].combine(program, Combine(stage.part, (), stage.assignments)))

    def _finish(self, turn: Together) -> Any:
        """Return the function that finishes the reductions over the tensors of some cases."""
        name = self.folded.setdefault(turn, f"together_{len(self.folded)}")
        made, builder = once(self.module, name, VOID, COMBINED)
        if builder is None:
            return made
        tensors, count, _, everything = made.args
        record, cases = self.interface.tensor, [case for case, _ in turn.stages]
        entries = room(builder, WORD)
        builder.store(word(0), entries)
        with (
            each_tensor(builder, self.interface, tensors, count) as (_, tensor),
            in_cases(builder, self.interface, tensor, cases),
        ):
            size = load(builder, tensor, record.offset("size"))
            builder.store(builder.add(builder.load(entries), size), entries)
        interface = self.rules.cases[cases[0]]
        assert interface.choice is not None
        for each in turn.stages[0][1].reductions:
            total = load(builder, everything, interface.choice.carry[each.name])
            found = finished(builder, each.operator, total, builder.load(entries))
            store(builder, found, everything, interface.unit.slots.everything[each.name])
        builder.ret_void()
        return made

    def _check(self, call: Call) -> None:
        """Return -k, where k is one more than there are numbers of hyper, for a wrong `which`."""
        builder, record = call.builder, self.interface.tensor
        wrong = ir.Constant(HALF, -1 - max(len(self.interface.unit.slots.hyper), 1))
        with counted(builder, word(0), call.given["count"]) as number:
            at = builder.add(builder.mul(number, word(record.words)), word(record.offset("which")))
            which = load(builder, call.given["tensors"], at)
            beyond = builder.icmp_unsigned(">=", which, word(len(self.rules.cases)))
            with builder.if_then(beyond):
                builder.ret(wrong)

    def _prepared(self, builder: Any, run: Any, tensors: Any, count: Any) -> Any:
        """Let every tensor begin with the first rule under its condition."""
        self.following.begin(builder, run, tensors, count)
        return self.following.before(builder, run)

    @contextmanager
    def _having(self, builder: Any, tensor: Any, state: State) -> Iterator[None]:
        """Do what stands within for a tensor whose rule has a state."""
        with in_cases(builder, self.interface, tensor, self.rules.rule.cases_with(state)):
            yield
