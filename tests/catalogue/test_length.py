"""Every shipped spec is short: at most 8 equations in one pass over memory, at most 14 in more."""

from __future__ import annotations

import pytest

from optdsl.language import parse, syntax
from optdsl.library import find, single_rules
from optdsl.model import build
from optdsl.model.inheritance import Lookup, flatten
from optdsl.model.numbers import time_index
from optdsl.model.problems import Problems
from optdsl.program import lower

ONE_PASS, MORE = 8, 14


def equations(definition, lookup):
    """Return what a definition computes in a step, with what it takes over.

    What something is before the first step, or in it, does not count.
    """
    whole = flatten(definition, lookup, Problems())
    found = []
    for statement in whole.statements:
        if isinstance(statement, syntax.Draw):
            found.append(statement.target.name)
        if isinstance(statement, syntax.Equation):
            found += [t.name for t in statement.targets if not is_start(t)]
    return found


def is_start(target):
    time = time_index(target.indices[-1]) if target.indices else None
    return time is not None and time[0] == ""


def passes(system):
    if system.family == "schedule":
        return 0
    return len((lower(system, "ready") or lower(system, "function")).passes)


@pytest.mark.parametrize("name", single_rules())
def test_a_spec_is_short(name):
    definition, lookup = find(name)
    count = len(equations(definition, lookup))
    system = build(definition, lookup)
    assert count <= (ONE_PASS if passes(system) <= 1 else MORE)


def test_what_is_taken_over_counts_and_starts_do_not():
    file = parse(
        "optimizer A\n  m[0] = v[0] = 0\n  m[t] = m[t-1] + g[t]\n  v[1] = g[t]\n"
        "  v[t] = v[t-1] + m[t]\n  theta[t] = v[t]\n\n"
        "optimizer B extends A\n  v[0] = 1\n  w = 2*v[t]\n  xi ~ normal(0, 1)\n"
        "  theta[t] = w + xi\n"
    )
    definitions = {each.name: each for each in file.definitions}
    lookup = Lookup(definitions.get)
    assert equations(definitions["A"], lookup) == ["m", "v", "theta"]
    assert sorted(equations(definitions["B"], lookup)) == ["m", "theta", "v", "w", "xi"]
