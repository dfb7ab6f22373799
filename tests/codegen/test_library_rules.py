"""The table of what is compiled for C, which docs/library-rules.md holds."""

from pathlib import Path

import pytest

from optdsl.codegen.library.units import lowered
from optdsl.library import load_rule, shipped

PAGE = Path(__file__).parents[2] / "docs" / "library-rules.md"


def functions(rule, interface):
    """Return in words what a library of a rule has."""
    if rule.family == "schedule":
        return "`init`, `next`"
    names = ["init", "step", *interface.looks]
    said = ", ".join(f"`{name}`" for name in names)
    notes = [f"asks for {len(interface.asked)} gradients"] if interface.asked else []
    notes += ["rests in some steps"] if rule.parts > 1 else []
    notes += (
        ["reads the loss"] if rule.family != "schedule" and interface.unit.system.losses else []
    )
    notes += ["takes room for its matrices"] if interface.has_matrices else []
    notes += ["chooses by tensor"] if "which" in interface.tensor.fields else []
    notes += ["draws random numbers"] if "seed" in interface.run.fields else []
    return f"{said} ({', '.join(notes)})" if notes else said


def table():
    rows, compiled = [], 0
    for name in shipped():
        rule = load_rule(name)
        known = lowered(rule, "rule")
        problem = known.refusal
        compiled += problem is None
        told = (
            "from Python: " + problem.message.removeprefix(f"{name} ")
            if problem
            else functions(rule, known.public)
        )
        rows.append(f"| {name} | {rule.family} | {told} |")
    return "\n".join(
        [
            "# Shipped rules as libraries for C",
            "",
            f"All {len(rows)} shipped rules have a Python module that needs no compiler. C steps "
            f"{compiled} of",
            "them: [library.md](library.md) says what the functions do. Each has one for float and "
            "one for",
            "double, and `step`, `iterate` and `evaluate` have another for the caller's threads.",
            "",
            "| rule | is | functions |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


@pytest.mark.slow
def test_the_page_of_rules_says_what_is_compiled(golden):
    golden(table(), PAGE)
