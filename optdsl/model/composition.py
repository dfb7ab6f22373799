"""Compositions: several definitions made into one system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from optdsl.language import syntax
from optdsl.language.expression_format import format_expression
from optdsl.model.alternatives import Rule, one_system, systems_of
from optdsl.model.arguments import with_defaults_in
from optdsl.model.choosing import choose, follow, pipe_rules
from optdsl.model.declarations import a
from optdsl.model.indices import with_tuples
from optdsl.model.inheritance import Lookup
from optdsl.model.predicates import opposite, predicate
from optdsl.model.problems import Problems
from optdsl.model.scheduling import Schedules, step_count
from optdsl.model.system import System

Arguments: TypeAlias = tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...]


class Build(Protocol):
    """How the parts of a composition are built."""

    def __call__(
        self,
        definition: syntax.Definition,
        lookup: Lookup,
        *,
        rules: Mapping[str, Rule] | None = None,
    ) -> Rule:
        """Return what `definition` means."""
        ...


def compose(
    definition: syntax.Definition, lookup: Lookup, problems: Problems, build: Build
) -> Rule | None:
    """Return what a definition means that is made of others."""
    assert definition.value is not None
    if definition.parameters:
        problems.error(
            "bad-parameters",
            "a composition names its rules; only a definition with equations takes them",
            definition.span,
        )
        return None
    system = _Composer(definition, lookup, problems, build).rule(definition.value)
    if system is None:
        return None
    if system.family != definition.family:
        problems.error(
            "wrong-family",
            f"`{definition.name}` is declared as {a(definition.family)}, "
            f"but this gives {a(system.family)}",
            definition.value.span,
        )
    own = definition.span.text if definition.span else ""
    return replace(
        system,
        name=definition.name,
        doc=definition.doc,
        definition=definition,
        source=join_sources(own, system.source),
    )


def join_sources(*texts: str) -> str:
    """Return the texts that made a system, each once."""
    return "\n\n".join(dict.fromkeys(text for text in texts if text))


@dataclass
class _Composer:
    definition: syntax.Definition
    lookup: Lookup
    problems: Problems
    build: Build

    def rule(self, expression: syntax.Expression) -> Rule | None:
        match expression:
            case syntax.Name(name, ()):
                return self.named(name, (), expression)
            case syntax.Call(name, arguments):
                return self.named(name, arguments, expression)
            case syntax.Binary("|", left, right):
                return self.piped(left, right)
            case _ if self.definition.family == "schedule":
                return self.build(_as_equation(self.definition), self.lookup)
            case syntax.Conditional():
                return self.chosen(expression)
            case syntax.Sequence():
                return self.followed(expression)
            case _:
                hint = (
                    "name a definition, with its hyperparameters in brackets, or join two with `|`"
                )
                if isinstance(expression, syntax.Attribute) and expression.name == "opt":
                    hint = (
                        "rules of a file are composed in that file, "
                        "by a line such as `optimizer Clipped = ClipByGlobalNorm | Mine`"
                    )
                self.problems.error(
                    "not-a-rule", "a composition is made of rules", expression.span, hint
                )
        return None

    def named(
        self,
        name: str,
        arguments: Arguments,
        node: syntax.Node,
    ) -> Rule | None:
        definition = self.lookup(name)
        if definition is None:
            self.problems.error(
                "unknown-definition",
                f"there is no definition `{name}`",
                node.span,
                self.lookup.hint(name),
            )
            return None
        definition, rest = with_tuples(definition, arguments)
        rules, rest = self.handed_in(definition, rest, node)
        if rules is None:
            return None
        rule = self.build(definition, self.lookup, rules=rules)
        schedules = Schedules(self.lookup, self.problems, self.one)
        if isinstance(rule, System) and rule.family == "schedule":
            return schedules.given(rule, rest)
        return with_defaults_in(rule, rest, self.problems, schedules.as_schedule)

    def one(self, definition: syntax.Definition, lookup: Lookup) -> System:
        """Return the system of a definition that does not choose, such as a schedule."""
        return one_system(self.build(definition, lookup))

    def handed_in(
        self, definition: syntax.Definition, arguments: Arguments, node: syntax.Node
    ) -> tuple[dict[str, Rule] | None, Arguments]:
        """Return the rules that are handed to a definition, and the other arguments."""
        given = [a for a in arguments if not isinstance(a, syntax.Keyword | syntax.Scope)]
        rest = tuple(a for a in arguments if isinstance(a, syntax.Keyword | syntax.Scope))
        if not definition.parameters:
            return {}, arguments
        if len(given) != len(definition.parameters):
            names = ", ".join(definition.parameters)
            self.problems.error(
                "rule-needed",
                f"`{definition.name}` takes {len(definition.parameters)} rule ({names}), "
                f"and is given {len(given)}",
                node.span,
                f"write `{definition.name}(Adam)`",
            )
            return None, rest
        rules: dict[str, Rule] = {}
        for parameter, argument in zip(definition.parameters, given, strict=True):
            rule = self.rule(argument)
            if rule is not None and rule.family != "optimizer":
                self.problems.error(
                    "wrong-family",
                    f"`{definition.name}` takes optimizers; `{rule.name}` is {a(rule.family)}",
                    argument.span,
                )
            elif rule is not None:
                rules[parameter] = rule
        return (rules if len(rules) == len(given) else None), rest

    def piped(self, left: syntax.Expression, right: syntax.Expression) -> Rule | None:
        first, second = self.rule(left), self.rule(right)
        if first is None or second is None:
            return None
        remembers = any(system.states for system in systems_of(first))
        skips = any(system.skips for system in systems_of(first))
        several = any(len(system.gradients) > 1 for system in systems_of(second))
        if first.family != "transform":
            self.problems.error(
                "wrong-family",
                f"`|` passes on a gradient, and `{first.name}`, {a(first.family)}, gives none",
                left.span,
                "a transform stands left of `|`",
            )
        elif second.family == "schedule":
            self.problems.error(
                "wrong-family", f"the schedule `{second.name}` takes no gradient", right.span
            )
        elif remembers and several:
            self.problems.error(
                "several-gradients",
                f"`{second.name}` asks for several gradients a step, and `{first.name}` remembers "
                "the last one it saw",
                left.span,
                "a transform with states can stand before a rule with one gradient only",
            )
        elif skips and several:
            self.problems.error(
                "several-gradients",
                f"`{second.name}` asks for several gradients a step, and `{first.name}` decides by "
                "one of them whether there is a step",
                left.span,
                "a transform that skips steps can stand before a rule with one gradient only",
            )
        else:
            return pipe_rules(first, second, left.span, self.problems)
        return None

    def chosen(self, expression: syntax.Conditional) -> Rule | None:
        """Return the rule that `A if p else B` is."""
        assert expression.otherwise is not None  # the parser sees to it
        condition = predicate(expression.condition, self.problems)
        pair = self.alike(expression.value, expression.otherwise)
        if condition is None or pair is None:
            return None
        labels = (
            f"where {format_expression(expression.condition)}",
            f"where {format_expression(opposite(expression.condition))}",
        )
        return choose(condition, labels, *pair, expression.span, self.problems)

    def followed(self, expression: syntax.Sequence) -> Rule | None:
        """Return the rule that `A for n then B` is."""
        steps = step_count(expression.steps, self.problems)
        pair = self.alike(expression.first, expression.second)
        if pair is None:
            return None
        return follow(pair[0], steps, pair[1], expression.span, self.problems)

    def alike(self, left: syntax.Expression, right: syntax.Expression) -> tuple[Rule, Rule] | None:
        """Return two rules that may stand for one another."""
        first, second = self.rule(left), self.rule(right)
        if first is None or second is None:
            return None
        if first.family != second.family or first.family == "schedule":
            self.problems.error(
                "wrong-family",
                f"`{first.name}` is {a(first.family)} and `{second.name}` {a(second.family)}",
                right.span,
                "two optimizers, or two transforms, can take turns",
            )
            return None
        return first, second


def _as_equation(definition: syntax.Definition) -> syntax.Definition:
    """Return a schedule given by an expression as one given by an equation."""
    assert definition.value is not None
    gives = definition.gives or ("eta",)
    equation = syntax.Equation((syntax.Name(gives[0]),), definition.value)
    return replace(definition, value=None, gives=gives, statements=(equation,))
