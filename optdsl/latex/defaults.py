"""Numbers that an algorithm is given: `\\Require $\\alpha = 0.001$, $\\beta_1 = 0.9$`.

They are not part of the rule, which holds for any; they are the defaults of a draft.
"""

from __future__ import annotations

from collections.abc import Iterator

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.language import syntax
from optdsl.latex import wording
from optdsl.latex.equations import read
from optdsl.latex.lines import lines
from optdsl.latex.tables import is_table

_GIVEN = frozenset(("require", "ensure", "input", "kwin"))


def given_numbers(block: Span) -> dict[str, str]:
    """Return what an algorithm block says of symbols without a time: the number of each.

    A symbol that is given two numbers has none.
    """
    found: dict[str, set[str]] = {}
    for place in _declarations(block):
        for name, number in _numbers(place.text):
            found.setdefault(name, set()).add(number)
    return {name: numbers.pop() for name, numbers in found.items() if len(numbers) == 1}


def _declarations(block: Span) -> Iterator[Span]:
    if is_table(block.text):
        return
    try:
        every = list(lines(block))
    except DiagnosticError:  # said where the block is read
        return
    for line in every:
        if line.word in _GIVEN or (line.word == "state" and wording.is_given(line.text.text)):
            yield line.text


def _numbers(text: str) -> Iterator[tuple[str, str]]:
    for match in wording.math_in(text):
        try:
            equations = read(match["math"] or match["other"] or "")
        except DiagnosticError:
            continue
        for one in equations:
            if isinstance(one.value, syntax.Number):
                yield from ((name.name, one.value.text) for name in one.targets if not name.indices)
