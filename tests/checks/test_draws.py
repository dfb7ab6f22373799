"""What is proved and what is told apart where rules draw random numbers."""

import pytest

from optdsl.checks import equivalence
from optdsl.language import parse
from optdsl.library import lookup_in
from optdsl.model import build


def system_of(body):
    lines = [f"  {line}" for line in body.splitlines() if line.strip()]
    file = parse("\n".join(["optimizer Noisy", *lines, ""]))
    return build(file.definitions[0], lookup_in(file))


BASE = """
a ~ normal(0, 2)
b ~ uniform(-1, 1)
theta[t] = theta[t-1] - g[t] + a + b
"""

SAME = {
    "another name": "x ~ normal(0, 2)\ny ~ uniform(-1, 1)\ntheta[t] = theta[t-1] - g[t] + x + y",
    "scaled afterwards": (
        "a ~ normal(0, 1)\nb ~ uniform(0, 1)\ntheta[t] = theta[t-1] - g[t] + (2*b - 1) + 2*a"
    ),
    "the other order of distributions": (
        "b ~ uniform(-1, 1)\na ~ normal(0, 2)\ntheta[t] = theta[t-1] + a - g[t] + b"
    ),
}

OTHER = {
    "another deviation": BASE.replace("normal(0, 2)", "normal(0, 1)"),
    "another mean": BASE.replace("normal(0, 2)", "normal(1, 2)"),
    "the other distribution": BASE.replace("normal(0, 2)", "uniform(0, 2)"),
    "the second of two": (
        "c ~ normal(0, 2)\na ~ normal(0, 2)\nb ~ uniform(-1, 1)\n"
        "theta[t] = theta[t-1] - g[t] + a + b + 0*c"
    ),
    "the draw of the step before": (
        "a ~ normal(0, 2)\na[0] = 0\nb ~ uniform(-1, 1)\n"
        "theta[t] = theta[t-1] - g[t] + a[t-1] + b + 0*a[t]"
    ),
    "mirrored": BASE.replace("+ a + b", "- a + b"),
    "no draw": "theta[t] = theta[t-1] - g[t]",
}


@pytest.mark.parametrize("body", SAME.values(), ids=list(SAME))
def test_the_same_draws_are_the_same(body):
    assert equivalence.compare(system_of(BASE), system_of(body)).kind == "proved"


@pytest.mark.parametrize("body", OTHER.values(), ids=list(OTHER))
def test_other_draws_are_other(body):
    assert equivalence.compare(system_of(BASE), system_of(body)).kind == "differs"
