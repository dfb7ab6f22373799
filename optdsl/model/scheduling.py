"""Schedules as values: called in an expression, one after another, in place of a hyperparameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

from optdsl.diagnostics import did_you_mean
from optdsl.language import syntax
from optdsl.model.arguments import answers_to, names_for, with_defaults
from optdsl.model.epochs import in_epochs
from optdsl.model.expressions import Expression, Kind, Value
from optdsl.model.following import one_after_another
from optdsl.model.indices import with_tuples
from optdsl.model.inheritance import Lookup
from optdsl.model.merging import HOST, in_front, in_place_of, names_of, of_host, rename
from optdsl.model.numbers import constant_value, domain_of
from optdsl.model.problems import Problems
from optdsl.model.reading import nodes
from optdsl.model.system import Domain, Hyperparameter, System

Build: TypeAlias = Callable[[syntax.Definition, Lookup], System]
_UNNAMED = "Schedule"
Arguments: TypeAlias = tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...]


@dataclass
class Schedules:
    """The schedules that one definition calls; equal calls share one.

    `host` are the hyperparameters of that definition: a call may hand them on, and `handed_on` are
    those that one does. Each schedule is a system whose names no other has, and its outputs by the
    names that it gives them.
    """

    lookup: Lookup
    problems: Problems
    build: Build
    host: dict[str, syntax.Hyper] = field(default_factory=dict)
    handed_on: set[str] = field(default_factory=set)
    called: dict[syntax.Expression, tuple[System, dict[str, str]]] = field(default_factory=dict)

    def __call__(self, node: syntax.Expression) -> Expression | None:
        """Return the value of a call such as `Cosine(T=100)`; None for what is no schedule."""
        match node:
            case syntax.Attribute(value, name):
                return self._output(node, value, name)
            case syntax.Name(name, ()):
                node = syntax.Call(name, span=node.span)
        if node not in self.called:
            plain, handed = self._handed_on(node)
            system = self._system(plain)
            if system is None:
                return None
            apart, outputs = self._apart(system, _called(node))
            self.called[node] = self._with_handed(apart, system, handed), outputs
        return Value(self.called[node][0].outputs[0], Kind.STEP)

    @contextmanager
    def hosted_by(self, host: dict[str, syntax.Hyper]) -> Iterator[None]:
        """Let calls read these hyperparameters alone for the time of a `with` block."""
        before, self.host = self.host, host
        try:
            yield
        finally:
            self.host = before

    def _handed_on(self, node: syntax.Expression) -> tuple[syntax.Expression, list[syntax.Keyword]]:
        """Return a call without the arguments that read hyperparameters of the host, and these."""
        if not isinstance(node, syntax.Call):
            return node, []
        handed = [
            argument
            for argument in node.arguments
            if isinstance(argument, syntax.Keyword) and self._read_of_host(argument.value)
        ]
        rest = tuple(argument for argument in node.arguments if argument not in handed)
        return replace(node, arguments=rest), handed

    def _read_of_host(self, node: syntax.Node) -> list[str]:
        """Return the hyperparameters of the host that `node` reads."""
        names = (each.name for each in nodes(node) if isinstance(each, syntax.Name))
        return list(dict.fromkeys(name for name in names if name in self.host))

    def _with_handed(self, apart: System, schedule: System, handed: list[syntax.Keyword]) -> System:
        """Let the hyperparameters of a schedule be what is made of those of the host."""
        places = dict(zip(schedule.hyperparameters, apart.hyperparameters, strict=True))
        formulas: list[syntax.Keyword] = []
        for argument in handed:
            self.handed_on |= set(self._read_of_host(argument.value))
            if not isinstance(argument.value, syntax.Name):
                formulas.append(argument)
                continue
            name, value = argument.name, argument.value
            meant = [own for own in places if answers_to(own, name)]
            if not meant:
                known = {each for own in places for each in names_for(own)}
                self.problems.error(
                    "unknown-hyperparameter",
                    f"`{schedule.name}` has no hyperparameter `{name}`",
                    value.span,
                    did_you_mean(name, known) or "it has " + ", ".join(sorted(known)),
                )
            for own in meant:
                self._check_domain(own, value)
                apart = in_place_of(apart, places[own].name, value.name)
        return with_defaults(
            apart, tuple(formulas), self.problems, self.as_schedule, frozenset(self.host)
        )

    def _check_domain(self, own: Hyperparameter, value: syntax.Name) -> None:
        declared = self.host[value.name].domain
        domain = Domain() if declared is None else domain_of(declared) or Domain()
        if own.domain is not None and not own.domain.holds_all_of(domain):
            self.problems.error(
                "bad-arguments",
                f"`{value.name}` may be any number in {domain}, and `{own.name}` of "
                f"`{own.owner}` only one in {own.domain}",
                value.span,
                f"declare it `in {own.domain}`",
            )

    def as_schedule(self, expression: syntax.Expression) -> System | None:
        """Return the schedule that an expression is, None where it calls none.

        It may read hyperparameters of the host: they are among its own, with HOST for an owner.
        """
        if not any(self._is_schedule(node) for node in nodes(expression)):
            return None
        return self._built(expression)

    def _built(self, expression: syntax.Expression) -> System:
        read = self._read_of_host(expression)
        self.handed_on |= set(read)
        hypers = tuple(
            syntax.Hyper(name, domain=self.host[name].domain, span=self.host[name].span)
            for name in read
        )
        system = self.build(_definition(expression, hypers), self.lookup)
        return replace(
            system,
            hyperparameters=tuple(
                replace(h, owner=HOST) if h.owner == _UNNAMED else h for h in system.hyperparameters
            ),
        )

    def before(self, system: System) -> System:
        """Return `system` with the schedules that it calls computed in front of its equations."""
        for schedule, _ in self.called.values():
            system = in_front(schedule, system)
            sources = dict.fromkeys(text for text in (system.source, schedule.source) if text)
            system = replace(system, source="\n\n".join(sources))
        return system

    def _is_schedule(self, node: syntax.Node) -> bool:
        match node:
            case syntax.Sequence():
                return True
            case syntax.Call(name) | syntax.Name(name, ()):
                definition = self.lookup(name) if name[:1].isupper() else None
                return definition is not None and definition.family == "schedule"
        return False

    def _output(
        self, node: syntax.Attribute, value: syntax.Expression, name: str
    ) -> Expression | None:
        if not isinstance(value, syntax.Call | syntax.Name) or self(value) is None:
            return None
        key = syntax.Call(value.name) if isinstance(value, syntax.Name) else value
        outputs = self.called[key][1]
        if name not in outputs:
            hint = did_you_mean(name, outputs) or f"it gives {', '.join(outputs)}"
            self.problems.error(
                "undefined-name", f"this schedule gives no `{name}`", node.span, hint
            )
            name = next(iter(outputs))
        return Value(outputs[name], Kind.STEP)

    def _system(self, node: syntax.Expression) -> System | None:
        match node:
            case syntax.Call(name, arguments):
                definition = self.lookup(name)
                if definition is None or definition.family != "schedule":
                    return None
                definition, rest = with_tuples(definition, arguments)
                return self.given(self.build(definition, self.lookup), rest)
            case syntax.Sequence(first, steps, second):
                count = step_count(steps, self.problems)
                return one_after_another(self._built(first), count, self._built(second))
        return None

    def given(self, schedule: System, arguments: Arguments) -> System:
        """Return a schedule with its hyperparameters, and `per_epoch`, as a call gives them."""
        plain: list[syntax.Expression | syntax.Keyword | syntax.Scope] = []
        every: syntax.Keyword | None = None
        for argument in arguments:
            if isinstance(argument, syntax.Keyword) and argument.name == "per_epoch":
                every = argument
            else:
                plain.append(argument)
        system = with_defaults(schedule, tuple(plain), self.problems, self.as_schedule)
        if every is None or any(h.name == "per_epoch" for h in schedule.hyperparameters):
            return system
        steps = constant_value(every.value)
        if not isinstance(steps, Fraction) or steps.denominator != 1 or steps < 1:
            self.problems.error(
                "bad-steps", "`per_epoch` is the number of steps in an epoch", every.span,
                "write a whole number: `per_epoch=200`",
            )  # fmt: skip
            return system
        if system.handed_in:
            self.problems.error(
                "bad-steps", f"`{system.name}` has inputs, which come at single steps", every.span,
                "give it `per_epoch` in Python: there, what comes waits for the next epoch",
            )  # fmt: skip
            return system
        return in_epochs(system, int(steps))

    def _apart(self, system: System, called: str) -> tuple[System, dict[str, str]]:
        taken = set().union(*(names_of(other) for other, _ in self.called.values()))
        prefix = called
        while any(name == prefix or name.startswith(f"{prefix}_") for name in taken):
            prefix += "_"
        changes = {name: f"{prefix}_{name}" for name in names_of(system) - of_host(system)}
        changes[system.outputs[0]] = prefix
        renamed = rename(system, changes)
        outputs = dict(zip(system.outputs, renamed.outputs, strict=True))
        return replace(renamed, name=prefix), outputs


def step_count(steps: syntax.Expression, problems: Problems) -> int:
    """Return the number of steps in `A for n then B`; anything else is a problem."""
    count = constant_value(steps)
    if isinstance(count, Fraction) and count.denominator == 1 and count >= 0:
        return int(count)
    problems.error(
        "bad-steps", "this is no number of steps", steps.span,
        "write a whole number: `A for 1000 then B`",
    )  # fmt: skip
    return 1


def _called(node: syntax.Expression) -> str:
    return node.function if isinstance(node, syntax.Call) else "Schedule"


def _definition(
    expression: syntax.Expression, hypers: tuple[syntax.Hyper, ...]
) -> syntax.Definition:
    """Return the schedule that an expression is, as a definition with these hyperparameters."""
    gives = "eta"
    while gives in {hyper.name for hyper in hypers}:
        gives += "_"
    equation = syntax.Equation((syntax.Name(gives),), expression, span=expression.span)
    return syntax.Definition(
        "schedule",
        _UNNAMED,
        gives=(gives,),
        statements=(*hypers, equation),
        span=expression.span,
    )
