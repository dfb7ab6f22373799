"""Objects that run compiled rules: optimizers, schedules and transforms."""

from optdsl.runtime.classes import from_layout
from optdsl.runtime.cursor import ScheduleCursor
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
from optdsl.runtime.optimizer import Optimizer, StepResult
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
