"""What is known of a tensor before it steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Facts:
    """The shape and the name of a tensor, seen as a matrix: its first dimension by the rest.

    >>> facts = Facts((3, 4, 5), "layer.bias")
    >>> facts.rows, facts.columns, facts.named("*.bias")
    (3.0, 20.0, 1.0)
    """

    shape: tuple[int, ...]
    name: str

    @property
    def ndim(self) -> float:
        """How many dimensions it has."""
        return float(len(self.shape))

    @property
    def size(self) -> float:
        """How many entries it has."""
        return float(math.prod(self.shape))

    @property
    def rows(self) -> float:
        """Its first dimension; 1 for a vector, which is one row."""
        return float(self.shape[0]) if len(self.shape) > 1 else 1.0

    @property
    def columns(self) -> float:
        """The product of its other dimensions."""
        return float(math.prod(self.shape[1:])) if len(self.shape) > 1 else self.size

    def named(self, pattern: str) -> float:
        """1 where its name fits `pattern`, in which * stands for any text, and 0 elsewhere."""
        return float(fnmatchcase(self.name, pattern))
