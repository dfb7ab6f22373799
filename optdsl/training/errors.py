"""What the helpers around training refuse; nothing has been changed when they do."""

from __future__ import annotations


class TrainingError(ValueError):
    """The base of every error of this package: a setting, a parameter or a number is not usable."""


class StateError(TrainingError):
    """A stored state is incomplete, or belongs to something else."""


class MetricWarning(RuntimeWarning):
    """A metric is not a number; it counts as no improvement."""
