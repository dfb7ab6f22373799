"""Transforms: rules that make of a gradient another."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar

from optdsl.runtime import checkpoint
from optdsl.runtime.arrays import Array, can_be_stepped, wrong_dtype
from optdsl.runtime.engine import NOBODY, Engine, Selection
from optdsl.runtime.errors import GradientError, GradientTypeError, StepError
from optdsl.runtime.hyperparameters import Names, Settings
from optdsl.runtime.inputs import handed_in
from optdsl.runtime.intake import Intake
from optdsl.runtime.layout import Layout
from optdsl.runtime.lock import CallerLock
from optdsl.runtime.losses import read_ready_loss
from optdsl.runtime.plan import make_plan
from optdsl.runtime.seeds import taken_seed
from optdsl.runtime.structure import Bundle, Structure


class Transform:
    """Makes of gradients others, by a compiled rule, and keeps what it must remember.

    >>> import numpy as np, optdsl
    >>> clip = optdsl.load("ClipByGlobalNorm")(c=5)
    >>> clip.update([np.array([6.0, 8.0])])
    [array([3., 4.])]

    What it returns may be given to the `step` of an optimizer. `"ClipByGlobalNorm(c=5) | Adam"`
    compiles both into one and saves passes over memory.
    Hyperparameters, and a seed where numbers are drawn, are given as for an optimizer.
    Subclasses are made by `from_layout`.

    Raises:
        HyperparameterError: an unknown, missing or repeated name, or a value outside its domain.
    """

    layout: ClassVar[Layout]
    names: ClassVar[Names]
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, /, *unnamed: Any, **hyperparameters: Any) -> None:
        self.names.refuse_unnamed(unnamed)
        layout = self.layout
        if layout.ready is None or layout.output is None:
            raise StepError(f"{layout.name} hands on no gradient that is given to it")
        self._lock = CallerLock()
        self._engine, self._intake = self._new_engine()
        self._engine.tensors.sow(taken_seed(layout, hyperparameters))
        self._settings = Settings.of(self.names, hyperparameters)
        # The output is new with every update: its tables move like those of gradients.
        self._output = layout.output
        self._plan = make_plan(layout, layout.ready, ("g", "theta", layout.output))
        self._reads_theta = _reads_theta(layout)
        self._structure: Structure | None = None

    def _new_engine(self) -> tuple[Engine, Intake]:
        """Return the engine that runs the rule, and what takes in its gradients."""
        engine = Engine(self.layout)
        return engine, Intake(engine, "g")

    @property
    def seed(self) -> int:
        """What fixes the random numbers; 0 in a rule that draws none."""
        return self._engine.tensors.seed

    def __getitem__(self, name: str) -> Any:
        return self._settings[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Change a hyperparameter from the next update on."""
        self._settings[name] = value

    def update(
        self, gradients: Any, parameters: Any = None, *, loss: Any = None, **inputs: Any
    ) -> Any:
        """Return new arrays in the structure of `gradients`.

        None in place of a gradient stays None, and that tensor's states stand still. A
        tensor that the transform skips gets None, which an optimizer's `step` understands.
        The first update fixes structure, shapes and dtype. `parameters`, in the same structure,
        are needed by transforms that read theta, such as a penalty; they are only read. `loss` is
        needed by those that read the loss.

        Raises:
            GradientError: the gradients do not fit those of the first update.
            HyperparameterError: a schedule or function leaves its domain at this step.
            StepError: the transform reads theta or the loss, and these are missing; or an input
                that nothing has. `inputs` are given as to `Optimizer.step`.
        """
        with self._lock:
            return self._update_with_inputs(gradients, parameters, loss, inputs)

    def _update_with_inputs(
        self, gradients: Any, parameters: Any, loss: Any, inputs: Mapping[str, Any]
    ) -> Any:
        structure = self._structure or self._begin(gradients)
        if not inputs:
            return self._update(structure, gradients, parameters, loss)
        with handed_in(self._engine, inputs):
            return self._update(structure, gradients, parameters, loss)

    def _update(self, structure: Structure, gradients: Any, parameters: Any, loss: Any) -> Any:
        flat = structure.flatten(gradients)
        read_ready_loss(self._engine, loss)
        if self._reads_theta:
            self._take_parameters(structure, parameters)
        try:
            taken = self._run(self._intake.take(flat))
            return structure.unflatten(self._handed_on(taken[-1]))
        finally:
            self._intake.release()
            self._hand_over(structure)

    def _hand_over(self, structure: Structure) -> None:
        """Let go of what has been handed on: it is the caller's."""
        self._engine.tensors.put(self._output, [None] * structure.count)

    def _begin(self, gradients: Any) -> Structure:
        bundle, arrays = Bundle.of(gradients)
        structure = Structure([bundle])
        for array, label in zip(arrays, structure.labels, strict=True):
            if array is None:
                raise GradientError(
                    f"the first update has None for {label}: it must show the shape of each"
                )
            if not can_be_stepped(getattr(array, "dtype", None)):
                kind = getattr(array, "dtype", type(array).__name__)
                raise GradientTypeError(
                    f"the gradient of {label} is {kind}: give a NumPy array of float32, float64 or "
                    "bfloat16"
                )
            wrong = wrong_dtype(array.dtype, self.layout.parameters)
            if wrong is not None:
                raise GradientTypeError(f"the gradient of {label} is {array.dtype}, and {wrong}")
        self._engine.tensors.labels = structure.labels
        self._engine.tensors.names = structure.names
        if arrays:
            self._engine.add(0, [(array.shape, array.dtype) for array in arrays], self._settings)
        self._structure = structure
        return structure

    def _take_parameters(self, structure: Structure, parameters: Any) -> None:
        if parameters is None:
            raise StepError(
                f"{self.layout.name} reads the parameters: give them too, "
                "as in update(gradients, parameters)"
            )
        tensors = self._engine.tensors
        arrays: list[Array] = structure.flatten(parameters)
        known = zip(arrays, tensors.shapes, tensors.dtypes, structure.labels, strict=True)
        for array, shape, dtype, label in known:
            if (
                getattr(array, "shape", None) != shape
                or array.dtype != dtype
                or not array.flags.c_contiguous
            ):
                raise GradientError(
                    f"parameter {label} does not fit its gradient: it must be a contiguous array "
                    f"of {dtype} of shape {shape}"
                )
        tensors.put("theta", arrays)
        self._engine.moving += 1

    def _run(self, identities: tuple[int, ...]) -> list[Selection]:
        engine = self._engine
        if not identities:
            return [NOBODY] * self.layout.parts
        selection = engine.select(identities)
        engine.prepare(selection)
        engine.tensors.buffer(self._output, identities)
        engine.moving += 1
        taken = engine.run(self._plan, selection)
        engine.commit(taken)
        return taken

    def _handed_on(self, selection: Selection) -> list[Array | None]:
        stream = self._engine.tensors.stream(self._output)
        result: list[Array | None] = [None] * len(stream)
        for index in selection.identities:
            result[index] = stream[index]
        return result

    def state_dict(self) -> dict[str, Any]:
        """Return all that a later update depends on, as `Optimizer.state_dict` does."""
        with self._lock:
            return checkpoint.dump(self._holder(), None, copy=True)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state; a transform that is new takes its structure from it.

        Raises:
            CheckpointError: as for an optimizer; nothing has changed then.
        """
        with self._lock:
            if self._structure is not None:
                checkpoint.restore(self._holder(), state)
                return
            fresh = Engine(self.layout)
            structure = checkpoint.lay_out(fresh, self._settings, state)
            holder = checkpoint.Holder(fresh, [self._settings], structure.labels)
            checkpoint.restore(holder, state)
            self._engine, self._intake = fresh, Intake(fresh, "g")
            self._structure = structure if structure.count else None

    def save(self, path: str | PathLike[str]) -> None:
        """Write the state to one file, as `Optimizer.save` does."""
        from optdsl.runtime import statefile  # what it needs takes long to import

        with self._lock:
            statefile.write(checkpoint.dump(self._holder(), None, copy=False), path)

    def load(self, path: str | PathLike[str]) -> None:
        """Continue from a file that `save` wrote, as `Optimizer.load` does."""
        from optdsl.runtime import statefile

        self.load_state_dict(statefile.read(path))

    def _holder(self) -> checkpoint.Holder:
        labels = self._engine.tensors.labels
        return checkpoint.Holder(self._engine, [self._settings], labels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.text()})"


def _reads_theta(layout: Layout) -> bool:
    return any("theta" in getattr(stage, "streams", ()) for stage in layout.ready or ())
