"""What `optdsl compare` found, as plain data; docs/json.md says what each field means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optdsl.checks.between import Between
    from optdsl.checks.implementations.matching import Matching
    from optdsl.checks.implementations.nearest import Nearest
    from optdsl.checks.implementations.subject import Subject
    from optdsl.checks.implementations.trajectories import Compared, Parting


def of_pair(found: Between) -> dict[str, Any]:
    """Return the document for two rules or documents."""
    verdict = found.verdict.to_json()
    kind = verdict.pop("kind")
    problems = [{"code": d.code, "message": d.message, "hint": d.hint} for d in found.diagnostics]
    return {
        "first": found.ours,
        "second": found.theirs,
        "verdict": kind,
        "proof": verdict,
        "diagnostics": problems,
    }


def of_walks(
    found: Compared | None, nearest: Nearest, theirs: Subject | None = None
) -> dict[str, Any]:
    """Return the document for an implementation beside a rule or another, or beside all rules."""
    from optdsl.checks.implementations.papers import paper_of

    shown = found or nearest.best
    theirs = theirs or (found.theirs if found else None)
    assert theirs is not None
    paper = paper_of(theirs.name)
    best = nearest.best
    verdict = ("differs" if best is None else "agrees") if found is None else found.outcome
    return {
        "first": shown.ours.name if shown is not None else None,
        "second": theirs.name,
        "verdict": verdict,
        "steps": shown.steps if shown is not None else 0,
        "displacement": finite(found.displacement) if found is not None else None,
        "matched": _matched(shown.matching) if shown is not None else {},
        "unmatched": _unmatched(shown.matching) if shown is not None else {},
        "partings": [_parting(each) for each in found.partings] if found is not None else [],
        "nearest": {
            "rule": None if best is None else best.ours.name,
            "further": [
                {"rule": each.ours.name, "with": [b.name for _, b in each.matching.pairs if b.off]}
                for each in nearest.further
            ],
            "partly": None
            if nearest.partly is None
            else {"rule": nearest.partly.ours.name, "outcome": nearest.partly.outcome},
            "closest": None
            if nearest.closest is None
            else {"rule": nearest.closest[0], "displacement": nearest.closest[1]},
        },
        "paper": None if paper is None else {"rule": paper.rule, "source": paper.source},
        "cause": _cause(found, best),
    }


def _cause(found: Compared | None, best: Compared | None) -> str | None:
    from optdsl.checks.implementations.papers import paper_of, why_not

    if best is None:
        return None
    paper = paper_of(best.theirs.name)
    other = found.ours.name if found is not None else paper.rule if paper is not None else None
    same = other is None or other == best.ours.name
    return None if same or other is None else why_not(best.ours.name, other)


def _matched(matching: Matching) -> dict[str, str]:
    return {mine.name: other.name for mine, other in matching.pairs}


def _unmatched(matching: Matching) -> dict[str, list[str]]:
    return {
        "first": [parameter.name for parameter in matching.ours],
        "second": [parameter.name for parameter in matching.theirs],
    }


def _parting(parting: Parting) -> dict[str, Any]:
    return {
        "settings": parting.point.title,
        "values": {
            other.name: value if isinstance(value, float | int) else list(value.values)
            for _, other, value in parting.point.values
        },
        "gradients_are": parting.course,
        "step": parting.step,
        "entry": parting.entry or None,
        "theta": parting.theta,
        "gradients": [finite(g) for g in parting.gradients],
        "first": finite(parting.ours),
        "second": finite(parting.theirs),
    }


def finite(value: float) -> float | None:
    """Return a number, None where it is none or infinite."""
    return value if math.isfinite(value) else None
