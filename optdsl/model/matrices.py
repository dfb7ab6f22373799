"""A tensor seen as a matrix: reductions, products, transposes, powers of matrices.

Its first dimension are the rows and all others together the columns; a vector is one row.
"""

from __future__ import annotations

from abc import abstractmethod

from optdsl.language import syntax
from optdsl.model import functions
from optdsl.model.expressions import Expression, Kind, Matrix, Reduce, apply, of_axes
from optdsl.model.reference import ZERO, References

_SCOPES = {"all": Kind.ALL, "per row": Kind.ROW, "per column": Kind.COLUMN}
#: What can be reduced to a value a row, and to one a column.
_REDUCIBLE = {Kind.ROW: (Kind.ENTRY, Kind.ROWS), Kind.COLUMN: (Kind.ENTRY, Kind.COLUMNS)}
_IDENTITIES = {"rows": Kind.ROWS, "columns": Kind.COLUMNS}


def product(left: Expression, right: Expression) -> Matrix | None:
    """Return `left @ right`, or None where their shapes do not meet.

    A number a step, for all tensors or for each is no matrix; so is not `left @ right`
    where that would be a single number, which `dot` gives.
    """
    if left.kind.is_number or right.kind.is_number or left.kind.axes[1] != right.kind.axes[0]:
        return None
    kind = of_axes(left.kind.axes[0], right.kind.axes[1])
    return None if kind in (None, Kind.TENSOR) else Matrix("product", (left, right), kind)


def transpose(value: Expression) -> Matrix | None:
    """Return the transpose of a matrix, or None for what has none."""
    down, across = value.kind.axes
    kind = of_axes(across, down)
    return None if "1" in (down, across) or kind is None else Matrix("transpose", (value,), kind)


class Matrices(References):
    """Translates what reduces tensors and what multiplies matrices."""

    @abstractmethod
    def number(self, expression: syntax.Expression) -> Expression:
        """Translate what must be a number."""

    @abstractmethod
    def condition(self, expression: syntax.Expression) -> Expression:
        """Translate what must be true or false."""

    def _arity(self, call: syntax.Call, given: int, wanted: str) -> Expression:
        return self._wrong("bad-arguments", f"`{call.function}` takes {wanted}, not {given}", call)

    # ---------------------------------------------------------- entry by entry

    def _joined(self, node: syntax.Node, operator: str, *arguments: Expression) -> Expression:
        """Return `operator` on values that are taken together entry by entry."""
        first = arguments[0].kind
        for argument in arguments[1:]:
            if not first.fits(argument.kind):
                return self._wrong(
                    "shapes-differ",
                    f"{first.value} and {argument.kind.value} cannot be taken together",
                    node,
                    "`A.T` turns a matrix, `A @ B` multiplies two",
                )
            first = first.join(argument.kind)
        return apply(operator, *arguments)

    # -------------------------------------------------------------- reductions

    def _reduction(
        self, call: syntax.Call, plain: list[syntax.Expression], scopes: list[syntax.Scope]
    ) -> Expression:
        count = functions.REDUCTIONS[call.function]
        match plain[-1:]:
            case [syntax.Name(name)] if (
                len(plain) == count + 1 and name not in self.names.readable and not scopes
            ):
                return self._wrong(
                    "undefined-name", f"there is no index `{name}`", plain[-1],
                    "declare it, as in `index k = 1..5`",
                )  # fmt: skip
        if len(plain) != count or len(scopes) > 1:
            return self._arity(call, len(plain), "one value" if count == 1 else "two values")
        kind = _SCOPES[scopes[0].name] if scopes else Kind.TENSOR
        read = self.condition if call.function == "any" else self.number
        before = len(self.problems.found)
        arguments = [read(argument) for argument in plain]
        if len(self.problems.found) == before:
            self._check_reduced(call, arguments, kind)
        return Reduce(call.function, arguments[0], kind, arguments[1] if count == 2 else None)

    def _check_reduced(self, call: syntax.Call, arguments: list[Expression], kind: Kind) -> None:
        over = self._joined(call, "add", *arguments).kind if len(arguments) > 1 else (
            arguments[0].kind
        )  # fmt: skip
        if over.is_number:
            self._wrong(
                "reduction-without-tensor",
                f"`{call.function}` reduces a tensor, and this is a number already",
                call,
            )
        elif over not in _REDUCIBLE.get(kind, (over,)):
            self._wrong(
                "bad-reduction",
                f"{over.value} cannot be reduced to {kind.value}",
                call,
                "only a value an entry, or one a pair of the same, is reduced so",
            )
        elif kind is Kind.ALL and over is not Kind.ENTRY:
            self._wrong(
                "bad-reduction",
                f"{over.value} cannot be reduced over all tensors",
                call,
                "reduce what has one value an entry",
            )

    # ---------------------------------------------------------------- matrices

    def _product(self, node: syntax.Binary) -> Expression:
        before = len(self.problems.found)
        left, right = self.number(node.left), self.number(node.right)
        found = product(left, right)
        if found is None and len(self.problems.found) == before:
            return self._wrong(
                "shapes-differ",
                f"{left.kind.value} cannot be multiplied with {right.kind.value} by `@`",
                node,
                "the left side must have as many columns as the right side has rows; "
                "`*` multiplies entry by entry, `dot(a, b)` gives one number",
            )
        return ZERO if found is None else found

    def _transpose(self, node: syntax.Attribute) -> Expression:
        before = len(self.problems.found)
        value = self.number(node.value)
        found = transpose(value)
        if found is None and len(self.problems.found) == before:
            return self._wrong(
                "shapes-differ",
                f"{value.kind.value} has no transpose",
                node,
                "values a row and values a column multiply to a matrix by `*`",
            )
        return ZERO if found is None else found

    def _identity(self, call: syntax.Call) -> Expression:
        match call.arguments:
            case (syntax.Name(name, ()),) if name in _IDENTITIES:
                return Matrix("identity", (), _IDENTITIES[name])
        return self._wrong(
            "bad-arguments", "`eye` takes `rows` or `columns`", call, "write `eye(rows)`"
        )

    def _matrix_power(self, call: syntax.Call, plain: list[syntax.Expression]) -> Expression:
        if len(plain) != 2:
            return self._arity(call, len(plain), "a symmetric matrix and an exponent")
        before = len(self.problems.found)
        base, exponent = self.number(plain[0]), self.number(plain[1])
        if len(self.problems.found) > before:
            return ZERO
        if base.kind not in (Kind.ROWS, Kind.COLUMNS) or not exponent.kind.is_number:
            return self._wrong(
                "bad-arguments",
                f"`matpow` takes a symmetric matrix and a number, not {base.kind.value}",
                call,
                "`G @ G.T` has a value a pair of rows, `G.T @ G` a value a pair of columns",
            )
        return Matrix("power", (base, exponent), base.kind)
