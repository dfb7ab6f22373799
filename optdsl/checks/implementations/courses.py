"""The gradients that two walks are held against each other with.

A course fixes the start and, for each step, a function from any point to gradients. In most of
them gradients are random and do not depend on the point; in `bowl` they do, so that the point at
which a rule asks for them counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

Array = Any
Arrays = list[Array]
Gradient = Callable[[Arrays], Arrays]

#: Three tensors: a vector, a matrix, and one of three dimensions.
SHAPES: tuple[tuple[int, ...], ...] = ((4,), (3, 5), (2, 3, 2))
#: For those who step matrices alone, or otherwise than vectors.
MATRICES: tuple[tuple[int, ...], ...] = ((3, 5), (4, 2))
VECTORS: tuple[tuple[int, ...], ...] = ((4,), (7,))
STEPS = 20


@dataclass(frozen=True, eq=False)
class Course:
    """A start, and a function of gradients for each step.

    `noise` is what the gradients are beside what the point makes of them: `slope*(x - centre)`.
    """

    name: str
    start: Arrays = field(repr=False)
    noise: list[Arrays] = field(repr=False)
    slope: float = 0.0
    centre: float = 0.0

    def steps(self) -> Iterator[Gradient]:
        """Yield the function of gradients of each step."""
        return (partial(self._at, noise) for noise in self.noise)

    def _at(self, noise: Arrays, point: Arrays) -> Arrays:
        if not self.slope:
            return [n.copy() for n in noise]
        return [self.slope * (x - self.centre) + n for x, n in zip(point, noise, strict=True)]

    def begins(self) -> Arrays:
        """Return arrays of its start that may be written to."""
        return [array.copy() for array in self.start]


@cache
def courses(shapes: tuple[tuple[int, ...], ...] = SHAPES) -> tuple[Course, ...]:
    """Return all courses but the simple one; `usual` comes first.

    >>> [course.name for course in courses()]
    ['usual', 'bowl', 'tiny', 'huge', 'sparse', 'turning', 'quiet start']
    """
    return (
        _course("usual", shapes, 1),
        _course("bowl", shapes, 2, slope=0.7, centre=2.5, size=0.3),
        _course("tiny", shapes, 3, size=1e-9, start=1e-3),
        _course("huge", shapes, 4, size=1e9),
        _course("sparse", shapes, 5, zeros=0.7),
        _course("turning", shapes, 6, turning=True),
        _course("quiet start", shapes, 7, silent=2),
    )


@cache
def simple() -> Course:
    """Return a course that a person can follow: one entry, from 1, with gradients 1, 2, -1, ..."""
    import numpy as np

    numbers = (1.0, 2.0, -1.0, 0.5, -2.0, 0.0, 3.0, -0.5, 1.0, 1.0)
    noise = [[np.full(1, number)] for number in (*numbers, *numbers)]
    return Course("one entry", [np.ones(1)], noise)


def _course(
    name: str,
    shapes: tuple[tuple[int, ...], ...],
    seed: int,
    *,
    size: float = 1.0,
    start: float = 1.0,
    zeros: float = 0.0,
    turning: bool = False,
    silent: int = 0,
    slope: float = 0.0,
    centre: float = 0.0,
) -> Course:
    import numpy as np

    random = np.random.default_rng(seed)
    begin = [
        start * random.choice([-1.0, 1.0], size=shape) * random.uniform(1, 2, shape)
        for shape in shapes
    ]
    noise = []
    for step in range(STEPS):
        arrays = [size * random.normal(size=shape) for shape in shapes]
        if turning:
            sign = -1.0 if step % 3 == 1 else 1.0
            arrays = [sign * (np.abs(array) + 0.1) / (1 + 0.3 * step) for array in arrays]
        if zeros:
            arrays = [array * (random.random(array.shape) >= zeros) for array in arrays]
        noise.append([0 * array if step < silent else array for array in arrays])
    return Course(name, begin, noise, slope, centre)
