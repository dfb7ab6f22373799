"""Rules that follow one another, in LLVM code: which one a tensor takes in a step.

A run holds for each group of rules, those of one condition on tensors, the one that is taken; the
field `which` of a tensor follows it. Steps are counted once for all rules of a group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optdsl.codegen.library.filters import each_tensor
from optdsl.codegen.support.emitting import WORD, load, place, room, store, word
from optdsl.model.alternatives import Window

if TYPE_CHECKING:
    from optdsl.codegen.library.calls import Call
    from optdsl.codegen.library.choices.interface import ChoiceInterface
    from optdsl.codegen.library.steps import Steps


class Following:
    """Writes what moves tensors from one rule to the next."""

    def __init__(self, rules: ChoiceInterface) -> None:
        self.rules = rules

    def before(self, builder: Any, run: Any) -> Any:
        """Return what tells which rules were taken last; None where none follows another."""
        if not self.rules.now:
            return None
        return place(builder, run, self.rules.run.offset("now"))

    def begin(self, builder: Any, run: Any, tensors: Any, count: Any) -> None:
        """Let each group begin with the first of its rules, and its tensors too."""
        now = self.before(builder, run)
        if now is None:
            return
        for number, group in enumerate(self.rules.groups):
            store(builder, word(group[0]), now, number)
        record = self.rules.tensor
        with each_tensor(builder, self.rules, tensors, count) as (_, tensor):
            which = load(builder, tensor, record.offset("which"))
            first = which  # one that is wrong stays so, and is refused
            for group in self.rules.groups:
                for case in group[1:]:
                    held = builder.icmp_signed("==", which, word(case))
                    first = builder.select(held, word(group[0]), first)
            store(builder, first, tensor, record.offset("which"))

    def now(self, builder: Any, run: Any) -> Any:
        """Return what tells which rules are taken in this step; None where none follows another."""
        before = self.before(builder, run)
        if before is None:
            return None
        found = room(builder, WORD, len(self.rules.groups))
        for number, group in enumerate(self.rules.groups):
            taken = load(builder, before, number)
            for case in reversed(group):
                held = self._holds(builder, run, case, self.rules.rule.cases[case].windows)
                taken = builder.select(held, word(case), taken) if held is not None else word(case)
            store(builder, taken, found, number)
        return found

    def _holds(self, builder: Any, run: Any, case: int, windows: tuple[Window, ...]) -> Any:
        """Return whether the next step lies within the windows of a case; None if all do."""
        found = None
        for window in windows:
            steps = load(builder, run, self.rules.clock_in(case, window.part))
            tests = [(">=", window.after), *([] if window.until is None else [("<", window.until)])]
            for symbol, bound in tests:
                held = builder.icmp_signed(symbol, steps, word(bound))
                found = held if found is None else builder.and_(found, held)
        return found

    def move(self, steps: Steps, call: Call, now: Any) -> None:
        """Let tensors go on to the rules of this step, whose own states begin."""
        builder, run = call.builder, call.given["run"]
        before = self.before(builder, run)
        for number, group in enumerate(self.rules.groups):
            following, last = load(builder, now, number), load(builder, before, number)
            for place_in_group, old in enumerate(group):
                was = builder.icmp_signed("==", last, word(old))
                for new in group[place_in_group + 1 :]:
                    becomes = builder.icmp_signed("==", following, word(new))
                    with builder.if_then(builder.and_(was, becomes)):
                        self._change(steps, call, old, new)
            store(builder, following, before, number)

    def _change(self, steps: Steps, call: Call, old: int, new: int) -> None:
        """Let the tensors of one case go on to another."""
        builder, record, rule = call.builder, self.rules.tensor, self.rules.rule
        kept = {state.name for state in rule.cases[old].system.states}
        begun = [state for state in rule.cases[new].system.states if state.name not in kept]
        for state in begun:
            steps.start_number(call, state)
        given = call.given["tensors"], call.given["count"]
        with each_tensor(builder, self.rules, *given) as (_, tensor):
            which = load(builder, tensor, record.offset("which"))
            with builder.if_then(builder.icmp_signed("==", which, word(old))):
                store(builder, word(new), tensor, record.offset("which"))
                steps.start_tensor(call, tensor, begun)
