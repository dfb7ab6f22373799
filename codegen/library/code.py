"""All the LLVM code of a library, in one module."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.dispatch import add_choice, dispatched, levels
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.passes import PassWriter
from optdsl.codegen.library.settings import Settings
from optdsl.codegen.library.steps import Steps
from optdsl.codegen.library.storing import WIDE, Precision
from optdsl.codegen.library.tasks import TaskWriter, Whole
from optdsl.codegen.library.words import BYTE
from optdsl.codegen.support.attending import add_helpers
from optdsl.program.program import Pass

_VARIANT = re.compile(r'^(define [^\n]*@"[^"\n]*\.level_([\w-]+)"\([^\n]*\))', re.MULTILINE)


def library_code(interface: Interface, machine: str, triple: str) -> tuple[str, str]:
    """Return the LLVM code of a library for a kind of machine, and what tells it from others."""
    module = ir.Module(interface.prefix)
    module.triple = triple
    level = None
    if interface.passes:
        level = add_choice(module, interface.prefix, machine)
        add_helpers(module, f"{interface.prefix}_kernel_", machine)
    settings = Settings(module, interface)
    if interface.unit.system.family == "schedule":
        _add_steps(Steps(module, interface, settings, WIDE[1], "", {}))
    else:
        for precision in interface.precisions:
            passes = {}
            for stage, number in interface.passes.items():
                made = _add_pass(module, interface, stage, precision, number, level, machine)
                if made is not None:
                    passes[stage] = made
            ending = f"_{precision.ending}"
            _add_steps(Steps(module, interface, settings, precision, ending, passes))
    digest = hashlib.sha256(str(module).encode()).hexdigest()[:16]
    _add_text(module, f"{interface.prefix}_fingerprint", digest)
    return _with_processors(str(module), machine), digest


def _add_steps(steps: Steps) -> None:
    steps.start()
    steps.step()
    if steps.passes:
        steps.room()
        steps.step_in_threads()
    for name, program in steps.interface.looks.items():
        steps.look(name, program)


def _add_pass(
    module: Any, interface: Interface, stage: Pass, precision: Precision, number: int, level: Any,
    machine: str,
) -> Whole | None:  # fmt: skip
    """Add a pass for each level of instructions; return what runs the one chosen over records.

    None for a pass that only the runtime needs, in a mode that C does without.
    """
    name = f"{number}_{precision.ending}"
    writer = PassWriter(module, interface, stage, precision, machine)
    tasks = TaskWriter(writer)
    of_c = any(stage in program.passes for program in interface.programs)
    over_table, alone, task = [], [], []
    for each in levels(machine):
        update = writer.update(f"update_{name}", each)
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
    return Whole(for_one, for_many, tasks.fold(f"fold_{name}"), stage.by_rows)


def _add_text(module: Any, name: str, text: str) -> None:
    data = bytearray(text.encode() + b"\0")
    kind = ir.ArrayType(BYTE, len(data))
    constant = ir.GlobalVariable(module, kind, name)
    constant.global_constant = True
    constant.initializer = ir.Constant(kind, data)


def _with_processors(text: str, machine: str) -> str:
    """Say of each function of a level for which processor it is compiled."""
    cpus = {each.name: each.cpu for each in levels(machine)}
    return _VARIANT.sub(lambda found: f'{found[1]} "target-cpu"="{cpus[found[2]]}"', text)
