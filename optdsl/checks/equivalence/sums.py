"""Sums over entries, rows or columns, in a canonical form.

A sum is linear, and what is the same in all that it takes in stands before it. What is a value a
row times a value a column is summed apart, a value a row times one an entry row by row, and the
sums of rows, by themselves, as one over entries.
"""

from __future__ import annotations

from fractions import Fraction

from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.polynomials import Monomial, Polynomial, Table
from optdsl.checks.equivalence.rationals import NOTHING, Powers, Rational, of_atom
from optdsl.checks.equivalence.roots import Unreadable, put
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Kind

_ONE = Fraction(1)


def summed_over(kind: Kind) -> Kind:
    """Return what a sum of values of a kind runs over: entries, rows or columns."""
    if kind in (Kind.ROW, Kind.COLUMN):
        return kind
    if kind.is_number or kind is Kind.ENTRY:
        return Kind.ENTRY
    raise Unreadable("sums over matrices")


def count(over: Kind, kind: Kind, table: Table) -> Rational:
    """Return how many summands there are; at least one."""
    if kind is Kind.ALL:
        return of_atom(table.atom("size", over, kind=kind, whole=True))
    rows, columns = (fact(name, table) for name in ("rows", "columns"))
    found = {
        (Kind.ENTRY, Kind.TENSOR): rows * columns,
        (Kind.ENTRY, Kind.ROW): columns,
        (Kind.ENTRY, Kind.COLUMN): rows,
        (Kind.ROW, Kind.TENSOR): rows,
        (Kind.COLUMN, Kind.TENSOR): columns,
    }.get((over, kind))
    if found is None:
        raise Unreadable("a sum of this form")
    return found


def fact(name: str, table: Table) -> Rational:
    """Return what is known of a tensor."""
    return of_atom(table.atom("fact", name, kind=Kind.TENSOR, whole=True))


def total(x: Rational, over: Kind, kind: Kind, functions: Functions, context: Context) -> Rational:
    """Return the sum of `x` over what a value of `kind` stands for, if all are defined."""
    outside = [(p, n) for p, n in x.denominator if p.kind.within(kind)]
    inside = tuple((p, n) for p, n in x.denominator if not p.kind.within(kind))
    found = NOTHING
    for monomial, coefficient in x.numerator.terms.items():
        common = tuple(item for item in monomial if item[0].kind.within(kind))
        own: Monomial = tuple(item for item in monomial if item not in common)
        single = _Single(own, inside, over, kind, functions, context).sum()
        found = found + Rational(Polynomial({common: coefficient})) * single
    return Rational(found.numerator, (*found.denominator, *outside))


class _Single:
    """The sum of one term, in which nothing is the same for all."""

    def __init__(
        self,
        own: Monomial,
        below: Powers,
        over: Kind,
        kind: Kind,
        functions: Functions,
        context: Context,
    ) -> None:
        self.own, self.below = own, below
        self.over, self.kind = over, kind
        self.functions, self.context = functions, context

    def sum(self) -> Rational:
        """Return the sum in a canonical form."""
        term = Rational(Polynomial({self.own: _ONE}), self.below)
        if term.constant is not None:
            return count(self.over, self.kind, self.functions.table)
        apart = self._apart() if self.over is Kind.ENTRY else self._of_sums()
        if apart is not None:
            return apart
        atom = self.functions.table.atom("sum", self.kind, self.over, term.key(), kind=self.kind)
        atom.arguments = (term,)
        return put(of_atom(atom), self.context)

    def _again(self, term: Rational, over: Kind, kind: Kind) -> Rational:
        return total(term, over, kind, self.functions, self.context)

    def _apart(self) -> Rational | None:
        """Return the sum in which values a row and values a column stand apart."""
        kinds = {atom.kind for atom, _ in self.own} | {p.kind for p, _ in self.below}
        lines = kinds & {Kind.ROW, Kind.COLUMN}
        if self.kind is Kind.ALL or not lines or not kinds <= {*lines, Kind.ENTRY}:
            return None
        if Kind.ENTRY in kinds:
            return self._by_lines(*lines) if self.kind is Kind.TENSOR and len(lines) == 1 else None
        if self.kind in (Kind.ROW, Kind.COLUMN):  # only values of the other are left
            (other,) = lines
            return self._again(self._part(other), other, Kind.TENSOR)
        parts = [self._again(self._part(k), k, Kind.TENSOR) for k in (Kind.ROW, Kind.COLUMN)]
        return parts[0] * parts[1]

    def _by_lines(self, line: Kind) -> Rational:
        """Return the sum over rows, or columns, of a value of each times the sum of its entries."""
        inner = self._again(self._part(Kind.ENTRY), Kind.ENTRY, line)
        return self._again(self._part(line) * inner, line, Kind.TENSOR)

    def _part(self, kind: Kind) -> Rational:
        own = tuple(item for item in self.own if item[0].kind is kind)
        below = tuple((p, n) for p, n in self.below if p.kind is kind)
        return Rational(Polynomial({own: _ONE}), below)

    def _of_sums(self) -> Rational | None:
        """Return the sum of the sums of rows, or of columns, as one over entries."""
        match self.own:
            case ((atom, 1),) if atom.form[0] == "sum" and atom.form[2] is Kind.ENTRY:
                if not self.below and atom.kind is self.over:
                    return self._again(atom.arguments[0], Kind.ENTRY, self.kind)
        return None
