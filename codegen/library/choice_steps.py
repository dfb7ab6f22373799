"""The functions that C calls, of a rule that chooses between others tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.calls import Call
from optdsl.codegen.library.choices import Whole as Rules
from optdsl.codegen.library.filters import in_cases
from optdsl.codegen.library.folds import finished
from optdsl.codegen.library.numbers import COMBINED
from optdsl.codegen.library.settings import OK, Settings
from optdsl.codegen.library.steps import Loops, Steps
from optdsl.codegen.library.storing import Precision
from optdsl.codegen.support.emitting import (
    HALF,
    VOID,
    WORD,
    WORDS,
    counted,
    function,
    load,
    place,
    room,
    store,
    word,
)
from optdsl.model.system import State
from optdsl.program.cases import InCase, Together
from optdsl.program.program import Combine


class ChoiceSteps(Steps):
    """Writes the functions of C for one format; `loops` are those of each case."""

    def __init__(
        self, module: Any, rules: Rules, settings: Settings, precision: Precision, ending: str,
        loops: Sequence[Loops],
    ) -> None:  # fmt: skip
        together = Loops({stage: each for own in loops for stage, each in own.passes.items()})
        super().__init__(module, rules, settings, precision, ending, together)
        self.rules = rules
        self.cases = [
            Steps(module, interface, settings, precision, ending, own)
            for interface, own in zip(rules.cases, loops, strict=True)
        ]
        self.folded: dict[Together, str] = {}

    def _step(self, name: str, more: dict[str, Any]) -> Any:
        made, builder = self._public(name, {"tensors": WORDS, "count": WORD, **more})
        call = Call(self.settings, builder, {argument.name: argument for argument in made.args})
        self._check(call)
        calls = [call.of_case(interface) for interface in self.rules.cases]
        for turn in self.rules.turns.turns:
            match turn:
                case InCase(case, stage):
                    program = self.rules.turns.programs[case]
                    assert program is not None
                    self.cases[case].stage(program, stage, calls[case])
                case Together():
                    self._together(turn, calls)
        for interface, own in zip(self.rules.cases, calls, strict=True):
            for state, slot in interface.unit.slots.step_state.items():
                if state in {each.name for each in interface.unit.system.states}:
                    store(builder, load(builder, own.step_state, slot), call.step_state, slot)
        call.commit(range(self.rules.rule.parts))
        builder.ret(OK)
        return made

    def _together(self, turn: Together, calls: list[Call]) -> None:
        """Finish the reductions over several cases, then compute what follows, once."""
        case, stage = turn.stages[0]
        call = calls[case]
        if stage.reductions:
            call.run(self._finish(turn))
        if stage.assignments:
            program = self.rules.turns.programs[case]
            assert program is not None
            call.run(self.cases[case].combine(program, Combine(stage.part, (), stage.assignments)))

    def _finish(self, turn: Together) -> Any:
        """Return the function that finishes the reductions over the tensors of some cases."""
        name = self.folded.setdefault(turn, f"together_{len(self.folded)}")
        known = self.module.globals.get(name)
        if known is not None:
            return known
        made, builder = function(self.module, name, VOID, COMBINED)
        tensors, count, _, everything = made.args
        record, cases = self.interface.tensor, [case for case, _ in turn.stages]
        entries = room(builder, WORD)
        builder.store(word(0), entries)
        with counted(builder, word(0), count) as number:
            tensor = place(builder, tensors, builder.mul(number, word(record.words)))
            with in_cases(builder, self.interface, tensor, cases):
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

    @contextmanager
    def _having(self, builder: Any, tensor: Any, state: State) -> Iterator[None]:
        """Do what stands within for a tensor whose rule has a state."""
        with in_cases(builder, self.interface, tensor, self.rules.rule.cases_with(state)):
            yield
