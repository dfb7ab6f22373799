"""Transforms of gradients that lie on a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optdsl.cuda.arrays import DeviceArray, adopted
from optdsl.cuda.capturing import require_skippable, skips_on_card
from optdsl.cuda.driver import find_device
from optdsl.cuda.engine import DeviceEngine
from optdsl.cuda.intake import DeviceIntake
from optdsl.cuda.lock import DeviceLock
from optdsl.cuda.queue import Queue
from optdsl.cuda.streams import current_stream, handle_of
from optdsl.runtime import checkpoint
from optdsl.runtime.engine import Engine
from optdsl.runtime.errors import GradientError, ParameterError, ParameterTypeError, StepError
from optdsl.runtime.structure import Bundle, Structure
from optdsl.runtime.transform import Transform


class DeviceTransform(Transform):
    """Makes of gradients on a card others, by a compiled rule.

    What it returns are arrays of its own (`DeviceArray`), which the next update writes anew: no
    update allocates anything after the first. Work is put on the stream that the caller works on,
    or on `stream=`; nothing waits for it. The rest is as for `Transform`. With `approximate=True`,
    square roots and divisions of float32 are those of the hardware.

    Raises:
        StepError: a transform that skips steps by what gradients hold, which only the card knows.
    """

    _engine: DeviceEngine

    def __init__(self, /, *unnamed: Any, approximate: bool = False, **hyperparameters: Any) -> None:
        require_skippable(self.layout)
        if skips_on_card(self.layout):
            raise StepError(
                f"whether {self.layout.name} hands gradients on is known to the card alone: load "
                f'"{self.layout.name} | ..." with an optimizer behind it'
            )
        super().__init__(*unnamed, **hyperparameters)
        self._lock = DeviceLock(self._engine, tuple)
        self._approximate = approximate
        self._loaded: Engine | None = None  # a state that waits for the first gradients

    def _new_engine(self) -> tuple[DeviceEngine, DeviceIntake]:
        engine = DeviceEngine(self.layout)
        return engine, DeviceIntake(engine, "g")

    def update(
        self,
        gradients: Any,
        parameters: Any = None,
        *,
        loss: Any = None,
        stream: Any = None,
        **inputs: Any,
    ) -> Any:
        """Return arrays in the structure of `gradients`; see `Transform.update`.

        `stream` is one of PyTorch, CuPy or Numba, or a handle; without it, it is the current one
        of the library that the gradients come from.

        Raises:
            DeviceError: numba-cuda, the driver or a card is missing.
        """
        if self._engine.tensors.queue is None:
            with self._lock:
                if self._engine.tensors.queue is None:  # no other thread has come first
                    self._begin_on_card(gradients)
        with self._lock:
            self._begin_on(stream, gradients)
            return self._update_with_inputs(gradients, parameters, loss, inputs)

    def _begin_on(self, stream: Any, gradients: Any) -> None:
        """Let an update go to a stream: the caller's, where None is given."""
        queue, structure = self._engine.tensors.queue, self._structure
        if queue is None or structure is None:
            return
        owners = (each for each in structure.flatten(gradients) if each is not None)
        found = current_stream(owners) if stream is None else handle_of(stream)
        queue.go_to(found, named=True)  # until the next gradients come
        if queue.device.capturing(queue.stream):
            raise StepError(
                "an update cannot be recorded in a graph by itself: put it before a rule, as in "
                f'"{self.layout.name} | ...", and load that with capturable=True'
            )

    def _begin_on_card(self, gradients: Any) -> None:
        """Find the card that the first gradients lie on, and lay out what the engine needs."""
        structure = self._structure or Structure([Bundle.of(gradients)[0]])
        labels = structure.labels
        given = structure.flatten(gradients)
        arrays = [_adopted(each, label) for each, label in zip(given, labels, strict=True)]
        held = [array for array in arrays if array is not None]
        if self._loaded is None and len(held) < len(arrays):
            label = labels[arrays.index(None)]
            raise GradientError(
                f"the first update has None for {label}: it must show the shape of each"
            )
        if not held:
            return
        if len({array.dtype for array in held}) > 1:
            raise GradientError("gradients of several dtypes: use one transform for each")
        where = next((array for array in held if array.size), held[0])
        engine = self._engine
        engine.run_on(Queue(find_device(where.address, where.ordinal)), self._approximate)
        engine.tensors.labels, engine.tensors.names = labels, structure.names
        if self._loaded is None:
            engine.add(0, [(array.shape, array.dtype) for array in held], self._settings)
        else:
            engine.add(0, self._loaded.tensors.theta_forms, self._settings)
            with engine.tensors.on.device.current():
                engine.take_over(self._loaded.tensors, self._loaded.cohorts)
            self._loaded = None
        self._structure = structure

    def _update(self, structure: Structure, gradients: Any, parameters: Any, loss: Any) -> Any:
        if self._engine.tensors.queue is None:  # a state was loaded, and no gradients came yet
            return structure.unflatten(structure.flatten(gradients))
        return super()._update(structure, gradients, parameters, loss)

    def _take_parameters(self, structure: Structure, parameters: Any) -> None:
        if parameters is None:
            return super()._take_parameters(structure, parameters)
        tensors, known = self._engine.tensors, []
        given = zip(structure.flatten(parameters), tensors.theta_forms, structure.labels,
                    strict=True)  # fmt: skip
        for each, form, label in given:
            array = adopted(each, f"parameter {label}", read_only=True)
            here = tensors.on.device.ordinal
            if array.ordinal not in (None, here):
                raise GradientError(
                    f"parameter {label} lies on card {array.ordinal}, and the gradients on card "
                    f"{here}"
                )
            if (array.shape, array.dtype) != form:
                raise GradientError(
                    f"parameter {label} does not fit its gradient: it must be a contiguous array "
                    f"of {form[1]} of shape {form[0]}"
                )
            known.append(array)
        arrays: list[Any] = known
        tensors.put("theta", arrays)
        self._engine.moving += 1
        return None

    def _hand_over(self, structure: Structure) -> None:
        """Keep what has been handed on: the next update writes to the same memory."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state, of this target or of another. See `Transform`.

        Raises:
            CheckpointError: as for an optimizer; nothing has changed then.
        """
        with self._lock:
            if self._engine.tensors.queue is not None:
                holder = self._holder()
                checkpoint.restore(holder, state)
                self._engine.take_over(holder.engine.tensors, holder.engine.cohorts)
                return
            fresh = Engine(self.layout)
            structure = checkpoint.lay_out(fresh, self._settings, state)
            holder = checkpoint.Holder(fresh, [self._settings], structure.labels)
            checkpoint.restore(holder, state)
            self._loaded = fresh if structure.count else None
            self._structure = structure if structure.count else None

    def _holder(self) -> checkpoint.Holder:
        engine = self._loaded or self._engine.on_host()
        return checkpoint.Holder(engine, [self._settings], engine.tensors.labels)


def _adopted(given: Any, label: str) -> DeviceArray | None:
    try:
        return None if given is None else adopted(given, f"the gradient of {label}", read_only=True)
    except (ParameterError, ParameterTypeError) as error:
        raise GradientError(str(error)) from None
