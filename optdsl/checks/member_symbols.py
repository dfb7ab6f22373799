"""What a claim's `where` says of symbols that run over an index: one `where` for each member.

`$\\mu^{(i)}$ = beta[i]` says that mu_1 is beta_1, mu_2 is beta_2 and so on; `$\\mu_2$` is the
second alone. `$K$ = 3` says how far an index runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from optdsl.language import syntax
from optdsl.latex.trees import rewrite


def whole_numbers(symbols: Mapping[str, syntax.Where]) -> dict[str, int]:
    """Return the symbols that a claim says to be whole numbers."""
    return {
        name: int(where.value.text)
        for name, where in symbols.items()
        if isinstance(where.value, syntax.Number) and where.value.text.isdigit()
    }


def of_members(
    symbols: Mapping[str, syntax.Where], members: Mapping[str, str]
) -> dict[str, syntax.Where]:
    """Return what is said of each symbol, in the names of members.

    `members` gives for each member's name which name it is a member of.
    """
    found: dict[str, syntax.Where] = {}
    for name, where in symbols.items():
        each = dict(_each(name, where, members))
        found.update(each or {name: where})
    return found


def _each(
    name: str, where: syntax.Where, members: Mapping[str, str]
) -> Iterator[tuple[str, syntax.Where]]:
    base, _, letter = name.rpartition("_")
    for member, own in members.items():
        number = member.removeprefix(own + "_")
        if name == own + number:
            yield member, where
        elif own == base and len(letter) == 1 and letter.isalpha():
            yield member, replace(where, value=_member(where.value, letter, number))


def _member(value: syntax.Expression, letter: str, number: str) -> syntax.Expression:
    """Put the number for the letter: `beta[i]` is beta_2 for the second."""

    def change(node: syntax.Name, _: bool) -> syntax.Expression:
        match node.indices:
            case (syntax.Name(index, ()), *rest) if index == letter:
                return replace(node, name=f"{node.name}_{number}", indices=tuple(rest))
        return node

    return rewrite(value, change)
