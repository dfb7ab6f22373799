"""Optimizers that step arrays on NVIDIA cards. Importing it needs neither a card nor a driver."""

from optdsl.cuda.arrays import DeviceArray
from optdsl.cuda.optimizer import DeviceOptimizer, from_layout

__all__ = ["DeviceArray", "DeviceOptimizer", "from_layout"]
