"""The optimizer of Keras that runs a compiled rule."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import torch

from optdsl.keras.arguments import Rate, of_the_base, rate_name, shown
from optdsl.runtime import Optimizer, ParameterError, StepError, statefile
from optdsl.torch.memory import HOST
from optdsl.torch.places import Place, Places

#: Under this key a file of Keras holds the state of the rule.
STATE = "optdsl"


class Held:
    """The rule on the memory of the variables: nothing is copied.

    Keras looks into the attributes of its optimizers for variables of its own; here are none.
    """

    def __init__(self, rule: type[Optimizer], variables: Sequence[Any], given: Any) -> None:
        self.places = Places()
        self.places.add([_place(each) for each in variables])
        self.names = [each.path.replace("/", ".") for each in variables]
        arrays = [place.array for place in self.places.items]
        self.optimizer = rule(dict(zip(self.names, arrays, strict=True)), **given)

    def prepare(self) -> None:
        """Find the variables where they are now."""
        self.places.follow(self.optimizer)
        self.places.take()


class CompiledOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An optimizer of Keras whose steps are those of a compiled rule.

    It goes where any other goes: `model.compile(optimizer=...)`, `model.fit`, callbacks that set
    the learning rate, `model.save`, or `apply(gradients, variables)` in a loop of one's own.

    Arguments:
        learning_rate: the hyperparameter `lr` of the rule, as a number, a schedule of Keras or a
            function without arguments. Without it, the rule keeps its default.
        hyperparameters: the others, by the names and aliases of the spec: numbers, or what
            `optdsl.load` takes. Only numbers can be saved.
        clipnorm, clipvalue, global_clipnorm, use_ema, loss_scale_factor,
        gradient_accumulation_steps, name: as Keras documents them. So is weight_decay, unless
            the rule has a hyperparameter of this name, which it then is.

    The kernels run on the memory of the variables, on the CPU. The state of the rule is no
    variable of Keras: `save_own_variables` stores it as one array of bytes.

    Raises:
        HyperparameterError: an unknown or missing name, or a value outside its domain.
    """

    rule: ClassVar[type[Optimizer]]
    recipe: ClassVar[tuple[str, str]]  # what it is compiled of

    def __init__(self, learning_rate: Any = None, **arguments: Any) -> None:
        names = self.rule.names
        own = of_the_base(names)
        base = {name: arguments.pop(name) for name in list(arguments) if name in own}
        seed = {"seed": arguments.pop("seed")} if "seed" in arguments else {}
        rate = Rate(names, learning_rate, arguments)
        super().__init__(learning_rate=rate.initial, **base)
        self._rate = rate
        self._given = _Plain({**arguments, **self._first_rate(), **seed})
        self._held: Held | None = None
        self._loss: Any = None
        self._inputs = _Plain({})
        self._stored = _Plain({})
        self._check_base()
        self._settings()

    def _first_rate(self) -> dict[str, Any]:
        """Return the rate as a hyperparameter: a schedule of Keras is carried step by step."""
        name = rate_name(self.rule.names)
        if name is None or self._rate.given is None or callable(self._rate.given):
            return {}
        return {name: float(self._rate.given)}

    def _check_base(self) -> None:
        layout = self.rule.layout
        if self.weight_decay is not None and not self._rate.slots:
            raise ValueError(
                f"{layout.name} has no learning rate, and Keras multiplies `weight_decay` by it: "
                "compose the rule with DecoupledWeightDecay"
            )
        if self.gradient_accumulation_steps and layout.losses:
            raise ValueError(
                f"{layout.name} reads the loss of each step: it cannot take "
                "`gradient_accumulation_steps`"
            )

    def _settings(self) -> None:
        """Raise what is wrong with the hyperparameters before there are variables."""
        self.rule([np.zeros(1)], **self._given.items)

    # ------------------------------------------------------------------ contract

    def build(self, variables: Sequence[Any]) -> None:
        """Take the variables that are to be stepped."""
        if self.built:
            return
        super().build(variables)
        self._held = Held(self.rule, variables, self._given.items)
        self._load_stored()

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Take a step with one variable; the others sit it out.

        Raises:
            StepError: the rule makes one number of all variables.
        """
        if self.rule.layout.everything:
            raise StepError(
                f"{self.rule.layout.name} makes a number of all variables: "
                "call `apply` with all of them"
            )
        self._backend_update_step([gradient], [variable], learning_rate)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        held = self._held
        assert held is not None
        held.prepare()
        gradients: dict[str, Any] = dict.fromkeys(held.names)
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            index = self._get_variable_index(variable)
            place = held.places.items[index]
            gradients[held.names[index]] = place.gradients.of(_tensor(gradient))
        settings = held.optimizer.groups[0].settings
        self._rate.carry(settings, float(keras.ops.convert_to_numpy(learning_rate)))
        inputs, self._inputs = self._inputs.items, _Plain({})
        held.optimizer.step(gradients, loss=self._loss_of_step(), **inputs)
        held.places.give_back()

    def _loss_of_step(self) -> float | None:
        loss, self._loss = self._loss, None
        return None if loss is None else float(loss)

    def scale_loss(self, loss: Any) -> Any:
        """Return the loss as gradients are to be taken of it; a rule that reads it sees it here."""
        if self.rule.layout.losses:
            self._loss = loss.detach()
        return super().scale_loss(loss)

    def observe(self, **inputs: float) -> None:
        """Hand in inputs of the rule, such as the `metric` of a Plateau, for the next step."""
        self._inputs = _Plain({**self._inputs.items, **inputs})

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Let the variables hold the point of evaluation within a `with` block."""
        held = self._held
        if held is None:
            raise StepError("the optimizer has no variables yet: build it, or take a step")
        held.prepare()
        try:
            with held.optimizer.evaluating():
                held.places.give_back()
                yield
        finally:
            held.places.give_back()

    # -------------------------------------------------------------------- saving

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same optimizer again, without its state."""
        names = self.rule.names
        config: dict[str, Any] = super().get_config()
        hyper = shown(names, {k: v for k, v in self._given.items.items() if k != "seed"})
        rate = rate_name(names)
        if rate is not None:
            hyper.pop(rate, None)
        config |= hyper
        if not callable(self._rate.initial):
            current = float(config["learning_rate"])
            config["learning_rate"] = self._rate.value(current)
        seed = self._given.items.get("seed")
        return config if seed is None else {**config, "seed": seed}

    def __reduce__(self) -> tuple[Any, ...]:
        _, arguments = super().__reduce__()
        return _revived, (self.recipe, *arguments)

    def save_own_variables(self, store: Any) -> None:
        """Put the state into a file of Keras."""
        super().save_own_variables(store)
        if self._held is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "state"
                self._held.optimizer.save(path)
                store[STATE] = np.frombuffer(path.read_bytes(), np.uint8)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Take the state from a file of Keras.

        Where there are no variables yet, the state waits for them.

        Raises:
            CheckpointError: the state is damaged or of another rule.
        """
        super().load_own_variables({key: store[key] for key in store.keys() if key != STATE})  # noqa: SIM118
        if STATE not in store.keys():  # noqa: SIM118
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            path.write_bytes(np.asarray(store[STATE]).tobytes())
            self._stored = _Plain(statefile.read(path))
        self._load_stored()

    def _load_stored(self) -> None:
        """Take up the state that was read, as soon as there are variables."""
        if self._held is None or not self._stored.items:
            return
        state, self._stored = self._stored.items, _Plain({})
        optimizer = self._held.optimizer
        # Keras may call the variables of a loaded model otherwise: their order is what counts.
        state["parameters"] = optimizer.state_dict(copy=False)["parameters"]
        optimizer.load_state_dict(state)


def _place(variable: Any) -> Place:
    """Return where a variable lies.

    Raises:
        ParameterError: it is not on the CPU.
    """
    place = Place(variable.value, f"`{variable.path}`")
    if place.memory is not HOST:
        raise ParameterError(
            f"the variable {place.label} is on {place.memory.name}: this door steps those on the "
            "CPU; optdsl.torch steps tensors on cards"
        )
    return place


def _revived(recipe: tuple[str, str], *arguments: Any) -> CompiledOptimizer:
    """Return a copy of an optimizer from what `__reduce__` gave."""
    from optdsl.keras import optimizer

    made: CompiledOptimizer = optimizer(*recipe)._unpickle_model(*arguments)
    return made


class _Plain:
    """A dict that Keras does not look into."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.items = items


def _tensor(gradient: Any) -> torch.Tensor:
    value = gradient.value if isinstance(gradient, keras.Variable) else gradient
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value)
