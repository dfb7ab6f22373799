"""Rules compiled ahead of time: an object file and a header for C, and a Python module.

Nothing of Python, Numba or LLVM is left in what is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optdsl.codegen.unit import Unit
    from optdsl.diagnostics import Diagnostic
    from optdsl.model.alternatives import Rule

__all__ = ["Library", "build_library", "refusal"]


@dataclass(frozen=True)
class Library:
    """What is made of a rule: files by name, and how the object file is linked.

    `shared` is None where there is no C compiler; `command` then does what is left to do.
    """

    prefix: str
    header: str
    module: str
    code: bytes
    shared: bytes | None
    compiler: str | None

    @property
    def shared_name(self) -> str:
        """The name of the file of the shared library."""
        from optdsl.codegen.support.shared_library import library_name

        return library_name(self.prefix)

    @property
    def command(self) -> str:
        """The command that links, where the object file lies."""
        from optdsl.codegen.support.shared_library import link_command

        return " ".join(link_command(self.prefix))


def build_library(rule: Rule, name: str) -> Library:
    """Compile `rule` for C; `name` begins the names of files and functions.

    Raises:
        DiagnosticError: for what a library cannot hold, or where a C compiler cannot link it.

    >>> from optdsl.library import load_rule
    >>> "int sgd_step_f32(" in build_library(load_rule("SGD"), "sgd").header
    True
    """
    from optdsl.codegen.library.code import library_code
    from optdsl.codegen.library.header import header_text
    from optdsl.codegen.library.interface import Interface, c_name
    from optdsl.codegen.library.objects import c_compiler, host_triple, linked, object_code
    from optdsl.codegen.library.python import LibraryTarget
    from optdsl.codegen.module import module_text
    from optdsl.codegen.support.registers import this_machine
    from optdsl.codegen.versions import compiler_version
    from optdsl.diagnostics import DiagnosticError

    problem, unit = _prepared(rule)
    if problem is not None or unit is None:
        assert problem is not None
        raise DiagnosticError(problem)
    machine, triple, version = this_machine(), host_triple(), compiler_version()
    interface = Interface(unit, c_name(name))
    text, fingerprint = library_code(interface, machine, triple)
    code = object_code(text, triple, machine)
    compiler = c_compiler()
    return Library(
        prefix=interface.prefix,
        header=header_text(interface, version),
        module=module_text(unit, LibraryTarget(interface, fingerprint), version),
        code=code,
        shared=None if compiler is None else linked(interface.prefix, code, compiler),
        compiler=compiler,
    )


def refusal(rule: Rule) -> Diagnostic | None:
    """Return why a library cannot hold `rule`, or None where it can."""
    return _prepared(rule)[0]


def _prepared(rule: Rule) -> tuple[Diagnostic | None, Unit | None]:
    """Return a rule, lowered, or why a library cannot hold it."""
    from optdsl.codegen.library.refusals import refusal_of_rule, refusal_of_unit
    from optdsl.codegen.unit import prepare
    from optdsl.model.system import System

    problem = refusal_of_rule(rule)
    if problem is not None:
        return problem, None
    assert isinstance(rule, System)
    unit = prepare(rule)
    return refusal_of_unit(unit), unit
