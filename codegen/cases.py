"""The module of a rule that chooses: a function a case, and one list of what all cases do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from optdsl.codegen.conditions import condition_text
from optdsl.codegen.declarations import MARGIN, dtypes_text
from optdsl.codegen.module import Writer, flat, layout_page, some
from optdsl.codegen.protocol import Target
from optdsl.codegen.slots import assign_slots_by_case, read_ahead, uniform_hyperparameters
from optdsl.codegen.source import Functions, fields, in_tuple, indent, wrapped
from optdsl.codegen.unit import Unit, settled
from optdsl.codegen.versions import Imprint
from optdsl.model.alternatives import Alternatives, Case
from optdsl.model.storing import with_rest
from optdsl.model.system import Hyperparameter, Input, State, System
from optdsl.program.cases import AskTogether, CasesProgram, InCase, Together, Turn, lower_cases
from optdsl.program.describing import fingerprint
from optdsl.program.program import Mode
from optdsl.program.streams import output_buffer


@dataclass(frozen=True)
class CasesUnit:
    """A rule that chooses, lowered in every mode that it has, and a unit a case."""

    rule: Alternatives
    programs: dict[str, CasesProgram | None]
    units: tuple[Unit, ...]


def prepare_cases(rule: Alternatives) -> CasesUnit:
    """Lower `rule` in every mode."""
    whole, feeds = settled(rule)
    assert isinstance(whole, Alternatives)
    rule = whole
    modes: tuple[Mode, ...] = ("ready", "function", "iterate", "evaluate")
    programs: dict[str, CasesProgram | None] = {mode: lower_cases(rule, mode) for mode in modes}
    units = []
    for number, system in enumerate(rule.systems):
        ready, function, iterate, evaluate = (
            None if each is None else each.programs[number] for each in programs.values()
        )
        assert function is not None
        units.append(
            Unit(with_rest(system), ready, function, iterate, evaluate, feeds=feeds[number])
        )
    rule = replace(
        rule,
        cases=tuple(
            replace(case, system=unit.system) for case, unit in zip(rule.cases, units, strict=True)
        ),
    )
    slots = assign_slots_by_case(rule, [unit.programs for unit in units])
    placed = (replace(unit, placed=own) for unit, own in zip(units, slots, strict=True))
    return CasesUnit(rule, programs, tuple(placed))


def cases_text(unit: CasesUnit, target: Target, imprint: Imprint) -> str:
    """Return the source text of the module that runs a rule that chooses on `target`."""
    functions = Functions()
    layout = _CasesWriter(unit, target, functions).layout()
    return layout_page(unit.rule, layout, functions, target, imprint)


class _CasesWriter:
    def __init__(self, unit: CasesUnit, target: Target, functions: Functions) -> None:
        self.unit = unit
        self.rule = unit.rule
        self.target = target
        self.functions = functions
        self.writers = [
            Writer(each, target, functions, case) for case, each in enumerate(unit.units)
        ]
        ahead = read_ahead([program for each in unit.units for program in each.programs])
        for writer in self.writers:
            writer.ahead = ahead

    def layout(self) -> list[str]:
        rule, units = self.rule, self.unit.units
        slots = units[0].slots
        seed = slots.seed
        stages = {mode: self._mode(program) for mode, program in self.unit.programs.items()}
        numbers = 1 + max(
            (place for unit in units for place in unit.slots.everything.values()), default=-1
        )
        buffers = dict.fromkeys(name for unit in units for name in unit.buffers)
        shaped = {name: form for writer in self.writers for name, form in writer.shaped().items()}
        losses = dict.fromkeys(pair for writer in self.writers for pair in writer.losses())
        output = output_buffer(units[0].system) if rule.family == "transform" else None
        uniform = {name for unit in units for name in uniform_hyperparameters(unit.programs)}
        return fields(
            {
                "name": repr(rule.name),
                "family": repr(rule.family),
                "doc": repr(rule.doc or ""),
                "hyperparameters": flat(self._hyper(each) for each in rule.hyperparameters),
                "states": flat(self._state(each) for each in rule.states),
                "scalars": some(len(slots.scalars)),
                "tensor": some(len(slots.tensor)),
                "everything": some(numbers + 2 * (seed is not None)),
                "parts": str(rule.parts),
                "cases": flat(self._case(case) for case in rule.cases),
                **stages,
                "bind": self.target.BIND,
                "join": "join_tables",
                "buffers": some(tuple(buffers)),
                "shaped": some(tuple(shaped.items())),
                "output": None if output is None else repr(output),
                "inputs": flat(self._input(each) for each in rule.handed_in),
                "uniform": some(tuple(h.name for h in rule.hyperparameters if h.name in uniform)),
                "losses": some(tuple(losses)),
                "parameters": dtypes_text(self.target, *rule.systems),
                "seed": None if seed is None else str(seed),
                "fingerprint": repr(fingerprint(rule)),
                "target": repr(self.target.NAME),
            }
        )

    # ----------------------------------------------------------------- stages

    def _mode(self, program: CasesProgram | None) -> str | list[str] | None:
        if program is None:
            return None
        return flat(self._turn(turn, program) for turn in program.turns) or "()"

    def _turn(self, turn: Turn, program: CasesProgram) -> list[str]:
        match turn:
            case InCase(case, stage):
                own = program.programs[case]
                assert own is not None
                return self.writers[case].stage(own, stage)
            case AskTogether(gradient, points):
                by_case = dict(points)
                all_points = tuple(by_case.get(case) for case in range(len(self.writers)))
                return [f"layout.Ask({gradient!r}, points={all_points!r}),"]
            case Together(stages, columns):
                shares = [
                    f"layout.Share({case}, {self.writers[case].combined(stage)}, {folded!r})"
                    for (case, stage), folded in zip(stages, columns, strict=True)
                ]
                part = stages[0][1].part
                return wrapped(f"layout.Together({part}, (", in_tuple(shares), ")),", MARGIN)

    # ------------------------------------------------------------------ slots

    def _cases(self, item: Hyperparameter | State | Input) -> tuple[int, ...]:
        """Return the cases that have an item; nothing where all of them do."""
        cases = self.rule.cases_with(item)
        return () if len(cases) == len(self.rule.cases) else cases

    def _writer(self, item: Hyperparameter | State | Input) -> Writer:
        return self.writers[self.rule.cases_with(item)[0]]

    def _hyper(self, hyper: Hyperparameter) -> list[str]:
        return self._writer(hyper).hyper(hyper, self._cases(hyper))

    def _state(self, state: State) -> list[str]:
        return self._writer(state).state(state, self._cases(state))

    def _input(self, given: Input) -> list[str]:
        return self._writer(given).input(given, self._cases(given))

    def _case(self, case: Case) -> list[str]:
        lines = ["def NAME(tensor):", *indent([f"return {condition_text(case.condition)}"])]
        accepts = self.functions.add("accepts", lines)
        given = [repr(case.title), str(case.system.parts), accepts]
        if case.windows:
            windows = tuple((w.part, w.after, w.until) for w in case.windows)
            kept = tuple(clocks_kept(old, case, self.rule) for old in self.rule.cases)
            given += [f"windows={windows!r}", f"kept={kept!r}"]
        return wrapped("layout.CaseSlot(", given, "),", MARGIN)


def clocks_kept(old: Case, new: Case, rule: Alternatives) -> tuple[int, ...]:
    """Return the parts whose steps go on being counted where a tensor goes from `old` to `new`.

    They are those up to the first whose window differs, and those with something in common.
    """
    changed = set(old.windows) ^ set(new.windows)
    first = min((window.part for window in changed), default=new.system.parts)
    common = _shared_parts(old.system, rule) & _shared_parts(new.system, rule)
    return tuple(p for p in range(new.system.parts) if p <= first or p in common)


def _shared_parts(system: System, rule: Alternatives) -> set[int]:
    names = rule.shared - {"theta"}
    parts = {each.part for each in system.equations if each.name in names}
    return parts | {each.part for each in system.states if each.name in names}
