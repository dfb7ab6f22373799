"""Two walks of the same courses: do they part, when, and by how much?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from optdsl.checks.implementations.courses import Arrays, Course, courses, simple
from optdsl.checks.implementations.matching import Matching, Point, points
from optdsl.checks.implementations.subject import NotRun, Setting, Subject

#: What two walks may part by, as a share of the way; beside it, a few roundings of theta.
BOUND = 1e-9
#: What those may part by who keep numbers beside their tensors in float32.
ROUNDED = 1e-6
_ROUNDINGS = 8
_EPSILON = 2.0**-52

#: After how many steps the displacements are compared.
DISPLACED = 10

Outcome = Literal["agrees", "agrees while the step size keeps", "agrees at its defaults", "differs"]


@dataclass(frozen=True)
class Parting:
    """Where two walks part first.

    Args:
        course: the name of the course.
        point: the settings of both.
        step: after which step.
        entry: which entry, as text.
        theta: where the entry started.
        gradients: its gradients in the steps so far, at our points.
        ours, theirs: the values.
    """

    course: str
    point: Point
    step: int
    entry: str
    theta: float
    gradients: tuple[float, ...]
    ours: float
    theirs: float


@dataclass(frozen=True)
class Compared:
    """What was found of two subjects.

    `displacement` is the relative difference of what was covered in ten usual steps at
    theirs' defaults, `elsewhere` the largest of all that was tried, `steps` how many steps
    were run in all. `partings` holds one for each point of settings where they part by more than
    `bound`.
    """

    ours: Subject
    theirs: Subject
    matching: Matching
    outcome: Outcome
    displacement: float
    steps: int
    partings: tuple[Parting, ...] = ()
    elsewhere: float = 0.0
    bound: float = BOUND

    @property
    def parting(self) -> Parting | None:
        """The parting to show: the first."""
        return self.partings[0] if self.partings else None


def compare(ours: Subject, theirs: Subject, matching: Matching, bound: float = BOUND) -> Compared:
    """Run two subjects beside each other, over all courses and settings.

    Args:
        ours, theirs: the two.
        matching: which hyperparameters of theirs are which of ours.
        bound: what they may part by, as a share of the way.

    Raises:
        NotRun: one of them cannot be run.
    """
    usual, others, moving = points(matching)
    partings: list[Parting] = []
    steps = 0

    def same(point: Point) -> bool:
        nonlocal steps
        for course in courses(theirs.shapes):
            parting, ran = _race(ours, theirs, point, course, bound)
            steps += ran
            if parting is not None:
                partings.append(parting)
                return False
        return True

    if moving is not None and not _runs(theirs, moving):
        moving = None
    outcome: Outcome = "agrees"
    if not same(usual):
        outcome = "differs"
    elif not same(moving or others):
        kept = moving is not None and same(others)
        outcome = "agrees while the step size keeps" if kept else "agrees at its defaults"
    elsewhere = [] if outcome == "agrees" else [each for each in (others, moving) if each]
    usually = displacement(ours, theirs, usual) if outcome == "differs" else 0.0
    shares = [displacement(ours, theirs, point) for point in elsewhere]
    shares += [displacement(ours, theirs, each.point, each.course) for each in partings]
    most = max([usually, *(share for share in shares if math.isfinite(share))])
    return Compared(ours, theirs, matching, outcome, usually, steps, tuple(partings), most, bound)


def beside_each_other(ours: Subject, theirs: Subject, matching: Matching) -> Compared:
    """Compare two, and to fewer digits where that makes them the same at all settings.

    Raises:
        NotRun: one of them cannot be run.
    """
    found = compare(ours, theirs, matching)
    if found.outcome == "agrees":
        return found
    rounded = compare(ours, theirs, matching, ROUNDED)
    return rounded if rounded.outcome == "agrees" else found


def _runs(theirs: Subject, point: Point) -> bool:
    """Can it take a step with these settings? Not all let their step size move."""
    try:
        next(theirs.walk(point.theirs, courses(theirs.shapes)[0]))
    except NotRun:
        return False
    return True


def simply(compared: Compared) -> Compared:
    """Return a comparison with partings a person can follow, where one entry shows them."""
    found = []
    for parting in compared.partings:
        again, _ = _race(compared.ours, compared.theirs, parting.point, simple(), compared.bound)
        found.append(again or parting)
    return replace(compared, partings=tuple(found))


def may_agree(ours: Subject, theirs: Subject, matching: Matching, steps: int = 6) -> bool:
    """Do the first usual steps agree at theirs' defaults, but for rounding?

    Raises:
        NotRun: one of them cannot be run.
    """
    usual = points(matching)[0]
    parting, _ = _race(ours, theirs, usual, courses(theirs.shapes)[0], ROUNDED, steps)
    return parting is None


def displacement(ours: Subject, theirs: Subject, point: Point, named: str = "usual") -> float:
    """Return the relative difference of what two cover in ten steps of a course.

    Raises:
        NotRun: one of them cannot be run.
    """
    import numpy as np

    course = next(each for each in courses(theirs.shapes) if each.name == named)
    last = [
        list(islice(walk, DISPLACED))[-1]
        for walk in (ours.walk(point.ours, course), theirs.walk(point.theirs, course))
    ]
    ways = [_flat(x - y for x, y in zip(each, course.start, strict=True)) for each in last]
    own = float(np.linalg.norm(ways[0]))
    apart = float(np.linalg.norm(ways[0] - ways[1]))
    if own > 0:
        return apart / own
    return 0.0 if apart == 0 else math.inf


def _flat(arrays: Iterable[Any]) -> Any:
    import numpy as np

    return np.concatenate([array.ravel() for array in arrays])


def _race(
    ours: Subject,
    theirs: Subject,
    point: Point,
    course: Course,
    bound: float,
    steps: int | None = None,
) -> tuple[Parting | None, int]:
    """Walk until the two part; return where, and how many steps were run."""
    import numpy as np

    reach = [0.0] * len(course.start)
    ran = 0
    pairs: Iterator[tuple[Arrays, Arrays]] = zip(
        ours.walk(point.ours, course), theirs.walk(point.theirs, course), strict=True
    )
    with np.errstate(all="ignore"):
        for mine, other in islice(pairs, steps):
            ran += 1
            for number, (x, y) in enumerate(zip(mine, other, strict=True)):
                way = (bound, reach, number, ran)
                place = _apart(x, y, course.start[number], *way)
                if place is not None:
                    return _parting(ours, point, course, ran, number, place, (x, y)), ran
    return None, ran


def _apart(
    x: Any, y: Any, start: Any, bound: float, reach: list[float], number: int, step: int
) -> tuple[int, ...] | None:
    """Return the entry that is furthest apart, if any is further than rounding explains."""
    import numpy as np

    same = (x == y) | (np.isnan(x) & np.isnan(y))
    if same.all():
        return None
    gap = np.where(same, 0.0, np.abs(x - y))
    gap = np.where(np.isnan(gap), np.inf, gap)
    moved = np.abs(y - start)
    finite = moved[np.isfinite(moved)]
    reach[number] = max(reach[number], float(finite.max()) if finite.size else 0.0)
    size = np.maximum(np.abs(x), np.abs(start))
    size = np.where(np.isfinite(size), size, 0.0)
    far = gap > bound * reach[number] + _ROUNDINGS * step * _EPSILON * size
    if not far.any():
        return None
    worst = np.unravel_index(int(np.argmax(np.where(far, gap, -1.0))), gap.shape)
    return tuple(int(index) for index in worst)


def _parting(
    ours: Subject,
    point: Point,
    course: Course,
    step: int,
    number: int,
    place: tuple[int, ...],
    values: tuple[Any, Any],
) -> Parting:
    shape = course.start[number].shape
    sides = " by ".join(map(str, shape))
    many = sum(array.size for array in course.start) > 1
    entry = f"entry {', '.join(map(str, place))} of tensor {number + 1}, {sides}" if many else ""
    gradients = _gradients(ours, point.ours, course, step)
    return Parting(
        course.name,
        point,
        step,
        entry,
        float(course.start[number][place]),
        tuple(float(arrays[number][place]) for arrays in gradients),
        float(values[0][place]),
        float(values[1][place]),
    )


def _gradients(
    ours: Subject, settings: dict[str, Setting] | Any, course: Course, step: int
) -> Iterator[Arrays]:
    """Yield the gradients of the first steps, at the points where we stand."""
    at = course.begins()
    walk = ours.walk(settings, course)
    for gradient in islice(course.steps(), step):
        yield gradient(at)
        at = [array.copy() for array in next(walk)]
