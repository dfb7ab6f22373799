"""All the LLVM code of a library, in one module."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.choices.interface import ChoiceInterface
from optdsl.codegen.library.choices.steps import ChoiceSteps
from optdsl.codegen.library.dispatch import add_choice, dispatched, levels
from optdsl.codegen.library.interface import Interface, whole_stages
from optdsl.codegen.library.matrices.products import TILES
from optdsl.codegen.library.matrices.stages import matrices_function
from optdsl.codegen.library.objects import UPDATE
from optdsl.codegen.library.passes.tables import PassWriter
from optdsl.codegen.library.passes.tasks import PassFunctions, TaskWriter
from optdsl.codegen.library.rooms import room_function
from optdsl.codegen.library.settings import Settings
from optdsl.codegen.library.steps import Loops, Steps
from optdsl.codegen.library.storing import WIDE, Precision
from optdsl.codegen.support.attending import add_helpers
from optdsl.codegen.support.emitting import BYTE
from optdsl.codegen.support.jobs import VERSION
from optdsl.program.program import Pass

_VARIANT = re.compile(r'^(define [^\n]*@"([^"\n]*)\.level_([\w-]+)"\([^\n]*\))', re.MULTILINE)


def library_code(
    interfaces: Sequence[Interface], machine: str, triple: str, public: Interface | None
) -> tuple[str, str]:
    """Return the LLVM code of a library for a kind of machine, and what tells it from others.

    There is an interface for each rule that a rule chooses from. C sees `public`; where that is
    None, there are only the passes that the runtime runs.
    """
    first = interfaces[0]
    module = ir.Module(first.prefix)
    module.triple = triple
    level = None
    if any(interface.passes or interface.has_matrices for interface in interfaces):
        level = add_choice(module, first.prefix, machine)
        add_helpers(module, f"{first.prefix}_kernel_v{VERSION}_", machine)
    settings = None if public is None else Settings(module, public)
    schedule = first.unit.system.family == "schedule"
    if schedule and settings is not None:
        _add_steps(Steps(module, first, settings, WIDE[1], "", Loops()))
    for precision in () if schedule else first.precisions:
        loops = [_add_loops(module, interface, precision, level, machine, public is not None)
                 for interface in interfaces]  # fmt: skip
        ending = f"_{precision.ending}"
        if settings is None:
            continue
        if isinstance(public, ChoiceInterface):
            _add_steps(ChoiceSteps(module, public, settings, precision, ending, loops))
        else:
            _add_steps(Steps(module, first, settings, precision, ending, loops[0]))
        if settings.interface.needs_room:
            room_function(module, settings.interface, interfaces, precision, ending)
    digest = hashlib.sha256(str(module).encode()).hexdigest()[:16]
    _add_text(module, f"{first.prefix}_fingerprint", digest)
    return _with_processors(str(module), machine), digest


def _add_loops(
    module: Any, interface: Interface, precision: Precision, level: Any, machine: str, for_c: bool
) -> Loops:
    """Add the passes of a rule for one format, and what is done to matrices; return what C runs."""
    passes, matrices = {}, {}
    for stage, number in interface.passes.items():
        of_c = for_c and any(stage in program.passes for program in interface.programs)
        made = _add_pass(module, interface, stage, precision, number, level, machine, of_c)
        if made is not None:
            passes[stage] = made
    stages = [stage for program in interface.programs for stage in whole_stages(program)]
    for number, shaped in enumerate(dict.fromkeys(stages) if for_c else ()):
        name = f"matrices_{number}{interface.tag}_{precision.ending}"
        variants = [matrices_function(module, interface, shaped, precision, name, each)
                    for each in levels(machine)]  # fmt: skip
        matrices[shaped] = dispatched(module, name, level, variants)
        matrices[shaped].linkage = "internal"
    return Loops(passes, matrices)


def _add_steps(steps: Steps) -> None:
    steps.start()
    steps.step()
    if steps.interface.needs_room:
        steps.step_in_threads()
    for name, program in steps.interface.looks.items():
        steps.look(name, program)
        steps.look(name, program, shared=True)


def _add_pass(
    module: Any, interface: Interface, stage: Pass, precision: Precision, number: int, level: Any,
    machine: str, of_c: bool,
) -> PassFunctions | None:  # fmt: skip
    """Add a pass for each level of instructions; return what runs the one chosen over records.

    None for a pass that only the runtime needs, where `of_c` is not set.
    """
    name = f"{number}_{precision.ending}"
    writer = PassWriter(module, interface, stage, precision, machine)
    tasks = TaskWriter(writer)
    over_table, alone, task = [], [], []
    for each in levels(machine):
        update = writer.update(f"{UPDATE}{name}", each)
        over_table.append(writer.over_table(f"kernel_{name}", update))
        if of_c:
            alone.append(tasks.alone(f"pass_{name}", update))
            task.append(tasks.task(f"task_{name}", update))
    dispatched(module, f"{interface.prefix}_kernel_{name}", level, over_table)
    if not of_c:
        return None
    for_one = dispatched(module, f"pass_{name}", level, alone)
    for_many = dispatched(module, f"task_{name}", level, task)
    for_one.linkage = for_many.linkage = "internal"
    return PassFunctions(for_one, for_many, tasks.fold(f"fold_{name}"), stage.by_rows)


def _add_text(module: Any, name: str, text: str) -> None:
    data = bytearray(text.encode() + b"\0")
    kind = ir.ArrayType(BYTE, len(data))
    constant = ir.GlobalVariable(module, kind, name)
    constant.global_constant = True
    constant.initializer = ir.Constant(kind, data)


def _with_processors(text: str, machine: str) -> str:
    """Say of each function of a level for which processor it is compiled."""
    known = {each.name: each for each in levels(machine)}

    def processor(found: re.Match[str]) -> str:
        level = known[found[3]]
        wide = found[2].startswith(TILES) and level.tile > level.bytes
        bits = f' "prefer-vector-width"="{8 * level.tile}"'
        bits += f' "min-legal-vector-width"="{8 * level.tile}"'
        return f'{found[1]} "target-cpu"="{level.cpu}"{bits if wide else ""}'

    return _VARIANT.sub(processor, text)
