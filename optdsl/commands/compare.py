"""`optdsl compare`: two of a spec, a LaTeX file and a running implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from optdsl.commands.compare_json import of_pair, of_walks
from optdsl.commands.compare_words import Line, about_nearest, about_pair, about_walks
from optdsl.commands.rules import find_rule, find_whole
from optdsl.commands.terminal import Misuse, complain, out, print_json, show_diagnostics, write

if TYPE_CHECKING:
    from optdsl.checks.between import Side, Terms
    from optdsl.checks.implementations.subject import Subject

_COLOURS = {"good": "green", "bad": "red", "note": "yellow", "dim": "dim", "": ""}
_FORMS = "a rule, mine.opt, paper.tex:label, torch.optim.Adam, or mine.py:step"


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=f"One side: {_FORMS}.")],
    second: Annotated[
        str | None,
        typer.Argument(metavar="B", help="The other.", show_default="the nearest shipped rule"),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="What a symbol of B is in names of A: `alpha = eta`."),
    ] = None,
    constant: Annotated[
        list[str] | None,
        typer.Option("--constant", help="A hyperparameter of A that keeps its value."),
    ] = None,
    when: Annotated[
        list[str] | None,
        typer.Option("--when", help="A hyperparameter of A with a value: `momentum = 0`."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> int:
    """Decide whether two say the same: rules, LaTeX, or implementations that run."""
    from optdsl.checks.between import read_terms
    from optdsl.checks.implementations.naming import names_implementation

    terms = read_terms(where or (), constant or (), when or ())
    if second is None:
        if not names_implementation(first):
            raise Misuse(
                f"`{first}` alone is nothing to compare",
                "give a second side; an implementation alone is compared with all shipped rules",
            )
        return _nearest(first, json)
    if names_implementation(first) or names_implementation(second):
        return _walks(first, second, terms, json)
    return _pair(first, second, terms, json)


# -------------------------------------------------------------- rules and LaTeX


def _pair(first: str, second: str, terms: Terms, json: bool) -> int:
    from optdsl.checks.between import compare_sides

    found = compare_sides(_side(first), _side(second), terms)
    if json:
        print_json(of_pair(found))
    else:
        _print(about_pair(found))
        show_diagnostics(found.diagnostics, out())
    return 0 if found.verdict.kind in ("proved", "agrees") else 1


def _side(text: str) -> Side:
    from optdsl.checks.between import document_of

    document = document_of(text)
    return find_rule(text) if document is None else document


# ------------------------------------------------------------- implementations


def _walks(first: str, second: str, terms: Terms, json: bool) -> int:
    from optdsl.checks.implementations.matching import match
    from optdsl.checks.implementations.naming import names_implementation
    from optdsl.checks.implementations.nearest import find_nearest, fitted
    from optdsl.checks.implementations.subject import NotRun
    from optdsl.checks.implementations.trajectories import beside_each_other, simply

    turned = names_implementation(first) and not names_implementation(second)
    if turned:
        first, second = second, first
    try:
        ours, theirs = _subject(first, terms), fitted(_subject(second, terms))
        matching = match(ours, theirs, _names(terms))
        found = simply(beside_each_other(ours, theirs, matching))
        nearest = find_nearest(theirs)
    except NotRun as error:
        return _not_run(first, second, str(error), json)
    if json:
        print_json(of_walks(found, nearest))
    else:
        _print(about_walks(found, nearest))
    return 0 if found.outcome == "agrees" else 1


def _nearest(name: str, json: bool) -> int:
    from optdsl.checks.implementations.naming import find_implementation
    from optdsl.checks.implementations.nearest import find_nearest
    from optdsl.checks.implementations.subject import NotRun

    try:
        theirs = find_implementation(name)
        nearest = find_nearest(theirs)
    except NotRun as error:
        return _not_run(name, None, str(error), json)
    if json:
        print_json(of_walks(None, nearest, theirs))
    else:
        _print(about_nearest(theirs, nearest))
    return 0 if nearest.best is not None else 1


def _subject(text: str, terms: Terms) -> Subject:
    from optdsl.checks.between import document_of, document_rule
    from optdsl.checks.implementations.naming import find_implementation, names_implementation
    from optdsl.checks.implementations.of_rules import of_rule

    if names_implementation(text):
        return find_implementation(text)
    document = document_of(text)
    if document is not None:
        return of_rule(text, document_rule(document, terms))
    return of_rule(text, find_whole(text))


def _names(terms: Terms) -> dict[str, str]:
    """Return what `--where` says, where it matches names."""
    from optdsl.language import syntax

    if terms.constant or terms.when:
        raise Misuse(
            "`--constant` and `--when` speak of equations, and an implementation shows none",
            "fix arguments in its name: `torch.optim.SGD(momentum=0.9)`",
        )
    names = {}
    for each in terms.where:
        if not isinstance(each.value, syntax.Name):
            raise Misuse("with an implementation, `--where` matches a name with a name")
        names[each.symbol] = each.value.name
    return names


def _not_run(first: str, second: str | None, reason: str, json: bool) -> int:
    if json:
        print_json({"first": first, "second": second, "verdict": "not run", "reason": reason})
    else:
        complain(f"not run: {reason}", "what has no match keeps its default; `--where` matches")
    return 1


def _print(lines: list[Line]) -> None:
    for line in lines:
        write(Padding(Text(line.text, _COLOURS[line.tone]), (0, 0, 0, 2 * line.indent)))
