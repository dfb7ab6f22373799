"""The shipped rule that walks as an implementation does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from optdsl.checks.implementations.courses import MATRICES, courses
from optdsl.checks.implementations.matching import Matching, match, points
from optdsl.checks.implementations.of_rules import of_rule
from optdsl.checks.implementations.subject import NotRun, Subject
from optdsl.checks.implementations.trajectories import (
    Compared,
    beside_each_other,
    displacement,
    may_agree,
)
from optdsl.diagnostics import DiagnosticError

_RANK = {"agrees": 0, "agrees while the step size keeps": 1, "agrees at its defaults": 2}


@dataclass(frozen=True)
class Nearest:
    """The rules that walk as an implementation does, the best first.

    `matches` need no more of the implementation than its defaults do; `further` are rules that it
    is where more of its hyperparameters are on, such as a momentum that is 0 by default.
    `partly` agrees for some settings only. `closest` is none of these.
    """

    matches: tuple[Compared, ...] = ()
    further: tuple[Compared, ...] = ()
    partly: Compared | None = None
    closest: tuple[str, float] | None = None

    @property
    def best(self) -> Compared | None:
        """The rule to name."""
        return self.matches[0] if self.matches else None


@cache
def shipped_subject(name: str) -> Subject | None:
    """Return a shipped optimizer as a subject; None where it cannot be run so."""
    from optdsl.library import load_rule

    try:
        subject = of_rule(name, load_rule(name))
    except (NotRun, DiagnosticError):
        return None
    return subject


@cache
def shipped_optimizers() -> tuple[str, ...]:
    """Return the names of the shipped optimizers that need no other rule."""
    from optdsl.library import find, shipped

    names = (name for name, each in shipped().items() if each.family == "optimizer")
    return tuple(name for name in names if not find(name)[0].parameters)


def find_nearest(theirs: Subject, among: Iterable[str] | None = None) -> Nearest:
    """Run an implementation beside shipped rules.

    Raises:
        NotRun: the implementation cannot be run.
    """
    found: list[Compared] = []
    parted: list[tuple[float, str]] = []
    ran, reasons = False, {0: "no shipped rule can be run beside it"}
    theirs = fitted(theirs)
    for name in among or shipped_optimizers():
        ours = shipped_subject(name)
        if ours is None:
            continue
        matching = match(ours, theirs)
        try:
            if may_agree(ours, theirs, matching):
                found.append(beside_each_other(ours, theirs, matching))
            else:
                parted.append((displacement(ours, theirs, points(matching)[0]), name))
            ran = True
        except (NotRun, DiagnosticError) as error:
            reasons.setdefault(len(matching.pairs), str(error))
    if not ran:
        raise NotRun(reasons[max(reasons)])
    return _sorted(found, parted)


def fitted(theirs: Subject) -> Subject:
    """Return an implementation with shapes that it can step: the usual ones, or matrices alone.

    Raises:
        NotRun: it can step neither.
    """
    needed = {each.name: 0.01 for each in theirs.parameters if each.needed}
    try:
        next(theirs.walk(needed, courses(theirs.shapes)[0]))
    except NotRun as error:
        matrices = replace(theirs, shapes=MATRICES)
        try:
            next(matrices.walk(needed, courses(MATRICES)[0]))
        except NotRun:
            raise error from None
        return matrices
    return theirs


def _sorted(found: list[Compared], parted: list[tuple[float, str]]) -> Nearest:
    alike = sorted((each for each in found if each.outcome == "agrees"), key=_order)
    partly = sorted((each for each in found if each.outcome in list(_RANK)[1:]), key=_order)
    fewest = min((extras(each.matching) for each in alike), default=0)
    apart = [(share, name) for share, name in parted if math.isfinite(share)]
    apart += [(each.displacement, each.ours.name) for each in found if each.outcome == "differs"]
    closest = min(apart, default=None)
    return Nearest(
        tuple(each for each in alike if extras(each.matching) == fewest),
        tuple(each for each in alike if extras(each.matching) > fewest),
        partly[0] if partly else None,
        None if closest is None else (closest[1], closest[0]),
    )


def extras(matching: Matching) -> int:
    """Return how many hyperparameters of theirs that are off by default a rule has."""
    return sum(other.off for _, other in matching.pairs)


def _order(each: Compared) -> tuple[float, ...]:
    matching = each.matching
    return (
        _RANK[each.outcome],
        each.bound,
        extras(matching),
        len(matching.ours),
        -len(matching.pairs),
        each.ours.size,
    )
