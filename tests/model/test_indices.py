"""Indices other than t are written out, a member at a time."""

from __future__ import annotations

import pytest

from optdsl.library import load_system
from optdsl.model.expressions import Apply, Number, Value, values
from tests.model.test_build import codes, system

AGGMO = """
optimizer AggMo
  hyper eta = 0.1
  hyper beta[i] as betas = (0, 0.9, 0.99) in [0, 1)
  v[i, 0] = 0
  v[i, t] = beta[i]*v[i, t-1] - g[t]
  theta[t] = theta[t-1] + eta*mean(v[i, t], i)
"""


def test_an_index_runs_over_a_tuple() -> None:
    built = system(AGGMO)
    assert [s.name for s in built.states] == ["v_1", "v_2", "v_3"]
    aliases = [h.alias for h in built.hyperparameters[1:]]
    assert [(a.name, a.position) for a in aliases if a] == [("betas", n) for n in (1, 2, 3)]


def test_a_mean_over_an_index_divides_by_the_number_of_members() -> None:
    theta = system(AGGMO).equation("theta").value
    divided = [n for n in _applied(theta) if n.operator == "div"]
    assert [n.arguments[1] for n in divided] == [Number(value=3, text="3")]  # type: ignore[arg-type]
    read = {value.name for value in values(theta)}
    assert {"v_1", "v_2", "v_3"} <= read


def _applied(expression: object) -> list[Apply]:
    if not isinstance(expression, Apply):
        return []
    return [expression, *(found for a in expression.arguments for found in _applied(a))]


def test_a_composition_may_give_a_tuple_of_another_length() -> None:
    built = system(AGGMO + "\noptimizer Two = AggMo(betas=(0.5, 0.6))\n")
    assert [s.name for s in built.states] == ["v_1", "v_2"]
    defaults = [h.default for h in built.hyperparameters[1:]]
    assert [float(d.value) for d in defaults if isinstance(d, Number)] == [0.5, 0.6]


def test_an_index_runs_over_a_range_and_reads_its_neighbours() -> None:
    built = system("""
optimizer Chain
  index k = 1..3
  x[0] = g[t]
  x[k] = 0.5*x[k-1] + k
  theta[t] = theta[t-1] - x[3]
""")
    assert [e.name for e in built.equations] == ["x_0", "x_1", "x_2", "x_3", "theta"]
    assert Value("x_1", built.equation("x_1").kind) in values(built.equation("x_2").value)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("  hyper a[i] = 3\n  theta[t] = theta[t-1] - a[1]*g[t]\n", "index-ranges"),
        ("  index k = 5..1\n  theta[t] = theta[t-1] - g[t]\n", "index-ranges"),
        ("  hyper a[i] = (1, 2)\n  theta[t] = theta[t-1] - a*g[t]\n", "index-needed"),
        ("  hyper a[i] = (1, 2)\n  theta[t] = theta[t-1] - sum(a[i], i)*a[3]*g[t]\n",
         "undefined-name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_index_is_said(body: str, code: str) -> None:
    assert code in codes("optimizer Bad\n" + body)


def test_no_shipped_rule_is_changed_by_writing_out() -> None:
    assert [s.name for s in load_system("Adam").states] == ["m", "v"]
