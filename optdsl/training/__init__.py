"""Helpers around training, each for a plain NumPy loop; none needs the compiler or its optimizers.

Orders of examples (`Shuffle`, `SortedCurriculum`, `MixedCurriculum`, with a pacing), `Batches` of
them, `EarlyStopping`, `SnapshotEnsemble` and `check_gradients`. What has a state has
`state_dict` and `load_state_dict`, and goes on from there exactly.
"""

from optdsl.training.batches import Batches, Order
from optdsl.training.curriculum import MixedCurriculum, SortedCurriculum
from optdsl.training.early_stopping import EarlyStopping, Progress
from optdsl.training.errors import MetricWarning, StateError, TrainingError
from optdsl.training.gradient_check import GradientCheck, ParameterCheck, check_gradients
from optdsl.training.pacing import LinearPacing, PlateauPacing, RootPacing
from optdsl.training.shuffling import Shuffle
from optdsl.training.snapshots import SnapshotEnsemble

__all__ = [
    "Batches",
    "EarlyStopping",
    "GradientCheck",
    "LinearPacing",
    "MetricWarning",
    "MixedCurriculum",
    "Order",
    "ParameterCheck",
    "PlateauPacing",
    "Progress",
    "RootPacing",
    "Shuffle",
    "SnapshotEnsemble",
    "SortedCurriculum",
    "StateError",
    "TrainingError",
    "check_gradients",
]
