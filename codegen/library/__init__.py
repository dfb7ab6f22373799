"""Rules compiled ahead of time: an object file and a header for C, and a Python module.

Nothing of Python, Numba or LLVM is left in what is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optdsl.diagnostics import Diagnostic
    from optdsl.model.alternatives import Rule

__all__ = ["Library", "build_library", "refusal"]


@dataclass(frozen=True)
class Library:
    """What is made of a rule: files by name, and how the object file is linked.

    `header` is None where C cannot take the steps of the rule, and `refused` says why. `shared`
    is None where there is no C compiler; `command` then does what is left to do.
    """

    prefix: str
    header: str | None
    refused: Diagnostic | None
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


def build_library(rule: Rule, name: str, remarks: Iterable[str] = ()) -> Library:
    """Compile `rule` ahead of time; `name` begins the names of files and functions.

    `remarks` are lines for what is written at the head of both texts, of at most 97 characters.

    Raises:
        DiagnosticError: for what is not compiled yet, or where a C compiler cannot link it.

    >>> from optdsl.library import load_rule
    >>> "int sgd_step_f32(" in build_library(load_rule("SGD"), "sgd").header
    True
    """
    from optdsl.codegen.c_names import c_name
    from optdsl.codegen.library.code import library_code
    from optdsl.codegen.library.header.text import header_text
    from optdsl.codegen.library.objects import c_compiler, host_triple, linked, object_code
    from optdsl.codegen.library.python import LibraryTarget, text_of
    from optdsl.codegen.library.units import lowered
    from optdsl.codegen.support.registers import this_machine
    from optdsl.codegen.versions import imprint

    machine, triple, made = this_machine(), host_triple(), imprint(remarks)
    whole = lowered(rule, c_name(name))
    interfaces = whole.interfaces
    text, fingerprint = library_code(interfaces, machine, triple, whole.public)
    code = object_code(text, triple, machine)
    compiler = c_compiler()
    prefix = interfaces[0].prefix
    return Library(
        prefix=prefix,
        header=None if whole.public is None else header_text(whole.public, made),
        refused=whole.refusal,
        module=text_of(whole.unit, LibraryTarget(interfaces, fingerprint), made),
        code=code,
        shared=None if compiler is None else linked(prefix, code, compiler),
        compiler=compiler,
    )


def refusal(rule: Rule) -> Diagnostic | None:
    """Return why C cannot take the steps of `rule`, or None where it can."""
    from optdsl.codegen.library.units import lowered

    return lowered(rule, "rule").refusal
