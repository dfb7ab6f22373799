"""Values that are shown to be defined, and values that must not be."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optdsl.checks.defined import proved_defined
from optdsl.checks.ranges import intervals as of
from optdsl.checks.ranges.throughout import defined_throughout, worlds
from optdsl.checks.runs import defined, many_trials, run, scaled
from optdsl.checks.sparsity_proof import assuming_least
from optdsl.library import load_system, shipped, single_rules
from optdsl.model.expressions import Kind, Reduce, transform
from tests.checks.soundness import sampled_mutants
from tests.checks.systems import system

# ------------------------------------------------------------------- shipped rules


@pytest.mark.parametrize(
    ("rule", "provided"),
    [
        ("NAdam", ("epsilon",)),
        ("RAdam", ("epsilon",)),
        ("RAdamTorch", ("epsilon",)),
        ("LAMB", ("epsilon",)),
        ("AdamRestarts", ("epsilon",)),
        ("Adafactor", ("epsilon1",)),
        ("Yogi", ("epsilon",)),
        ("MuonWide", ("epsilon",)),
        ("MuonNesterovTall", ("epsilon",)),
        ("Shampoo", ()),
        ("SWATS", ("epsilon",)),
        ("LARSGuarded", ()),
        ("SkipNonfinite | Adam", ("epsilon",)),
    ],
)
def test_shipped_rules_are_defined(rule, provided):
    assert proved_defined(load_system(rule)) == provided


@pytest.mark.parametrize(
    "value",
    ["g[t]/norm(g[t])", "1/abs(g[t])", "sqrt(theta[t-1])", "log(g[t]^2)", "mod(g[t], x)", "x^(-1)"],
)
def test_what_a_transform_gives_must_be_defined(value):
    transform = system(f"transform Given gives u\n  hyper x\n  u = {value} + 0*g[t]\n")
    assert proved_defined(transform) is None


def test_a_value_that_cases_show_to_be_defined_is():
    value = "g[t]/x if x > 0 else sqrt(-x)"
    transform = system(f"transform Given gives u\n  hyper x\n  u = {value}\n")
    assert proved_defined(transform) == ()


@pytest.mark.parametrize("rule", ["AdaMax", "LAMBUnguarded", "LARS", "Prodigy", "DAdaptSGD",
                                  "SharpnessAwareSGDUnguarded"])  # fmt: skip
def test_rules_that_divide_zero_by_zero_are_not(rule):
    assert proved_defined(load_system(rule)) is None


# ------------------------------------------------------------------- what must not be proved

#: Shipped rules, each with a change that makes a value undefined somewhere.
BROKEN = {
    "the product of the momenta reaches 1": ("NAdam", "mu[t] = beta1 + 0.5*0.96^(t*psi)"),
    "the momenta exceed 1": ("NAdam", "mu[t] = beta1*(1 + 0.5*0.96^(t*psi))"),
    "the guard is too low": ("RAdam", "theta[t] = theta[t-1] - eta*(sqrt(r2)*mhat/(sqrt(vhat) + "
                             "epsilon) if rho > 1 else mhat)"),
    "the guard is turned": ("RAdam", "theta[t] = theta[t-1] - eta*(sqrt(r2)*mhat/(sqrt(vhat) + "
                            "epsilon) if rho < threshold else mhat)"),
    "the rest outweighs": ("RAdam", "rho = rho_inf + 2*t*beta2^t/(1 - beta2^t)"),
    "one guard is missing": ("LAMB", "p = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 else 1"),
    "the other is too weak": ("LAMB", "p = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 or "
                              "norm(u) > 0 else 1"),
    "a count begins at 0": ("AdamRestarts", "n = mod(t - 1, k)"),
    "a decay reaches 1": ("AdafactorUnfactored", "b = 1 - t^-gamma + 0.1"),
    "the first decay is not 0": ("AdafactorUnfactored", "b = 1 + t^-gamma"),
    "twice what may be taken": ("Yogi", "v[t] = v[t-1] - 2*(1 - beta2)*sign(v[t-1] - g[t]^2)"
                                "*g[t]^2"),
    "the sign is turned": ("Yogi", "v[t] = v[t-1] + (1 - beta2)*sign(v[t-1] - g[t]^2)*g[t]^2"),
    "the sign is of another": ("Yogi", "v[t] = v[t-1] - (1 - beta2)*sign(v[t-1] - m[t]^2)*g[t]^2"),
    "a product is taken off": ("Shampoo", "L[t] = L[t-1] - g[t] @ g[t].T"),
    "a square that is none": ("Shampoo", "L[t] = L[t-1] + g[t] @ theta[t-1].T"),
    "nothing to begin with": ("Shampoo", "L[0] = 0*eye(rows)"),
    "the norm may be 0": ("MuonWide", "X[0] = B[t]/norm(B[t])"),
}  # fmt: skip


@pytest.mark.parametrize("change", BROKEN)
def test_what_may_be_undefined_is_not_proved(change):
    base, equation = BROKEN[change]
    assert proved_defined(system(f"optimizer Broken extends {base}\n  {equation}\n")) is None


#: The last equation of a rule, and the state or value that guards it.
TRAPS = {
    "other entries are not guarded": (
        "s = norm(1/g[t]) if g[t] != 0 else 1\n", "s"),
    "other rows are not guarded": (
        "n = norm(g[t], per row)\n  s = sum(1/n) if n > 0 else 1\n", "s"),
    "another step is not guarded": (
        "hyper rho = 0.1 in [-1, inf)\n  r[0] = 0\n  r[t] = rho\n"
        "  s = 1/r[t-1] if rho > 0 else 1\n", "s"),
    "the next step is not guarded": (
        "hyper rho = 0.1 in [-1, inf)\n  s = 1/rho[t+1] if rho > 0 else 1\n", "s"),
    "a product that may be 0": (
        "d = dot(g[t], theta[t-1], all)\n  s = 1/d if d >= 0 else 1\n", "s"),
    "an infinite factor": ("hyper rho = 1 in [-inf, 5]\n  s = rho\n", "s"),
    "an odd power": ("s = sqrt(g[t]^3)\n", "s"),
    "a power of a negative number": ("s = g[t]^0.5\n", "s"),
    "zero to what may be zero": ("s = abs(g[t])^(abs(g[t]) - 1)\n", "s"),
    "a logarithm of zero": ("s = log(abs(g[t]))\n", "s"),
    "a remainder by zero": ("s = mod(1, g[t])\n", "s"),
    "a state that shrinks to zero": (
        "v[0] = 1\n  v[t] = v[t-1]*min(abs(g[t]), 1)\n  s = 1/v[t]\n", "s"),
    "a state that falls": ("v[0] = 1\n  v[t] = v[t-1] - 0.001\n  s = sqrt(v[t])\n", "s"),
    "an either that is no both": (
        "n = norm(g[t])\n  s = 1/n if n > 0 or t > 5 else 1\n", "s"),
    "a not that is no guard": ("n = norm(g[t])\n  s = 1/n if not n > 0 else 1\n", "s"),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_traps_are_not_proved(trap):
    lines, read = TRAPS[trap]
    rule = f"optimizer Trap\n  {lines}  theta[t] = theta[t-1] - 0.1*{read}*g[t]\n"
    assert proved_defined(system(rule)) is None


#: What a person sees at once, in the form of a rule's equations.
PLAIN = {
    "a guard by name": "n = norm(g[t])\n  good = n > 0\n  s = 1/n if good else 1\n",
    "a guard by its opposite": "n = norm(g[t])\n  s = 1 if n == 0 else 1/n\n",
    "a guard on a difference": "n = norm(g[t])\n  s = sqrt(n - 1) if n > 1 else 0\n",
    "a guard that reaches through": "n = norm(g[t])\n  k = n - 2\n  s = 1/n if k >= 1 else 1\n",
    "a chain of guards": "n = norm(g[t])\n  s = 1/n if n != 0 and 1/n < 5 else 1\n",
    "a floor": "s = 1/max(abs(g[t]), 1e-3)\n",
    "a row's guard": "n = norm(g[t], per row)\n  s = 1/n if n > 0 else 1\n",
    "a state above zero": "v[0] = 1\n  v[t] = max(v[t-1]*0.9, 1e-9)\n  s = 1/v[t]\n",
    "counted entries": "s = 1/size + sqrt(rows/columns)\n",
    "in its first step": "v[1] = g[t]^2 + 1\n  v[t] = v[t-1] + g[t]^2\n  s = 1/v[t]\n",
    "a difference of equals": "m[0] = 0\n  m[t] = m[t-1] + g[t]\n"
                              "  s = 1/(m[t] - m[t-1] - g[t] + 1)\n",
    "a square written out": "m[0] = 0\n  m[t] = 0.9*m[t-1] + g[t]\n"
                            "  s = sqrt(g[t]^2 - 2*g[t]*m[t] + m[t]^2)\n",
}  # fmt: skip


@pytest.mark.parametrize("case", PLAIN)
def test_what_a_person_sees_is_proved(case):
    rule = f"optimizer Plain\n  {PLAIN[case]}  theta[t] = theta[t-1] - 0.1*s*g[t]\n"
    assert proved_defined(system(rule)) == ()


def test_tensors_that_came_late_are_at_their_first_step():
    late = system(
        "optimizer Late\n  m[t] = 1 + abs(g[t])\n"
        "  theta[t] = theta[t-1] - (sum(1/m[t-1], all) if t > 1 else 1)*g[t]\n"
    )
    assert not defined_throughout(late)
    assert defined_throughout(
        replace(
            late,
            equations=tuple(
                replace(each, value=_of_one_tensor(each.value)) for each in late.equations
            ),
        )
    )


def _of_one_tensor(expression):
    def change(node):
        return replace(node, kind=Kind.TENSOR) if isinstance(node, Reduce) else None

    return transform(expression, change)


def test_ranges_of_states_are_found():
    kept = system("optimizer Kept extends NAdam\n  hyper epsilon as eps = 1e-8 in (0, inf)\n")
    first, later = worlds(kept)
    assert first.before["M"] == of.point(Fraction(1))
    assert of.within(later.before["M"], of.interval(Fraction(0), Fraction(1), high_open=True))
    assert of.within(later.before["v"], of.NOT_NEGATIVE)
    assert later.before["m"] == of.REALS


# ------------------------------------------------------------------- proofs against runs


def undefined_in(rule, provided):
    """Return a step and a name that is undefined there, in exact runs on inputs of all kinds."""
    trials = list(many_trials(rule, 4, 12))
    silent = [scaled(trial, Fraction(0)) for trial in trials[:4]]
    trials += silent + [replace(each, theta=(Fraction(0),) * len(each.theta)) for each in silent]
    names = dict.fromkeys([*(state.name for state in rule.memory), *rule.outputs])
    for trial in trials:
        hypers = tuple(
            (name, tuple(x or Fraction(1, 1000) for x in series) if name in provided else series)
            for name, series in trial.hypers
        )
        for step in run(rule, replace(trial, hypers=hypers)) or ():
            for name in names:
                value = step.values.get(name, step.outputs.get(name))
                if value is not None and not defined(value):
                    return step.t, name
    return None


def by_ranges(rule):
    """Return what a proof by ranges alone needs not to be 0, None without one."""
    found = assuming_least(rule, lambda variant: defined_throughout(variant) or None)
    return None if found is None else found[0]


def count_of_proofs(rules, mutants_a_rule, prove):
    """Return how many of some rules and their mutants are proved defined, and how many are not.

    Whatever is proved is run; whatever is not is run, too, to see that runs do find what is not.
    """
    proved, undefined = 0, 0
    for name in rules:
        rule = load_system(name)
        for words, each in [("itself", rule), *sampled_mutants(name, rule, mutants_a_rule)]:
            provided = prove(each)
            if provided is not None:
                proved += 1
                assert undefined_in(each, provided) is None, (name, words)
            else:
                ends = [hyper.name for hyper in each.hyperparameters]
                undefined += undefined_in(each, ends) is not None
    return proved, undefined


def test_no_run_is_undefined_where_there_is_a_proof():
    proved, undefined = count_of_proofs(
        ["RMSprop", "Yogi", "LARSGuarded", "AdaMax"], 4, proved_defined
    )
    assert proved >= 10
    assert undefined >= 2


@pytest.mark.slow
def test_no_run_of_what_is_shipped_is_undefined_where_there_is_a_proof():
    optimizers = [name for name in single_rules() if shipped()[name].family == "optimizer"]
    proved, undefined = count_of_proofs(optimizers, 2, by_ranges)
    assert proved > 150
    assert undefined > 10


# ------------------------------------------------------------------- intervals

NUMBERS = st.fractions(-3, 3, max_denominator=4)


@st.composite
def pairs(draw):
    """An interval, and a number of it."""
    low, inside, high = sorted(draw(st.lists(NUMBERS, min_size=3, max_size=3)))
    low_open, high_open = (
        draw(st.booleans()) and low < inside,
        draw(st.booleans()) and inside < high,
    )
    far = draw(st.sampled_from(["", "low", "high"]))
    found = of.interval(
        -of.INFINITY if far == "low" else low,
        of.INFINITY if far == "high" else high,
        low_open,
        high_open,
        draw(st.booleans()) and inside != 0,
    )
    return found, inside


def holds(range_, number):
    above = number > range_.low or (number == range_.low and not range_.low_open)
    below = number < range_.high or (number == range_.high and not range_.high_open)
    return above and below and not (range_.nonzero and number == 0)


@settings(max_examples=60, deadline=None)
@given(pairs(), pairs(), st.integers(0, 5))
def test_operators_leave_no_number_out(one, other, n):
    (a, x), (b, y) = one, other
    assert holds(a, x)
    assert holds(of.plus(a, b), x + y)
    assert holds(of.minus(a, b), x - y)
    assert holds(of.times(a, b), x * y)
    assert holds(of.negative(a), -x)
    assert holds(of.size(a), abs(x))
    assert holds(of.sign(a), (x > 0) - (x < 0))
    assert holds(of.maximum(a, b), max(x, y))
    assert holds(of.hull(a, b), x)
    assert holds(of.whole_power(a, n), x**n)
    assert holds(of.floor(a), x.__floor__())
    assert holds(of.summed(of.whole_power(a, 2)), x**2 + x**2)
    if b.nonzero:
        assert holds(of.inverse(b), 1 / y)
        assert holds(of.remainder(a, b), x - y * (x / y).__floor__())
    if holds(b, x):
        assert holds(of.meet(a, b), x)
    if a.low >= 0:
        root = of.root(a)
        assert root.low**2 <= x
        assert root.high**2 >= x


@settings(max_examples=60, deadline=None)
@given(pairs(), pairs())
def test_powers_logarithms_and_exponentials_leave_no_number_out(one, other):
    (a, x), (b, y) = one, other
    assert holds(of.exponential(a), 2.718281828 ** float(x))
    if a.low > 0 or (a.low == 0 and a.nonzero):
        assert holds(of.real_power(a, b), float(x) ** float(y) if x != 1 and y != 0 else 1)
