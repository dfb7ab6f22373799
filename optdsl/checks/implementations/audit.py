"""Which library's X is which paper's X."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from optdsl.checks.implementations.courses import MATRICES, VECTORS
from optdsl.checks.implementations.libraries import Asked, Library
from optdsl.checks.implementations.matching import match
from optdsl.checks.implementations.naming import find_implementation
from optdsl.checks.implementations.nearest import find_nearest, fitted, shipped_subject
from optdsl.checks.implementations.papers import Paper, doc_of, paper_of, source_of, why_not
from optdsl.checks.implementations.subject import NotRun, Subject
from optdsl.checks.implementations.trajectories import BOUND, Compared, beside_each_other
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
    beside = beside_each_other(ours, theirs, match(ours, theirs))
    if beside.outcome == "agrees":
        return row("same", paper.rule, (0.0, 0.0), _remarks(beside))
    apart = (beside.displacement, beside.elsewhere)
    nearest = find_nearest(theirs)
    best = next((each for each in nearest.matches if _as_wide(each, beside)), None)
    if best is not None:
        return row("variant", best.ours.name, apart, _why(best, paper))
    if beside.outcome != "differs":
        return row("same in part", paper.rule, apart, _where_same(beside))
    if nearest.partly is not None and nearest.partly.outcome == _KEEPS:
        return row("variant", nearest.partly.ours.name, apart, _where_same(nearest.partly))
    for shapes, which in ((MATRICES, "matrices"), (VECTORS, "vectors")):
        if _agree(ours, replace(theirs, shapes=shapes)):
            return row("same in part", paper.rule, apart, f"the same for {which} only")
    return row("differs", None, apart, _where_apart(beside))


def _why(best: Compared, paper: Paper) -> str | None:
    rule = best.ours.name
    why = why_not(rule, paper.rule) or doc_of(rule)
    return "; ".join(filter(None, (why, _digits(best)))) or None


def _digits(found: Compared) -> str | None:
    return f"to {found.bound:g} of the way, not to {BOUND:g}" if found.bound > BOUND else None


def _agree(ours: Subject, theirs: Subject) -> bool:
    try:
        return beside_each_other(ours, theirs, match(ours, theirs)).outcome == "agrees"
    except NotRun:
        return False


def _as_wide(found: Compared, paper: Compared) -> bool:
    """Has a rule all hyperparameters of the implementation that the paper's rule has?"""
    named = {other.name for _, other in found.matching.pairs}
    return named >= {other.name for _, other in paper.matching.pairs}


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


def _remarks(beside: Compared) -> str | None:
    """Return which of its defaults are not those of the rule, and whether it rounds."""
    other = [
        f"{theirs.name} = {theirs.default:g} ({ours.default:g})"
        for ours, theirs in beside.matching.pairs
        if ours.default is not None
        and theirs.default is not None
        and ours.default != theirs.default
    ]
    defaults = f"other defaults: {', '.join(other)}" if other else None
    return "; ".join(filter(None, (_digits(beside), defaults))) or None
