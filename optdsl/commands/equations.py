"""The equations of a rule, as text."""

from __future__ import annotations

from collections.abc import Iterator

from optdsl.language import format_statement, syntax
from optdsl.model.inheritance import Lookup, flatten
from optdsl.model.problems import Problems
from optdsl.model.reading import nodes

_SHOWN = (
    syntax.Index,
    syntax.Equation,
    syntax.Draw,
    syntax.SkipWhen,
    syntax.Evaluate,
    syntax.Storage,
)


def parts(definition: syntax.Definition, lookup: Lookup) -> Iterator[syntax.Definition]:
    """Yield `definition` with what it extends written out; of a composition, its parts."""
    if definition.value is None:
        yield flatten(definition, lookup, Problems()) if definition.extends else definition
        return
    names = [n.name if isinstance(n, syntax.Name) else n.function for n in nodes(definition.value)
             if isinstance(n, syntax.Name | syntax.Call)]  # fmt: skip
    for name in dict.fromkeys(names):
        part = lookup(name)
        if part is not None:
            yield from parts(part, lookup)


def equation_lines(definition: syntax.Definition) -> list[str]:
    """Return the equations of one definition, a line each, in the standard layout."""
    return [format_statement(item) for item in definition.statements if isinstance(item, _SHOWN)]
