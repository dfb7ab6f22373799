"""Which name means which hyperparameter, and what a user chose for each."""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from optdsl.diagnostics import did_you_mean
from optdsl.runtime.errors import HyperparameterError, HyperparameterTypeError
from optdsl.runtime.feeds import idle
from optdsl.runtime.layout import Feed, HyperparameterSlot, InputSlot, Numbers
from optdsl.runtime.values import Source, checked_source, shown_name


class Names:
    """The names of a rule's hyperparameters: its own, aliases, tuple aliases, qualified ones."""

    def __init__(
        self,
        owner: str,
        slots: tuple[HyperparameterSlot, ...],
        inputs: tuple[InputSlot, ...] = (),
    ) -> None:
        self.owner = owner
        self.slots = slots
        self.inputs = inputs
        self._single: dict[str, list[int]] = {}
        self._tuples: dict[str, dict[int, list[int]]] = {}
        for index, slot in enumerate(slots):
            names = {slot.name, slot.local_name, f"{slot.owner}.{slot.local_name}"}
            if slot.alias is not None and slot.alias_position is None:
                names |= {slot.alias, f"{slot.owner}.{slot.alias}"}
            for name in names:
                self._single.setdefault(name, []).append(index)
            if slot.alias is not None and slot.alias_position is not None:
                for name in (slot.alias, f"{slot.owner}.{slot.alias}"):
                    places = self._tuples.setdefault(name, {})
                    places.setdefault(slot.alias_position, []).append(index)

    def known(self) -> tuple[str, ...]:
        """Return every name that is understood."""
        return (*self._single, *self._tuples)

    def preferred(self) -> tuple[str, ...]:
        """Return one name a hyperparameter: the alias where there is one."""
        names: dict[str, None] = {}
        for slot in self.slots:
            shared = len({other.owner for other in self.slots}) > 1
            name = slot.alias or slot.local_name
            if shared and self._ambiguous(name):
                name = f"{slot.owner}.{name}"
            names[name] = None
        return tuple(names)

    def _ambiguous(self, name: str) -> bool:
        places = self._tuples.get(name)
        if places is not None:
            return any(len(indices) > 1 for indices in places.values())
        return len(self._single[name]) > 1

    def slots_of(self, name: str) -> list[list[int]]:
        """Return the slots that `name` reaches: one list, or one a position of a tuple.

        Raises:
            HyperparameterError: no hyperparameter is called so.
        """
        if name in self._single:
            return [self._single[name]]
        if name in self._tuples:
            places = self._tuples[name]
            return [places[position] for position in sorted(places)]
        near = did_you_mean(name, self.known())
        listed = ", ".join(f"`{known}`" for known in self.preferred()) or "none"
        raise HyperparameterError(
            f"{self.owner} has no hyperparameter `{name}`: " + (near or f"it has {listed}")
        )

    def refuse_unnamed(self, values: Sequence[Any]) -> None:
        """Refuse hyperparameters that are given by their place.

        Raises:
            HyperparameterTypeError: there is one; it says how to give it by name.
        """
        if not values:
            return
        names = [name.rpartition(".")[2] for name in self.preferred()]
        shown = repr(values[0]) if isinstance(values[0], int | float | str) else "..."
        how = f"no hyperparameters: leave {shown} out"
        if names:
            how = f"hyperparameters by name: give {names[0]}={shown}"
        raise HyperparameterTypeError(f"{self.owner} takes {how}")

    def is_tuple(self, name: str) -> bool:
        """Does `name` stand for several hyperparameters in order, as `betas` does?"""
        return name not in self._single and name in self._tuples

    def spread(self, name: str, value: Any) -> list[tuple[int, Source]]:
        """Return what giving `value` to `name` puts in which slot.

        Raises:
            HyperparameterError: an unknown name, a wrong count, or a value outside its domain.
        """
        places = self.slots_of(name)
        if not self.is_tuple(name):
            values = [value]
        else:
            if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
                raise HyperparameterTypeError(
                    f"`{name}` of {self.owner} is {value!r}: give {len(places)} values in a tuple"
                )
            values = list(value)
            if len(values) != len(places):
                raise HyperparameterError(
                    f"`{name}` of {self.owner} takes {len(places)} values, not {len(values)}"
                )
        return [
            (index, checked_source(self.slots[index], item))
            for indices, item in zip(places, values, strict=True)
            for index in indices
        ]

    def chosen(self, given: Mapping[str, Any]) -> dict[int, Source]:
        """Return what a user gave, a slot.

        A qualified name (`AdamW.eta`) goes before a bare one.

        Raises:
            HyperparameterError: as `spread`, or a slot is given under two names.
        """
        result: dict[int, Source] = {}
        reached_by: dict[int, str] = {}
        for name, value in given.items():
            for index, source in self.spread(name, value):
                earlier = reached_by.get(index)
                if earlier is not None and ("." in earlier) == ("." in name):
                    raise HyperparameterError(
                        f"hyperparameter {shown_name(self.slots[index])} of {self.owner} is given "
                        f"twice, as `{earlier}` and as `{name}`: keep one of them"
                    )
                if earlier is None or "." in name:
                    result[index], reached_by[index] = source, name
        return result


Formula = Callable[[float, Numbers], float]


class Settings:
    """What stands in each slot: a number, a schedule, a function, or None for the spec's formula.

    `generation` grows with every change, so that who has read them knows when to read again.
    """

    def __init__(self, names: Names, sources: list[Source | None]) -> None:
        self.names = names
        self.sources = sources
        self.generation = 0

    @classmethod
    def of(
        cls,
        names: Names,
        given: Mapping[str, Any],
        base: Settings | None = None,
        partial: bool = False,
    ) -> Settings:
        """Return settings from what a user gave, the rest from `base` or the defaults.

        With `partial`, what must be given may still be missing.

        Raises:
            HyperparameterError: as `Names.chosen`, or a value that must be given is missing.
        """
        chosen = names.chosen(given)
        sources: list[Source | None] = []
        missing: list[int] = []
        for index, slot in enumerate(names.slots):
            if index in chosen:
                sources.append(chosen[index])
            elif base is not None and not _is_missing(base.sources[index]):
                sources.append(base.sources[index])
            elif slot.default is None:
                sources.append(math.nan)
                missing.append(index)
            elif callable(slot.default) or isinstance(slot.default, Feed):
                sources.append(None)
            else:
                sources.append(float(slot.default))
        missing = sorted(set(missing) - idle(names.slots, sources))
        if missing and not partial:
            listed = ", ".join(shown_name(names.slots[index]) for index in missing)
            raise HyperparameterError(
                f"{names.owner} needs a value for {listed}: it has no default"
            )
        return cls(names, sources)

    def __getitem__(self, name: str) -> Any:
        places = self.names.slots_of(name)
        values = [self._shown(indices[0]) for indices in places]
        for indices in places:
            if any(self.sources[index] != self.sources[indices[0]] for index in indices[1:]):
                options = ", ".join(f"`{self.qualified(index)}`" for index in indices)
                raise HyperparameterError(
                    f"`{name}` differs between the parts of {self.names.owner}: ask for {options}"
                )
        return tuple(values) if self.names.is_tuple(name) else values[0]

    def __setitem__(self, name: str, value: Any) -> None:
        for index, source in self.names.spread(name, value):
            self.sources[index] = source
        self.generation += 1

    def reset(self, name: str) -> None:
        """Let the spec's own formula, schedule or number give `name` again.

        Raises:
            HyperparameterError: no hyperparameter is called so, or it has no default.
        """
        for index in (index for places in self.names.slots_of(name) for index in places):
            default = self.names.slots[index].default
            if default is None:
                raise HyperparameterError(f"`{name}` of {self.names.owner} has no default")
            given = callable(default) or isinstance(default, Feed)
            self.sources[index] = None if given else float(default)  # type: ignore[arg-type]
        self.generation += 1

    def copy(self) -> Settings:
        """Return settings that change by themselves."""
        return Settings(self.names, list(self.sources))

    def replace(self, sources: list[Source | None]) -> None:
        """Put `sources` in place of all that stands here."""
        self.sources = sources
        self.generation += 1

    def qualified(self, index: int) -> str:
        """Return the full name of a slot."""
        slot = self.names.slots[index]
        return f"{slot.owner}.{slot.local_name}"

    def _shown(self, index: int) -> Any:
        source, slot = self.sources[index], self.names.slots[index]
        if source is None:
            return slot.default
        if slot.whole and isinstance(source, float) and math.isfinite(source):
            return int(source)
        return source

    def text(self) -> str:
        """Return the settings as arguments of a call."""
        parts = []
        for name in self.names.preferred():
            try:
                value = self[name]
            except HyperparameterError:
                value = "..."
            shown = "formula" if callable(value) and _is_default(self, name) else repr(value)
            parts.append(f"{name}={shown}" if is_keyword_argument(name) else f"{name!r}: {shown}")
        return ", ".join(parts)


def _is_missing(source: Source | None) -> bool:
    return isinstance(source, float) and math.isnan(source)


def _is_default(settings: Settings, name: str) -> bool:
    places = settings.names.slots_of(name)
    return all(settings.sources[index] is None for indices in places for index in indices)


def is_keyword_argument(name: str) -> bool:
    """Can `name` be written before `=` in a call?"""
    return name.isidentifier() and not keyword.iskeyword(name)
