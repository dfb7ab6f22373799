"""Cards whose times are predicted: memory, multiprocessors, architecture."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.program.timing import Machine

#: Copying reaches about this share of the bandwidth that a data sheet prints.
_COPIED = 0.92
#: Seconds from one small kernel to the next on one stream, and seconds that a load takes under
#: load. Neither is printed in a data sheet; `benchmarks/cuda.py` measures the first on a card.
_LAUNCH, _LATENCY = 3e-6, 8e-7


@dataclass(frozen=True, slots=True)
class Card:
    """A card: its architecture, bytes a second as its data sheet prints them, multiprocessors."""

    name: str
    architecture: str
    printed: float
    processors: int

    @property
    def machine(self) -> Machine:
        """What predictions for this card are made from."""
        return Machine(self.name, self.printed * _COPIED, _LAUNCH, _LATENCY, self.processors)


#: One card an architecture. Source: NVIDIA's data sheets and architecture white papers.
CARDS = {
    each.architecture: each
    for each in (
        Card("T4", "sm_75", 320e9, 40),
        Card("A100 SXM 80 GB", "sm_80", 2039e9, 108),
        Card("A10", "sm_86", 600e9, 72),
        Card("L40S", "sm_89", 864e9, 142),
        Card("H100 SXM 80 GB", "sm_90", 3350e9, 132),
        Card("B200", "sm_100", 8000e9, 148),
        Card("B300", "sm_103", 8000e9, 148),
        Card("GeForce RTX 5090", "sm_120", 1792e9, 170),
    )
}
