"""What runs on the host, alike for every CPU target: numbers once a step, folds, starts."""

from __future__ import annotations

from optdsl.codegen.loops import described
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.slots import exported
from optdsl.codegen.source import Functions, indent, speaks_of
from optdsl.codegen.step_numbers import Reads, clock_text
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import (
    Clock,
    Fact,
    Kind,
    Value,
    number,
)
from optdsl.model.system import Hyperparameter, State
from optdsl.program.program import Assignment, Combine, Program, Scalars


def scalars_function(unit: Unit, program: Program, part: int) -> list[str]:
    """Return the function that computes the numbers of one step, or no lines if there are none."""
    assignments = scalars_of(program, part)
    exports = exported(program, part)
    if not assignments and not exports:
        return []
    names = Identifiers()
    local = {each.name for each in assignments}
    reads = Reads(unit, names, local)
    dialect = Dialect(reads.value, clock_text, predicates=unit.predicates, lazy=True)
    body: list[str] = []
    for each in assignments:
        text = python(each.expression, dialect)
        body += [*_equation(each), f"{names.value(Value(each.name, Kind.STEP))} = {text}"]
    writes = []
    for given in exports:
        writes.append(f"scalars[{unit.slots.scalars[given]}] = {python(given, dialect)}")
    for name, slot in unit.slots.step_state.items():
        if name in local and program.moves:
            new = names.value(Value(name, Kind.STEP))
            writes.append(f"step_state[{slot}] = {new}")
    lines = [*reads.lines, *body, *writes]
    return ["@quiet", "def NAME(t, hyper, step_state, scalars):", *indent(lines)]


def scalars_of(program: Program, part: int) -> list[Assignment]:
    """Return what the `Scalars` of one part compute."""
    return [
        each
        for stage in program.stages
        if isinstance(stage, Scalars) and stage.part == part
        for each in stage.assignments
    ]


def emit_scalars(unit: Unit, program: Program, part: int, host: str, functions: Functions) -> str:
    """Return the text of what computes the numbers of a step: the function of the host."""
    return host


def _equation(assignment: Assignment) -> list[str]:
    """Return the author's equation as a comment; a piece of one needs none."""
    return [f"# {comment(assignment.comment)}"] if " = " in assignment.comment else []


# -------------------------------------------------------------------- combine


def emit_combine(unit: Unit, stage: Combine, functions: Functions) -> str:
    """Add the function that folds partial sums on the host; return its name."""
    return functions.add("combine", combine_function(unit, stage))


def combine_function(unit: Unit, stage: Combine) -> list[str]:
    """Return the function that folds partial sums and computes what follows from them."""
    names = Identifiers(unit.indexed)
    local: set[str] = set()
    reads = _NumberReads(unit, names, local)
    body: list[str] = []
    for reduction in stage.reductions:
        column = stage.column(reduction)
        value = Value(reduction.name, reduction.kind)
        name = names.value(value)
        fold = "over_all" if reduction.kind is Kind.ALL else "per_tensor"
        body.append(f"# {comment(described(reduction))}")
        body.append(f'{name} = {fold}("{reduction.operator}", table, partials[:, {column}])')
        body.append(f"{_place(unit, value)} = {name}")
        local.add(reduction.name)
    for each in stage.assignments:
        reads.everywhere = each.kind is Kind.ALL
        dialect = Dialect(reads.value, reads.clock, predicates=unit.predicates)
        text = python(each.expression, dialect)
        value = Value(each.name, each.kind)
        name = names.value(value)
        body += [*_equation(each), f"{name} = {text}", f"{_place(unit, value)} = {name}"]
        local.add(each.name)
    header = "def NAME(table, cohort, scalars, tensor, everything, partials):"
    return ["@quiet", header, *indent([*reads.lines, *body])]


def _place(unit: Unit, value: Value) -> str:
    """Return the text of where a number for all tensors lies, or one of each."""
    row, slot = unit.slots.place(value)
    return f"everything[{slot}]" if row == "all" else f"tensor[table.rows, {slot}]"


class _NumberReads:
    """Reads of numbers in a `Combine`: one a tensor, or one for all tensors."""

    def __init__(self, unit: Unit, names: Identifiers, local: set[str]) -> None:
        self.unit = unit
        self.names = names
        self.local = local
        self.everywhere = False
        self.lines: list[str] = []
        self._read: dict[str, str] = {}

    def value(self, value: Value) -> str:
        if value.name in self.local and value.offset == 0:
            return self.names.value(value)
        name = self.names.value(value)
        if value.kind is Kind.STEP:
            return self._step(value, name)
        return self._line(name, _place(self.unit, value), value.name)

    def clock(self, clock: Clock) -> str:
        return self._step(clock, "t")

    def _step(self, number: Value | Clock, name: str) -> str:
        slot = self.unit.slots.scalars[number]
        predicate = number.name if isinstance(number, Value) else ""
        if self.everywhere:
            return self._line(name, f"scalars[table.a_cohort(cohort), {slot}]", predicate)
        place = f"scalars[table.cohorts(cohort), {slot}]"
        return self._line(f"{name}_each", place, predicate)

    def _line(self, name: str, place: str, predicate: str) -> str:
        if name not in self._read:
            self._read[name] = place
            boolean = " != 0.0" if predicate in self.unit.predicates else ""
            self.lines.append(f"{name} = {place}{boolean}")
        return name


# ------------------------------------------------------------ starts, defaults


def start_function(unit: Unit, state: State) -> list[str]:
    """Return the function that gives a state's value before the first step."""
    names = Identifiers()
    start = state.start if state.start is not None else number(0)
    if isinstance(start, Fact):
        pattern = "" if start.pattern is None else f"({start.pattern!r})"
        return ["def NAME(tensor, hyper):", *indent([f"return tensor.{start.name}{pattern}"])]
    reads = _StartReads(unit, names)
    dialect = Dialect(reads.value, clock_text, predicates=unit.predicates, matrices=True)
    text = python(start, dialect)
    lines = [*reads.lines, f"return {text}"]
    if speaks_of([text], "rows", "columns"):
        lines.insert(0, "rows, columns = theta.shape")
    if speaks_of([text], "real"):
        lines.insert(0, "real = np.float64")
    return ["@quiet", "def NAME(theta, hyper):", *indent(lines)]


def default_function(unit: Unit, hyper: Hyperparameter) -> list[str]:
    """Return the function that gives a default that is a formula."""
    assert hyper.default is not None
    names = Identifiers()
    reads = _StartReads(unit, names)
    dialect = Dialect(reads.value, clock_text, predicates=unit.predicates, lazy=True)
    text = python(hyper.default, dialect)
    return ["@quiet", "def NAME(t, hyper):", *indent([*reads.lines, f"return {text}"])]


class _StartReads:
    def __init__(self, unit: Unit, names: Identifiers) -> None:
        self.unit = unit
        self.names = names
        self.lines: list[str] = []
        self._read: set[Value] = set()

    def value(self, value: Value) -> str:
        if value.name == "theta":
            return "theta"
        name = self.names.value(value)
        if value not in self._read:
            self._read.add(value)
            slot = self.unit.slots.hyper[Value(value.name, Kind.STEP)]
            self.lines.append(f"{name} = hyper[{slot}]")
        return name
