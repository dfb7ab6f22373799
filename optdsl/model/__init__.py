"""What equations mean: names, time, kinds and composition."""

from optdsl.model.alternatives import Alternatives, Rule
from optdsl.model.build import build, build_rule
from optdsl.model.system import System

__all__ = ["Alternatives", "Rule", "System", "build", "build_rule"]
