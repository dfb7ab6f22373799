"""Can several comparisons of facts about a tensor hold together?"""

from __future__ import annotations

from collections.abc import Sequence
from time import process_time

from optdsl.checks.equivalence.bounds import bounds
from optdsl.checks.equivalence.cases import GiveUp, cases
from optdsl.checks.equivalence.frames import range_of_fact
from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.number_ranges import Range
from optdsl.checks.equivalence.polynomials import Atom, Table
from optdsl.checks.equivalence.rationals import Rational
from optdsl.checks.equivalence.reading import COMPARISONS, Reader
from optdsl.checks.equivalence.roots import Unreadable
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Apply, Clock, Expression, Fact, Value, apply, number

_SECONDS = 0.5


def never_together(conditions: Sequence[tuple[Expression, bool]]) -> bool:
    """Is there no tensor of which each comparison holds, or does not hold, as is said?

    >>> from optdsl.model.expressions import Fact, apply, number
    >>> at_least_two = apply("ge", Fact("ndim"), number(2))
    >>> more_than_one = apply("gt", Fact("ndim"), number(1))
    >>> never_together([(at_least_two, True), (more_than_one, False)])
    True
    """
    matrix = apply("ge", Fact("ndim"), number(2))
    one_row = apply("eq", Fact("rows"), number(1))
    return all(
        _never([*told, *conditions])
        for told in ([(matrix, True)], [(matrix, False), (one_row, True)])
    )


def _never(conditions: Sequence[tuple[Expression, bool]]) -> bool:
    functions = Functions(Table())

    def ranger(atom: Atom, context: Context) -> Range:
        return range_of_fact(atom) or functions.range_of(atom, context)

    def possible(case: Context) -> bool:
        reader = Reader(functions, case, _unknown, lambda _: None, _unknown)
        return all(_may_be(condition, holds, reader) for condition, holds in conditions)

    nothing_known = Context(ranger=ranger, teller=bounds, splits=True)
    try:
        deadline = process_time() + _SECONDS
        return not any(found for _, found in cases(nothing_known, possible, deadline))
    except (GiveUp, Unreadable):
        return False


def _may_be(condition: Expression, holds: bool, reader: Reader) -> bool:
    """May a comparison hold, or not, in a case? It may, where it is not read."""
    if not (isinstance(condition, Apply) and condition.operator in COMPARISONS):
        return True
    try:
        truth, _ = reader.truth(condition)
    except Unreadable:
        return True
    return truth is holds


def _unknown(read: Value | Clock) -> Rational:
    raise Unreadable(str(read))
