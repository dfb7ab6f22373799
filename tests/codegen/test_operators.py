"""Every operator and reduction, on entries, on numbers a tensor and on numbers a step."""

from dataclasses import replace

import numpy as np
import pytest

from optdsl.codegen import TARGETS, compile_system
from optdsl.model.expressions import (
    OPERATORS,
    PREDICATES,
    REDUCTIONS,
    Clock,
    Constant,
    Kind,
    Reduce,
    Value,
    apply,
    number,
)
from optdsl.model.system import Equation, State
from tests.codegen.driving import Driver
from tests.codegen.interpreting import Interpreter
from tests.program.systems import by_hand, entry, system

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.25, -2.5, 3.0, 1e30, -1e-30, np.inf, -np.inf, np.nan]
ROUNDED = {"exp", "log", "cos", "pow", "mod"}


def applied(operator, x, y):
    """Return `operator` on what it takes, made of the numbers x and y."""
    if operator in ("and", "or"):
        return apply(operator, apply("gt", x, y), apply("lt", x, number(2)))
    if operator == "not":
        return apply(operator, apply("gt", x, y))
    if operator == "select":
        return apply(operator, apply("lt", x, y), apply("sqrt", x), y)
    arguments = (x, y) if OPERATORS[operator] != 1 else (x,)
    if OPERATORS[operator] is None:
        arguments = (x, y, number(2))
    return apply(operator, *arguments)


def as_number(operator, value):
    return apply("select", value, number(1), number(0)) if operator in PREDICATES else value


def rule(kind):
    """Return a rule with a state for every operator on values of this kind."""
    g, y = entry("g"), entry("theta", -1)
    equations = []
    if kind is Kind.TENSOR:
        g, y = (Value(name, kind) for name in ("x", "y"))
        equations = [
            Equation("x", Reduce("sum", entry("g"), kind)),
            Equation("y", Reduce("sum", entry("theta", -1), kind)),
        ]
    states = [State(f"r_{operator}", kind, number(0)) for operator in OPERATORS]
    for operator in OPERATORS:
        value = as_number(operator, applied(operator, g, y))
        equations.append(Equation(f"r_{operator}", value))
    extra = {
        "square": apply("pow", g, number(2)),
        "cube": apply("pow", g, number(3)),
        "constants": apply("add", apply("mul", g, Constant("pi")), Constant("inf")),
        "truth": apply("select", Constant("true"), g, y),
        "counted": apply("mul", g, Clock(offset=1)),
        "chosen": apply("select", apply("gt", Clock(), number(1)), g, y),
        "as_number": apply("mul", apply("gt", g, y), number(3)),
        "negative": apply("mul", g, apply("neg", number(2))),
        "grouped": apply("sub", g, apply("sub", y, apply("add", g, y))),
    }
    for name, value in extra.items():
        states.append(State(f"e_{name}", kind, number(0)))
        equations.append(Equation(f"e_{name}", value))
    equations.append(Equation("theta", apply("add", entry("theta", -1), number(0))))
    return by_hand("Operators", states, equations)


def tensors(dtype, special=SPECIAL):
    """Return pairs of special values: one a tensor, then all in one."""
    pairs = [(x, y) for x in special for y in special]
    singles = [(np.array([x], dtype), np.array([y], dtype)) for x, y in pairs]
    together = tuple(np.array(column, dtype) for column in zip(*pairs, strict=True))
    gs, thetas = zip(*[*singles, together], strict=True)
    return list(gs), list(thetas)


def close(got, expected, dtype, rounded):
    expected = np.asarray(expected, dtype)
    assert np.array_equal(np.isnan(got), np.isnan(expected)), (got, expected)
    if rounded:
        np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(dtype).eps, atol=0)
    else:
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_operators_on_entries(target, dtype):
    of = rule(Kind.ENTRY)
    gs, thetas = tensors(dtype)
    driver = Driver(compile_system(of, target), [theta.copy() for theta in thetas])
    driver.step(lambda name, points: gs)
    # A step of float32 is judged in float32: the oracle rounds once, at its end.
    expected = Interpreter(of, thetas).step(lambda name, points: gs)
    for state in of.states:
        rounded = dtype is np.float32 or state.name[2:] in (*ROUNDED, "cube")
        for got, want in zip(driver.streams[state.name], expected[state.name], strict=True):
            close(got, np.broadcast_to(want, got.shape), dtype, rounded)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_operators_on_numbers_of_a_tensor(target):
    of = rule(Kind.TENSOR)
    signed = [x for x in SPECIAL if x != 0.0 or not np.signbit(x)]  # a sum has no negative zero
    gs, thetas = tensors(np.float64, signed)
    driver = Driver(compile_system(of, target), [theta.copy() for theta in thetas])
    driver.step(lambda name, points: gs)
    expected = Interpreter(of, thetas).step(lambda name, points: gs)
    for slot, state in enumerate(of.states):
        close(driver.tensor[:-1, slot], np.array(expected[state.name][:-1]), np.float64, True)


@pytest.mark.parametrize("x", SPECIAL)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_operators_on_numbers_of_a_step(x):
    found, wanted = [], []
    for y in SPECIAL:
        of = steps_rule()
        driver = Driver(STEPS, [], lambda t, y=y: {"x": x, "y": y})
        driver.step(None)
        expected = Interpreter(of, [np.zeros(1)], lambda t, y=y: {"x": x, "y": y}).step(None)
        found.append(driver.step_state)
        wanted.append([float(expected[state.name][0]) for state in of.states])
    close(np.array(found), np.array(wanted), np.float64, True)


def steps_rule():
    from optdsl.model.system import Hyperparameter

    x, y = (Value(name, Kind.STEP) for name in ("x", "y"))
    hypers = [Hyperparameter(name, "Steps", name) for name in ("x", "y")]
    states, equations = [], []
    for operator in OPERATORS:
        states.append(State(f"r_{operator}", Kind.STEP, number(0)))
        equations.append(Equation(f"r_{operator}", as_number(operator, applied(operator, x, y))))
    equations.append(Equation("eta", x))
    return by_hand("Steps", states, equations, "schedule", ("eta",), hypers)


STEPS = compile_system(steps_rule(), "reference")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_reductions(target, dtype):
    of = system("reductions")
    random = np.random.default_rng(5)
    shapes = [(), (3,), (0,), (7, 11), (40_000,), (0, 4)]
    gs = [random.normal(size=shape).astype(dtype) for shape in shapes]
    thetas = [random.normal(size=shape).astype(dtype) for shape in shapes]
    driver = Driver(compile_system(of, target), [theta.copy() for theta in thetas])
    driver.step(lambda name, points: gs)
    expected = Interpreter(of, thetas).step(lambda name, points: gs)
    seen = set()
    for kind, values in (("tensor", driver.tensor.T), ("all", [driver.everything])):
        for slot, state in enumerate(driver.of(kind)):
            got = values[slot] if kind == "tensor" else np.full(len(gs), driver.everything[slot])
            np.testing.assert_allclose(got, np.array(expected[state.name], float), rtol=1e-12)
            seen.add(state.name.split("_")[0])
    assert seen == REDUCTIONS


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_is_handed_on_by_reductions(target):
    of = system("reductions")
    gs = [np.array([1.0, np.nan, 3.0]), np.array([2.0])]
    thetas = [np.ones(3), np.ones(1)]
    driver = Driver(compile_system(of, target), thetas)
    driver.step(lambda name, points: gs)
    for slot, state in enumerate(driver.of("tensor")):
        operator = state.name.split("_")[0]
        assert np.isnan(driver.tensor[0, slot]) == (operator != "any")
        assert not np.isnan(driver.tensor[1, slot])


def truths():
    """True and false as states, as sums and as conditions; and entries that are one number."""
    g, seen = entry("g"), entry("seen", -1)
    positive, late = apply("gt", g, number(0)), Value("late", Kind.STEP)
    flipped = apply("select", late, apply("neg", entry("theta", -1)), number(7))
    return by_hand(
        "Truths",
        [State(name, Kind.ENTRY, number(0)) for name in ("seen", "count", "same")]
        + [State("ever", Kind.TENSOR, number(0)), State("late", Kind.STEP, Constant("false"))],
        [
            Equation("seen", apply("or", seen, positive)),
            Equation("count", apply("add", entry("count", -1), apply("mul", seen, number(1)))),
            Equation(
                "late", apply("or", replace(late, offset=-1), apply("gt", Clock(), number(2)))
            ),
            Equation("same", apply("add", Clock(), number(0))),
            Equation("ever", Reduce("any", apply("mul", g, number(2)), Kind.TENSOR)),
            Equation("theta", flipped),
        ],
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", TARGETS)
def test_what_is_true_or_false_can_be_kept(target, dtype):
    of = truths()
    shapes = [(4,), (), (0,)]
    driver = Driver(compile_system(of, target), [np.ones(shape, dtype) for shape in shapes])
    oracle = Interpreter(of, [np.ones(shape) for shape in shapes])
    random = np.random.default_rng(2)
    for step in range(4):
        gs = [np.asarray(random.normal(size=shape) * (step % 2), dtype) for shape in shapes]
        driver.step(lambda name, points, gs=gs: gs)
        oracle.step(lambda name, points, gs=gs: gs)
        for name in ("theta", "seen", "count", "same"):
            for got, want in zip(driver.streams[name], oracle.old[name], strict=True):
                np.testing.assert_array_equal(got, np.broadcast_to(want, got.shape), err_msg=name)
        np.testing.assert_array_equal(driver.tensor[:, 0], np.array(oracle.old["ever"], float))
        assert driver.step_state[0] == oracle.old["late"][0]
    assert driver.thetas[0][0] in (7.0, -7.0)


@pytest.mark.parametrize("storage", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_state_may_be_kept_wider_or_narrower_than_the_parameters(target, storage):
    new = apply("add", apply("pow", entry("m", -1), number(2)), entry("g"))
    of = by_hand(
        "Kept",
        [State("m", Kind.ENTRY, number(0), storage=storage)],
        [Equation("m", new), Equation("theta", apply("sub", entry("theta", -1), entry("m")))],
    )
    other = np.float64 if storage == "float32" else np.float32
    driver = Driver(compile_system(of, target), [np.ones(3, other)])
    driver.streams["m"] = [np.full(3, 0.1, storage)]
    driver.step(lambda name, points: [np.full(3, 1 / 3, other)])
    kept = np.float64(np.full(3, 0.1, storage)) ** 2 + np.float64(other(1 / 3))
    np.testing.assert_allclose(driver.streams["m"][0], kept, rtol=2 * np.finfo(storage).eps)
