"""Optimizers: rules that step arrays in place."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, ClassVar

from optdsl.runtime import checkpoint
from optdsl.runtime.arrays import Extents, check_parameters, check_same_form
from optdsl.runtime.asking import Asker
from optdsl.runtime.copying import Copied
from optdsl.runtime.engine import NOBODY, Engine
from optdsl.runtime.errors import StepError
from optdsl.runtime.evaluating import Aside, evaluation_point
from optdsl.runtime.groups import Group, as_groups, check_group
from optdsl.runtime.hyperparameters import Names, Settings
from optdsl.runtime.inputs import handed_in
from optdsl.runtime.intake import Intake
from optdsl.runtime.layout import Layout, Mode
from optdsl.runtime.lock import CallerLock
from optdsl.runtime.losses import read_ready_loss
from optdsl.runtime.plan import make_plan
from optdsl.runtime.results import Results, StepResult
from optdsl.runtime.rows import Rows, only_rows
from optdsl.runtime.seeds import taken_seed
from optdsl.runtime.structure import Bundle, Structure


class Optimizer(Copied):
    """Steps NumPy arrays in place, by a compiled rule.

    >>> import numpy as np, optdsl
    >>> Momentum = optdsl.load("Momentum")
    >>> w, b = np.ones(2), np.zeros(3)
    >>> opt = Momentum({"w": w, "b": b}, lr=0.5, gamma=lambda t: 1 - 1 / t)
    >>> opt.step({"w": np.array([1.0, 2.0]), "b": None})
    StepResult(skipped=False, taken=(1,), loss=None)
    >>> w
    array([0.5, 0. ])

    Arguments:
        parameters: a list or a dict of arrays, float32, float64 or the bfloat16 of
            ml_dtypes (with states in float32) side by side, contiguous and writable;
            or a list of groups, each a dict with "params" and hyperparameters of its own.
        hyperparameters: by the names and aliases of the spec. Each is a number, a schedule
            or a Python function of the step, counted from 1 by the part that reads it; a
            function may be called more than once for a step, and must give the same value then.
            `**{"AdamW.eta": 3e-4}` reaches one part of a composition, and goes before `eta`.
        seed: in rules that draw random numbers, a whole number in [0, 2^64) that fixes them; 0
            if it is not given. The numbers depend on it, the place of a parameter among all,
            the entry and the step, and on nothing else.

    Subclasses are made by `from_layout`.

    Raises:
        ParameterError: arrays that cannot be stepped in place, or overlap.
        HyperparameterError: an unknown, missing or repeated name, or a value outside its domain.
    """

    layout: ClassVar[Layout]
    names: ClassVar[Names]
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, parameters: Any, /, *unnamed: Any, **hyperparameters: Any) -> None:
        self.names.refuse_unnamed(unnamed)
        layout = self.layout
        self._lock = CallerLock()
        self._mode: Mode | None = None
        self._results = Results()
        self._engine = self._new_engine()
        self._groups: list[Group] = []
        self._structure = Structure()
        self._ready = None if layout.ready is None else make_plan(layout, layout.ready, ("g",))
        self._function = make_plan(layout, layout.function)
        self._aside = Aside()
        self._evaluate = None if layout.evaluate is None else make_plan(layout, layout.evaluate)
        self._iterate = None if layout.iterate is None else make_plan(layout, layout.iterate)
        self._intake, self._asker = self._new_sources()
        self._engine.tensors.sow(taken_seed(layout, hyperparameters))
        groups = as_groups(parameters)
        if groups is None:
            self._defaults = Settings.of(self.names, hyperparameters)
            self._add([(parameters, self._defaults.copy())], nested=False)
        else:
            self._defaults = Settings.of(self.names, hyperparameters, partial=True)
            self._add([self._read_group(group) for group in groups], nested=True)

    def _new_engine(self) -> Engine:
        """Return the engine that runs the rule."""
        return Engine(self.layout)

    def _new_sources(self) -> tuple[Intake, Asker]:
        """Return what takes in gradients, and what asks a function for them."""
        return Intake(self._engine, "g"), Asker(self._engine, self._function)

    def _checked(self, arrays: list[Any], labels: list[str]) -> tuple[list[Any], Extents]:
        """Return parameters as the engine takes them, and the memory that they take."""
        return arrays, check_parameters(arrays, labels, self.layout.parameters)

    def _read_group(self, group: Mapping[str, Any]) -> tuple[Any, Settings]:
        own = {name: value for name, value in group.items() if name != "params"}
        return group["params"], Settings.of(self.names, own, self._defaults)

    def _read_groups(
        self, groups: Sequence[tuple[Any, Settings]], nested: bool
    ) -> tuple[list[tuple[slice, Any, Settings]], Structure, list[Any], Extents]:
        """Return what there will be with new groups; raise what speaks against them."""
        structure = self._structure
        arrays: list[Any] = list(self._engine.tensors.stream("theta"))
        new = []
        for number, (parameters, settings) in enumerate(groups, start=len(self._groups)):
            bundle, own = Bundle.of(parameters, f" of group {number}" if nested else "")
            structure = structure.with_bundle(bundle) if nested else Structure([bundle])
            new.append((slice(len(arrays), len(arrays) + len(own)), parameters, settings))
            arrays += own
        return new, structure, *self._checked(arrays, structure.labels)

    def _add(self, groups: Sequence[tuple[Any, Settings]], nested: bool) -> None:
        new, structure, arrays, extents = self._read_groups(groups, nested)
        tensors = self._engine.tensors
        tensors.labels, tensors.names = structure.labels, structure.names
        for place, parameters, settings in new:
            forms = [(array.shape, array.dtype) for array in arrays[place]]
            if forms:
                self._engine.add(len(self._groups), forms, settings)
            self._groups.append(Group(settings, parameters))
        tensors.extents = extents
        tensors.put("theta", arrays)
        self._structure = structure

    def add_group(self, group: Mapping[str, Any]) -> Group:
        """Add parameters with hyperparameters of their own.

        What is not given here is as it was given to the class, or else by default.

        From then on gradients come as for groups: a list with one entry a group, or one
        dict of all names, or one list of all arrays.

        Raises:
            ParameterError: as for the class, or the new arrays overlap the old.
            HyperparameterError: as for the class.
        """
        with self._lock:
            self._aside.require_back()
            check_group(group, "the new group")
            self._add([self._read_group(group)], nested=True)
            return self._groups[-1]

    @property
    def seed(self) -> int:
        """What fixes the random numbers; 0 in a rule that draws none."""
        return self._engine.tensors.seed

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups; their hyperparameters may be changed: `opt.groups[0]["lr"] = 1e-4`."""
        return tuple(self._groups)

    def step(self, gradients: Any, *, loss: Any = None, **inputs: Any) -> StepResult:
        """Take one step, in place.

        `gradients` has the structure of the parameters; None for an array that takes no step: its
        states and its t stand still. Or it is a function that is given the arrays at the point
        where the rule wants gradients (views that cannot be written to, in the same structure) and
        returns gradients or `(loss, gradients)`. A gradient that is not contiguous is copied.

        `inputs` go to every schedule (and rule) that has one of the name: `metric=0.31`. What comes
        waits for the next step that a tensor takes, and keeps its value for those after it; an
        input that is left out, or None, did not come.

        `loss` is the loss at the point of the gradients, for rules that read it; a function
        returns it instead, as in `(loss, gradients)`. Other rules let it pass.

        Rules like Nesterov ask for gradients elsewhere than at theta. Given a function, the arrays
        hold theta throughout. Given gradients, the arrays hold the point at which the next
        gradient is to be taken, and `theta()` gives theta. The first step decides which; a step of
        the other kind is refused afterwards.

        Returns a `StepResult`.

        Raises:
            GradientError: a missing, superfluous or unfit gradient.
            HyperparameterError: a schedule or function leaves its domain at this step.
            StepError: the rule cannot take this kind of step, or is within one; an input that
                nothing has, or that is read and has never come; a loss that is read is missing.

        When it raises, no parameter and no state has changed.
        """
        with self._lock:
            self._aside.require_back()
            return self._step_with_inputs(gradients, loss, inputs)

    def step_rows(
        self, gradients: Any, rows: Mapping[int, Rows], *, loss: Any = None, **inputs: Any
    ) -> StepResult:
        """Take a step with gradients of some rows, and leave the others alone; see `step`.

        `rows` says which, by the place of the tensor. Exact for a rule that leaves entries with
        a zero gradient as they are, and whose states have one value an entry.
        """
        with self._lock:
            self._aside.require_back()
            with handed_in(self._engine, inputs):
                given = enumerate(self._structure.flatten(gradients))
                present = tuple(index for index, each in given if each is not None)
                self._engine.prepare(self._engine.select(present))
                with only_rows(self._engine, rows):
                    return self._step(gradients, loss)

    def _step_with_inputs(self, gradients: Any, loss: Any, inputs: Mapping[str, Any]) -> StepResult:
        if not inputs:
            return self._step(gradients, loss)
        with handed_in(self._engine, inputs):
            return self._step(gradients, loss)

    def _step(self, gradients: Any, loss: Any) -> StepResult:
        if not callable(gradients):
            return self._step_with_gradients(gradients, loss)
        if loss is not None:
            raise StepError("a function of gradients returns the loss: `(loss, gradients)`")
        return self._step_with_function(gradients)

    def _step_with_gradients(self, gradients: Any, loss: Any) -> StepResult:
        plan = self._ready
        if plan is None:
            count = len(self._function.gradients)
            raise StepError(
                f"{self.layout.name} asks for {count} gradients in a step, at points of its own: "
                "give `step` a function that returns the gradients at the point it is given"
            )
        self._require_mode("ready")
        engine = self._engine
        identities = self._intake.take(self._structure.flatten(gradients))
        try:
            if not identities:
                return self._results.of([NOBODY] * self.layout.parts, 0, loss)
            read_ready_loss(engine, loss)
            selection = engine.select(identities)
            engine.prepare(selection)
            self._set_mode("ready")
            taken = engine.run(plan, selection)
            engine.commit(taken, self._iterate)
        finally:
            self._intake.release()
        return self._results.of(taken, len(identities), loss)

    def _step_with_function(self, function: Any) -> StepResult:
        self._require_mode("function")
        taken, loss, asked = self._asker.step(function, self._structure)
        self._set_mode("function")
        return self._results.of(taken, asked, loss)

    def _require_ready(self) -> None:
        """See that a step with gradients can be taken now."""
        self._aside.require_back()
        self._require_mode("ready")

    def _require_mode(self, mode: Mode) -> None:
        if self._mode is not None and self._mode != mode:
            hold = "theta" if self._mode == "function" else "the point of the next gradient"
            was = "a function" if self._mode == "function" else "gradients"
            raise StepError(
                f"the first step was given {was}, so the arrays hold {hold}: "
                f"keep giving {was}; `theta()` gives the true iterate in both ways"
            )

    def _set_mode(self, mode: Mode) -> None:
        if self._iterate is not None:
            self._mode = mode

    def theta(self) -> Any:
        """Return copies of the true iterate, in the structure of the parameters.

        They differ from the arrays only in rules such as Nesterov, when gradients are handed in.
        """
        with self._lock:
            self._aside.require_back()
            return self._structure.unflatten([array.copy() for array in self._true_iterate()])

    def _true_iterate(self) -> list[Any]:
        arrays: list[Any] = list(self._engine.tensors.stream("theta"))
        if self._mode == "ready" and self._iterate is not None:
            found = self._engine.look(self._iterate, "iterate")
            arrays = [a if b is None else b for a, b in zip(arrays, found, strict=True)]
        return arrays

    def evaluation(self) -> Any:
        """Return copies of the point at which the model is evaluated, in the same structure.

        It is what the rule names with `evaluate`, or else `theta()`.
        """
        with self._lock:
            self._aside.require_back()
            return self._structure.unflatten([array.copy() for array in self._evaluated()])

    def _evaluated(self) -> list[Any]:
        theta = self._true_iterate()
        if self._evaluate is None:
            return theta
        return evaluation_point(self._engine, self._evaluate, theta)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Let the arrays hold the point of evaluation for the time of a `with` block.

        >>> import numpy as np, optdsl
        >>> w = np.ones(1)
        >>> opt = optdsl.load("EMA(SGD)")([w], lr=1, decay=0.5)
        >>> _ = opt.step([np.ones(1)])
        >>> with opt.evaluating():
        ...     print(w)
        [0.5]
        >>> w
        array([0.])

        Afterwards they hold what they held, bit for bit; what is assigned to them meanwhile
        is lost. No step can be taken within.

        Raises:
            StepError: within another such block.
        """
        with self._lock:
            self._aside.require_back()
            arrays: list[Any] = list(self._engine.tensors.stream("theta"))
            aside = self._aside.put(arrays, self._evaluated())
        with aside:
            yield

    def rebind(self, arrays: Sequence[Any]) -> None:
        """Step other arrays from now on, of the same shapes and dtype, in the same order.

        Raises:
            ParameterError: as for the class, or another number, shape or dtype of arrays.
        """
        with self._lock:
            self._aside.require_back()
            check_same_form(arrays, self._engine.tensors.stream("theta"))
            self._engine.tensors.extents = check_parameters(arrays, self._structure.labels)
            self._engine.tensors.put("theta", arrays)
            self._engine.forget_tables()

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Return all that a later step depends on except the parameters themselves.

        Nested dicts of numbers, strings and arrays: copies, or with `copy=False` those in use.
        Functions and schedules cannot be stored: their places are noted, with the place each
        schedule has reached.
        """
        with self._lock:
            return checkpoint.dump(self._holder(), self._mode, copy=copy)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state: the next steps are bit for bit those of an unbroken run.

        Where the state notes a function or a schedule, one must stand here too, as given by you.
        Warns where other equations of the same rule made it.

        Raises:
            CheckpointError: a state of another rule, of other shapes or dtype, or damaged.
                Nothing has changed then.
        """
        with self._lock:
            self._aside.require_back()
            self._mode = checkpoint.restore(self._holder(), state)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the state to one file (safetensors, with a checksum); an old one is replaced whole.

        Raises:
            OSError: the file cannot be written.
        """
        from optdsl.runtime import statefile  # what it needs takes long to import

        with self._lock:
            statefile.write(checkpoint.dump(self._holder(), self._mode, copy=False), path)

    def load(self, path: str | PathLike[str]) -> None:
        """Continue from a file that `save` wrote.

        Raises:
            CheckpointError: as `load_state_dict`, or the file is damaged or none of ours.
            OSError: the file cannot be read.
        """
        from optdsl.runtime import statefile

        self.load_state_dict(statefile.read(path))

    def _holder(self) -> checkpoint.Holder:
        settings = [group.settings for group in self._groups]
        return checkpoint.Holder(self._engine, settings, self._structure.labels)

    def __repr__(self) -> str:
        groups = ", ".join(repr(group) for group in self._groups)
        return f"{type(self).__name__}({groups})"
