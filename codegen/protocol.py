"""What a target is: any module with these names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from optdsl.codegen.source import Functions
from optdsl.codegen.unit import Unit
from optdsl.program.program import Combine, Matrices, Pass, Program
from optdsl.runtime.shapes import Form


class Target(Protocol):
    """A way to run passes over memory.

    `NAME` is what users call it, `IMPORTS` what its modules may import, `BIND` the
    function among them that makes a table of arrays, `RUNTIME` the module whose `from_layout` makes
    a class of a layout.
    """

    @property
    def NAME(self) -> str:
        """What users call the target."""

    @property
    def IMPORTS(self) -> Mapping[str, tuple[str, ...]]:
        """What its modules may import: names, by module."""

    @property
    def BIND(self) -> str:
        """The function that makes a table of arrays."""

    @property
    def ROW_PARTIALS(self) -> Form:
        """The form of what a pass leaves where it reduces to a value a row."""

    @property
    def RUNTIME(self) -> str:
        """The module whose `from_layout` makes a class of a layout."""

    @property
    def DTYPES(self) -> tuple[str, ...]:
        """The dtypes of parameters that it takes, where those are fewer than the runtime's."""

    def emit_pass(self, unit: Unit, stage: Pass, functions: Functions) -> str:
        """Add the functions of one pass; return the text of the one that runs it over a table."""

    def bind_pass(self, unit: Unit, stage: Pass) -> str | None:
        """Return the text of what makes the table of a pass, where that is not BIND."""

    def emit_matrices(
        self, unit: Unit, stage: Matrices, functions: Functions
    ) -> tuple[str, str, tuple[str, ...]]:
        """Add the functions of a stage of matrices; return the text of the one that runs it over
        a table, that of what makes the table, and its streams.
        """

    def emit_scalars(
        self, unit: Unit, program: Program, part: int, host: str, functions: Functions
    ) -> str:
        """Return the text of what computes the numbers of one step; `host` does so in NumPy."""

    def emit_combine(self, unit: Unit, stage: Combine, functions: Functions) -> str:
        """Add the functions that fold partial sums; return the text of what runs them."""


class FunctionalTarget(Protocol):
    """A framework in which a step is a function of values: any module with these names.

    `PREFIX` stands before the names of its functions, as `jnp.` does. `MODULES` are imports by
    the name that needs them, `IMPORTS` names by module; `MAKE` turns `FUNCTIONS` into what
    users call.
    """

    @property
    def NAME(self) -> str:
        """What users call the target."""

    @property
    def PREFIX(self) -> str:
        """What stands before the name of a function."""

    @property
    def MODULES(self) -> Mapping[str, str]:
        """Lines that import whole modules, by the name that they make known."""

    @property
    def IMPORTS(self) -> Mapping[str, tuple[str, ...]]:
        """What its modules may import: names, by module."""

    @property
    def MAKE(self) -> str:
        """The function that makes a rule of `FUNCTIONS`."""
