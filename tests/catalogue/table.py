"""Write docs/catalogue.md: `python -m tests.catalogue.table`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from optdsl.checks.claims import check_definition
from optdsl.language import syntax
from optdsl.library import find, shipped
from tests.catalogue.cases import all_cases
from tests.catalogue.compare import BOUNDS, STEPS, Case, largest

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"

HEAD = f"""# The catalogue

Every rule that is compared with an implementation that is not ours. `python -m
tests.catalogue.table` writes this page.

- Lines are the header, the hyperparameters and the equations, without what `extends` takes over.
- Verdicts are what `optdsl check` finds, for all claims of the rule.
- Differences are the largest of {STEPS} steps over three tensors: in float64 over the
  displacement, in float32 over the largest entry.

| rule | spec | lines | sources | verdicts | compared with | float64 | float32 |
|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def rows() -> Iterator[tuple[str, ...]]:
    """Yield the cells of each comparison, in the order of their rules."""
    known = shipped()
    described: dict[str, tuple[str, ...]] = {}
    for case in sorted(all_cases(), key=lambda case: case.rule.lower()):
        if case.rule not in described:
            about = _about(case.rule) if case.rule in known else ("a composition", "", "", "")
            described[case.rule] = about
            yield (f"`{_plain(case.rule)}`", *about, *_compared(case))
        else:
            yield ("", "", "", "", "", *_compared(case))


def _about(name: str) -> tuple[str, str, str, str]:
    """Return the file, the lines, the sources and the verdicts of a rule."""
    definition, lookup = find(name)
    claims = [s for s in definition.statements if isinstance(s, syntax.Claim)]
    lines = len(definition.statements) - len(claims) + 1
    sources = dict.fromkeys(
        claim.other.name
        for claim in claims
        if claim.verb == "source" and isinstance(claim.other, syntax.Document)
    )
    kinds = [f.verdict.kind for f in check_definition(definition, lookup)]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return shipped()[name].file.name, str(lines), ", ".join(sources), counted


def _compared(case: Case) -> tuple[str, ...]:
    """Return who walks beside ours, and how far apart they come."""
    beside = f"{case.beside} ({case.note})" if case.note else case.beside
    return (_plain(beside), *(f"{largest(case, dtype):.0e}" for dtype in BOUNDS))


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
