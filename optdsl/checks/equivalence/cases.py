"""Looking at each case in turn, until every condition is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import process_time

from optdsl.checks.equivalence.reading import NeedTruth
from optdsl.checks.equivalence.roots import NeedSign
from optdsl.checks.equivalence.signs import Context, Impossible

_MOST_CASES = 400


class GiveUp(Exception):
    """There are too many cases, or they take too long."""


def cases(
    context: Context, attempt: Callable[[Context], bool], deadline: float
) -> Iterator[tuple[Context, bool]]:
    """Yield every case with what `attempt` says of it.

    Where `attempt` finds that a sign or a condition is not decided, the case is
    split in those that decide it. Cases that cannot be are left out.

    Raises:
        GiveUp: when there are too many.
    """
    open_cases, looked_at = [context], 0
    while open_cases:
        looked_at += 1
        if looked_at > _MOST_CASES or process_time() > deadline:
            raise GiveUp
        case = open_cases.pop()
        try:
            verdict = attempt(case)
        except NeedSign as need:
            open_cases += _by_sign(case, need)
        except Impossible:
            continue
        except NeedTruth as need:
            open_cases += [case.suppose_true(need.question, answer) for answer in (True, False)]
        else:
            yield case, verdict


def _by_sign(case: Context, need: NeedSign) -> list[Context]:
    try:
        possible = case.sure_sign(need.polynomial)
        if need.polynomial in case.signs and possible == case.signs[need.polynomial]:
            raise GiveUp
        return [case.suppose(need.polynomial, frozenset({sign})) for sign in possible]
    except Impossible:
        return []
