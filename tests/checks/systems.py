"""Systems for tests, from spec text."""

from __future__ import annotations

from optdsl.checks.translate import translate
from optdsl.language import parse, parse_expression
from optdsl.library import lookup_in
from optdsl.model import System, build
from optdsl.model.expressions import Expression


def system(text: str) -> System:
    """Build the last definition of a text; shipped ones can be extended."""
    file = parse(text, "<test>")
    return build(file.definitions[-1], lookup_in(file), allow_unused=True)


def over(names: System, **expressions: str) -> dict[str, Expression]:
    """Expressions over the names of a system."""
    return {
        name: translate(parse_expression(text, "<test>"), names)
        for name, text in expressions.items()
    }
