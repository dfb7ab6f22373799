"""A rule as the door needs it: compiled for each memory that tensors lie in, and what it sees."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from optdsl.codegen import compile_system
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.doors import require_optimizer
from optdsl.model import Rule
from optdsl.model.storing import with_storage
from optdsl.runtime import Optimizer, ParameterError, from_layout
from optdsl.runtime.hyperparameters import Names
from optdsl.runtime.layout import Layout
from optdsl.torch.groups import TAKEN
from optdsl.torch.memory import Memory
from optdsl.torch.needs import needs_of, needs_of_storage
from optdsl.torch.scaling import skips_nonfinite
from optdsl.torch.sparse import Laziness, laziness_of

#: The targets whose kernels reach tensors of PyTorch.
TARGETS = ("numba-cpu", "reference", "numba-cuda")


def _require_free(names: Names) -> None:
    """Refuse a hyperparameter whose name means something else in groups of PyTorch."""
    taken = [name for name in names.preferred() if name in (*TAKEN, "capturable")]
    if taken:
        problem = Diagnostic(
            "taken-name",
            f"`{taken[0]}` of {names.owner} means something else in the groups of PyTorch",
            hint="give the hyperparameter another alias in the spec",
        )
        raise DiagnosticError(problem)


class Rules:
    """A rule for one target, and for cards where parameters lie on one."""

    def __init__(self, rule: Rule, what: str, target: str, storage: Mapping[str, str]) -> None:
        if target not in TARGETS:
            raise DiagnosticError(
                Diagnostic(
                    "not-in-this-door",
                    f"the target {target} steps no tensors of PyTorch",
                    hint="give " + " or ".join(f"`{each}`" for each in TARGETS),
                )
            )
        self._rule = with_storage(rule, storage) if storage else rule
        self.target = target
        layout = compile_system(self._rule, target)
        require_optimizer(layout, what)
        self.first = _class_of(layout, target)
        self.layout = layout
        self.names: Names = self.first.names
        _require_free(self.names)
        self.name = layout.name
        self.needs = needs_of(rule) | needs_of_storage(layout)
        self._spec = rule
        self.skips_nonfinite = skips_nonfinite(rule)

    @cached_property
    def laziness(self) -> Laziness:
        """Whether rows without a gradient may be left alone: proved when it is first asked."""
        return laziness_of(self._spec)

    def on(self, memory: Memory) -> type[Optimizer]:
        """Return the class that steps arrays of this memory.

        Raises:
            DiagnosticError: the rule is not compiled for a card; it says why.
            ParameterError: the rule was asked for on cards alone.
        """
        if memory.target == "numba-cuda":
            return self._on_card
        if self.target == "numba-cuda":
            raise ParameterError(
                f"parameters are on {memory.name}, and {self.name} was made for the target "
                "numba-cuda: move them to a card, or leave the target out"
            )
        return self.first

    @cached_property
    def _on_card(self) -> type[Optimizer]:
        if self.target == "numba-cuda":
            return self.first
        return _class_of(compile_system(self._rule, "numba-cuda"), "numba-cuda")


def _class_of(layout: Layout, target: str) -> type[Optimizer]:
    if target == "numba-cuda":
        from optdsl.cuda import from_layout as on_card

        made = on_card(layout)
    else:
        made = from_layout(layout)
    assert issubclass(made, Optimizer)
    return made
