"""A program as a page of text."""

from __future__ import annotations

from optdsl.model.expressions import Reduce
from optdsl.program.cases import AskTogether, CasesProgram, InCase, Together, Turn
from optdsl.program.formulas import formula, indexed_names
from optdsl.program.program import (
    Accumulate,
    Ask,
    Assignment,
    Combine,
    Guard,
    Matrices,
    Pass,
    Program,
    Scalars,
    Stage,
)
from optdsl.program.traffic import bytes_per_parameter

_MODES = {
    "ready": "gradients handed in",
    "function": "asks for its gradients",
    "iterate": "recovers theta from the stored point",
    "evaluate": "finds the point at which the model is evaluated",
}


def render(program: Program) -> str:
    """Return `program` as text: one stage a paragraph, one assignment a line."""
    system = program.system
    mode = "" if system.family == "schedule" else f", {_MODES[program.mode]}"
    lines = [f"{system.family} {system.name}{mode}"]
    if program.buffers:
        lines.append(f"  buffers {', '.join(program.buffers)}")
    writer = _Writer(program)
    for stage in program.stages:
        lines += ["", *("  " + line for line in writer.stage(stage))]
    if program.passes:
        moved = bytes_per_parameter(program)
        count = len(program.passes)
        lines += ["", f"  {count} pass{'es' * (count > 1)}, {moved} bytes a float32 parameter"]
    return "\n".join(lines)


def render_cases(program: CasesProgram) -> str:
    """Return what a rule that chooses does in one step: what all cases do, in its order."""
    rule = program.rule
    lines = [f"{rule.family} {rule.name}, {_MODES[program.mode]}"]
    writers = {n: _Writer(each) for n, each in enumerate(program.programs) if each is not None}
    last = ""
    for turn in program.turns:
        title, block = _turn(turn, program, writers)
        if block:
            head = [] if title == last else ["", f"  {title}"]
            lines += [*head, *("    " + line for line in block)]
            last = title
    lines.append("")
    for case, each in zip(rule.cases, program.programs, strict=True):
        if each is not None and each.passes:
            moved, count = bytes_per_parameter(each), len(each.passes)
            plural = "es" * (count > 1)
            lines.append(f"  {case.title}: {count} pass{plural}, {moved} bytes a float32 parameter")
    return "\n".join(lines)


def _turn(turn: Turn, program: CasesProgram, writers: dict[int, _Writer]) -> tuple[str, list[str]]:
    """Return whose turn it is, and what is done in it."""
    match turn:
        case InCase(case, stage):
            block = writers[case].stage(stage)
            nothing = isinstance(stage, Scalars) and len(block) == 1
            return program.rule.cases[case].title, [] if nothing else block
        case Together(stages):
            case, combine = stages[0]
            return "for all tensors together", writers[case].stage(combine)[1:]
        case AskTogether(gradient, points):
            distinct = dict.fromkeys(point for _, point in points)
            return "for all tensors together", [f"ask for {gradient} at {' and '.join(distinct)}"]


class _Writer:
    def __init__(self, program: Program) -> None:
        self.indexed = indexed_names(program.system)
        self.parts = program.system.parts
        self.passed = False

    def stage(self, stage: Stage) -> list[str]:
        match stage:
            case Scalars(part, assignments):
                return [f"once a step{self._part(part)}", *map(self._assignment, assignments)]
            case Pass():
                return self._pass(stage)
            case Combine(part, reductions, assignments):
                folded = [self._reduction(each) for each in reductions]
                head = f"{'between' if self.passed else 'before the'} passes{self._part(part)}"
                return [head, *folded, *map(self._assignment, assignments)]
            case Matrices():
                return self._matrices(stage)
            case Ask(gradient, point):
                return [f"ask for {gradient} at {point}"]
            case Guard(_, condition):
                return [f"skip what follows where {formula(condition, self.indexed)}"]

    def _pass(self, stage: Pass) -> list[str]:
        self.passed = True
        head = f"pass {stage.number} over memory{self._part(stage.part)}"
        loads = ", ".join(formula(each.value, self.indexed) for each in stage.loads)
        lines = [head, f"  load   {loads}"] if loads else [head]
        if stage.vectors:
            vectors = ", ".join(formula(each.value, self.indexed) for each in stage.vectors)
            lines.append(f"  read   {vectors}")
        lines += map(self._assignment, stage.body)
        lines += (f"  reduce {each.name} = {self._reduced(each)}" for each in stage.reductions)
        if stage.stores:
            stores = ", ".join(formula(each.value, self.indexed) for each in stage.stores)
            lines.append(f"  store  {stores}")
        return lines

    def _matrices(self, stage: Matrices) -> list[str]:
        lines = [f"matrices, tensor by tensor{self._part(stage.part)}"]
        lines += map(self._reduction, stage.folds)
        loads = ", ".join(formula(each.value, self.indexed) for each in stage.loads)
        lines += [f"  load   {loads}"] if loads else []
        lines += map(self._assignment, stage.body)
        stores = ", ".join(formula(each.value, self.indexed) for each in stage.stores)
        return [*lines, f"  store  {stores}"] if stores else lines

    def _assignment(self, assignment: Assignment) -> str:
        name = assignment.name
        left = f"{name}[t]" if name in self.indexed else name
        return f"  {left} = {formula(assignment.expression, self.indexed)}"

    def _reduction(self, reduction: Accumulate) -> str:
        return f"  {reduction.name} = {self._reduced(reduction)}"

    def _reduced(self, reduction: Accumulate) -> str:
        whole = Reduce(reduction.operator, reduction.argument, reduction.kind, reduction.other)
        return formula(whole, self.indexed)

    def _part(self, part: int) -> str:
        return f", part {part + 1}" if self.parts > 1 else ""
