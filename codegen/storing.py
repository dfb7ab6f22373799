"""The text of loads and stores of a pass, where states or parameters have a storage format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optdsl.model.expressions import Clock
from optdsl.model.storing import REST, is_compensated
from optdsl.model.system import System
from optdsl.program.program import Pass
from optdsl.storage import Storage, known_storage

#: Gives the text of the random words of an entry, for those who want it.
Words = Callable[[], str]


@dataclass(frozen=True)
class Stored:
    """The formats of the streams of a rule, and whether what theta loses in rounding is kept."""

    formats: dict[str, Storage]
    compensated: bool

    def block(self, stream: str) -> int | None:
        """Return the entries a block of a stream that has a scale a block."""
        storage = self.formats.get(stream)
        return None if storage is None else storage.block

    def draws(self, stage: Pass) -> bool:
        """Does a store of this pass round by chance?"""
        said = (self.formats.get(store.stream) for store in stage.stores)
        return any(storage is not None and storage.stochastic for storage in said)

    def code(self, stream: str) -> int:
        """Return what tells the random numbers of one stream from those of another."""
        return [name for name, each in self.formats.items() if each.stochastic].index(stream)

    def in_order(self, streams: list[str], first: str) -> list[str]:
        """Return the streams of a pass; one that tells the shape and the type comes first."""
        if self.compensated and "theta" in streams:
            streams = [*streams, REST]
        plain = [name for name in streams if self._is_plain(name)]
        others = [name for name in streams if not self._is_plain(name)]
        return [*(plain or [first]), *others] if others else streams

    def _is_plain(self, stream: str) -> bool:
        return stream == "theta" or stream not in self.formats


def stored(system: System) -> Stored:
    """Return what a system says of how its streams are stored."""
    said = {state.name: state.storage for state in system.states}
    said["theta"] = system.parameters
    formats = {name: known_storage(text) for name, text in said.items() if text is not None}
    return Stored(formats, is_compensated(system))


def rounding_clocks(system: System, stages: list[Pass]) -> list[Clock]:
    """Return the clocks that stores of these passes need, to round by chance."""
    said = stored(system)
    return list(dict.fromkeys(Clock(stage.part) for stage in stages if said.draws(stage)))


@dataclass(frozen=True)
class Access:
    """How the code of a target loads and stores.

    `load` gives the text of a stream as its rule computes with it, `store` the line that writes
    a value; both are told the array and its format. `words` is the text of the random words of
    an entry, made of the counter; `lost` that of what a store has lost.
    """

    load: Callable[[str, Storage | None], str]
    store: Callable[[str, Storage | None, str, Words | None], str]
    words: Callable[[str], str]
    lost: Callable[[str, str], str]
