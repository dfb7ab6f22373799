"""The functions of a stage of matrices, alike for every CPU target: NumPy, a tensor at a time."""

from __future__ import annotations

from optdsl.codegen.forms import FORMS, partial_form
from optdsl.codegen.loops import described
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.source import Functions, indent, speaks_of
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Clock, Draw, Kind, Value
from optdsl.program.program import Accumulate, Assignment, Matrices
from optdsl.runtime.shapes import Form

IMPORTS = {
    "optdsl.codegen.support.matrices": (
        "as_matrices", "column_totals", "in_first_block", "number_of", "over_axis", "reduced",
        "normal_entries", "row_totals", "symmetric_power", "uniform_entries", "widened",
    ),
}  # fmt: skip

#: What the work on a tensor is given of each row of numbers.
_ARRAYS = {"step": "numbers", "tensor": "tensor", "all": "everything"}


def matrices_streams(unit: Unit, stage: Matrices) -> dict[str, Form]:
    """Return the streams of a stage and their forms; the first has a value an entry."""
    forms = {each.partial: partial_form(each) for each in stage.folds}
    forms |= {load.stream: FORMS[load.value.kind] for load in stage.loads}
    forms |= {store.stream: FORMS[store.value.kind] for store in stage.stores}
    if "entry" not in forms.values():  # the shape of a tensor is needed all the same
        first = "theta" if unit.system.family == "optimizer" else unit.system.gradients[0].name
        forms[first] = "entry"
    return dict(sorted(forms.items(), key=lambda item: item[1] != "entry"))


def emit_matrices(
    unit: Unit, stage: Matrices, functions: Functions, wide: bool
) -> tuple[str, str, tuple[str, ...]]:
    """Add the functions of a stage; return the one that runs it, what binds it, and its streams.

    `wide` says that everything is computed in float64, whatever the type of the arrays.
    """
    writer = _Writer(unit, stage, wide)
    update = functions.add("update", writer.update())
    call = ", ".join(["*arrays", *writer.given])
    run = [
        "@quiet",
        "def NAME(table, cohort, scalars, tensor, everything, partials):",
        *indent(
            [
                "for row, shape, arrays in zip(table.rows, table.shapes, table.arrays):",
                *indent([f"{update}({call})"]),
            ]
        ),
    ]
    bind = f"as_matrices({', '.join(map(repr, writer.forms.values()))})"
    return functions.add("matrices", run), bind, tuple(writer.forms)


class _Writer:
    """The lines of what is done to one tensor."""

    def __init__(self, unit: Unit, stage: Matrices, wide: bool) -> None:
        self.unit = unit
        self.stage = stage
        self.wide = wide
        self.names = Identifiers(unit.indexed | set(unit.buffers))
        self.forms = matrices_streams(unit, stage)
        self.arrays = {stream: self.names.stream(stream) for stream in self.forms}
        self.local = {load.value for load in stage.loads}
        self.local |= {Value(each.name, each.kind) for each in stage.folds}
        self.local |= {Value(each.name, each.kind) for each in stage.body}
        self.heads: dict[str, str] = {}
        self.given: list[str] = []
        self.draws = False
        self.dialect = Dialect(
            self._value, self._clock, predicates=unit.predicates, matrices=True, draw=self._draw
        )

    def update(self) -> list[str]:
        """Return the function that does the work of one tensor."""
        folds = [line for each in self.stage.folds for line in self._folded(each)]
        loads = [self._loaded(each.stream, each.value) for each in self.stage.loads]
        body = [line for each in self.stage.body for line in self._computed(each)]
        stores = [
            f"{self.arrays[each.stream]}[...] = {self.names.value(each.value)}"
            for each in self.stage.stores
        ]
        lines = [*self.heads_of([*folds, *body]), *folds, *loads, *body, *stores]
        header = f"def NAME({', '.join([*self.arrays.values(), *self.shared()])}):"
        return [header, *indent(lines)]

    def heads_of(self, work: list[str]) -> list[str]:
        """Return the lines that name what the work on a tensor shares."""
        lines = [f"{name} = {place}" for name, place in self.heads.items()]
        if speaks_of(work, "rows", "columns"):
            lines.insert(0, "rows, columns = shape")
            self.given.append("shape")
        if speaks_of(work, "real"):
            first = next(iter(self.arrays.values()))
            lines.insert(0, "real = np.float64" if self.wide else f"real = widened({first}).dtype")
        return lines

    def shared(self) -> list[str]:
        """Return the parameters besides the arrays, and note what is given for each."""
        places = " ".join(self.heads.values())
        assigned = any(each.kind.is_number for each in self.stage.body)
        offered = {"numbers": "scalars[cohort[row]]", "tensor": "tensor[row]",
                   "everything": "everything"}  # fmt: skip
        names = list(self.given)
        if self.draws:
            names.append("identity")
            self.given.append("row")
        for name, given in offered.items():
            if f"{name}[" in places or (name == "tensor" and assigned):
                names.append(name)
                self.given.append(given)
        return names

    def _folded(self, fold: Accumulate) -> list[str]:
        name = self.names.value(Value(fold.name, fold.kind))
        which, count = ("row", "columns") if fold.kind is Kind.ROW else ("column", "rows")
        total = f'{which}_totals("{fold.operator}", {self.arrays[fold.partial]}, {count})'
        return [f"# {comment(described(fold))}", f"{name} = {total}"]

    def _loaded(self, stream: str, value: Value) -> str:
        array = self.arrays[stream]
        wide = self.wide or value.kind in (Kind.ROW, Kind.COLUMN)
        text = f"{array}.astype(np.float64)" if wide else f"widened({array})"
        if value.name in self.unit.predicates:
            text = f"{array} != 0.0"
        return f"{self.names.value(value)} = {text}"

    def _computed(self, assignment: Assignment) -> list[str]:
        value = Value(assignment.name, assignment.kind)
        text = python(assignment.expression, self.dialect)
        name = self.names.value(value)
        text = f"float({text})" if value.kind.is_number else text
        lines = [f"# {comment(described(assignment))}", f"{name} = {text}"]
        if value.kind.is_number:
            lines.append(f"tensor[{self.unit.slots.tensor[value.name]}] = {name}")
        return lines

    def _value(self, value: Value) -> str:
        if value in self.local:
            return self.names.value(value)
        row, slot = self.unit.slots.place(value)
        place = f"{_ARRAYS[row]}[{slot}]"
        name = self.names.value(value)
        boolean = value.name in self.unit.predicates
        self.heads[name] = f"{place} != 0.0" if boolean else f"float({place})"
        return name

    def _clock(self, clock: Clock) -> str:
        self.heads["t"] = f"float(numbers[{self.unit.slots.scalars[clock]}])"
        return "t"

    def _draw(self, draw: Draw) -> str:
        seed = self.unit.slots.seed
        assert seed is not None
        assert isinstance(draw.step, Value)
        self.draws = True
        step = self._value(draw.step)
        self.heads |= {"seed_low": f"everything[{seed}]", "seed_high": f"everything[{seed + 1}]"}
        first = next(iter(self.arrays.values()))
        counter = f"0, identity, {step}, {draw.number}, seed_low, seed_high"
        return f"{draw.distribution}_entries({first}, {counter})"
