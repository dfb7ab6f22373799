"""What is proved and what is told apart where rules read the loss."""

import pytest

from optdsl.checks import equivalence
from optdsl.language import parse
from optdsl.library import lookup_in
from optdsl.model import build


def system_of(body):
    lines = [f"  {line}" for line in body.splitlines() if line.strip()]
    file = parse("\n".join(["optimizer Reading", *lines, ""]))
    return build(file.definitions[0], lookup_in(file))


BASE = "theta[t] = theta[t-1] - 2*(loss[t] - 1)*g[t]"

SAME = {
    "with a name": "a = loss[t]\ntheta[t] = theta[t-1] - 2*(a - 1)*g[t]",
    "multiplied out": "theta[t] = theta[t-1] - 2*loss[t]*g[t] + 2*g[t]",
    "the gradient by another name": (
        "s = grad(theta[t-1])\ntheta[t] = theta[t-1] - 2*(loss[t] - 1)*s"
    ),
    "remembered for nothing": (
        "q[0] = 0\nq[t] = loss[t]\ntheta[t] = theta[t-1] - 2*(q[t] - 1)*g[t] + 0*q[t-1]"
    ),
}

OTHER = {
    "the last loss": "loss[0] = 0\ntheta[t] = theta[t-1] - 2*(loss[t-1] - 1)*g[t]",
    "no loss": "theta[t] = theta[t-1] - 2*g[t]",
    "its sign lost": "theta[t] = theta[t-1] - 2*(abs(loss[t]) - 1)*g[t]",
    "elsewhere": (
        "v[0] = 0\nv[t] = g[t]\ng[t] = grad(theta[t-1] - v[t-1])\n"
        "theta[t] = theta[t-1] - 2*(loss[t] - 1)*g[t]"
    ),
}


@pytest.mark.parametrize("body", SAME.values(), ids=SAME)
def test_the_same_is_proved(body):
    assert equivalence.compare(system_of(BASE), system_of(body)).kind == "proved"
    assert equivalence.compare(system_of(body), system_of(BASE)).kind == "proved"


@pytest.mark.parametrize("body", OTHER.values(), ids=OTHER)
def test_what_differs_is_shown(body):
    assert equivalence.compare(system_of(BASE), system_of(body)).kind == "differs"
    assert equivalence.compare(system_of(body), system_of(BASE)).kind == "differs"


def test_a_counterexample_names_the_loss():
    verdict = equivalence.compare(system_of(BASE), system_of(OTHER["no loss"]))
    assert "loss[1]" in verdict.counterexample.inputs


def test_losses_at_two_points_are_two_numbers():
    """The loss belongs to the point of g, not to that of another gradient of the step."""
    start = "g[t] = grad(theta[t-1])\ns = grad(theta[t-1] - g[t])\n"
    first = system_of(start + "theta[t] = theta[t-1] - loss[t]*s")
    swapped = start.replace("s =", "x =").replace("g[t]", "s").replace("x =", "g[t] =")
    second = system_of(swapped + "theta[t] = theta[t-1] - loss[t]*g[t]")
    assert equivalence.compare(first, second).kind == "differs"
