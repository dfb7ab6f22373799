"""Compiled rules as optimizers of PyTorch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from optdsl.runtime import ParameterError, StepError, StepResult
from optdsl.torch import checkpoints, states
from optdsl.torch.callers import makes_room
from optdsl.torch.groups import parted, settings_of, spelled
from optdsl.torch.memory import HOST
from optdsl.torch.moving import to_torch
from optdsl.torch.rules import Rules
from optdsl.torch.running import Running
from optdsl.torch.scaling import unscale
from optdsl.torch.shards import check_owner

Closure = Callable[[], Any]

#: What `torch.compile(..., fullgraph=True)` says of a step.
WHY_NOT_TRACED = "a step is compiled already, by optdsl: it runs between compiled parts as it is"


class CompiledOptimizer(torch.optim.Optimizer):
    """Steps PyTorch's tensors in place, by a compiled rule.

    Kernels run on the tensors' own memory: tensors on an NVIDIA card are stepped there, on
    PyTorch's current stream, and nothing waits for the card. Tensors that are not contiguous are
    copied to and fro, and so are those of float16 on the CPU. Beside bfloat16 and float16, states
    are float32 if nothing else is said.

    >>> import torch, optdsl.torch
    >>> Adam = optdsl.torch.optimizer("ClipByGlobalNorm(c=1) | Adam")
    >>> model = torch.nn.Linear(3, 1)
    >>> opt = Adam(model.parameters(), lr=3e-4, betas=(0.9, 0.95))
    >>> model(torch.ones(2, 3)).sum().backward()
    >>> opt.step()
    >>> opt.zero_grad()

    Arguments:
        params: tensors, pairs of a name and a tensor as from `model.named_parameters()`, or
            groups: dicts with "params" and hyperparameters of their own.
        hyperparameters: by the names and aliases of the spec, as numbers, schedules or functions
            of the step. They stand in `param_groups` by the names of the signature, where
            schedulers change them; None is the formula or the schedule of the spec.
        maximize: step uphill.
        capturable: let steps on cards be recorded in CUDA graphs, after the first.
        seed: in rules that draw random numbers, what fixes them.

    Classes are made by `optdsl.torch.optimizer`.

    Raises:
        ParameterError: tensors that cannot be stepped in place or overlap, or several devices (or
            dtypes on a card) in a rule that needs to see all tensors at once.
        DiagnosticError: tensors on a card, and the rule is not compiled for cards; it says why.
        DeviceError: tensors on a card, and the driver or a package to reach it is missing.
        HyperparameterError: an unknown, missing or repeated name, or a value outside its domain.
    """

    rules: ClassVar[Rules]
    recipe: ClassVar[tuple[str, str, dict[str, str]]]  # what it is compiled of
    __signature__: ClassVar[inspect.Signature]
    _running: Running | None = None
    _resting: Mapping[torch.Tensor, Any] = MappingProxyType({})
    assigned: dict[torch.Tensor, Any] | None = None

    def __init__(self, params: Any, *unnamed: Any, **hyperparameters: Any) -> None:
        self.rules.names.refuse_unnamed(unnamed)
        maximize = bool(hyperparameters.pop("maximize", False))
        self._capturable = bool(hyperparameters.pop("capturable", False))
        layout = self.rules.layout
        check_owner(layout.name, self.rules.needs)
        self._seed = {} if layout.seed is None else {"seed": hyperparameters.pop("seed", 0)}
        own, _ = parted(self.rules.names, hyperparameters)
        self._given = own
        self._settings = settings_of(self.rules.names, own)
        defaults = {"maximize": maximize, **spelled(self._settings, own)}
        super().__init__(params, defaults)
        self._running = self._begun(self._seed)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with hyperparameters of their own; others are those of the class.

        Raises:
            ParameterError: as for the class.
            HyperparameterError: as for the class.
        """
        if "params" not in param_group:
            raise ParameterError('the new group has no "params": they are what is stepped')
        names = self.rules.names
        own, rest = parted(names, param_group)
        settings = settings_of(names, own, self._settings)
        entries = spelled(settings, {**copy.deepcopy(self._given), **own})
        super().add_param_group({**rest, **entries})
        group = self.param_groups[-1]
        for name in set(group).intersection(names.known()) - set(entries):
            del group[name]  # another spelling of what stands there already
        if self._running is not None:
            try:
                self._running.add(group)
            except BaseException:
                self.param_groups.pop()
                raise

    @property
    def running(self) -> Running:
        """The runtime's optimizer under this one, with the states that were assigned."""
        running = self._running
        assert running is not None
        if self.assigned is not None:
            self._load(self.assigned, running.attributes())
        elif not running.is_of(self.param_groups):  # somebody has changed them
            for group in self.param_groups:
                group.update({n: self.defaults[n] for n in self.defaults if n not in group})
            self._load({**states.of_parameters(running), **self._resting}, running.attributes())
        assert self._running is not None
        return self._running

    def _begun(self, seed: Mapping[str, Any]) -> Running:
        """Return the runtime's optimizer of these groups, before its first step."""
        capturable = {"capturable": True} if self._capturable else {}
        return Running(self.rules, self.param_groups, {**seed, **capturable})

    def _load(self, told: Mapping[torch.Tensor, Any], about: Mapping[str, Any]) -> None:
        """Put new states in place of those there are, which stay where that is refused.

        Those of tensors that stand in no group wait until these do.
        """
        if self._running is not None:
            self._running.require_back()
        seed = {} if self.rules.layout.seed is None else {"seed": about["seed"]}
        running = self._begun(seed)
        states.load(running, told, about["mode"])
        self._seed, self._running, self.assigned = seed, running, None
        present = {parameter for group in self.param_groups for parameter in group["params"]}
        self._resting = {tensor: told[tensor] for tensor in set(told) - present}

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """What `torch.amp.GradScaler` asks: whether a step skips itself, without being waited for.

        Then it hands over `grad_scale` and `found_inf`, on the card, for the time of a step.
        """
        return self.rules.skips_nonfinite and all(
            portion.memory is not HOST for portion in self.running.portions.values()
        )

    @property
    def result(self) -> StepResult | None:
        """What the last step did: whether a rule such as `SkipNonfinite` skipped it, and so on."""
        return self.running.result

    @torch.compiler.disable(reason=WHY_NOT_TRACED)  # type: ignore[untyped-decorator, no-untyped-call]
    def step(self, closure: Closure | None = None, *, loss: Any = None, **inputs: Any) -> Any:
        """Take one step with the gradients that the tensors hold, or those a closure leaves there.

        A tensor without a gradient takes no step: its states and its t stand still.

        Arguments:
            closure: zeroes gradients, computes the loss, calls `backward` and returns the loss.
                Rules that ask for several gradients need one; the parameters hold the point
                at which each is asked for while it runs, and theta before and after. With a
                closure, Nesterov's rule takes its gradient where it looks ahead. Without one,
                the parameters hold the point of the next gradient, and `theta()` tells theta.
            loss: the loss at the point of the gradients, for rules that read it; a closure
                returns it.
            inputs: numbers for schedules and rules that have an input of the name.

        Returns what the closure returned.

        Raises:
            GradientError: a gradient does not fit its parameter.
            HyperparameterError: one is outside its domain.
            StepError: the rule needs a closure, or a loss, or an input that has not come.

        When it raises, no parameter and no state has changed.
        """
        running = self._beginning()
        if running is None:
            return None
        if closure is None:
            self._step_unscaled(running, loss, inputs)
            return None
        if loss is not None:
            raise StepError("a closure returns the loss: leave `loss` out")
        if running.needs_points:
            return running.step_at_points(closure, inputs)
        with torch.enable_grad():
            loss = closure()
        self._step_unscaled(running, loss, inputs)
        return loss

    def _beginning(self) -> Running | None:
        """Return what takes the step; None where no step is wanted, but states to be written to."""
        running = self.running
        if running.result is None and makes_room():
            running.begin()
            return None
        if running.has_begun:  # by the parameters and the hyperparameters of then
            running = self._running = self._begun(self._seed)
        return running

    def _step_unscaled(self, running: Running, loss: Any, inputs: Mapping[str, Any]) -> None:
        """Take one step with the gradients there are, without the scale that a scaler tells of."""
        told = vars(self)
        if "found_inf" not in told or not self._step_supports_amp_scaling:
            running.step(loss, inputs)
            return
        held = [parameter.grad for group in self.param_groups for parameter in group["params"]]
        try:
            running.step(
                loss, inputs, lambda: unscale(held, told.get("grad_scale"), told["found_inf"])
            )
        except BaseException:  # the scaler takes these back after a step only
            for name in ("grad_scale", "found_inf"):
                told.pop(name, None)
            raise

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Let the parameters hold the point of evaluation for the time of a `with` block.

        That is the average in a rule that evaluates one, and theta otherwise. Afterwards they hold
        what they held, bit for bit. No step can be taken within.
        """
        with self.running.evaluating():
            yield

    def theta(self) -> list[torch.Tensor]:
        """Return copies of the true iterate, one tensor a parameter, in order."""
        return self.running.theta()

    # ------------------------------------------------------------------ states

    @property  # type: ignore[override]
    def state(self) -> states.States:
        """The states of each parameter that has taken a step: tensors in use, numbers as copies.

        States of a whole parameter can be assigned, or all cleared: `opt.state.clear()`.
        """
        return states.States(self)

    @state.setter
    def state(self, value: Mapping[torch.Tensor, Any]) -> None:
        if self._running is not None:
            self.assigned = dict(value)

    def state_dict(self) -> dict[str, Any]:
        """Return what PyTorch's optimizers return: states by the place of a parameter, and groups.

        Tensors are those of the states, not copies. All of it is numbers, text and tensors:
        `torch.load(..., weights_only=True)` reads it. Functions and schedules are noted.

        Raises:
            StepError: the parameters are at the point of evaluation, and training would go on
                from there.
        """
        self.running.require_back()
        hook = self.register_state_dict_post_hook(checkpoints.described, prepend=True)
        try:
            found: dict[str, Any] = super().state_dict()
            return found
        finally:
            hook.remove()

    def torch_state_dict(self) -> dict[str, Any]:
        """Return the state as one of the optimizer of `torch.optim` that takes the same steps.

        >>> import torch, optdsl.torch
        >>> w = torch.ones(2, requires_grad=True)
        >>> opt = optdsl.torch.optimizer("AdamW")([w], lr=0.1)
        >>> theirs = torch.optim.AdamW([w])
        >>> theirs.load_state_dict(opt.torch_state_dict())
        >>> theirs.param_groups[0]["lr"]
        0.1

        Raises:
            CheckpointError: torch.optim has no such optimizer.
        """
        return to_torch(self.rules.layout, self.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state of this rule, or of the optimizer of `torch.optim` that it is.

        Raises:
            CheckpointError: it belongs to something else, or is damaged; nothing has changed then.
            StepError: the parameters are at the point of evaluation.
        """
        hook = self.register_load_state_dict_pre_hook(checkpoints.understood)
        try:
            super().load_state_dict(state_dict)
        finally:
            hook.remove()

    def __getstate__(self) -> dict[str, Any]:
        self.running.require_back()
        return {
            "defaults": self.defaults,
            "state": {tensor: dict(told) for tensor, told in self.state.items()},
            "param_groups": self.param_groups,
            "given": self._given,
            "about": self.running.attributes(),
            "capturable": self._capturable,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        new = dict(state)
        told = {tensor: checkpoints.opened(each) for tensor, each in new.pop("state").items()}
        groups = new["param_groups"]
        about = new.pop("about", None) or checkpoints.taken_about(groups)
        given = new.pop("given", None)
        self._capturable = new.pop("capturable", getattr(self, "_capturable", False))
        before = self.__dict__.get("param_groups")
        self.param_groups = groups
        try:
            self._load(told, about)
        except BaseException:
            self.param_groups = before or []
            raise
        super().__setstate__(new)
        if given is not None:
            self._given = given
            self._settings = settings_of(self.rules.names, given)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledOptimizer:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        if "recipe" in vars(type(self)):
            return (checkpoints.empty, self.recipe, self.__getstate__())
        return (object.__new__, (type(self),), self.__getstate__())  # a class upon ours
