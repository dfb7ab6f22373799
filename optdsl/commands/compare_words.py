"""What `optdsl compare` found, in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optdsl.checks.between import Between
    from optdsl.checks.implementations.matching import Matching, Point
    from optdsl.checks.implementations.nearest import Nearest
    from optdsl.checks.implementations.subject import Subject
    from optdsl.checks.implementations.trajectories import Compared, Parting


@dataclass(frozen=True)
class Line:
    """A line of a report, how it is coloured, and how far it is indented."""

    text: str
    tone: str = ""
    indent: int = 0


_TONES = {"proved": "good", "agrees": "note", "differs": "bad", "not understood": "bad"}


def about_pair(found: Between) -> list[Line]:
    """Return what was decided of two rules or documents."""
    verdict = found.verdict
    said = verdict.kind if found.diagnostics else str(verdict)
    first, *more = said.split("\n")
    lines = [Line(f"{found.ours} and {found.theirs}: {first}", _TONES[verdict.kind])]
    lines += [Line(line, "", 1) for line in more]
    facts = {
        "for": verdict.domains,
        "starts not stated, taken as": verdict.starts,
    }
    if verdict.kind in ("proved", "agrees"):
        facts["where"] = verdict.state_map
    for what, texts in facts.items():
        if texts:
            lines.append(Line(f"{what} {', '.join(texts)}", "dim", 1))
    return lines


# ------------------------------------------------------------- implementations


def about_walks(found: Compared, nearest: Nearest) -> list[Line]:
    """Return what was found of two that walk, the second an implementation."""
    ours, theirs = found.ours.name, found.theirs.name
    head = {
        "agrees": Line(f"{theirs} walks as {ours} does", "good"),
        "agrees while the step size keeps": Line(
            f"{theirs} walks as {ours} does, but only while the step size keeps its value", "note"
        ),
        "agrees at its defaults": Line(
            f"{theirs} walks as {ours} does at its defaults, and otherwise not", "note"
        ),
        "differs": Line(f"{theirs} does not walk as {ours} does", "bad"),
    }[found.outcome]
    lines = [head]
    if found.parting is not None:
        lines += _about_parting(found.parting, ours, theirs)
    else:
        lines.append(
            Line(f"{found.steps} steps in float64, to {_short(found.bound)} of the way", "dim", 1)
        )
    if found.displacement:
        share = percent(found.displacement)
        lines.append(Line(f"after ten usual steps at its defaults they are {share} apart", "", 1))
    lines += _about_matching(found.matching, ours, theirs)
    best = nearest.best
    if found.outcome != "agrees" and best is not None and best.ours.name != ours:
        lines.append(Line(f"{theirs} walks as {best.ours.name} does", "good"))
        lines += _about_cause(best.ours.name, ours)
    elif found.outcome != "agrees":
        lines += _about_closest(nearest)
    return lines


def about_nearest(theirs: Subject, nearest: Nearest) -> list[Line]:
    """Return which shipped rule an implementation is, and whether that is the paper's."""
    from optdsl.checks.implementations.papers import doc_of, paper_of

    best = nearest.best
    if best is None:
        return [
            Line(f"{theirs.name} walks as no shipped rule does", "bad"),
            *_about_partly(nearest),
        ]
    lines = [Line(f"{theirs.name} walks as {best.ours.name} does", "good")]
    lines += [Line(text, "", 1) for text in filter(None, [doc_of(best.ours.name)])]
    lines.append(
        Line(f"{best.steps} steps in float64, to {_short(best.bound)} of the way", "dim", 1)
    )
    lines += _about_matching(best.matching, best.ours.name, theirs.name)
    for other in nearest.further:
        if other.ours.name in _worth_telling(nearest):
            on = " and ".join(b.name for _, b in other.matching.pairs if b.off)
            lines.append(Line(f"with {on} it is {other.ours.name}", "", 1))
    paper = paper_of(theirs.name)
    if paper is None:
        return lines
    source = f" ({paper.source})" if paper.source else ""
    if paper.rule == best.ours.name:
        lines.append(Line(f"that is the paper's {paper.rule}{source}", "good", 1))
    else:
        lines.append(Line(f"it differs from the paper's {paper.rule}{source}", "note"))
        lines += _about_cause(best.ours.name, paper.rule)
    return lines


def _worth_telling(nearest: Nearest) -> set[str]:
    """Of the rules that need more switched on, one for each thing that is switched on."""
    names: dict[tuple[str, ...], str] = {}
    for other in nearest.further:
        on = tuple(sorted(b.name for _, b in other.matching.pairs if b.off))
        names.setdefault(on, other.ours.name)
    return set(names.values())


def _about_cause(rule: str, other: str) -> list[Line]:
    from optdsl.checks.implementations.papers import why_not

    cause = why_not(rule, other)
    return [] if cause is None else [Line(f"likely cause: {cause}", "", 1)]


def _about_partly(nearest: Nearest) -> list[Line]:
    lines = []
    if nearest.partly is not None:
        partly = nearest.partly
        word = partly.outcome.replace("agrees", "does", 1).replace("its", "its own")
        lines.append(Line(f"{partly.ours.name} {word}", "note", 1))
        if partly.parting is not None:
            lines += _about_parting(partly.parting, partly.ours.name, partly.theirs.name)
    return lines + _about_closest(nearest)


def _about_closest(nearest: Nearest) -> list[Line]:
    if nearest.closest is None or nearest.partly is not None:
        return []
    name, share = nearest.closest
    return [Line(f"the nearest is {name}, {percent(share)} apart after ten usual steps", "", 1)]


def _about_parting(parting: Parting, ours: str, theirs: str) -> list[Line]:
    where = f" in {parting.entry}" if parting.entry else ""
    gradients = ", ".join(number(g) for g in parting.gradients)
    kind = "" if parting.course == "one entry" else f", {parting.course} gradients"
    title = parting.point.title
    said = _settings(parting.point)
    return [
        Line(f"they part at t = {parting.step}{where}{kind}", "", 1),
        Line(f"with {title}: {said}" if said else f"with {title}", "", 2),
        Line(f"theta[0] = {number(parting.theta)}, g = {gradients}", "", 2),
        Line(f"{ours}: {parting.ours!r}", "", 2),
        Line(f"{theirs}: {parting.theirs!r}", "", 2),
    ]


def _about_matching(matching: Matching, ours: str, theirs: str) -> list[Line]:
    same = [f"{a.name} is {b.name}" for a, b in matching.pairs if a.name != b.name]
    facts = [
        ("where ", same),
        (f"of {ours}, at its default: ", [p.name for p in matching.ours]),
        (f"of {theirs}, at its default: ", [p.name for p in matching.theirs]),
    ]
    return [Line(what + ", ".join(names), "dim", 1) for what, names in facts if names]


def _settings(point: Point) -> str:
    return ", ".join(
        f"{other.name} = {number(value) if isinstance(value, float | int) else value}"
        for _, other, value in point.values
    )


def number(value: float) -> str:
    """Return a number short enough to read."""
    return f"{value:.6g}"


def percent(share: float) -> str:
    """Return a share in percent.

    >>> percent(0.5), percent(1e-5)
    ('50 %', '0.001 %')
    """
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def listed(names: Iterable[str]) -> str:
    """Return names with commas, or a dash."""
    return ", ".join(names) or "-"


def _short(value: float) -> str:
    return f"{value:g}".replace("e-0", "e-")
