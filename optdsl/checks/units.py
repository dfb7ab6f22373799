"""Units: what every hyperparameter and state is measured in, and where an update does not fit.

theta, the loss and the gradient, [loss]/[theta], have units. Both sides of a sum must agree, and
what exp or log is given has none; the rest follows by solving for the powers. This is the argument
by which Zeiler (2012, section 3.2) derives Adadelta: the steps of SGD fit theta only if eta carries
[theta]^2/[loss].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from optdsl.checks.dimensions import (
    Demand,
    Found,
    Rank,
    Reading,
    Unfamiliar,
    without_unit_first,
)
from optdsl.checks.linear import NO_UNIT, Equations, Form, Unit, added, powers, unknown
from optdsl.model.expressions import Apply, Expression, Number, Value, walk
from optdsl.model.system import System
from optdsl.program.formulas import formula, indexed_names

_BASES = {
    "theta": powers(theta=1),
    "loss": powers(loss=1),
    "g": powers(loss=1, theta=-1),
}


@dataclass(frozen=True)
class Misfit:
    """A place where units do not match, in words, and what would have to carry which unit."""

    where: str
    message: str
    subject: str | None = None


@dataclass(frozen=True)
class Units:
    """The units of a system.

    Args:
        hyperparameters: the unit of each, in order of declaration.
        states: the unit of each.
        outputs: the unit of each output but theta.
        beside: hyperparameters that are only ever added to something or compared with it; the
            others that have a unit carry the one that the update lacks.
        misfits: where units do not match, whatever the hyperparameters carry.
        reason: why nothing is known, where an operator is unfamiliar.
    """

    hyperparameters: Mapping[str, Unit] = field(default_factory=dict)
    states: Mapping[str, Unit] = field(default_factory=dict)
    outputs: Mapping[str, Unit] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    misfits: tuple[Misfit, ...] = ()
    reason: str | None = None

    @property
    def carriers(self) -> dict[str, Unit]:
        """The hyperparameters that have a unit."""
        return {name: unit for name, unit in self.hyperparameters.items() if unit}

    @property
    def fits(self) -> bool:
        """Does the update have its units without any hyperparameter that multiplies them in?"""
        broken = [m for m in self.misfits if m.subject is None or m.subject not in self.beside]
        return self.reason is None and not broken and not set(self.carriers) - self.beside


def infer_units(system: System) -> Units:
    """Return the units that the equations of a system give to all that stands in them.

    Where equations leave a choice, the fewest contradictions count, then the fewest
    hyperparameters with a unit; the step size, known to callers as lr, is the last to be without.

    >>> from optdsl.library import load_system
    >>> {name: unit_text(u) for name, u in infer_units(load_system("SGD")).carriers.items()}
    {'eta': '[theta]^2/[loss]'}
    """
    try:
        attempts = [
            _Attempt(system, order, based)
            for based in ((True, False) if system.family == "schedule" else (False,))
            for order in _orders(system)
        ]
    except Unfamiliar as operator:
        return Units(reason=f"nothing is known of the units of `{operator}`")
    best = min(attempts, key=lambda attempt: attempt.cost)
    return best.units()


def _orders(system: System) -> Iterator[list[str]]:
    """Yield orders in which things are supposed to have no unit; "" stands for all numbers."""
    hypers = without_unit_first(system)
    yield [*hypers, ""]
    yield ["", *hypers]
    yield [*reversed(hypers), ""]


class _Attempt:
    """One way to solve for the units of a system; `based` gives each output a unit of its own."""

    def __init__(self, system: System, order: Sequence[str], based: bool) -> None:
        self.system = system
        self._own = {name: powers(**{name: 1}) for name in system.outputs if based}
        self.equations = Equations()
        self._indexed = indexed_names(system)
        self._numbers: dict[str, Number] = {}
        self._places: dict[str, list[tuple[str, bool]]] = {}
        inputs = {name: powers(**{name: 1}) for name in system.inputs}
        self._reading = Reading(system, _BASES, self._number, self._hyper, inputs)
        self._demands = sorted(self._reading.read(), key=lambda demand: demand.rank)
        self._broken: list[Demand] = []
        self._odd_numbers: list[str] = []
        self._torn: list[str] = []
        self._solve(order)

    def _number(self, number: Number, beside: bool) -> Form:
        if not beside:
            return Form()
        name = f"number {len(self._numbers)}"
        self._numbers[name] = number
        return unknown(name)

    def _hyper(self, value: Value, beside: bool) -> Found:
        places = self._places.setdefault(value.name, [])
        places.append((f"{value.name} {len(places)}", beside))
        return unknown(places[-1][0])

    # ------------------------------------------------------------------ solve

    def _solve(self, order: Sequence[str]) -> None:
        self._take(Rank.MEANING, Rank.FUNCTION, Rank.SUM)
        for name, places in self._places.items():
            fits = [self.equations.suppose(unknown(place), unknown(name)) for place, _ in places]
            if not all(fits):
                self._torn.append(name)
        self._take(Rank.CHOICE)
        for name, unit in self._own.items():
            self.equations.suppose(unknown(name), Form(known=unit))
        for name in order:
            if name:
                self.equations.suppose(unknown(name), Form())
            else:
                self._numbers_without_unit()
        self._take(Rank.STAND_IN)

    def _take(self, *ranks: Rank) -> None:
        for demand in self._demands:
            if demand.rank in ranks and not self.equations.suppose(demand.a, demand.b):
                self._broken.append(demand)

    def _numbers_without_unit(self) -> None:
        for name in self._numbers:
            if not self.equations.suppose(unknown(name), Form()):
                self._odd_numbers.append(name)

    @property
    def cost(self) -> tuple[int, int]:
        """How much speaks against this solution."""
        units = [self._unit(hyper.name) for hyper in self.system.hyperparameters]
        carriers = [unit for unit in units if unit and unit not in self._own.values()]
        misfits = len(self._broken) + len(self._odd_numbers) + len(self._torn)
        return misfits + len(carriers), misfits

    # ---------------------------------------------------------------- results

    def _unit(self, name: str) -> Unit:
        return self.equations.unit(unknown(name))

    def units(self) -> Units:
        """Return what was found."""
        system = self.system
        return Units(
            {hyper.name: self._unit(hyper.name) for hyper in system.hyperparameters},
            {
                state.name: self._unit(state.name)
                for state in system.memory
                if state.name not in self._reading.remembered
            },
            {name: self._unit(name) for name in system.outputs if name != "theta"},
            frozenset(
                name for name, places in self._places.items() if all(beside for _, beside in places)
            ),
            tuple(dict.fromkeys(self._misfits())),
        )

    def _misfits(self) -> Iterator[Misfit]:
        for name in self._torn:
            yield self._torn_apart(name)
        for name in self._odd_numbers:
            number = self._numbers[name]
            carried = unit_text(self._unit(name))
            place = self._place_of(number)
            yield Misfit(place, f"the number {number.text} would have to carry {carried}")
        for demand in self._broken:
            yield self._broken_demand(demand)

    def _torn_apart(self, name: str) -> Misfit:
        units = [self._unit(place) for place, _ in self._places[name]]
        different = list({unit_text(unit): unit for unit in units}.values())
        words = " and ".join(unit_text(unit) for unit in different)
        message = f"{name} would have to carry {words}"
        ratio = added(different[0], different[1], Fraction(-1)) if len(different) == 2 else {}
        if len(ratio) == 1:
            message += f", which only fits if [{next(iter(ratio))}] is a plain number"
        return Misfit(self._places_of_hyper(name), message, name)

    def _broken_demand(self, demand: Demand) -> Misfit:
        a, b = (self.equations.unit(form) for form in (demand.a, demand.b))
        where = self._write(demand.place)
        if demand.rank is Rank.FUNCTION:
            assert demand.left is not None
            return Misfit(
                where, f"{self._write(demand.left)} has {unit_text(a)}, and may have no unit"
            )
        if demand.rank is Rank.MEANING:
            message = f"{demand.name} has {unit_text(a)}, what it is set to {unit_text(b)}"
            return Misfit(f"{demand.name} = {where}", message)
        assert demand.left is not None
        assert demand.right is not None
        sides = f"{self._write(demand.left)} has {unit_text(a)}, "
        return Misfit(where, sides + f"{self._write(demand.right)} has {unit_text(b)}")

    # ----------------------------------------------------------------- places

    def _write(self, expression: Expression) -> str:
        return formula(expression, self._indexed)

    def _expressions(self) -> Iterator[Expression]:
        yield from (equation.value for equation in self.system.equations)
        yield from (state.start for state in self.system.states if state.start is not None)

    def _place_of(self, number: Number) -> str:
        """Return the smallest expression around a number."""
        for expression in self._expressions():
            for node in walk(expression):
                if isinstance(node, Apply) and any(each is number for each in node.arguments):
                    return self._write(node)
        for equation in self.system.equations:
            if equation.value is number:
                return f"{equation.name}[t] = {number.text}"
        for state in self.system.states:
            if state.start is number:
                return f"{state.name}[0] = {number.text}"
        return number.text

    def _places_of_hyper(self, name: str) -> str:
        around = [
            self._write(node)
            for expression in self._expressions()
            for node in walk(expression)
            if isinstance(node, Apply)
            and any(isinstance(each, Value) and each.name == name for each in node.arguments)
        ]
        starts = [
            f"{state.name}[0] = {name}"
            for state in self.system.states
            if isinstance(state.start, Value) and state.start.name == name
        ]
        return "; ".join(dict.fromkeys([*around, *starts]))


def unit_text(unit: Unit) -> str:
    """Return a unit as people write it.

    >>> unit_text(powers(loss=-1, theta=2))
    '[theta]^2/[loss]'
    """
    if not unit:
        return "no unit"
    above = [_power(name, n) for name, n in unit.items() if n > 0]
    below = [_power(name, -n) for name, n in unit.items() if n < 0]
    top = "*".join(above) or "1"
    if not below:
        return top
    return f"{top}/{below[0]}" if len(below) == 1 else f"{top}/({'*'.join(below)})"


def _power(name: str, n: Fraction) -> str:
    if n == 1:
        return f"[{name}]"
    return f"[{name}]^{n}" if n.denominator == 1 else f"[{name}]^({n})"


__all__ = ["NO_UNIT", "Misfit", "Units", "infer_units", "unit_text"]
