"""Pairs that differ where no run of the checker goes, so that the prover stands alone.

Each parts where a gradient or a hyperparameter is ODD, which is among no inputs that are tried; a
run with it shows that.
"""

from fractions import Fraction

import pytest

from optdsl.checks.equivalence import compare
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Race
from optdsl.checks.equivalence.trials import Trial
from optdsl.checks.others import giving
from optdsl.model.arithmetic import UNDEFINED, Arithmetic, real
from tests.checks.soundness import proved_alone
from tests.checks.systems import system

ODD = 7919


def rule(body):
    lines = "\n".join(f"  {line.strip()}" for line in body.strip().splitlines())
    return system(f"optimizer Rule\n  hyper eta in [0, inf)\n  hyper x\n{lines}\n")


def stepping(value):
    return f"theta[t] = theta[t-1] - eta*({value})"


GONE = f"0/(g[t] - {ODD})"

PAIRS = {
    "a condition that may be undefined for some entry": (
        stepping(f"g[t] if any(1/(g[t] - {ODD}) > 0) else g[t]"),
        stepping("g[t]"),
    ),
    "what is undefined is not finite": (
        stepping(f"g[t] if finite((g[t] - {ODD})/(g[t] - {ODD})) else 0"),
        stepping("g[t] if finite(1 + 0*g[t]) else 0"),
    ),
    "a choice within a reduction": (
        stepping(f"sum(g[t] if g[t]/(g[t] - {ODD})*(g[t] - {ODD}) > 0 else 0)"),
        stepping("sum(g[t] if g[t] > 0 else 0)"),
    ),
    "a condition that cancels": (
        stepping(f"g[t] if any(g[t]/(g[t] - {ODD})*(g[t] - {ODD}) > 0) else 0"),
        stepping("g[t] if any(g[t] > 0) else 0"),
    ),
    "a guard for each entry": (
        stepping(f"g[t] if any(g[t] != {ODD} and 1/(g[t] - {ODD}) > 2) else 0"),
        stepping(f"g[t] if any(g[t] < 9*{ODD} and 1/(g[t] - {ODD}) > 2) else 0"),
    ),
    "a quotient of a quotient": (
        stepping(f"g[t]/(2/(g[t] - {ODD}))"),
        stepping(f"g[t]*(g[t] - {ODD})/2"),
    ),
    "a state that outlives theta": (
        f"theta[t] = theta[t-1] - eta*x + 0/(x - {ODD})",
        f"""
        z[0] = theta[0]
        v[0] = 0
        v[t] = v[t-1] + x
        z[t] = z[t-1] + 0*v[t-1] - eta*x
        theta[t] = z[t] + 0/(x - {ODD})
        """,
    ),
    "a state that outlives theta, by a map": (
        f"""
        v[0] = 0
        v[t] = v[t-1] + x
        theta[t] = theta[t-1] - eta*v[t] + 0/(x - {ODD})
        """,
        f"""
        v[0] = 0
        v[t] = v[t-1] + x
        z[0] = theta[0]
        z[t] = z[t-1] - eta*v[t] + v[t] - v[t-1]
        theta[t] = z[t] - v[t] + 0/(x - {ODD})
        """,
    ),
    "theta in a norm": (
        stepping(f"g[t] + {GONE} + 0*norm(theta[t-1])"),
        stepping(f"g[t] + {GONE}"),
    ),
}


def parted(ours, theirs, entries=2):
    """Run both with the odd number in one entry of the first step."""
    steps = [(ODD, 1)[:entries], *((1,) * entries for _ in range(3))]
    gradients = tuple((tuple(map(Fraction, step)),) for step in steps)
    ones = (Fraction(1),) * 5
    odd = (Fraction(1), Fraction(ODD), *ones[2:])
    trial = Trial(
        (("eta", ones), ("x", odd)), (Fraction(1),) * entries, gradients, ((),) * 4, (entries,)
    )
    return Race(Question(ours, theirs), trial).run().difference


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_undefined_on_one_side_is_not_proved(name):
    ours, theirs = map(rule, PAIRS[name])
    assert parted(ours, theirs) is not None
    assert not proved_alone(ours, theirs)
    assert not proved_alone(theirs, ours)


def test_infinity_is_not_moved_between_a_quotient_and_a_product():
    ours, theirs = (rule(stepping(value)) for value in ("g[t]/(2/inf)", "g[t]*inf/2"))
    assert not proved_alone(ours, theirs)


def test_theta_must_agree_where_another_quantity_reads_it():
    ours, theirs = (
        giving(rule(f"v = theta[t-1] + g[t]\n{stepping(moved)}"), ("v",))
        for moved in ("v", f"v if g[t] != {ODD} else 0")
    )
    assert parted(ours, theirs, 1) is not None
    assert not proved_alone(ours, theirs)


def test_theta_need_not_agree_where_nothing_reads_it():
    ours, theirs = (
        giving(rule(f"v[0] = 0\nv[t] = v[t-1]/2 + {added}\n{stepping(moved)}"), ("v",))
        for added, moved in (("g[t]", "v[t]/g[t]"), ("(2*g[t])/2", "v[t]"))
    )
    assert compare(ours, theirs).kind == "proved"


def test_two_gradients_are_not_one_where_another_quantity_is_compared():
    ours, theirs = (
        giving(rule(f"s = grad(theta[t-1] + 1)\nd = {d}\n{stepping('d')}"), ("d",))
        for d in ("s - g[t]", "0*s*g[t]")
    )
    assert compare(ours, theirs, explain=False).kind == "differs"
    assert not proved_alone(ours, theirs)


def test_a_gradient_that_is_handed_in_need_not_be_read():
    ours, theirs = (
        system(f"transform Still gives u\n  hyper x\n  u = {value}\n")
        for value in ("mean(0*g[t] + x)", "x")
    )
    assert compare(ours, theirs).kind == "proved"


def test_runs_that_end_at_once_show_no_agreement():
    ours, theirs = (
        rule(stepping(f"g[t] if log(6) > log(2) + log(3) else {otherwise}"))
        for otherwise in ("0", "2*g[t]")
    )
    verdict = compare(ours, theirs)
    assert verdict.kind == "not understood"
    assert "no run tells" in verdict.reason


def test_magnitudes_beyond_a_float_make_no_difference():
    arithmetic = Arithmetic(50)
    apply = arithmetic.apply
    third = apply("exp", [real(Fraction(-1, 3))])
    small = real(Fraction(1, 7 * 10**200))
    large = real(Fraction(10**200, 3))
    moved = third
    for factor in (small, small, large, large, real(21**2)):
        moved = apply("mul", [moved, factor])
    assert moved.magnitude >= float(moved.value)
    far = real(Fraction(7007, 3))
    one = apply("mul", [apply("exp", [far]), apply("exp", [apply("neg", [far])])])
    less = apply("sub", [one, real(Fraction(1, 10**40))])
    assert arithmetic.same(one, less)  # nothing is known of it any more
    assert apply("exp", [real(-1000)]).magnitude > 0
    assert UNDEFINED not in (moved, one)


FACTS = {
    "the size is rows by columns": ("size", "rows*columns"),
    "a vector is one row": ("rows if ndim <= 1 else 2", "1 if ndim <= 1 else 2"),
    "a name that fits one pattern fits a wider one": (
        '1 if named("*.bias") and not named("*bias") else 2',
        "2",
    ),
    "what has no dimensions has one entry": (
        "sum(g[t]) if ndim == 0 else 1",
        "g[t] if ndim == 0 else 1",
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_no_tensor_has_facts_that_contradict_each_other(name):
    ours, theirs = (rule(stepping(f"g[t]*({value})")) for value in FACTS[name])
    assert compare(ours, theirs, explain=False).kind != "differs"


@pytest.mark.parametrize("condition", ["t > 40", "mod(t, 300) == 299", "c[t] > 100"])
def test_runs_go_on_until_a_counter_turns(condition):
    count = "c[0] = 0\nc[t] = c[t-1] + 1 if g[t] != 0\n"
    ours = rule(count + stepping(f"g[t] if {condition} else 2*g[t]"))
    theirs = rule(count + stepping("2*g[t]"))
    verdict = compare(ours, theirs)
    assert verdict.kind == "differs"
    assert verdict.counterexample.step > 40
    assert len(verdict.counterexample.inputs) < 9


def test_a_power_that_a_case_makes_one_of_zero_is_undefined_there():
    ours, theirs, other = (
        system(f"transform Power gives u\n  u = {value}\n")
        for value in ("(floor(g[t])^2)^(-1/2)", "1/abs(floor(g[t]))", "1/floor(g[t])")
    )
    assert proved_alone(ours, theirs)
    assert not proved_alone(ours, other)
