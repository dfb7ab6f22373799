"""A whole module: header, functions, and the `LAYOUT` that the runtime reads."""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.codegen.declarations import (
    MARGIN,
    STATE_KINDS,
    dtypes_text,
    hyper_text,
    input_text,
    plain_default,
)
from optdsl.codegen.feeds import feed_functions
from optdsl.codegen.host import default_function, scalars_function, start_function
from optdsl.codegen.loops import all_streams
from optdsl.codegen.naming import identifier
from optdsl.codegen.page import header_text, page_text
from optdsl.codegen.protocol import Target
from optdsl.codegen.slots import read_ahead, uniform_hyperparameters
from optdsl.codegen.source import Functions, fields, indent, wrapped
from optdsl.codegen.unit import Unit
from optdsl.codegen.versions import Imprint
from optdsl.model.alternatives import Rule
from optdsl.model.expressions import Kind, Value
from optdsl.model.system import Hyperparameter, Input, State
from optdsl.program.describing import fingerprint
from optdsl.program.program import Ask, Combine, Guard, Matrices, Pass, Program, Scalars, Stage
from optdsl.program.streams import output_buffer
from optdsl.runtime.shapes import Form

#: What a module of any target may import.
IMPORTS = {
    "optdsl.codegen.support.folding": ("over_all", "per_tensor"),
    "optdsl.codegen.support.quiet": ("quiet",),
    "optdsl.codegen.support.tables": ("join_tables",),
    "optdsl.runtime": ("layout",),
}


def module_text(unit: Unit, target: Target, imprint: Imprint) -> str:
    """Return the source text of the module that runs a rule on `target`."""
    functions = Functions()
    layout = Writer(unit, target, functions).layout()
    return layout_page(unit.system, layout, functions, target, imprint)


def layout_page(
    rule: Rule, layout: list[str], functions: Functions, target: Target, imprint: Imprint
) -> str:
    """Return the text of a module, of the arguments of its layout and its functions."""
    declaration = ["LAYOUT = layout.Layout(", *indent(layout), ")"]
    offered = [*target.IMPORTS.items(), *IMPORTS.items(), (target.RUNTIME, ("from_layout",))]
    header = header_text(rule, target.NAME, imprint)
    name = identifier(rule.name)
    return page_text(header, functions, declaration, name, "from_layout(LAYOUT)", offered)


class Writer:
    """Writes the layout of a rule, or the pieces of one that belong to one `case` of it."""

    def __init__(
        self, unit: Unit, target: Target, functions: Functions, case: int | None = None
    ) -> None:
        self.unit = unit
        self.target = target
        self.functions = functions
        self.ahead = read_ahead(unit.programs)
        self.of_case = [] if case is None else [f"case={case}"]

    def layout(self) -> list[str]:
        """Return the arguments of the layout."""
        unit, system = self.unit, self.unit.system
        slots = unit.slots
        modes = {"ready": unit.ready, "function": unit.function, "iterate": unit.iterate,
                 "evaluate": unit.evaluate}  # fmt: skip
        stages = {mode: self._mode(program) for mode, program in modes.items()}
        shaped, losses, results = tuple(self.shaped().items()), self.losses(), self._results()
        output = output_buffer(system) if system.family == "transform" else None
        uniform = tuple(uniform_hyperparameters(unit.programs))
        return fields(
            {
                "name": repr(system.name),
                "family": repr(system.family),
                "doc": repr(system.doc or ""),
                "hyperparameters": flat(self.hyper(each) for each in system.hyperparameters),
                "states": flat(self.state(each) for each in system.states),
                "scalars": some(len(slots.scalars)),
                "tensor": some(len(slots.tensor)),
                "everything": some(len(slots.everything) + 2 * (slots.seed is not None)),
                "parts": str(system.parts),
                **stages,
                "bind": self.target.BIND if unit.has_passes else None,
                "buffers": some(unit.buffers),
                "shaped": some(shaped),
                "result": None if not results else str(results[0][1]),
                "output": None if output is None else repr(output),
                "inputs": flat(self.input(each) for each in system.handed_in),
                "results": some(results[1:] and results),
                "uniform": some(uniform),
                "losses": some(losses),
                "parameters": dtypes_text(self.target, system),
                "seed": None if slots.seed is None else str(slots.seed),
                "fingerprint": repr(fingerprint(system)),
                "target": repr(self.target.NAME),
            }
        )

    def shaped(self) -> dict[str, Form]:
        """Return the buffers that do not have a value an entry, and the form of each."""
        sums = {
            each.partial for program in self.unit.programs for stage in program.passes
            for each in stage.reductions if each.kind is Kind.ROW
        }  # fmt: skip
        rows = self.target.ROW_PARTIALS
        return {name: rows if name in sums else form for name, form in self.unit.shaped.items()}

    def losses(self) -> tuple[tuple[str, int], ...]:
        """Return for each gradient whose loss is read where that goes."""
        slots = self.unit.slots.everything
        return tuple((stream, slots[loss]) for loss, stream in self.unit.system.losses.items())

    def _results(self) -> tuple[tuple[str, int], ...]:
        """Return the names and places of what a schedule gives."""
        system, slots = self.unit.system, self.unit.slots.scalars
        names = system.outputs if system.family == "schedule" else ()
        return tuple((name, slots[Value(name, Kind.STEP)]) for name in names)

    # ----------------------------------------------------------------- stages

    def _mode(self, program: Program | None) -> str | list[str] | None:
        if program is None:
            return None
        return flat(self.stage(program, stage) for stage in program.by_part()) or "()"

    def stage(self, program: Program, stage: Stage) -> list[str]:
        """Return a stage of `program` as the layout has it."""
        match stage:
            case Scalars(part):
                return self._scalars(program, part)
            case Pass():
                return self._pass(stage)
            case Matrices():
                return self._matrices(stage)
            case Combine(part):
                return self._stage("Combine", str(part), self.combined(stage))
            case Ask(gradient, point):
                return [f"layout.Ask({gradient!r}, {point!r}),"]
            case Guard(part, condition):
                row, slot = self.unit.slots.place(condition)
                return self._stage("Guard", str(part), repr(row), str(slot))

    def _stage(self, kind: str, *given: str) -> list[str]:
        return wrapped(f"layout.{kind}(", [*given, *self.of_case], "),", MARGIN)

    def _scalars(self, program: Program, part: int) -> list[str]:
        """Return the stage that computes the numbers of one step, where there are any."""
        function = scalars_function(self.unit, program, part)
        if not function:
            return []
        host = self.functions.add("scalars", function)
        run = self.target.emit_scalars(self.unit, program, part, host, self.functions)
        return self._stage("Scalars", str(part), run)

    def combined(self, stage: Combine) -> str:
        """Return the text of the function that folds partial sums."""
        return self.target.emit_combine(self.unit, stage, self.functions)

    def _pass(self, stage: Pass) -> list[str]:
        run = self.target.emit_pass(self.unit, stage, self.functions)
        streams = tuple(all_streams(self.unit, stage))
        given = {
            "reductions": some(sum(each.kind.is_number for each in stage.reductions)),
            "writes": some(tuple(store.stream for store in stage.stores)),
            "bind": self.target.bind_pass(self.unit, stage),
        }
        said = [f"{name}={text}" for name, text in given.items() if text is not None]
        return self._stage("Pass", str(stage.part), repr(streams), run, *said)

    def _matrices(self, stage: Matrices) -> list[str]:
        run, bind, streams = self.target.emit_matrices(self.unit, stage, self.functions)
        writes = tuple(store.stream for store in stage.stores)
        said = [f"bind={bind}", f"writes={writes!r}"]
        return self._stage("Matrices", str(stage.part), repr(streams), run, *said)

    # ------------------------------------------------------------------ slots

    def hyper(self, hyper: Hyperparameter, cases: tuple[int, ...] = ()) -> list[str]:
        """Return the slot of a hyperparameter."""
        return hyper_text(hyper, self._default(hyper), hyper.name in self.ahead, cases)

    def _default(self, hyper: Hyperparameter) -> str | None:
        feed = next((f for f in self.unit.feeds if f.hyperparameter.name == hyper.name), None)
        if feed is not None:
            return feed_functions(self.unit, feed, self.functions)
        plain = plain_default(hyper)
        if plain is not None or hyper.default is None:
            return plain
        lines = default_function(self.unit, hyper)
        return self.functions.add(f"default_{identifier(hyper.name)}", lines, number=False)

    def state(self, state: State, cases: tuple[int, ...] = ()) -> list[str]:
        """Return the slot of a state."""
        stem = f"start_{identifier(state.name)}"
        start = self.functions.add(stem, start_function(self.unit, state), number=False)
        given = [repr(state.name), repr(STATE_KINDS[state.kind]), start]
        rest = {"part": state.part, "storage": state.storage, "cases": cases}
        given += [f"{name}={value!r}" for name, value in rest.items() if value]
        return wrapped("layout.StateSlot(", given, "),", MARGIN)

    def input(self, given: Input, cases: tuple[int, ...] = ()) -> list[str]:
        """Return the slot of an input."""
        return input_text(self.unit.system, given, cases)


def flat(items: Iterable[list[str]]) -> list[str]:
    """Return the lines of all items."""
    return [line for lines in items for line in lines]


def some(value: object) -> str | None:
    """Return the text of what is neither zero nor empty."""
    return repr(value) if value else None
