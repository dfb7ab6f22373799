"""Expressions as LLVM code, in the author's order of operations.

Entries are computed in their own format, where a product and a sum may be contracted into one
rounding; numbers once a step are float64 and are rounded as they are written. What is computed is
what `printing.py` writes as text for the other targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.printing import COMPARED, by_a_shared_number
from optdsl.codegen.support import arithmetic
from optdsl.codegen.support.arithmetic import BIT, declared, intrinsic_call
from optdsl.codegen.support.elementary import cos_of, exp_of, log_of, power_of
from optdsl.codegen.support.emitting import is_true
from optdsl.codegen.support.quotients import quotient_of
from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Matrix,
    Number,
    Reduce,
    Value,
)

DOUBLE = ir.DoubleType()

_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_CONSTANTS = {"pi": math.pi, "inf": math.inf}
_ELEMENTARY: dict[str, Callable[..., Any]] = {
    "exp": exp_of, "log": log_of, "cos": cos_of, "pow": power_of,
}  # fmt: skip
#: What the mathematical library of C calls the functions of numbers once a step.
_LIBRARY = {"exp": "exp", "log": "log", "cos": "cos", "pow": "pow"}


@dataclass(frozen=True)
class Writer:
    """Writes expressions where `builder` stands.

    `value`, `clock`, `draw` and `reduced` give what is read, in the format `real`; `predicates`
    are the names whose value is true or false. `entries` says that a loop over entries is
    written: then functions run on vectors and, unless they are `plain`, sums and products may be
    contracted. `matrix` gives an entry of a matrix that has no name. `fused` says that the
    processor rounds a product and a sum once.
    """

    builder: Any
    real: Any
    value: Callable[[Value], Any]
    clock: Callable[[Clock], Any]
    predicates: Collection[str] = ()
    entries: bool = False
    draw: Callable[[Draw], Any] | None = None
    reduced: Callable[[Reduce], Any] | None = None
    matrix: Callable[[Matrix], Any] | None = None
    plain: bool = False
    fused: bool = False

    @property
    def _flags(self) -> tuple[str, ...]:
        return ("contract",) if self.entries and not self.plain else ()

    def number(self, expression: Expression) -> Any:
        """Write what is used as a number, though its value may be true or false."""
        value = self.write(expression)
        if value.type == BIT:
            return self.builder.select(value, self.constant(1.0), self.constant(0.0))
        return value

    def condition(self, expression: Expression) -> Any:
        """Write what must be true or false, though it may be stored as a number."""
        value = self.write(expression)
        if value.type == BIT:
            return value
        return is_true(self.builder, value)

    def constant(self, value: float) -> Any:
        """Return a number in the format of this place."""
        return ir.Constant(self.real, value)

    def write(self, expression: Expression) -> Any:
        """Write an expression; return its value, one bit where that is true or false."""
        match expression:
            case Number(value):
                return self.constant(float(value))
            case Constant("true" | "false" as name):
                return ir.Constant(BIT, int(name == "true"))
            case Constant(name):
                return self.constant(_CONSTANTS[name])
            case Clock():
                return self.clock(expression)
            case Value():
                return self.value(expression)
            case Apply(operator, arguments):
                return self._apply(operator, arguments)
            case Draw() if self.draw is not None:
                return self.draw(expression)
            case Reduce() if self.reduced is not None:
                return self.reduced(expression)
            case Matrix() if self.matrix is not None:
                return self.matrix(expression)
        raise AssertionError(f"{expression} stands inside an expression")

    def _apply(self, operator: str, arguments: tuple[Expression, ...]) -> Any:
        builder = self.builder
        if operator == "select":
            return self._select(*arguments)
        if operator in ("and", "or", "not"):
            tests = [self.condition(each) for each in arguments]
            if operator == "not":
                return builder.not_(tests[0])
            return (builder.and_ if operator == "and" else builder.or_)(*tests)
        operands = [self.number(each) for each in arguments]
        if operator in COMPARED:
            compare = builder.fcmp_unordered if operator == "ne" else builder.fcmp_ordered
            return compare(COMPARED[operator], *operands)
        if operator == "div" and self.fused and by_a_shared_number(*arguments):
            return quotient_of(builder, *operands)
        if operator in _ARITHMETIC:
            return getattr(builder, _ARITHMETIC[operator])(*operands, flags=self._flags)
        if operator in ("min", "max"):
            return self._extreme("<" if operator == "min" else ">", operands)
        if operator == "pow":
            return self._power(operands, arguments[1])
        if operator in _ELEMENTARY:
            return self._function(operator, operands)
        return self._of_one(operator, operands)

    def _of_one(self, operator: str, operands: list[Any]) -> Any:
        builder = self.builder
        match operator:
            case "neg":
                return builder.fneg(*operands)
            case "abs":
                return intrinsic_call(builder, "fabs", *operands)
            case "sqrt" | "floor":
                return intrinsic_call(builder, operator, *operands)
            case "sign":
                return arithmetic.sign(builder, *operands)
            case "finite":
                return arithmetic.isfinite(builder, *operands)
        assert operator == "mod", operator
        return arithmetic.mod(builder, *operands)

    def _extreme(self, symbol: str, operands: list[Any]) -> Any:
        total = operands[0]
        for operand in operands[1:]:
            total = arithmetic.extreme(symbol)(self.builder, total, operand)
        return total

    def _select(self, condition: Expression, value: Expression, otherwise: Expression) -> Any:
        test, first, second = self.condition(condition), self.write(value), self.write(otherwise)
        if first.type != second.type:
            first, second = self.number(value), self.number(otherwise)
        return self.builder.select(test, first, second)

    def _power(self, operands: list[Any], exponent: Expression) -> Any:
        exact = exponent.value if isinstance(exponent, Number) else None
        if exact == 2:
            return self.builder.fmul(operands[0], operands[0], flags=self._flags)
        if exact == 3 and self.entries:
            return arithmetic.cube(self.builder, operands[0])
        return self._function("pow", operands)

    def _function(self, operator: str, operands: list[Any]) -> Any:
        if self.entries:
            return _ELEMENTARY[operator](self.builder, *operands)
        kinds = [DOUBLE] * len(operands)
        function = declared(self.builder.module, _LIBRARY[operator], DOUBLE, kinds)
        return self.builder.call(function, operands)
