"""What equations mean: names, time, kinds and composition."""

from optdsl.model.build import build
from optdsl.model.system import System

__all__ = ["System", "build"]
