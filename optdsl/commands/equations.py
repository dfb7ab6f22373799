"""The equations of a rule, as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from optdsl.language import format_expression, format_statement, syntax
from optdsl.language.trees import children
from optdsl.model.inheritance import Lookup, flatten
from optdsl.model.predicates import opposite
from optdsl.model.problems import Problems

_SHOWN = (
    syntax.Index,
    syntax.Equation,
    syntax.Draw,
    syntax.SkipWhen,
    syntax.Evaluate,
    syntax.Storage,
)


@dataclass(frozen=True)
class Part:
    """A definition that a rule is made of, and when it is taken, where others may be."""

    definition: syntax.Definition
    when: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name, and when it is taken."""
        return ", ".join((self.definition.name, *self.when))


def parts(definition: syntax.Definition, lookup: Lookup) -> Iterator[Part]:
    """Yield `definition` with what it extends written out; of a composition, its parts."""
    found = {part.title: part for part in _parts(definition, lookup, ())}
    yield from found.values()


def _parts(definition: syntax.Definition, lookup: Lookup, when: tuple[str, ...]) -> Iterator[Part]:
    if definition.value is not None:
        yield from _within(definition.value, lookup, when)
    else:
        written = flatten(definition, lookup, Problems()) if definition.extends else definition
        yield Part(written, when)


def _within(node: syntax.Node, lookup: Lookup, when: tuple[str, ...]) -> Iterator[Part]:
    match node:
        case syntax.Conditional(value, condition, syntax.Node() as otherwise):
            yield from _within(value, lookup, (*when, f"where {format_expression(condition)}"))
            other = f"where {format_expression(opposite(condition))}"
            yield from _within(otherwise, lookup, (*when, other))
        case syntax.Sequence(first, steps, second):
            count = format_expression(steps)
            yield from _within(first, lookup, (*when, f"for {count} steps"))
            yield from _within(second, lookup, (*when, "from then on"))
        case _:
            if isinstance(node, syntax.Name | syntax.Call):
                name = node.name if isinstance(node, syntax.Name) else node.function
                part = lookup(name)
                yield from _parts(part, lookup, when) if part is not None else ()
            for child in children(node):
                yield from _within(child, lookup, when)


def equation_lines(definition: syntax.Definition) -> list[str]:
    """Return the equations of one definition, a line each, in the standard layout."""
    return [format_statement(item) for item in definition.statements if isinstance(item, _SHOWN)]
