"""The Python module of a library: the layout of any rule, whose passes the library runs."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.codegen import matrices
from optdsl.codegen.cases import CasesUnit, cases_text
from optdsl.codegen.host import emit_combine
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.loops import all_streams
from optdsl.codegen.module import module_text
from optdsl.codegen.source import Functions
from optdsl.codegen.unit import Unit
from optdsl.codegen.versions import Imprint
from optdsl.program.program import Combine, Matrices, Pass, Program
from optdsl.runtime.shapes import Form

NAME = "library"
IMPORTS = {
    "optdsl.codegen.support.chunks": ("bind_chunks", "over_chunks"),
    "optdsl.codegen.support.row_chunks": ("as_rows",),
    "optdsl.codegen.support.shared_library": ("SharedLibrary",),
    **matrices.IMPORTS,
}


@dataclass(frozen=True)
class LibraryTarget:
    """The target of `protocol.py` for one library, which is known by its fingerprint."""

    interfaces: tuple[Interface, ...]
    fingerprint: str

    NAME = NAME
    BIND = "bind_chunks"
    RUNTIME = "optdsl.runtime"
    DTYPES = ("float32", "float64")
    ROW_PARTIALS: Form = "row"
    IMPORTS = IMPORTS

    def emit_pass(self, unit: Unit, stage: Pass, functions: Functions) -> str:
        """Return the text of what runs one pass over a table."""
        interface = next(each for each in self.interfaces if each.unit is unit)
        given = f"__file__, {interface.prefix!r}, {self.fingerprint!r}"
        library = functions.add("LIBRARY", [f"NAME = SharedLibrary({given})"], number=False)
        kernel = f"{library}.kernel({interface.passes[stage]}, {_telling(interface, stage)})"
        return f"over_chunks({kernel})"

    def bind_pass(self, unit: Unit, stage: Pass) -> str | None:
        """Return the text of what makes the table of a pass by rows, else None."""
        if not stage.by_rows:
            return None
        return f"as_rows({', '.join(map(repr, all_streams(unit, stage).values()))})"

    def emit_matrices(
        self, unit: Unit, stage: Matrices, functions: Functions
    ) -> tuple[str, str, tuple[str, ...]]:
        """Add the functions of values a row and a column, which NumPy computes from Python."""
        return matrices.emit_matrices(unit, stage, functions, wide=False)

    def emit_scalars(
        self, unit: Unit, program: Program, part: int, host: str, functions: Functions
    ) -> str:
        """Return the text of what computes the numbers of a step: the function of the host."""
        return host

    def emit_combine(self, unit: Unit, stage: Combine, functions: Functions) -> str:
        """Add the function that folds partial sums; return its name."""
        return emit_combine(unit, stage, functions)


def _telling(interface: Interface, stage: Pass) -> int:
    """Return which array of a pass is stored as the parameters are, or at least as wide."""
    streams = list(all_streams(interface.unit, stage))
    others = {*interface.kept.formats, *interface.unit.shaped}
    plain = [name for name in streams if name not in others]
    seen = [name for name in streams if name in interface.seen]
    return streams.index([*seen, *plain][0])


def text_of(unit: Unit | CasesUnit, target: LibraryTarget, imprint: Imprint) -> str:
    """Return the text of the Python module of a rule."""
    if isinstance(unit, CasesUnit):
        return cases_text(unit, target, imprint)
    return module_text(unit, target, imprint)
