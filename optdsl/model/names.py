"""What names mean while a definition is translated."""

from __future__ import annotations

from dataclasses import dataclass, field

from optdsl.language import syntax
from optdsl.model.expressions import Fact, Kind
from optdsl.model.gradients import Point


@dataclass
class Names:
    """What names mean while a definition is translated, and what its equations ask of them.

    `kinds` grows to a least fixed point. `lags` collects the values that must be
    remembered for more than the equation's own state: ("g", 1) for `g[t-1]`.
    `ahead` collects what is read one step early, `fixed` what is read at a fixed time.
    `loss_of` is the gradient with which the loss comes, where it is known.
    """

    family: syntax.Family
    hypers: set[str]
    equations: set[str]
    gradients: dict[Point, str]
    kinds: dict[str, Kind]
    predicates: set[str] = field(default_factory=set)
    lags: dict[tuple[str, int], str] = field(default_factory=dict)
    ahead: dict[str, str] = field(default_factory=dict)
    fixed: dict[tuple[str, int], str] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    facts: dict[Fact, str] = field(default_factory=dict)
    rules: frozenset[str] = frozenset()
    loss_of: str | None = None
    past: set[str] = field(default_factory=set)

    @property
    def readable(self) -> set[str]:
        """All that a name can be, for suggestions."""
        tensors = set() if self.family == "schedule" else {"g", "theta", "loss"}
        numbers = {*self.hypers, *self.inputs, *self.equations, "t"}
        return {*numbers, *self.gradients.values()} | tensors

    def fresh(self, name: str) -> str:
        """Return `name`, or a longer one where it is taken."""
        taken = self.readable | {*self.lags.values(), *self.ahead.values(), *self.fixed.values()}
        taken |= set(self.facts.values())
        while name in taken:
            name += "_"
        return name
