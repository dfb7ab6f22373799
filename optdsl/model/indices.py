"""Indices other than t: what runs over a tuple or a range is written out.

`v[i, t] = beta[i]*v[i, t-1]` becomes one equation a member: `v_1`, `v_2` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from itertools import product
from typing import TypeVar, cast

from optdsl.language import syntax
from optdsl.model.numbers import constant_value
from optdsl.model.problems import Problems
from optdsl.model.reading import nodes

#: What can be made of all members of an index, and how two of them are joined.
_FOLDS = {"sum": "+", "prod": "*", "mean": "+", "min": "min", "max": "max", "any": "or"}
_MOST = 1000

_Node = TypeVar("_Node", bound=syntax.Node)


@dataclass(frozen=True)
class _Members:
    """The ranges of the indices, and the names that have members, with the range of each."""

    ranges: dict[str, range]
    names: dict[str, int]
    taken: frozenset[str]

    def called(self, name: str, numbers: tuple[int, ...]) -> str:
        """Return the name of one member."""
        member = "_".join((name, *(str(n).replace("-", "m") for n in numbers)))
        while member in self.taken:
            member += "_"
        return member


def write_out(definition: syntax.Definition, problems: Problems) -> syntax.Definition:
    """Return `definition` with an equation and a hyperparameter for each member.

    An index runs over the numbers of `index k = 1..5`, or over the places of the tuple
    that a hyperparameter with that index has by default.
    """
    ranges = _ranges(definition, problems)
    if not ranges:
        return definition
    members = _Members(ranges, _indexed_names(definition, ranges), _taken(definition))
    writer = _Writer(members, problems)
    statements: list[syntax.Statement] = []
    for statement in definition.statements:
        if not isinstance(statement, syntax.Index):
            statements += writer.statement(statement)
    return replace(definition, statements=tuple(statements))


def with_tuples(
    definition: syntax.Definition,
    arguments: tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...],
) -> tuple[syntax.Definition, tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...]]:
    """Put the tuples of `arguments` in place of those that hyperparameters run over.

    Returns the definition, and the arguments that are left.
    """
    statements = list(definition.statements)
    rest = []
    for argument in arguments:
        place = _place_of_tuple(argument, statements)
        if place is None:
            rest.append(argument)
        else:
            assert isinstance(argument, syntax.Keyword)
            statements[place] = replace(statements[place], default=argument.value)  # type: ignore[call-arg]
    return replace(definition, statements=tuple(statements)), tuple(rest)


def _place_of_tuple(
    argument: syntax.Expression | syntax.Keyword | syntax.Scope, statements: list[syntax.Statement]
) -> int | None:
    if not isinstance(argument, syntax.Keyword) or not isinstance(argument.value, syntax.Tuple):
        return None
    for place, statement in enumerate(statements):
        if isinstance(statement, syntax.Hyper) and statement.indices:
            alias = statement.alias.name if statement.alias else statement.name
            if argument.name in (statement.name, alias):
                return place
    return None


def _taken(definition: syntax.Definition) -> frozenset[str]:
    said = tuple(s for s in definition.statements if not isinstance(s, syntax.Claim))
    return frozenset(n.name for n in nodes(said) if isinstance(n, syntax.Name))


def _ranges(definition: syntax.Definition, problems: Problems) -> dict[str, range]:
    ranges: dict[str, range] = {}
    for statement in definition.statements:
        match statement:
            case syntax.Index(name=name, range=bounds):
                found = _range_of(bounds, problems)
            case syntax.Hyper(indices=(syntax.Name(name, ()),), default=syntax.Tuple(items)):
                found = range(1, len(items) + 1)
            case _:
                continue
        if ranges.setdefault(name, found) != found:
            problems.error(
                "index-ranges",
                f"the index `{name}` has two ranges: {_shown(ranges[name])} and {_shown(found)}",
                statement.span,
                "give tuples that share an index the same length",
            )
    return ranges


def _shown(numbers: range) -> str:
    return f"{numbers.start}..{numbers.stop - 1}"


def _range_of(bounds: syntax.Range, problems: Problems) -> range:
    low, high = constant_value(bounds.low), constant_value(bounds.high)
    if isinstance(low, Fraction) and isinstance(high, Fraction) and 0 <= high - low < _MOST:
        return range(int(low), int(high) + 1)
    problems.error(
        "index-ranges",
        f"an index runs over up to {_MOST} whole numbers",
        bounds.span,
        "write numbers, the lower first: `index k = 1..5`",
    )
    return range(1, 2)


def _indexed_names(definition: syntax.Definition, ranges: dict[str, range]) -> dict[str, int]:
    """Return the names that have members, and how many indices come before t."""
    names: dict[str, int] = {}
    for statement in definition.statements:
        match statement:
            case syntax.Hyper(name=name, indices=indices) if indices:
                names[name] = len(indices)
            case syntax.Equation(targets=targets):
                for target in targets:
                    count = sum(1 for index in target.indices if _reads(index, ranges))
                    if count:
                        names[target.name] = count
            case syntax.Draw(target=target):
                count = sum(1 for index in target.indices if _reads(index, ranges))
                if count:
                    names[target.name] = count
    return names


def _reads(index: syntax.Expression, ranges: dict[str, range]) -> bool:
    return any(isinstance(n, syntax.Name) and n.name in ranges for n in nodes(index))


class _Writer:
    """Writes out statements, member by member."""

    def __init__(self, members: _Members, problems: Problems) -> None:
        self.members = members
        self.problems = problems

    def statement(self, statement: syntax.Statement) -> Iterator[syntax.Statement]:
        match statement:
            case syntax.Hyper(indices=indices) if indices:
                yield from self._hyper(statement)
            case syntax.Equation(targets=targets):
                for values in self._bindings(targets):
                    yield self._bound(statement, values)
            case syntax.Draw(target=target):
                for values in self._bindings((target,)):
                    yield self._bound(statement, values)
            case syntax.Claim():  # it names members, or leaves them to the document it speaks of
                yield statement
            case _:
                yield self._bound(statement, {})

    def _bindings(self, targets: tuple[syntax.Name, ...]) -> Iterator[dict[str, int]]:
        """Yield every choice of members for the indices that the targets name."""
        named = dict.fromkeys(
            node.name
            for target in targets
            for node in nodes(target.indices)
            if isinstance(node, syntax.Name) and node.name in self.members.ranges
        )
        for numbers in product(*(self.members.ranges[name] for name in named)):
            yield dict(zip(named, numbers, strict=True))

    def _hyper(self, hyper: syntax.Hyper) -> Iterator[syntax.Hyper]:
        if not isinstance(hyper.default, syntax.Tuple) or len(hyper.indices) != 1:
            yield hyper
            return
        for number, item in enumerate(hyper.default.items, start=1):
            alias = hyper.alias and replace(hyper.alias, position=number)
            yield replace(
                hyper,
                name=self.members.called(hyper.name, (number,)),
                indices=(),
                alias=alias or syntax.Alias(hyper.name, number),
                default=item,
            )

    def _bound(self, node: _Node, values: dict[str, int]) -> _Node:
        bound = _renewed(node, lambda inner: self._member(inner, values))
        return cast(_Node, bound)

    def _member(self, node: syntax.Node, values: dict[str, int]) -> syntax.Node | None:
        match node:
            case syntax.Name(name, ()) if name in values:
                return syntax.Number(str(values[name]), span=node.span)
            case syntax.Name(name, indices) if name in self.members.names:
                return self._named(node, indices, values)
            case syntax.Call(function, (argument, syntax.Name(index, ()))) if (
                index in self.members.ranges and index not in values
            ):
                return self._fold(node, function, argument, index, values)
        return None

    def _named(
        self, node: syntax.Name, indices: tuple[syntax.Expression, ...], values: dict[str, int]
    ) -> syntax.Node:
        count = self.members.names[node.name]
        numbers = []
        for index in indices[:count]:
            value = constant_value(self._bound(index, values))
            if isinstance(value, Fraction) and value.denominator == 1:
                numbers.append(int(value))
        if len(numbers) < count:
            self.problems.error(
                "index-needed",
                f"`{node.name}` has members, so say which is meant",
                node.span,
                f"write `{node.name}[1]`, or `sum({node.name}[i], i)` for all of them",
            )
            return syntax.Number("0", span=node.span)
        rest = tuple(self._bound(index, values) for index in indices[count:])
        return syntax.Name(self.members.called(node.name, tuple(numbers)), rest, span=node.span)

    def _fold(
        self,
        call: syntax.Call,
        function: str,
        argument: syntax.Expression | syntax.Keyword | syntax.Scope,
        index: str,
        values: dict[str, int],
    ) -> syntax.Node | None:
        if function not in _FOLDS or isinstance(argument, syntax.Keyword | syntax.Scope):
            return None
        numbers = self.members.ranges[index]
        items = [self._bound(argument, {**values, index: number}) for number in numbers]
        if _FOLDS[function] in ("min", "max"):
            return items[0] if len(items) == 1 else replace(call, arguments=tuple(items))
        joined = items[0]
        for item in items[1:]:
            operator: str = _FOLDS[function]
            joined = syntax.Binary(operator, joined, item, span=call.span)  # type: ignore[arg-type]
        if function == "mean":
            count = syntax.Number(str(len(items)), span=call.span)
            joined = syntax.Binary("/", joined, count, span=call.span)
        return joined


def _rebuilt(node: _Node, change: Callable[[syntax.Node], syntax.Node | None]) -> _Node:
    """Rebuild a tree top down; where `change` gives a node, that stands instead."""
    changes: dict[str, object] = {}
    for field in fields(node):
        old = getattr(node, field.name)
        if field.name != "span" and old is not (new := _renewed(old, change)):
            changes[field.name] = new
    return replace(node, **changes) if changes else node  # type: ignore[arg-type]


def _renewed(value: object, change: Callable[[syntax.Node], syntax.Node | None]) -> object:
    if isinstance(value, tuple):
        new = tuple(_renewed(item, change) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    if isinstance(value, syntax.Node):
        changed = change(value)
        return _rebuilt(value, change) if changed is None else changed
    return value
