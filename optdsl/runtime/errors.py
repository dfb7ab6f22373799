"""What the runtime says when it refuses something; nothing has been written when it does."""

from __future__ import annotations


class RuntimeRefusal(Exception):
    """The base of every error that an optimizer, a schedule or a transform raises."""


class HyperparameterError(RuntimeRefusal, ValueError):
    """A hyperparameter is unknown, missing, given twice or outside its domain."""


class HyperparameterTypeError(HyperparameterError, TypeError):
    """A hyperparameter is neither a number, a schedule nor a function of the step."""


class ParameterError(RuntimeRefusal, ValueError):
    """A parameter cannot be stepped in place, or the parameters do not go together."""


class ParameterTypeError(ParameterError, TypeError):
    """A parameter is not a NumPy array, or their structure is not understood."""


class GradientError(RuntimeRefusal, ValueError):
    """The gradients do not match the parameters."""


class GradientTypeError(GradientError, TypeError):
    """A gradient is not a NumPy array."""


class StepError(RuntimeRefusal, ValueError):
    """A step was asked for in a way that this rule cannot take."""


class CheckpointError(RuntimeRefusal, ValueError):
    """A stored state is damaged, or belongs to something else."""


class DeviceError(RuntimeRefusal, RuntimeError):
    """A card, its driver or a package to reach them is missing, or the driver refuses a call."""
