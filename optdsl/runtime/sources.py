"""Hyperparameters as plain data: numbers are stored, functions only noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optdsl.runtime.errors import CheckpointError
from optdsl.runtime.hyperparameters import Settings
from optdsl.runtime.schedule import Schedule
from optdsl.runtime.values import Source, checked_number


def dump_sources(settings: Settings) -> dict[str, Any]:
    """Return what stands in each slot, by its name."""
    return {
        slot.name: noted(source)
        for slot, source in zip(settings.names.slots, settings.sources, strict=True)
    }


def noted(source: Source | None) -> Any:
    """Return a number as it is, and a note of anything else."""
    if source is None:
        return {"formula": "default"}
    if isinstance(source, float):
        return source
    if isinstance(source, Schedule):
        return {
            "schedule": source.layout.name,
            **source.attachment(),
            "hyperparameters": dump_sources(source.settings),
        }
    return {"function": _described(source)}


def _described(function: Any) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or 'unknown'}.{name}"


def restored_sources(settings: list[Settings], stored: Any) -> list[list[Source | None]]:
    """Return for each group what its slots held, functions and schedules as they stand now.

    Raises:
        CheckpointError: a function or schedule is noted where none stands now.
    """
    if len(stored) != len(settings):
        raise CheckpointError(
            f"the stored state has {len(stored)} groups, but here there are {len(settings)}"
        )
    return [
        _restored_group(each, one, f" of group {number}")
        for number, (each, one) in enumerate(zip(settings, stored, strict=True))
    ]


def _restored_group(
    settings: Settings, stored: Mapping[str, Any], label: str
) -> list[Source | None]:
    names = [slot.name for slot in settings.names.slots]
    if set(stored) != set(names):
        raise CheckpointError(
            f"the stored state has the hyperparameters {sorted(stored)}{label}, "
            f"but here they are {sorted(names)}"
        )
    result: list[Source | None] = []
    for slot, now in zip(settings.names.slots, settings.sources, strict=True):
        value = stored[slot.name]
        if isinstance(value, Mapping):
            result.append(taken_up(value, now, f"`{slot.name}`{label}"))
        else:
            result.append(checked_number(slot, value, " in the stored state"))
    return result


def taken_up(stored: Mapping[str, Any], now: Source | None, label: str) -> Source | None:
    """Return what a note stands for: what stands at its place now.

    Raises:
        CheckpointError: something else stands there.
    """
    if "formula" in stored:
        return None
    if "function" in stored:
        if isinstance(now, Schedule) or not isinstance(now, Callable):  # type: ignore[arg-type]
            raise CheckpointError(
                f"hyperparameter {label} was the function {stored['function']}, which a state "
                f"cannot hold: give it again, now {now!r} stands there"
            )
        return now
    name = stored["schedule"]
    if not isinstance(now, Schedule) or now.layout.name != name:
        raise CheckpointError(
            f"hyperparameter {label} was the schedule {name}: give it again, "
            f"now {now!r} stands there"
        )
    attached = {key: stored[key] for key in ("per_epoch", "output") if key in stored}
    if attached != now.attachment():
        words = " and ".join(f"{key} {value!r}" for key, value in attached.items())
        raise CheckpointError(
            f"hyperparameter {label} was {name} with {words or 'neither per_epoch nor output'}: "
            f"give it so again, now {now!r} stands there"
        )
    sources = _restored_group(now.settings, stored["hyperparameters"], f" of {name}")
    return now if sources == now.settings.sources else now.with_sources(sources)
