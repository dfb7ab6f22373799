"""How much contraction may change what a pass computes for an entry.

A product that is added without being rounded first changes the sum by 2 units in the last place
of the largest term at most, however small the sum. So does each of the polynomials by which
exponentials, logarithms, cosines and powers are computed; a normal draw has two. From there on
the change is carried as any rounding error is: by the slope of what follows, and every operation
that it comes through may round another way, by a unit in the last place of its result. Where a
comparison hangs on such a change either answer is right, and the change may be anything.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optdsl.codegen.support import draws
from optdsl.model.expressions import Apply, Clock, Constant, Draw, Kind, Number, Value
from tests.codegen.interpreting import CONSTANTS, OPERATORS

#: Units in the last place of the largest term.
MOST = 2


class Carried(NamedTuple):
    """A value, how much contraction may have changed it (None where it cannot), and whether it
    is a product, which may be added without being rounded first."""

    value: object
    change: object = None
    product: bool = False

    @property
    def by(self):
        return 0.0 if self.change is None else self.change


@dataclass
class Carrying:
    """What a planned pass computes at some entries, for numbers of `dtype`.

    `loaded` has what each stream held; `read(value)` gives numbers, `draw(node)` random ones.
    """

    dtype: object
    loaded: dict
    read: object
    draw: object

    @np.errstate(all="ignore")
    def stored(self, plan):
        """Return what is stored, by stream."""
        self.known = {each.value: Carried(self.loaded[each.stream]) for each in plan.loads}
        for each in plan.body:
            self.known[Value(each.name, Kind.ENTRY)] = self.of(each.expression)
        return {each.stream: self.known[each.value] for each in plan.stores}

    def of(self, node):
        """Return the value of an expression."""
        match node:
            case Number(value):
                return Carried(float(value))
            case Constant(name):
                return Carried(CONSTANTS[name])
            case Value() if node in self.known:
                return self.known[node]
            case Value() | Clock():
                return Carried(self.read(node))
            case Draw():
                drawn = self.draw(node)
                return Carried(drawn, 2 * MOST * self._unit(drawn))
            case Apply():
                return self._applied(node)
        raise AssertionError(node)

    def _applied(self, node):
        given = [self.of(each) for each in node.arguments]
        value = OPERATORS[node.operator](*(each.value for each in given))
        carried = any(each.change is not None for each in given)
        largest, product = self._largest_term(node, value, given), _is_product(node, given)
        if largest is None and not carried:
            return Carried(value, None, product)
        change = CHANGES[node.operator](value, *given)
        if largest is not None:
            return Carried(value, change + MOST * self._unit(largest))
        again = (change > 0) & (node.operator in _ROUNDED)
        return Carried(value, change + np.where(again, self._unit(value), 0.0), product)

    def _largest_term(self, node, value, given):
        """Return the largest term of a sum with products, None for what has none.

        What is computed by a polynomial has its first term there, which is near its value.
        """
        if node.operator in ("add", "sub") and any(each.product for each in given):
            return np.maximum(*(abs(each.value) for each in given))
        by_polynomial = node.operator in ("exp", "log", "cos", "pow") and not _is_product(
            node, given
        )
        return abs(value) if by_polynomial else None

    def _unit(self, value):
        """Return a unit in the last place."""
        return np.spacing(np.abs(value).astype(self.dtype)).astype(float)


#: Operators whose result is rounded.
_ROUNDED = {"add", "sub", "mul", "div", "pow", "mod", "sqrt", "exp", "log", "cos"}


def _is_product(node, given):
    match node:
        case Apply("mul"):
            return True
        case Apply("pow", (_, Number(value))):
            return value in (2, 3)
        case Apply("neg"):
            return given[0].product
    return False


def _sum(value, a, b):
    return a.by + b.by


def _product(value, a, b):
    return abs(a.value) * b.by + abs(b.value) * a.by


def _quotient(value, a, b):
    return (a.by + abs(value) * b.by) / abs(b.value)


def _power(value, a, b):
    by_base = 0.0 if a.change is None else abs(b.value * value / a.value) * a.by
    return by_base + (0.0 if b.change is None else abs(value * np.log(abs(a.value))) * b.by)


def _slope(of):
    return lambda value, a: abs(of(value, a.value)) * a.by


def _compared(value, a, b):
    return _jump(abs(a.value - b.value), a.by + b.by)


def _jump(distance, change):
    """Return infinity where a change goes across a jump at this distance."""
    return np.where((change > 0) & (distance <= change), np.inf, 0.0)


def _chosen(value, *given):
    most = 0.0
    for each in given:
        near = abs(each.value - value) <= sum(other.by for other in given)
        most = np.maximum(most, np.where(near, each.by, 0.0))
    return most


def _logical(value, *given):
    return np.maximum.reduce(np.broadcast_arrays(*(each.by for each in given)))


def _selected(value, condition, a, b):
    taken = np.where(condition.value, a.by, b.by)
    return np.where(np.isinf(condition.by), np.inf, taken)


CHANGES = {
    "neg": _slope(lambda value, x: 1.0),
    "abs": _slope(lambda value, x: 1.0),
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "div": _quotient,
    "pow": _power,
    "mod": lambda value, a, b: a.by + b.by + _jump(np.minimum(value, b.value - value), a.by + b.by),
    "min": _chosen,
    "max": _chosen,
    "sqrt": _slope(lambda value, x: 0.5 / value),
    "exp": _slope(lambda value, x: value),
    "log": _slope(lambda value, x: 1.0 / x),
    "cos": _slope(lambda value, x: np.sin(x)),
    "sign": lambda value, a: _jump(abs(a.value), a.by),
    "floor": lambda value, a: _jump(abs(a.value - np.rint(a.value)), a.by),
    "finite": lambda value, a: np.zeros(()),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), _compared),
    **dict.fromkeys(("and", "or", "not"), _logical),
    "select": _selected,
}


def drawn(driver, unit, node, tensors, entries):
    """Return the random numbers of some entries, each by the number of its tensor."""
    seed = unit.slots.seed
    step = driver.scalars[0, unit.slots.scalars[node.step]]
    low, high = driver.everything[seed : seed + 2]
    draw = getattr(draws, f"standard_{node.distribution}")
    found = np.zeros(len(entries))
    for tensor in np.unique(tensors):
        mine = tensors == tensor
        like = np.zeros(entries[mine].max() + 1, np.float32)
        found[mine] = draw(like, 0, tensor, step, node.number, low, high)[entries[mine]]
    return found
