"""States as plain data: all that the next step depends on, except the parameters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optdsl.runtime.cases import ONLY, belongs, due
from optdsl.runtime.cohorts import Cohort, Cohorts
from optdsl.runtime.engine import Engine
from optdsl.runtime.errors import CheckpointError, RuntimeRefusal
from optdsl.runtime.formats import dtype_named
from optdsl.runtime.hyperparameters import Settings
from optdsl.runtime.layout import Layout, Mode, Numbers
from optdsl.runtime.reading import Reading
from optdsl.runtime.seeds import checked_seed
from optdsl.runtime.structure import Bundle, Structure
from optdsl.runtime.tensors import Tensors

FORMAT = 1

#: How the first step is noted: it was given gradients, or a function of them, or is still to come.
_MODES: dict[str, Mode | None] = {"": None, "ready": "ready", "function": "function"}


@dataclass(frozen=True)
class Holder:
    """What has a state: an engine, and the settings of each group."""

    engine: Engine
    settings: list[Settings]
    labels: list[str]


def dump(holder: Holder, mode: Mode | None, copy: bool) -> dict[str, Any]:
    """Return the state as nested dicts and lists of numbers, strings and arrays."""
    from optdsl.runtime.sources import dump_sources  # it imports schedules

    engine = holder.engine
    tensors = engine.tensors
    return {
        "format": FORMAT,
        **_identity(holder),
        "fingerprint": engine.layout.fingerprint,
        "mode": mode or "",
        "groups": [dump_sources(settings) for settings in holder.settings],
        "cohorts": [_dump_cohort(cohort) for cohort in engine.cohorts.items],
        "entries": {
            slot.name: {
                str(index): array.copy() if copy else array
                for index, array in enumerate(tensors.stream(slot.name))
                if array is not None and tensors.holds(slot, index)
            }
            for slot in tensors.entry_states
        },
        "tensor": tensors.tensor[:, : len(tensors.tensor_states)].copy(),
        "everything": tensors.everything[: len(tensors.all_states)].copy(),
        "all_started": tensors.all_started,
        **({} if engine.layout.seed is None else {"seed": tensors.seed}),
    }


def _identity(holder: Holder) -> dict[str, Any]:
    """Return what must be the same where the state is loaded."""
    layout, tensors = holder.engine.layout, holder.engine.tensors
    return {
        "rule": layout.name,
        "family": layout.family,
        "states": {
            slot.name: slot.kind if slot.storage is None else f"{slot.kind}, {slot.storage}"
            for slot in layout.states
        },
        "parts": layout.parts,
        "dtype": _dtypes_said(tensors.dtypes),
        "parameters": list(holder.labels),
        "shapes": [list(shape) for shape in tensors.shapes],
    }


def _dtypes_said(dtypes: Sequence[Any]) -> str | list[str]:
    """Return the dtypes of parameters as they are stored: one name where all have the same."""
    names = [str(dtype) for dtype in dtypes]
    return names if len(set(names)) > 1 else "".join(names[:1])


def _dtypes_read(said: str | list[str], count: int) -> list[np.dtype[Any]]:
    return [dtype_named(name) for name in ([said] * count if isinstance(said, str) else said)]


def _dump_cohort(cohort: Cohort) -> dict[str, Any]:
    return {
        "group": cohort.group,
        "members": np.array(cohort.members, dtype=np.int64),
        "clocks": list(cohort.clocks),
        "started": cohort.started,
        "step_state": cohort.step_state.copy(),
        "reading": cohort.reading.state_dict(),
    }


def restore(holder: Holder, state: Mapping[str, Any]) -> Mode | None:
    """Put a stored state in place of the present one; return its mode.

    Raises:
        CheckpointError: it does not belong here; nothing has changed then.

    Warns where other equations of the same rule made it.
    """
    from optdsl.runtime.sources import restored_sources

    _check_identity(_identity(holder), state)
    try:
        sources = restored_sources(holder.settings, state["groups"])
        tensors = _restored_tensors(holder, state)
        cohorts = _restored_cohorts(holder, state, sources)
        mode = _MODES[state["mode"]]
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeRefusal) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"the stored state is damaged ({reason})") from error
    tell_of_other_equations(holder.engine.layout, state)
    for cohort in cohorts.items:
        for member in cohort.members:
            tensors.started[member] = cohort.started
    for settings, new in zip(holder.settings, sources, strict=True):
        settings.replace(new)
    for cohort in cohorts.items:
        cohort.reading.settings = holder.settings[cohort.group]
    holder.engine.replace(tensors, cohorts)
    return mode


def tell_of_other_equations(layout: Layout, state: Mapping[str, Any]) -> None:
    """Warn where a state was made by other equations: it fits, but may mean something else.

    Text that says the same, such as other comments, makes no other equations.
    """
    stored = state.get("fingerprint")
    if stored and layout.fingerprint and stored != layout.fingerprint:
        kept = " and ".join(f"`{slot.name}`" for slot in layout.states)
        means = "mean" if len(layout.states) > 1 else "means"
        what = f"make sure that {kept} {means} the same in both" if kept else "it has no states"
        warnings.warn(
            f"the stored state was made by other equations of {layout.name} than these, and is "
            f"used as it is: {what}",
            UserWarning,
            stacklevel=4,
        )


def lay_out(engine: Engine, settings: Settings, state: Mapping[str, Any]) -> Structure:
    """Give an empty engine the tensors that a stored state is for; return their structure.

    Raises:
        CheckpointError: the state does not say.
    """
    try:
        labels = [str(label) for label in state["parameters"]]
        named = bool(labels) and labels[0].startswith("`")
        names = tuple(label[1:-1] for label in labels) if named else None
        shapes = [tuple(int(n) for n in shape) for shape in state["shapes"]]
        structure = Structure([Bundle(names, len(labels), "")])
        engine.tensors.labels = structure.labels
        engine.tensors.names = structure.names
        if labels:
            dtypes = _dtypes_read(state["dtype"], len(shapes))
            engine.add(0, list(zip(shapes, dtypes, strict=True)), settings)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("this is not a state of a transform") from error
    return structure


def _check_identity(ours: dict[str, Any], state: Mapping[str, Any]) -> None:
    if not isinstance(state, Mapping) or "format" not in state:
        raise CheckpointError("this is not a state of an optimizer: give what `state_dict` returns")
    if state["format"] != FORMAT:
        raise CheckpointError(
            f"the stored state has format {state['format']!r}, this version reads {FORMAT}"
        )
    words = {
        "rule": "is one of", "family": "is one of a", "states": "has the states",
        "parts": "counts its parts as", "dtype": "is for parameters of dtype",
        "parameters": "is for the parameters", "shapes": "is for parameters of shapes",
    }  # fmt: skip
    for key, word in words.items():
        if key not in state:
            raise CheckpointError(f"the stored state is damaged: it has no {key!r}")
        if state[key] != ours[key]:
            theirs, here = _parted(state[key], ours[key])
            raise CheckpointError(f"the stored state {word} {theirs}, but here it is {here}")


def _parted(theirs: Any, ours: Any) -> tuple[str, str]:
    """Return both as text: of long lists, only the first place where they part."""
    if isinstance(theirs, list) and isinstance(ours, list):
        if len(theirs) != len(ours):
            return f"{len(theirs)} in number", str(len(ours))
        place = next(i for i, pair in enumerate(zip(theirs, ours, strict=True)) if _differ(pair))
        return f"{theirs[place]} at place {place}", str(ours[place])
    return str(theirs), str(ours)


def _differ(pair: tuple[Any, Any]) -> bool:
    return bool(pair[0] != pair[1])


def _restored_tensors(holder: Holder, state: Mapping[str, Any]) -> Tensors:
    now = holder.engine.tensors
    new = Tensors(holder.engine.layout)
    new.add(now.theta_forms)
    new.labels, new.names, new.extents = now.labels, now.names, now.extents
    new.put("theta", now.stream("theta"))
    for slot in new.entry_states:
        stream = new.stream(slot.name)
        for key, array in state["entries"][slot.name].items():
            index = int(key)
            dtype = new.state_dtype(slot, new.dtypes[index])
            shape = new.state_shape(slot, new.shapes[index])
            if array.shape != shape or array.dtype != dtype:
                raise CheckpointError(
                    f"state `{slot.name}` of parameter {new.labels[index]} is stored as "
                    f"{array.dtype}{array.shape}, but here it is {dtype}{shape}"
                )
            stream[index] = array.copy()
    _fill(new.tensor[:, : len(new.tensor_states)], state["tensor"])
    _fill(new.everything[: len(new.all_states)], state["everything"])
    new.all_started = int(state["all_started"])
    if new.layout.seed is not None:
        new.sow(checked_seed(state["seed"]))
    return new


def _fill(numbers: Numbers, stored: Any) -> None:
    if stored.shape != numbers.shape or stored.dtype != numbers.dtype:
        raise CheckpointError(
            f"the stored state is damaged: {stored.dtype}{stored.shape} stands "
            f"where {numbers.dtype}{numbers.shape} is needed"
        )
    numbers[...] = stored


def _restored_cohorts(
    holder: Holder, state: Mapping[str, Any], sources: list[list[Any]]
) -> Cohorts:
    engine = holder.engine
    names = [settings.names for settings in holder.settings]
    count = len(engine.tensors.shapes)
    group_of = {i: cohort.group for cohort in engine.cohorts.items for i in cohort.members}
    cases_of = {i: cohort.accepted for cohort in engine.cohorts.items for i in cohort.members}
    cohorts = Cohorts(engine.layout)
    cohorts.of_tensor = np.full(count, -1, dtype=np.int64)
    for stored in state["cohorts"]:
        group = int(stored["group"])
        members = [int(member) for member in stored["members"]]
        if any(group_of[member] != group for member in members):
            raise CheckpointError(f"the stored state has other parameters in group {group}")
        reading = Reading.restored(Settings(names[group], sources[group]), stored["reading"])
        clocks = [int(clock) for clock in stored["clocks"]]
        if len(clocks) != engine.layout.parts or min(clocks) < 0:
            raise CheckpointError("the stored state is damaged: its clocks do not fit")
        accepted = cases_of[members[0]] if members else ONLY
        if any(cases_of[member] != accepted for member in members):
            raise CheckpointError("the stored state is damaged: a cohort mixes the rules chosen")
        case, clocks = due(engine.layout, accepted, None, clocks)
        cohort = Cohort(group, members, clocks, reading, accepted, case)
        cohort.started = int(stored["started"])
        cohorts.append(cohort)
        _fill(cohort.step_state, stored["step_state"])
    if sorted(m for cohort in cohorts.items for m in cohort.members) != list(range(count)):
        raise CheckpointError("the stored state is damaged: its cohorts do not cover the tensors")
    _check_started(engine, state, cohorts)
    return cohorts


def _check_started(engine: Engine, state: Mapping[str, Any], cohorts: Cohorts) -> None:
    for slot in engine.tensors.entry_states:
        stored = {int(key) for key in state["entries"][slot.name]}
        for cohort in cohorts.items:
            kept = cohort.started > 0 and belongs(slot, cohort.started - 1)
            kept = kept and belongs(slot, cohort.case)
            if kept and not stored.issuperset(cohort.members):
                raise CheckpointError(
                    f"the stored state is damaged: arrays of `{slot.name}` are missing"
                )
