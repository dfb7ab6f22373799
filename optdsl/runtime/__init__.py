"""Objects that run compiled rules: optimizers, schedules and transforms.

Schedules and transforms are imported when they are first asked for: an optimizer starts sooner.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from optdsl.runtime.classes import from_layout
from optdsl.runtime.errors import (
    CheckpointError,
    GradientError,
    GradientTypeError,
    HyperparameterError,
    HyperparameterTypeError,
    ParameterError,
    ParameterTypeError,
    RuntimeRefusal,
    StepError,
)
from optdsl.runtime.groups import Group
from optdsl.runtime.layout import Layout
from optdsl.runtime.optimizer import Optimizer
from optdsl.runtime.results import StepResult

if TYPE_CHECKING:
    from optdsl.runtime.cursor import ScheduleCursor
    from optdsl.runtime.schedule import Schedule
    from optdsl.runtime.transform import Transform

__all__ = [
    "CheckpointError",
    "GradientError",
    "GradientTypeError",
    "Group",
    "HyperparameterError",
    "HyperparameterTypeError",
    "Layout",
    "Optimizer",
    "ParameterError",
    "ParameterTypeError",
    "RuntimeRefusal",
    "Schedule",
    "ScheduleCursor",
    "StepError",
    "StepResult",
    "Transform",
    "from_layout",
]

_LATER = {"Schedule": "schedule", "ScheduleCursor": "cursor", "Transform": "transform"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
