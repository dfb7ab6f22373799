"""Whole rules on every target, against the same equations evaluated node by node."""

import numpy as np
import pytest

from optdsl.codegen import TARGETS, compile_system
from tests.codegen.driving import Driver
from tests.codegen.interpreting import Interpreter
from tests.program.systems import system

SHAPES = [(), (3, 5), (0,), (1,), (17_001,), (2, 3, 4), (0, 2)]
OPTIMIZERS = [
    "sgd", "momentum", "adam", "nesterov", "lamb", "late", "rprop", "trust", "anchored",
    "extragradient", "clipped", "chained", "recalled",
]  # fmt: skip
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}


def start(dtype, seed=1):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(dtype) for shape in SHAPES]


def wavy(name, points):
    """Return a gradient that depends on the point, and on which gradient it is."""
    return [np.asarray(np.cos(3 * x) + 0.1 * x + 0.01 * len(name), x.dtype) for x in points]


def in_time(t):
    return {"eta": 0.02 / t, "gamma": 0.9 - 0.1 / t, "beta1": 0.8 + 0.1 / t}


def cases():
    """Yield every rule on every target; what compiles a second time is slow."""
    for name in OPTIMIZERS:
        for target in TARGETS:
            for dtype in (np.float32, np.float64):
                again = target == "numba-cpu" and dtype is np.float64 and name != "adam"
                marks = [pytest.mark.slow] if again else []
                label = f"{target}-{name}-{dtype.__name__}"
                yield pytest.param(target, name, dtype, id=label, marks=marks)


@pytest.mark.parametrize(("target", "name", "dtype"), list(cases()))
def test_a_rule_does_what_its_equations_say(target, name, dtype):
    of = system(name)
    driver = Driver(compile_system(of, target), start(dtype), in_time)
    oracle = Interpreter(of, start(dtype), in_time)
    for _ in range(4):
        driver.step(wavy)
        oracle.step(wavy)
    compare(driver, oracle, dtype)


def compare(driver, oracle, dtype):
    tolerance = TOLERANCE[dtype]
    states = [state.name for state in driver.of("entry")]
    for name in ("theta", *states):
        for got, want in zip(driver.streams[name], oracle.old[name], strict=True):
            scale = 1 + np.max(np.abs(want), initial=0)
            np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale, err_msg=name)
    for slot, state in enumerate(driver.of("tensor")):
        want = np.array(oracle.old[state.name], float)
        np.testing.assert_allclose(driver.tensor[:, slot], want, rtol=tolerance)


@pytest.mark.parametrize("target", TARGETS)
def test_gradients_handed_in_give_the_same_iterates_as_gradients_asked_for(target):
    of = compile_system(system("nesterov"), target)
    asking, given = (Driver(of, start(np.float64), in_time) for _ in range(2))
    for _ in range(5):
        asking.step(wavy)
        given.step(wavy, "ready")
    for got, want in zip(given.iterate(), asking.thetas, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-13)
    moved = zip(given.thetas, given.streams["iterate"], strict=True)
    assert any(not np.array_equal(a, b) for a, b in moved)


@pytest.mark.parametrize("target", TARGETS)
def test_reading_the_iterate_moves_nothing(target):
    driver = Driver(compile_system(system("nesterov"), target), start(np.float64))
    driver.step(wavy, "ready")
    before = [x.copy() for x in (*driver.thetas, *driver.streams["v"])]
    first = [x.copy() for x in driver.iterate()]
    second = driver.iterate()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    after = (*driver.thetas, *driver.streams["v"])
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_accumulated_gradients_step_once_in_k(target):
    of = compile_system(system("accumulated"), target)
    driver = Driver(of, start(np.float64))
    momentum = Driver(compile_system(system("momentum"), target), start(np.float64))
    for round_ in range(2):
        before = [x.copy() for x in driver.thetas]
        sums = [np.zeros_like(x) for x in driver.thetas]
        for small in range(3):
            gradients = [np.full_like(x, round_ + 2.0**small) for x in sums]
            assert driver.step(lambda name, points, g=gradients: g) == (small < 2)
            sums = [np.asarray(a + g) for a, g in zip(sums, gradients, strict=True)]
            if small < 2:
                pairs = zip(before, driver.thetas, strict=True)
                assert all(np.array_equal(a, b) for a, b in pairs)
        momentum.step(lambda name, points, g=sums: [np.asarray(x / 3) for x in g])
        for got, want in zip(driver.thetas, momentum.thetas, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("mode", ["function", "ready"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_guard_leaves_everything_untouched(target, mode):
    driver = Driver(compile_system(system("guarded"), target), start(np.float64))
    assert not driver.step(wavy, mode)
    before = [x.copy() for x in (*driver.thetas, *driver.streams["v"])]
    poison = [np.full_like(x, np.inf) for x in driver.thetas]
    assert driver.step(lambda name, points: poison, mode)
    after = (*driver.thetas, *driver.streams["v"])
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_a_tensor_is_known_by_its_shape_and_name(target):
    shapes = [(6, 2), (2, 6), (3,), (0, 4), (6, 2), (2, 3, 2)]
    factors = [np.sqrt(3), 1, 3, 1, 12, 12]
    thetas = [np.ones(shape) for shape in shapes]
    driver = Driver(compile_system(system("shaped"), target), thetas)
    for _ in range(2):
        driver.step(lambda name, points: [np.ones(shape) for shape in shapes])
    for theta, factor in zip(thetas, factors, strict=True):
        np.testing.assert_allclose(theta, 1 - 2 * 0.1 * factor, rtol=1e-13)


@pytest.mark.parametrize("name", ["clip", "accumulate", "finite"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_transform_gives_its_output(target, name):
    of = system(name)
    driver = Driver(compile_system(of, target), start(np.float64), lambda t: {"c": 0.5})
    oracle = Interpreter(of, start(np.float64), lambda t: {"c": 0.5})
    for t in range(4):
        gradients = [np.full_like(x, t + 1.0) for x in driver.thetas]
        driver.step(lambda name, points, g=gradients: g, "ready")
        values = oracle.step(lambda name, points, g=gradients: g)
        for got, want in zip(driver.streams[driver.layout.output], values["u"], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-13)


def test_a_schedule_counts_its_own_steps():
    of = system("cooling")
    driver, oracle = Driver(compile_system(of, "reference"), []), Interpreter(of, [np.zeros(1)])
    for _ in range(6):
        driver.step(None)
        wanted = oracle.step(None)["eta"][0]
        assert driver.scalars[0, driver.layout.result] == pytest.approx(wanted, rel=1e-15)


@pytest.mark.parametrize("target", TARGETS)
def test_tensors_of_two_dtypes_share_a_table(target):
    def mixed():
        return [x.astype(np.float32 if i % 2 else np.float64) for i, x in enumerate(start(float))]

    of = system("clipped")
    driver, oracle = Driver(compile_system(of, target), mixed()), Interpreter(of, mixed())
    for _ in range(3):
        driver.step(wavy)
        oracle.step(wavy)
    for got, want in zip(driver.thetas, oracle.old["theta"], strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
