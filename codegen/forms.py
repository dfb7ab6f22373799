"""The forms of arrays that hold the values of each kind."""

from __future__ import annotations

from optdsl.model.expressions import Kind
from optdsl.program.program import Accumulate
from optdsl.runtime.shapes import Form

FORMS: dict[Kind, Form] = {
    Kind.ENTRY: "entry", Kind.ROW: "row", Kind.COLUMN: "column", Kind.TURNED: "turned",
    Kind.ROWS: "rows", Kind.COLUMNS: "columns",
}  # fmt: skip


def partial_form(reduction: Accumulate) -> Form:
    """Return the form of the buffer that holds what a pass has reduced to rows or columns."""
    return "row" if reduction.kind is Kind.ROW else "blocks"
