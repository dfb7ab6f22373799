"""What a comparison found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["proved", "agrees", "differs", "not understood"]


@dataclass(frozen=True)
class Counterexample:
    """Inputs at which two systems part, at the smallest step at which they can.

    Args:
        step: the step at which they part.
        what: the value that differs, such as "theta[t]" or "the point of gradient 1".
        inputs: names and values, as text: hyperparameters, theta[0], gradients.
        ours: our value.
        theirs: the other value.
        equation: the first of our equations whose value differs, where names are shared.
        cause: what would make them agree, where one change does.
    """

    step: int
    what: str
    inputs: Mapping[str, str]
    ours: str
    theirs: str
    equation: str | None = None
    cause: str | None = None

    def __str__(self) -> str:
        given = ", ".join(f"{name} = {value}" for name, value in self.inputs.items())
        lines = [
            f"they part at t = {self.step}, in {self.what}: {self.ours} against {self.theirs}",
            f"inputs: {given}" if given else "no inputs are needed",
        ]
        if self.equation is not None:
            lines.append(f"first equation that differs: {self.equation}")
        if self.cause is not None:
            lines.append(f"likely cause: {self.cause}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """Do two systems agree?

    Args:
        kind: proved, agrees, differs or not understood.
        reason: why it is not proved, or what was not understood.
        domains: the domains that the verdict rests on, as text.
        starts: starts that no one stated, as text.
        constant: hyperparameters that were supposed to be constant.
        state_map: what their states are in our names, as text.
        output_map: what their output is in our names where it is not the same.
        invariants: ranges of our states that the proof found, as text.
        steps: how many steps were run.
        points: at how many inputs.
        digits: to how many digits.
        counterexample: where they part.
    """

    kind: Kind
    reason: str | None = None
    domains: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    state_map: tuple[str, ...] = ()
    output_map: str | None = None
    invariants: tuple[str, ...] = ()
    steps: int = 0
    points: int = 0
    digits: int = 0
    counterexample: Counterexample | None = field(default=None)

    def __str__(self) -> str:
        if self.kind == "proved":
            form = f" for {self.output_map}" if self.output_map else ""
            constant = f" for constant {', '.join(self.constant)}" if self.constant else ""
            return f"proved{form}{constant}"
        if self.kind == "agrees":
            return (
                f"agrees for {self.steps} steps at {self.points} points to {self.digits} digits, "
                f"but no proof was found: {self.reason}"
            )
        if self.kind == "differs":
            return f"differs: {self.counterexample}"
        return f"not understood: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return asdict(self)


def from_json(data: Mapping[str, Any]) -> Verdict:
    """Return the verdict that `to_json` wrote."""
    plain = dict(data)
    for name in ("domains", "starts", "constant", "state_map", "invariants"):
        plain[name] = tuple(plain[name])
    if plain["counterexample"] is not None:
        plain["counterexample"] = Counterexample(**plain["counterexample"])
    return Verdict(**plain)
