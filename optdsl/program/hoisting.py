"""Numbers get names: what is one number for a step or a tensor leaves the loops over entries.

Every maximal subexpression of kind STEP that is more than a number, a
hyperparameter or t becomes an equation of its own; so does every reduction, and
every maximal one of kind ALL or TENSOR, of a value a row or a column, and every operation
on whole matrices, within an expression of kind ENTRY that a loop computes. Equal
ones share a name. Nothing is rearranged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Kind,
    Matrix,
    Number,
    Reduce,
    Value,
    transform,
    values,
    walk,
)
from optdsl.model.system import Equation, Skip, System
from optdsl.program.formulas import formula, indexed_names, with_facts
from optdsl.program.naming import Names
from optdsl.program.streams import sweeps, works_on_matrices, written_streams


@dataclass(frozen=True)
class Named:
    """A system whose numbers all have names, and what each equation came from, by name."""

    system: System
    comments: dict[str, str]


def name_numbers(system: System) -> Named:
    """Return `system` with an equation for every number that stands inside another expression."""
    return _Hoist(system).run()


class _Hoist:
    def __init__(self, system: System) -> None:
        self.system = system
        self.names = Names(_all_names(system))
        self.entries = set(written_streams(system))
        self.indexed = indexed_names(system)
        self.equations: list[Equation] = []
        self.comments: dict[str, str] = {}
        self.known: dict[Expression, tuple[Value, int]] = {}
        self.part = 0

    def run(self) -> Named:
        for equation in self.system.equations:
            self.part = equation.part
            self._add(equation.name, equation.value)
        skips = tuple(self._skip(skip) for skip in self.system.skips)
        ordered = sorted(self.equations, key=lambda each: each.part)
        system = replace(self.system, equations=tuple(ordered), skips=skips)
        return Named(system, self.comments)

    def _skip(self, skip: Skip) -> Skip:
        self.part = skip.part
        condition = skip.condition
        if not isinstance(condition, Value) or condition.offset:
            name = self.names.fresh("skip" if skip.part == 0 else f"skip_{skip.part + 1}")
            condition = self._add(name, condition)
        return replace(skip, condition=condition)

    def _add(self, name: str, value: Expression) -> Value:
        """Append `name = value` with the numbers inside `value` named first."""
        left = f"{name}[t]" if name in self.indexed else name
        self.comments[name] = f"{left} = {self._written(value)}"
        kind = Kind.ENTRY if name in self.entries else value.kind
        loops = name in self.entries or not works_on_matrices(value)
        inside = (
            self._name(value) if self._is_kept(name, value) else self._inside(value, kind, loops)
        )
        self.equations.append(Equation(name, inside, self.part))
        result = Value(name, kind)
        if kind is not Kind.ENTRY and not isinstance(value, Value | Number | Clock):
            self.known.setdefault(value, (result, self.part))
        return result

    def _written(self, value: Expression) -> str:
        """Return what the author wrote."""
        return formula(with_facts(value, self.system), self.indexed)

    def _is_kept(self, name: str, value: Expression) -> bool:
        """Is `name` a state that is a reduction? It moves on only after its old value is read."""
        return isinstance(value, Reduce) and name in self._states

    def _inside(self, value: Expression, kind: Kind, loops: bool = False) -> Expression:
        """Rewrite a whole right-hand side, which has a name already; does a loop compute it?"""
        if kind is Kind.ENTRY and loops:
            return transform(value, self._extract)
        if kind is Kind.STEP:
            return self._own_clock(value)
        if isinstance(value, Reduce):
            return self._reduction(value)
        inner = self._piece if kind.is_number else self._number
        return transform(value, lambda node: None if node is value else inner(node))

    def _reduction(self, value: Reduce) -> Reduce:
        inner = self._extract if sweeps(value) else self._number
        return replace(
            value,
            argument=transform(value.argument, inner),
            other=None if value.other is None else transform(value.other, inner),
        )

    def _number(self, node: Expression) -> Expression | None:
        """Within what is computed of whole matrices, name only numbers and reductions."""
        number = node.kind.is_number or isinstance(node, Reduce | Draw)
        return self._extract(node) if number else None

    def _piece(self, node: Expression) -> Expression | None:
        """Within a number a tensor, name only what is a number a step or a reduction."""
        step = node.kind is Kind.STEP
        return self._extract(node) if step or isinstance(node, Reduce) else None

    def _extract(self, node: Expression) -> Expression | None:
        """Return the name of a number that stands inside another expression, or None to go on."""
        if isinstance(node, Draw):
            return replace(node, step=self._name(node.step))
        if node.kind is Kind.ENTRY and not isinstance(node, Matrix):
            return None
        if node.kind is Kind.STEP:
            return node if self._is_plain(node) else self._name(node)
        return node if isinstance(node, Value) else self._name(node)

    def _name(self, node: Expression) -> Value:
        known, home = self.known.get(node), self._home(node)
        if known is not None and known[1] <= home:
            return known[0]
        part, self.part = self.part, home
        value = self._inside(node, node.kind)
        name = self.names.describing(node)
        self.comments[name] = self._written(node)
        self.equations.append(Equation(name, value, self.part))
        self.known[node] = (Value(name, node.kind), home)
        self.part = part
        return self.known[node][0]

    def _is_plain(self, node: Expression) -> bool:
        match node:
            case Number() | Constant() | Apply("neg", (Number(),)):
                return True
            case Clock(_, offset):  # where a later part may compute what reads it, it has a name
                return offset == 0 and self.system.parts == 1
            case Value(_, _, offset):
                return offset >= 0
        return False

    def _home(self, node: Expression) -> int:
        """Return the part whose clock a number of kind STEP reads, if that is an earlier one."""
        if node.kind is not Kind.STEP:
            return self.part
        parts = {each.part for each in walk(node) if isinstance(each, Clock)}
        parts |= {self._states[each.name] for each in values(node) if each.offset < 0}
        if any(part > self.part for part in parts):
            raise DiagnosticError(_too_early(self.system, formula(node)))
        return max(parts) if parts else self.part

    def _own_clock(self, value: Expression) -> Expression:
        """Name what a number of kind STEP reads of other parts' clocks and states."""

        def change(node: Expression) -> Expression | None:
            match node:
                case Clock(part) if part != self.part:
                    return self._name(node)
                case Value(name, _, offset) if offset < 0 and self._states[name] != self.part:
                    return self._name(node)
            return None

        return transform(value, change)

    @property
    def _states(self) -> dict[str, int]:
        return {state.name: state.part for state in self.system.states}


def _all_names(system: System) -> set[str]:
    names = {"theta", "t", *system.inputs, *system.flags, *system.losses}
    for named in (system.hyperparameters, system.states, system.equations, system.gradients):
        names |= {each.name for each in named}
    return names


def _too_early(system: System, text: str) -> Diagnostic:
    return Diagnostic(
        "not-compiled",
        f"`{text}` counts the steps of a later part of `{system.name}`, "
        "which are not known where it is needed",
    )
