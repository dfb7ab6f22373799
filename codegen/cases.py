"""The module of a rule that chooses: a function a case, and one list of what all cases do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from optdsl.codegen.module import (
    Writer,
    dtypes_text,
    fingerprint,
    header_text,
    page,
    parameters_text,
    stages_text,
    tuple_text,
)
from optdsl.codegen.naming import identifier
from optdsl.codegen.protocol import Target
from optdsl.codegen.slots import assign_slots_by_case, read_ahead, uniform_hyperparameters
from optdsl.codegen.source import Functions, indent
from optdsl.codegen.unit import Unit
from optdsl.model.alternatives import Alternatives, Case
from optdsl.model.choosing import each_system
from optdsl.model.evaluated import keep_numbers
from optdsl.model.expressions import Apply, Constant, Expression, Fact, Number
from optdsl.model.overriding import with_settings
from optdsl.model.storing import with_rest
from optdsl.model.system import Hyperparameter, Input, State, System
from optdsl.program.cases import AskTogether, CasesProgram, InCase, Together, Turn, lower_cases
from optdsl.program.describing import cases_equations_text
from optdsl.program.streams import output_buffer


@dataclass(frozen=True)
class CasesUnit:
    """A rule that chooses, lowered in every mode that it has, and a unit a case."""

    rule: Alternatives
    programs: dict[str, CasesProgram | None]
    units: tuple[Unit, ...]


def prepare_cases(rule: Alternatives) -> CasesUnit:
    """Lower `rule` in every mode."""
    feeds = [with_settings(system)[1] for system in rule.systems]
    whole = each_system(rule, lambda system: keep_numbers(with_settings(system)[0]))
    assert isinstance(whole, Alternatives)
    rule = whole
    programs = {
        "ready": lower_cases(rule, "ready"),
        "function": lower_cases(rule, "function"),
        "iterate": lower_cases(rule, "iterate"),
        "evaluate": lower_cases(rule, "evaluate"),
    }
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


def cases_text(unit: CasesUnit, target: Target, version: str) -> str:
    """Return the source text of the module that runs a rule that chooses on `target`."""
    functions = Functions()
    layout = _CasesWriter(unit, target, functions).layout()
    header = header_text(unit.rule, cases_equations_text(unit.rule), target.NAME, version)
    return page(header, layout, functions, target, identifier(unit.rule.name))


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
        stages = {mode: self._stages(program) for mode, program in self.unit.programs.items()}
        numbers = 1 + max(
            (place for unit in units for place in unit.slots.everything.values()), default=-1
        )
        buffers = dict.fromkeys(name for unit in units for name in unit.buffers)
        shaped = {name: form for writer in self.writers for name, form in writer.shaped().items()}
        losses = dict.fromkeys(pair for writer in self.writers for pair in writer.losses())
        output = output_buffer(units[0].system) if rule.family == "transform" else None
        uniform = {name for unit in units for name in uniform_hyperparameters(unit.programs)}
        return [
            f"name={rule.name!r},",
            f"family={rule.family!r},",
            f"doc={rule.doc or ''!r},",
            *tuple_text("hyperparameters", [self._hyper(each) for each in rule.hyperparameters]),
            *tuple_text("states", [self._state(each) for each in rule.states]),
            f"scalars={len(slots.scalars)},",
            f"tensor={len(slots.tensor)},",
            f"everything={numbers + 2 * (seed is not None)},",
            f"parts={rule.parts},",
            *tuple_text("cases", [self._case(case) for case in rule.cases]),
            *(line for mode, lines in stages.items() for line in stages_text(mode, lines)),
            f"bind={self.target.BIND},",
            "join=join_tables,",
            f"buffers={tuple(buffers)!r},",
            *([f"shaped={tuple(shaped.items())!r},"] if shaped else []),
            f"output={output!r},",
            *tuple_text("inputs", [self._input(each) for each in rule.handed_in]),
            f"uniform={tuple(h.name for h in rule.hyperparameters if h.name in uniform)!r},",
            *([f"losses={tuple(losses)!r},"] if losses else []),
            *(parameters_text(*rule.systems) or dtypes_text(self.target)),
            *([] if seed is None else [f"seed={seed},"]),
            f"fingerprint={fingerprint(rule)!r},",
            f"target={self.target.NAME!r},",
        ]

    # ----------------------------------------------------------------- stages

    def _stages(self, program: CasesProgram | None) -> list[str] | None:
        if program is None:
            return None
        return [line for turn in program.turns for line in self._turn(turn, program)]

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
                combined = ", ".join(
                    f"layout.Share({case}, {self.writers[case].combined(stage)}, {folded!r})"
                    for (case, stage), folded in zip(stages, columns, strict=True)
                )
                part = stages[0][1].part
                return [f"layout.Together({part}, ({combined},)),"]

    # ------------------------------------------------------------------ slots

    def _cases(self, item: Hyperparameter | State | Input) -> tuple[int, ...]:
        """Return the cases that have an item; nothing where all of them do."""
        cases = self.rule.cases_with(item)
        return () if len(cases) == len(self.rule.cases) else cases

    def _writer(self, item: Hyperparameter | State | Input) -> Writer:
        return self.writers[self.rule.cases_with(item)[0]]

    def _hyper(self, hyper: Hyperparameter) -> str:
        return self._writer(hyper).hyper(hyper, self._cases(hyper))

    def _state(self, state: State) -> str:
        return self._writer(state).state(state, self._cases(state))

    def _input(self, given: Input) -> str:
        return self._writer(given).input(given, self._cases(given))

    def _case(self, case: Case) -> str:
        lines = ["def NAME(tensor):", *indent([f"return {predicate_text(case.condition)}"])]
        accepts = self.functions.add("accepts", lines)
        rest = ""
        if case.windows:
            windows = tuple((w.part, w.after, w.until) for w in case.windows)
            kept = tuple(clocks_kept(old, case, self.rule) for old in self.rule.cases)
            rest = f", windows={windows!r}, kept={kept!r}"
        return f"layout.CaseSlot({case.title!r}, {case.system.parts}, {accepts}{rest}),"


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


# ------------------------------------------------------------------ conditions

_COMPARED = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "mod": "%"}
_FUNCTIONS = {"finite": "np.isfinite", "min": "min", "max": "max", "abs": "abs"}


def predicate_text(condition: Expression) -> str:
    """Return a condition on the facts of a tensor as Python text.

    >>> from optdsl.model.expressions import apply, number
    >>> predicate_text(apply("eq", Fact("ndim"), number(2)))
    'tensor.ndim == 2.0'
    """
    return _predicate(condition)[0]


def _predicate(node: Expression) -> tuple[str, int]:
    """Return the text of a condition, and how tightly it binds."""
    match node:
        case Constant("true" | "false" as name):
            return name.capitalize(), 9
        case Constant(name):
            return f"np.{name}", 9
        case Number(value):
            return repr(float(value)), 9
        case Apply("ne", (Fact("named", pattern), _)):
            return f"tensor.named({pattern!r}) != 0.0", 4
        case Fact(name):
            return f"tensor.{name}", 9
        case Apply("and" | "or" as operator, (left, right)):
            strength = 2 if operator == "and" else 1
            return f"{_bound(left, strength)} {operator} {_bound(right, strength + 1)}", strength
        case Apply("not", (inner,)):
            return f"not {_bound(inner, 3)}", 3
        case Apply("neg", (inner,)):
            return f"-{_bound(inner, 9)}", 8
        case Apply(operator, (left, right)) if operator in _COMPARED:
            return f"{_bound(left, 5)} {_COMPARED[operator]} {_bound(right, 5)}", 4
        case Apply(operator, (left, right)) if operator in _ARITHMETIC:
            return f"{_bound(left, 9)} {_ARITHMETIC[operator]} {_bound(right, 9)}", 5
        case Apply(operator, arguments):
            called = ", ".join(_predicate(each)[0] for each in arguments)
            return f"{_FUNCTIONS.get(operator, f'np.{operator}')}({called})", 9
    raise AssertionError(f"{node} stands in the condition of a case")


def _bound(node: Expression, strength: int) -> str:
    text, own = _predicate(node)
    return text if own >= strength else f"({text})"
