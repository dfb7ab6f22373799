"""Ranges that states never leave, shown by induction.

All candidates are supposed together; those that a step does not keep are
weakened, until what is left keeps itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from optdsl.checks.equivalence.cases import GiveUp, cases
from optdsl.checks.equivalence.frames import Frames
from optdsl.checks.equivalence.number_ranges import ABOVE_ZERO, NON_NEGATIVE, REALS, Range
from optdsl.checks.equivalence.rationals import Rational, constant
from optdsl.checks.equivalence.roots import Unreadable, sign_of
from optdsl.checks.equivalence.signs import Context

_ZERO, _ONE = Fraction(0), Fraction(1)

#: From strong to weak.
CANDIDATES = (
    Range(_ONE, _ONE),
    Range(_ZERO, _ONE, low_open=True),
    Range(_ZERO, _ONE),
    Range(_ONE),
    ABOVE_ZERO,
    NON_NEGATIVE,
    Range(None, _ZERO),
    REALS,
)


def find_invariants(
    frames: Frames, deadline: float, observed: Mapping[str, tuple[float, float]]
) -> None:
    """Find ranges of our states and put them into `frames`; those that runs left are no candidates.

    What runs showed only saves time: each range is shown by induction all the same.
    """
    ours = frames.question.ours
    states = [state.name for state in ours.states if state.name != "theta"]
    left = {name: iter(_candidates(observed.get(name))) for name in states}
    frames.invariants.clear()
    frames.invariants.update({name: next(left[name]) for name in states})
    while True:
        broken = {
            name
            for name in states
            if frames.invariants[name] != REALS
            and not (_kept(frames, name, True, deadline) and _kept(frames, name, False, deadline))
        }
        if not broken:
            return
        for name in broken:
            frames.invariants[name] = _next(left[name])


def _candidates(observed: tuple[float, float] | None) -> list[Range]:
    if observed is None:
        return list(CANDIDATES)
    low, high = observed
    return [
        bounds
        for bounds in CANDIDATES
        if (bounds.low is None or low >= bounds.low)
        and (bounds.high is None or high <= bounds.high)
        and not (bounds.low_open and low == bounds.low)
    ]


def _next(candidates: Iterator[Range]) -> Range:
    return next(candidates, REALS)


def _kept(frames: Frames, name: str, first: bool, deadline: float) -> bool:
    """Is a state within its range after the step, if all were before?"""
    wanted = frames.invariants[name]

    def attempt(case: Context) -> bool:
        return within(frames.ours(case, first).named(name), wanted, case)

    try:
        return all(kept for _, kept in cases(frames.context(first, False), attempt, deadline))
    except (GiveUp, Unreadable):
        return False


def within(value: Rational, wanted: Range, context: Context) -> bool:
    """Is a value shown to be in a range?"""
    if wanted.low is not None:
        sign = sign_of(value - constant(wanted.low), context)
        if -1 in sign or (wanted.low_open and 0 in sign):
            return False
    if wanted.high is not None:
        sign = sign_of(constant(wanted.high) - value, context)
        if -1 in sign or (wanted.high_open and 0 in sign):
            return False
    return True
