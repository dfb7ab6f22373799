"""Optimizers that step arrays on a card in place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optdsl.cuda.arrays import DeviceArray, adopted, require_apart
from optdsl.cuda.asking import DeviceAsker
from optdsl.cuda.capturing import require_capturable, require_skippable, skips_on_card
from optdsl.cuda.driver import find_device
from optdsl.cuda.engine import DeviceEngine
from optdsl.cuda.intake import DeviceIntake
from optdsl.cuda.lock import DeviceLock
from optdsl.cuda.queue import Queue
from optdsl.cuda.streams import current_stream, handle_of
from optdsl.cuda.transform import DeviceTransform
from optdsl.runtime import checkpoint
from optdsl.runtime.arrays import Extents, check_same_form
from optdsl.runtime.classes import from_layout as class_of
from optdsl.runtime.errors import ParameterError, ParameterTypeError, StepError
from optdsl.runtime.layout import Layout
from optdsl.runtime.optimizer import Optimizer
from optdsl.runtime.results import Results, StepResult
from optdsl.runtime.schedule import Schedule
from optdsl.runtime.transform import Transform


class DeviceOptimizer(Optimizer):
    """Steps arrays on an NVIDIA card in place, by a compiled rule.

    Parameters and gradients are anything with DLPack or `__cuda_array_interface__`: tensors of
    PyTorch, arrays of CuPy and Numba. All lie on one card and have one dtype: float32, float64,
    bfloat16 or float16 (these two with states in float32). The rest is as for `Optimizer`.

    A step is put on the stream that the caller works on (PyTorch's or CuPy's current one, else
    the default stream; or `stream=`), and returns at once: it waits for nothing but for a loss that
    the rule reads and that lies on the card, and after the first steps it allocates nothing and
    copies nothing else to the host. States start in the first step. Whoever holds gradients must
    keep them until the stream has come past the step, as PyTorch and CuPy do by themselves.

    With `capturable=True` the step count lies on the card too, and so do scheduled hyperparameters:
    after one step to begin with, a step can be recorded in a CUDA graph and replayed. With
    `approximate=True`, square roots and divisions of float32 are those of the hardware, within 2
    units in the last place.
    """

    _engine: DeviceEngine

    def __init__(
        self,
        parameters: Any,
        /,
        *unnamed: Any,
        capturable: bool = False,
        approximate: bool = False,
        **hyperparameters: Any,
    ) -> None:
        if capturable:
            require_capturable(self.layout)
        require_skippable(self.layout)
        self._capturable, self._approximate, self._recorded = capturable, approximate, False
        super().__init__(parameters, *unnamed, **hyperparameters)
        self._lock = DeviceLock(self._engine, self._owners)
        self._results = Results(decided=not skips_on_card(self.layout, capturable))

    def _options(self) -> dict[str, Any]:
        own = {"capturable": self._capturable, "approximate": self._approximate}
        return {**super()._options(), **own}

    def _new_engine(self) -> DeviceEngine:
        return DeviceEngine(self.layout, self._capturable)

    def _new_sources(self) -> tuple[DeviceIntake, DeviceAsker]:
        return DeviceIntake(self._engine, "g"), DeviceAsker(self._engine, self._function)

    def _checked(self, arrays: list[Any], labels: list[str]) -> tuple[list[Any], Extents]:
        known: list[DeviceArray] = []
        for array, label in zip(arrays, labels, strict=True):
            new = adopted(array, f"parameter {label}")
            known.append(new)
            if new.dtype != known[0].dtype:
                raise ParameterTypeError(
                    f"parameter {label} holds {new.dtype}, but {labels[0]} holds "
                    f"{known[0].dtype}: use one optimizer for each"
                )
            if self.layout.parameters and new.dtype.name not in self.layout.parameters:
                raise ParameterTypeError(
                    f"parameter {label} holds {new.dtype}, and this rule keeps its parameters "
                    f"in {self.layout.parameters[0]}"
                )
        require_apart(known, labels)
        self._place(known, labels)
        self._tell_of_graphs()
        return known, Extents([], [])

    def _place(self, arrays: list[DeviceArray], labels: list[str]) -> None:
        """Find the card that the arrays are on, and let the engine run there."""
        ordinals = {array.ordinal for array in arrays if array.ordinal is not None}
        if len(ordinals) > 1:
            raise ParameterError(
                f"parameters lie on {len(ordinals)} cards: use one optimizer for each card"
            )
        if not arrays:
            return
        held = [array for array in arrays if array.size] or arrays
        device = find_device(held[0].address, next(iter(ordinals), None))
        queue = self._engine.tensors.queue
        if queue is None:
            self._engine.run_on(Queue(device, self._capturable), self._approximate)
        elif device is not queue.device:
            raise ParameterError(
                f"the arrays lie on card {device.ordinal}, and its states on card "
                f"{queue.device.ordinal}: use one optimizer for each card"
            )
        for array in arrays:
            array.queue = self._engine.tensors.on

    def step(
        self, gradients: Any, *, loss: Any = None, stream: Any = None, **inputs: Any
    ) -> StepResult:
        """Put one step on a stream. See `Optimizer.step`.

        `stream` is one of PyTorch, CuPy or Numba, or a handle; without it, it is the current one
        of the library that the parameters come from. A function of gradients is given a
        `DeviceArray` for each, to be read alone, and puts its work on the same stream.

        Raises:
            DeviceError: numba-cuda, the driver or a card is missing.
            StepError: a function of gradients, with capturable=True.
        """
        if self._capturable and callable(gradients):
            raise StepError(
                "a function of gradients cannot be recorded in a graph: hand gradients in, or "
                "leave capturable=True out"
            )
        with self._lock:
            self._aside.require_back()
            self._begin_on(stream)
            return self._step_with_inputs(gradients, loss, inputs)

    def work_on(self, stream: Any) -> None:
        """Put what comes before the next step on a stream too: copies, looks at theta."""
        with self._lock:
            queue = self._engine.tensors.queue
            if queue is not None:
                queue.go_to(handle_of(stream), named=True)

    def _begin_on(self, stream: Any) -> None:
        """Let a step go to a stream: the caller's, where None is given."""
        queue = self._engine.tensors.queue
        if queue is None:
            return
        if stream is not None:
            queue.go_to(handle_of(stream), named=True)
        elif queue.named:
            queue.go_to(current_stream(self._owners()), named=False)
        self._require_recordable(queue)

    def _require_ready(self) -> None:
        super()._require_ready()
        if self._engine.tensors.queue is not None:
            self._require_recordable(self._engine.tensors.queue)

    def _require_recordable(self, queue: Queue) -> None:
        """Refuse a step that is recorded in a graph, but could not be replayed."""
        if not queue.device.capturing(queue.stream):
            return
        if not (self._capturable and self._engine.has_stepped):
            raise StepError(
                "this step would be recorded in a graph: give capturable=True, and take a step "
                "before, in which states begin"
            )
        self._recorded = True

    def _tell_of_graphs(self) -> None:
        """Warn that graphs know nothing of arrays that take the place of those they work on."""
        if self._recorded:
            warnings.warn(
                "graphs that were recorded before go on with the arrays there were then, which "
                "are given back now: record them anew",
                RuntimeWarning,
                stacklevel=4,
            )

    def _owners(self) -> Iterator[Any]:
        """Return what the parameters were given as."""
        arrays: list[Any] = self._engine.tensors.stream("theta")
        return (array.owner for array in arrays)

    def _holder(self, arrays: bool = True) -> checkpoint.Holder:
        settings = [group.settings for group in self._groups]
        engine = self._engine.on_host(arrays)
        return checkpoint.Holder(engine, settings, self._structure.labels)

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Return all that a later step depends on except the parameters themselves.

        Arrays are copies on the host, or with `copy=False` those in use, on the card. See
        `Optimizer`.
        """
        with self._lock:
            return checkpoint.dump(self._holder(copy), self._mode, copy=False)

    def rebind(self, arrays: Sequence[Any]) -> None:
        """Step other arrays on the card from now on. See `Optimizer.rebind`."""
        with self._lock:
            self._aside.require_back()
            new = [adopted(array, f"array {place}") for place, array in enumerate(arrays)]
            check_same_form(new, self._engine.tensors.stream("theta"))
            known, _ = self._checked(new, self._structure.labels)
            self._engine.tensors.put("theta", known)
            self._engine.forget_tables()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state, of this target or of another. See `Optimizer`.

        Raises:
            CheckpointError: a state of another rule, of other shapes or dtype, or damaged.
                Nothing has changed then.
        """
        with self._lock:
            self._aside.require_back()
            holder = self._holder(arrays=False)
            self._mode = checkpoint.restore(holder, state)
            self._tell_of_graphs()
            self._engine.take_over(holder.engine.tensors, holder.engine.cohorts)


def from_layout(layout: Layout) -> type[Optimizer] | type[Schedule] | type[Transform]:
    """Return the class of a rule that was compiled for the target numba-cuda."""
    bases = {"optimizer": DeviceOptimizer, "transform": DeviceTransform}
    return class_of(layout, bases.get(layout.family))
