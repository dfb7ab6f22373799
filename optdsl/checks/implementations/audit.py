"""Which library's X is which paper's X."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from optdsl.checks.implementations.libraries import Asked, Library
from optdsl.checks.implementations.matching import match
from optdsl.checks.implementations.naming import find_implementation
from optdsl.checks.implementations.nearest import find_nearest, fitted, shipped_subject
from optdsl.checks.implementations.papers import Paper, doc_of, paper_of, source_of, why_not
from optdsl.checks.implementations.subject import NotRun
from optdsl.checks.implementations.trajectories import Compared, compare
from optdsl.diagnostics import DiagnosticError

_KEEPS = "agrees while the step size keeps"

Finding = Literal["same", "same in part", "variant", "differs", "not run", "no such rule"]


@dataclass(frozen=True)
class Row:
    """What was found of one optimizer of a library.

    Args:
        library, name: the optimizer.
        paper: the rule that its name means.
        finding: `same` as that rule; `same in part`, for some settings; a known `variant`;
            `differs` from all that is shipped; `not run`; or `no such rule` of the name.
        rule: the shipped rule that it is.
        displacement: how far it is from the paper's after ten steps, as a share of the way: at
            its defaults, and at the settings where they part.
        note: why it differs, is not run, or where it is the same.
    """

    library: str
    name: str
    paper: Paper | None
    finding: Finding
    rule: str | None = None
    displacement: tuple[float, float] | None = None
    note: str | None = None


def audit(libraries: Iterable[Library], names: Iterable[str] = ()) -> Iterator[Row]:
    """Yield what is found of each optimizer of the libraries.

    Args:
        libraries: those to ask; they must be installed.
        names: only optimizers whose names have one of these in them; all if there are none.
    """
    wanted = [_plain(name) for name in names]
    for library in libraries:
        for asked in library.asked():
            called = _plain(asked.name.partition("(")[0].rpartition(".")[2])
            if not wanted or called in wanted:
                yield _row(library, asked)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _row(library: Library, asked: Asked) -> Row:
    paper = paper_of(asked.name)
    if asked.rule is not None:
        paper = Paper(asked.rule, source_of(asked.rule))
    if paper is None:
        return Row(library.name, asked.name, None, "no such rule")
    try:
        return _found(library.name, asked.name, paper)
    except (NotRun, DiagnosticError) as error:
        reason = str(error).partition("\n")[0]
        return Row(library.name, asked.name, paper, "not run", note=reason)


def _found(library: str, name: str, paper: Paper) -> Row:
    theirs = fitted(find_implementation(name))
    ours = shipped_subject(paper.rule)
    if ours is None:
        raise NotRun(f"{paper.rule} takes a rule, or reads what no implementation is handed")
    row: Callable[..., Row] = lambda *found: Row(library, name, paper, *found)  # noqa: E731
    beside = compare(ours, theirs, match(ours, theirs))
    if beside.outcome == "agrees":
        return row("same", paper.rule, (0.0, 0.0), _defaults(beside))
    apart = (beside.displacement, beside.elsewhere)
    nearest = find_nearest(theirs)
    best, partly = nearest.best, nearest.partly
    if best is not None:
        rule = best.ours.name
        return row("variant", rule, apart, why_not(rule, paper.rule) or doc_of(rule))
    if beside.outcome != "differs":
        return row("same in part", paper.rule, apart, _where_same(beside))
    if partly is not None and partly.outcome == _KEEPS:
        return row("variant", partly.ours.name, apart, _where_same(partly))
    return row("differs", None, apart, _where_apart(beside))


def _where_same(beside: Compared) -> str:
    if beside.outcome == "agrees at its defaults":
        return "the same at its defaults only"
    return "the same while the step size keeps its value"


def _where_apart(beside: Compared) -> str | None:
    parting = beside.parting
    if parting is None:
        return None
    left = [p.name for p in (*beside.matching.ours, *beside.matching.theirs)]
    alone = f"; without a match: {', '.join(left)}" if left else ""
    return f"from step {parting.step}, {parting.course} gradients{alone}"


def _defaults(beside: Compared) -> str | None:
    """Return which of its defaults are not those of the rule."""
    other = [
        f"{theirs.name} = {theirs.default:g} ({ours.default:g})"
        for ours, theirs in beside.matching.pairs
        if None not in (ours.default, theirs.default) and ours.default != theirs.default
    ]
    return f"other defaults: {', '.join(other)}" if other else None
