"""A whole module: header, functions, and the `LAYOUT` that the runtime reads."""

from __future__ import annotations

import ast
import hashlib
from fractions import Fraction

from optdsl.codegen.feeds import feed_text
from optdsl.codegen.forms import FORMS
from optdsl.codegen.host import (
    default_function,
    scalars_function,
    start_function,
)
from optdsl.codegen.loops import all_streams
from optdsl.codegen.naming import comment, identifier
from optdsl.codegen.protocol import Target
from optdsl.codegen.slots import read_ahead, uniform_hyperparameters
from optdsl.codegen.source import Functions, indent
from optdsl.codegen.unit import Unit
from optdsl.model.alternatives import Rule, systems_of
from optdsl.model.expressions import Constant, Kind, Number, Value
from optdsl.model.guards import unguarded_inputs
from optdsl.model.system import Domain, Hyperparameter, Input, State, System
from optdsl.program.describing import equations_text
from optdsl.program.program import Ask, Combine, Guard, Matrices, Pass, Program, Scalars, Stage
from optdsl.program.streams import output_buffer
from optdsl.runtime.shapes import Form
from optdsl.storage import known_storage

STATE_KINDS = {Kind.STEP: "step", Kind.ALL: "all", Kind.TENSOR: "tensor", **FORMS}

HOST_IMPORTS = {
    "optdsl.codegen.support.folding": ("over_all", "per_tensor"),
    "optdsl.codegen.support.quiet": ("quiet",),
    "optdsl.codegen.support.tables": ("join_tables",),
}


def module_text(unit: Unit, target: Target, version: str) -> str:
    """Return the source text of the module that runs a rule on `target`."""
    functions = Functions()
    layout = Writer(unit, target, functions).layout()
    return page(_header(unit, target, version), layout, functions, target, unit.public_name)


def page(header: str, layout: list[str], functions: Functions, target: Target, name: str) -> str:
    """Return the text of a module: its header, what it imports, its functions, the layout."""
    body = [
        *([functions.text(), "", ""] if functions.text() else []),
        "LAYOUT = layout.Layout(",
        *indent(layout),
        ")",
    ]
    words = words_of("\n".join(body))
    public = f"{name}_" if name in words else name
    head = [header, "", *_imports(target, words), "", ""]
    return "\n".join([*head, *body, "", f"{public} = from_layout(LAYOUT)", ""])


def words_of(text: str) -> set[str]:
    """Return every name that the text of a module uses or defines."""
    nodes = list(ast.walk(ast.parse(text)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def _header(unit: Unit, target: Target, version: str) -> str:
    return header_text(unit.system, equations_text(unit.system), target.NAME, version)


def header_text(rule: Rule, lines: list[str], target: str, version: str) -> str:
    """Return the docstring of a module: what the rule is, and its equations in lines."""
    title = f"{rule.name}: {rule.doc}" if rule.doc else rule.name
    lines = ['"""' + _safe(title), "", *indent(map(_safe, lines))]
    lines += ["", f"Written by optdsl {version} for the target {target}. Do not edit.", '"""']
    return "\n".join([*lines, "# ruff: noqa"])


def _imports(target: Target, words: set[str]) -> list[str]:
    """Return the imports that a module of these names needs, and no others."""
    others: list[str] = []
    ours = [f"from {target.RUNTIME} import from_layout", "from optdsl.runtime import layout"]
    if target.RUNTIME == "optdsl.runtime":
        ours = ["from optdsl.runtime import from_layout, layout"]
    for module, offered in (*target.IMPORTS.items(), *HOST_IMPORTS.items()):
        used = [name for name in offered if name in words]
        if used:
            line = f"from {module} import {', '.join(used)}"
            (ours if module.startswith("optdsl") else others).append(line)
    if "np" in words:
        others.insert(0, "import numpy as np")
    return [*others, *([""] if others else []), *sorted(ours)]


def _safe(text: str) -> str:
    return comment(text).replace("\\", "\\\\").replace('"""', "'''").rstrip('"')


def fingerprint(rule: Rule) -> str:
    """Return what tells this rule from any other: its states and equations, hashed."""
    lines = [rule.name]
    for system in systems_of(rule):
        lines += equations_text(system)
    lines += [f"{s.name} {s.kind.name} {s.part} {s.storage}" for s in rule.states]
    lines += [h.name for h in rule.hyperparameters]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


class Writer:
    """Writes the layout of a rule, or the pieces of one that belong to one `case` of it."""

    def __init__(
        self, unit: Unit, target: Target, functions: Functions, case: int | None = None
    ) -> None:
        self.unit = unit
        self.target = target
        self.functions = functions
        self.ahead = read_ahead(unit.programs)
        self.of = "" if case is None else f", case={case}"

    def layout(self) -> list[str]:
        """Return the arguments of the layout, a line each."""
        unit, system = self.unit, self.unit.system
        stages = {
            mode: self._stages(program)
            for mode, program in (
                ("ready", unit.ready), ("function", unit.function), ("iterate", unit.iterate),
            )
        }  # fmt: skip
        result = None
        if system.family == "schedule":
            result = unit.slots.scalars[Value(system.outputs[0], Kind.STEP)]
        output = output_buffer(system) if system.family == "transform" else None
        return [
            f"name={system.name!r},",
            f"family={system.family!r},",
            f"doc={system.doc or ''!r},",
            *tuple_text("hyperparameters", [self.hyper(each) for each in system.hyperparameters]),
            *tuple_text("states", [self.state(each) for each in system.states]),
            f"scalars={len(unit.slots.scalars)},",
            f"tensor={len(unit.slots.tensor)},",
            f"everything={len(unit.slots.everything) + 2 * (unit.slots.seed is not None)},",
            f"parts={system.parts},",
            *(line for mode, lines in stages.items() for line in stages_text(mode, lines)),
            *(
                []
                if unit.evaluate is None
                else tuple_text("evaluate", self._evaluate(unit.evaluate))
            ),
            f"bind={self.target.BIND if unit.has_passes else None},",
            f"buffers={unit.buffers!r},",
            *self._shaped(),
            f"result={result!r},",
            f"output={output!r},",
            *self._inputs(),
            *self._results(),
            f"uniform={tuple(uniform_hyperparameters(unit.programs))!r},",
            *self._losses(),
            *(parameters_text(system) or dtypes_text(self.target)),
            *([] if unit.slots.seed is None else [f"seed={unit.slots.seed},"]),
            f"fingerprint={fingerprint(system)!r},",
            f"target={self.target.NAME!r},",
        ]

    def _evaluate(self, program: Program) -> list[str]:
        lines = self._stages(program)
        assert lines is not None
        return lines

    def _shaped(self) -> list[str]:
        pairs = tuple(self.shaped().items())
        return [f"shaped={pairs!r},"] if pairs else []

    def shaped(self) -> dict[str, Form]:
        """Return the buffers that do not have a value an entry, and the form of each."""
        sums = {
            each.partial for program in self.unit.programs for stage in program.passes
            for each in stage.reductions if each.kind is Kind.ROW
        }  # fmt: skip
        rows = self.target.ROW_PARTIALS
        return {name: rows if name in sums else form for name, form in self.unit.shaped.items()}

    def _inputs(self) -> list[str]:
        slots = [self.input(each) for each in self.unit.system.handed_in]
        return tuple_text("inputs", slots) if slots else []

    def input(self, given: Input, cases: tuple[int, ...] = ()) -> str:
        """Return the slot of an input."""
        return input_text(self.unit.system, given, cases)

    def _losses(self) -> list[str]:
        """Return where each loss goes, with the stream of the gradient it comes with."""
        pairs = self.losses()
        return [f"losses={pairs!r},"] if pairs else []

    def losses(self) -> tuple[tuple[str, int], ...]:
        """Return for each gradient whose loss is read where that goes."""
        slots = self.unit.slots.everything
        return tuple((stream, slots[loss]) for loss, stream in self.unit.system.losses.items())

    def _results(self) -> list[str]:
        """Return the places of what a schedule gives, where that is more than one number."""
        system = self.unit.system
        if system.family != "schedule" or len(system.outputs) == 1:
            return []
        slots = self.unit.slots.scalars
        pairs = tuple((name, slots[Value(name, Kind.STEP)]) for name in system.outputs)
        return [f"results={pairs!r},"]

    def _stages(self, program: Program | None) -> list[str] | None:
        if program is None:
            return None
        return [line for stage in program.by_part() for line in self.stage(program, stage)]

    def _scalars(self, program: Program, part: int) -> list[str]:
        """Return the stage that computes the numbers of one step, where there are any."""
        function = scalars_function(self.unit, program, part)
        if not function:
            return []
        host = self.functions.add("scalars", function)
        run = self.target.emit_scalars(self.unit, program, part, host, self.functions)
        return [f"layout.Scalars({part}, {run}{self.of}),"]

    def stage(self, program: Program, stage: Stage) -> list[str]:
        """Return a stage of `program` as the layout has it."""
        match stage:
            case Scalars(part):
                return self._scalars(program, part)
            case Pass():
                return [self._pass(stage)]
            case Matrices():
                run, bind, streams = self.target.emit_matrices(self.unit, stage, self.functions)
                writes = tuple(store.stream for store in stage.stores)
                return [
                    f"layout.Matrices({stage.part}, {streams!r}, {run}, "
                    f"bind={bind}, writes={writes!r}{self.of}),"
                ]
            case Combine():
                return [f"layout.Combine({stage.part}, {self.combined(stage)}{self.of}),"]
            case Ask(gradient, point):
                return [f"layout.Ask({gradient!r}, {point!r}),"]
            case Guard(part, condition):
                row, slot = self.unit.slots.place(condition)
                return [f"layout.Guard({part}, {row!r}, {slot}{self.of}),"]

    def combined(self, stage: Combine) -> str:
        """Return the text of the function that folds partial sums."""
        return self.target.emit_combine(self.unit, stage, self.functions)

    def _pass(self, stage: Pass) -> str:
        run = self.target.emit_pass(self.unit, stage, self.functions)
        streams = tuple(all_streams(self.unit, stage))
        reductions = sum(each.kind.is_number for each in stage.reductions)
        writes = tuple(store.stream for store in stage.stores)
        bind = self.target.bind_pass(self.unit, stage)
        rest = "" if bind is None else f", bind={bind}"
        return (
            f"layout.Pass({stage.part}, {streams!r}, {run}, "
            f"reductions={reductions}, writes={writes!r}{self.of}{rest}),"
        )

    def hyper(self, hyper: Hyperparameter, cases: tuple[int, ...] = ()) -> str:
        """Return the slot of a hyperparameter."""
        return hyper_text(hyper, self._default(hyper), hyper.name in self.ahead, cases)

    def _default(self, hyper: Hyperparameter) -> str | None:
        feed = next((f for f in self.unit.feeds if f.hyperparameter.name == hyper.name), None)
        if feed is not None:
            return feed_text(self.unit, feed, self.functions)
        plain = plain_default(hyper)
        if plain is not None or hyper.default is None:
            return plain
        lines = default_function(self.unit, hyper)
        return self.functions.add(f"default_{identifier(hyper.name)}", lines, number=False)

    def state(self, state: State, cases: tuple[int, ...] = ()) -> str:
        """Return the slot of a state."""
        stem = f"start_{identifier(state.name)}"
        start = self.functions.add(stem, start_function(self.unit, state), number=False)
        kind = STATE_KINDS[state.kind]
        rest = f", part={state.part}" if state.part else ""
        rest += f", storage={state.storage!r}" if state.storage else ""
        rest += f", cases={cases!r}" if cases else ""
        return f"layout.StateSlot({state.name!r}, {kind!r}, {start}{rest}),"


def hyper_text(
    hyper: Hyperparameter, default: str | None, ahead: bool, cases: tuple[int, ...] = ()
) -> str:
    """Return the slot of a hyperparameter whose default has this text."""
    alias = hyper.alias
    fields: dict[str, object] = {
        "alias": alias.name if alias else None,
        "alias_position": alias.position if alias else None,
    }
    fields |= _bounds(hyper.domain)
    fields |= {"doc": hyper.doc or "", "part": hyper.part, "ahead": ahead}
    fields |= {"begins": hyper.begins, "cases": cases}
    defaults = {"alias": None, "alias_position": None, "doc": "", "part": 0, "ahead": False,
                "whole": False, "low_open": True, "high_open": True, "begins": 0,
                "cases": ()}  # fmt: skip
    rest = [f"{k}={_plain(v)}" for k, v in fields.items() if defaults.get(k, "?") != v]
    if default is not None:
        rest.insert(0, f"default={default}")
    names = f"{hyper.name!r}, {hyper.owner!r}, {hyper.local_name!r}"
    return f"layout.HyperparameterSlot({', '.join([names, *rest])}),"


def plain_default(hyper: Hyperparameter) -> str | None:
    """Return the text of a default that is a number, else None."""
    match hyper.default:
        case Number(value):
            return _plain(float(value))
        case Constant("true" | "false" as name):
            return "1.0" if name == "true" else "0.0"
        case Constant("inf"):
            return "np.inf"
    return None


def input_text(system: System, given: Input, cases: tuple[int, ...] = ()) -> str:
    """Return the slot of an input of `system`."""
    needed = given.name in unguarded_inputs(system)
    rest = f", cases={cases!r}" if cases else ""
    return (
        f"layout.InputSlot({given.name!r}, {given.known_as!r}, part={given.part}, "
        f"needed={needed}, doc={given.doc or ''!r}{rest}),"
    )


def _bounds(domain: Domain | None) -> dict[str, object]:
    if domain is None:
        return {}
    fields: dict[str, object] = {}
    if domain.low != -float("inf"):
        fields |= {"low": _float(domain.low), "low_open": domain.low_open}
    if domain.high != float("inf"):
        fields |= {"high": _float(domain.high), "high_open": domain.high_open}
    return fields | {"whole": domain.whole}


def _float(value: Fraction | float) -> float:
    return float(value)


def _plain(value: object) -> str:
    if isinstance(value, float) and value in (float("inf"), -float("inf")):
        return "np.inf" if value > 0 else "-np.inf"
    return repr(value)


def parameters_text(*systems: System) -> list[str]:
    """Return what the layout says of the dtypes of parameters, where a rule says one."""
    said = [system.parameters for system in systems if system.parameters is not None]
    return [f"parameters={(known_storage(text).format,)!r}," for text in said[:1]]


def dtypes_text(target: Target) -> list[str]:
    """Return what the layout says of the dtypes of parameters, where a target takes but some."""
    return [f"parameters={target.DTYPES!r},"] if target.DTYPES else []


def tuple_text(name: str, items: list[str]) -> list[str]:
    """Return an argument of the layout that is a tuple, one item a line."""
    return [f"{name}=(", *indent(items), "),"] if items else [f"{name}=(),"]


def stages_text(mode: str, lines: list[str] | None) -> list[str]:
    """Return the stages of one mode as an argument of the layout."""
    return [f"{mode}=None,"] if lines is None else tuple_text(mode, lines)
