"""Which libraries there are, and which of their optimizers to ask about."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

from optdsl.checks.implementations.of_torch import is_torch


@dataclass(frozen=True)
class Asked:
    """An optimizer of a library, and the rule it is held against where its name does not tell."""

    name: str
    rule: str | None = None


@dataclass(frozen=True)
class Library:
    """A library of optimizers.

    Args:
        name: the name to choose it by, which is also its package's.
        modules: where its optimizers are.
        kind: whether an attribute of these is one.
        further: others, as calls with arguments, and the rules that these are said to be.
    """

    name: str
    modules: tuple[str, ...]
    kind: Callable[[Any], bool]
    further: tuple[tuple[str, str | None], ...] = ()

    @property
    def installed(self) -> bool:
        """Can it be imported?"""
        return find_spec(self.name) is not None

    @property
    def version(self) -> str:
        """Its version."""
        return metadata.version(_DISTRIBUTIONS.get(self.name, self.name))

    def asked(self) -> Iterator[Asked]:
        """Yield its optimizers in the order of their names, then those with arguments."""
        for module in self.modules:
            found = vars(import_module(module))
            for name in sorted(found):
                if not name.startswith("_") and self.kind(found[name]):
                    yield Asked(f"{module}.{name}")
        for call, rule in self.further:
            yield Asked(f"{self.modules[0]}.{call}", rule)


def _is_optimizer(found: Any) -> bool:
    return inspect.isclass(found) and is_torch(found) and found.__name__ != "Optimizer"


def _is_alias(found: Any) -> bool:
    function = found.func if isinstance(found, partial) else found
    if not inspect.isfunction(function) or function.__name__.startswith("scale_by"):
        return False
    return "learning_rate" in tuple(inspect.signature(found).parameters)[:2]


_DISTRIBUTIONS = {"pytorch_optimizer": "pytorch-optimizer"}

LIBRARIES = (
    Library(
        "torch",
        ("torch.optim",),
        _is_optimizer,
        (
            ("SGD(momentum=0.9)", "Momentum"),
            ("SGD(momentum=0.9, nesterov=True)", "Nesterov"),
            ("SGD(weight_decay=0.1)", "PenalisedSGD"),
            ("RMSprop(momentum=0.9)", "RMSpropMomentum"),
            ("Adam(amsgrad=True)", "AMSGrad"),
        ),
    ),
    Library(
        "optax",
        ("optax", "optax.contrib"),
        _is_alias,
        (
            ("sgd(momentum=0.9)", "Momentum"),
            ("sgd(momentum=0.9, nesterov=True)", "Nesterov"),
            ("rmsprop(eps_in_sqrt=False)", "RMSprop"),
            ("rmsprop(initial_scale=1.0)", "RMSprop"),
            ("adagrad(initial_accumulator_value=0.0)", "Adagrad"),
            ("adam(nesterov=True)", "Nadam"),
            ("adadelta(learning_rate=1.0)", "Adadelta"),
            ("adafactor(learning_rate=0.01, min_dim_size_to_factor=1)", "Adafactor"),
        ),
    ),
    Library(
        "pytorch_optimizer",
        ("pytorch_optimizer",),
        _is_optimizer,
        (
            ("RAdam(degenerated_to_sgd=True)", "RAdam"),
            ("SignSGD(momentum=0.0)", "SignSGD"),
        ),
    ),
    Library("dadaptation", ("dadaptation",), _is_optimizer),
    Library("prodigyopt", ("prodigyopt",), _is_optimizer),
    Library("schedulefree", ("schedulefree",), _is_optimizer),
    Library("timm", ("timm.optim",), _is_optimizer),
)
