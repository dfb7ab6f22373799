import numpy as np
import pytest

from optdsl.training import TrainingError, check_gradients

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(7, 4))
TARGETS = RANDOM.normal(size=(7, 3))


def start(dtype=np.float64):
    random = np.random.default_rng(1)
    return {
        "weights": random.normal(size=(4, 3)).astype(dtype),
        "bias": random.normal(size=3).astype(dtype),
        "scale": np.array(0.7, dtype),
    }


def regression(parameters):
    """Loss and gradients of scale*tanh(x W + b) against targets, by the chain rule."""
    inside = np.tanh(INPUTS @ parameters["weights"] + parameters["bias"])
    error = parameters["scale"] * inside - TARGETS
    behind = error * parameters["scale"] * (1 - inside**2)
    return 0.5 * (error**2).sum(), {
        "weights": INPUTS.T @ behind,
        "bias": behind.sum(axis=0),
        "scale": np.array((error * inside).sum()),
    }


def planted(name, entry, factor):
    def function(parameters):
        loss, gradients = regression(parameters)
        gradients[name][entry] *= factor
        return loss, gradients

    return function


def test_right_gradients_agree():
    check = check_gradients(regression, start())
    assert check.passed
    assert [each.name for each in check.parameters] == ["weights", "bias", "scale"]
    assert [each.checked for each in check.parameters] == [12, 3, 1]
    assert check.worst.relative_error < 1e-7
    assert "gradients agree" in str(check)


@pytest.mark.parametrize(
    ("name", "entry"),
    [(name, entry) for name, array in start().items() for entry in np.ndindex(array.shape)],
)
def test_an_error_in_one_entry_is_found_and_named(name, entry):
    check = check_gradients(planted(name, entry, 1.001), start())
    assert not check.passed
    assert (check.worst.name, check.worst.entry) == (name, entry)
    assert check.worst.relative_error == pytest.approx(0.001 / 1.001, rel=1e-3)
    assert [each.name for each in check.parameters if each.wrong] == [name]
    assert check.worst.wrong == 1
    assert check.worst.gradient == pytest.approx(1.001 * check.worst.difference, rel=1e-7)
    place = f"{name}[{', '.join(map(str, entry))}]" if entry else name
    assert f"worst {place}, relative error" in str(check)


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.0, np.nan, np.inf])
def test_errors_of_any_kind_are_found(factor):
    check = check_gradients(planted("weights", (2, 1), factor), start())
    assert (check.passed, check.worst.entry) == (False, (2, 1))


def test_the_parameters_given_are_left_alone():
    parameters = start(np.float32)
    before = {name: array.copy() for name, array in parameters.items()}
    assert check_gradients(regression, parameters).passed
    assert all(np.array_equal(parameters[name], before[name]) for name in before)


def test_lists_arrays_and_nested_structures_will_do():
    def squares(parameters):
        return (parameters**2).sum(), 2 * parameters

    assert check_gradients(squares, RANDOM.normal(size=(2, 2))).worst.name == "array"

    def nested(parameters):
        (a, b), c = parameters["pair"], parameters["c"]
        return float((a * b).sum() + c[0] ** 3), {"pair": [b, a + 1.0], "c": 3 * c**2}

    parameters = {"pair": (np.ones(2), np.ones(2)), "c": np.full(1, 2.0)}
    check = check_gradients(nested, parameters)
    assert [(each.name, each.wrong) for each in check.parameters] == [
        ("pair[0]", 0),
        ("pair[1]", 2),
        ("c", 0),
    ]


def test_a_gradient_may_be_the_parameters_themselves():
    check = check_gradients(lambda x: (0.5 * (x**2).sum(), x), RANDOM.normal(size=5))
    assert check.passed


def test_large_and_small_entries_get_steps_of_their_size():
    point = np.array([1e6, -1e3, 1.0, 1e-3])
    check = check_gradients(lambda x: (np.log1p(x**2).sum(), 2 * x / (1 + x**2)), point)
    assert check.passed


def test_a_gradient_of_zero_agrees_with_zero():
    check = check_gradients(lambda x: (1.0, np.zeros(3)), np.ones(3))
    assert (check.passed, check.worst.relative_error) == (True, 0.0)


def relu(slope_at_zero):
    def function(x):
        slope = np.where(x > 0, 1.0, np.where(x == 0, slope_at_zero, 0.0))
        return np.maximum(x, 0).sum(), slope

    return function


@pytest.mark.parametrize("distance", [1e-5, 6e-6, 2e-6, 1e-6, 1e-7, -1e-7, -3e-6])
def test_a_kink_within_the_step_does_no_harm(distance):
    assert check_gradients(relu(0.5), np.array([distance, 1.0])).passed
    wrong = check_gradients(
        lambda x: (relu(0.5)(x)[0], relu(0.5)(x)[1] + [0.25, 0]), np.array([distance, 1.0])
    )
    assert (wrong.passed, wrong.worst.entry) == (False, (0,))


@pytest.mark.parametrize(
    ("slope", "passed"), [(0.0, True), (0.5, True), (1.0, True), (1.01, False), (-0.01, False)]
)
def test_at_a_kink_any_slope_between_both_sides_agrees(slope, passed):
    check = check_gradients(relu(slope), np.array([1.0, 0.0]))
    assert check.passed is passed
    assert check.worst.kinks == (slope != 0.5)  # the central difference is one half already


def test_a_gradient_that_rounding_hides_is_called_faint():
    def lost(x):
        return 1e12 + (x**2).sum(), 2 * x

    check = check_gradients(lost, np.array([0.1, 0.2]))
    assert check.worst.faint == 2
    assert "2 faint" in str(check)
    assert "faint: so small that rounding" in str(check)
    assert check_gradients(regression, start()).worst.faint == 0


def test_some_entries_can_be_checked_for_all():
    big = {"x": np.linspace(1, 2, 1000), "few": np.ones(3)}

    def function(parameters):
        return sum((array**2).sum() for array in parameters.values()), {
            name: 2 * array for name, array in parameters.items()
        }

    check = check_gradients(function, big, entries=20)
    assert [(each.size, each.checked) for each in check.parameters] == [(1000, 20), (3, 3)]
    assert "x: 0 of 20 entries wrong (of 1000 in all)" in str(check)

    def touched(seed):
        entries = set()

        def watched(parameters):
            entries.update(np.flatnonzero(parameters["x"] != big["x"]).tolist())
            return function(parameters)

        check_gradients(watched, big, entries=20, seed=seed)
        return entries

    assert len(touched(0)) == 20
    assert touched(0) == touched(0) != touched(1)


def test_an_empty_parameter_has_nothing_to_check():
    check = check_gradients(lambda x: (float(x.sum()), np.ones_like(x)), np.zeros((0, 3)))
    assert (check.passed, check.worst.checked, check.worst.entry) == (True, 0, None)


def in_float32(parameters):
    loss, gradients = regression(parameters)
    return loss, {name: array.astype(np.float32) for name, array in gradients.items()}


def without_bias(parameters):
    loss, gradients = regression(parameters)
    return loss, {name: array for name, array in gradients.items() if name != "bias"}


def transposed(parameters):
    loss, gradients = regression(parameters)
    return loss, {**gradients, "weights": gradients["weights"].T}


def changing(parameters):
    parameters["bias"] *= 1.0
    answer = regression(parameters)
    parameters["bias"][0] += 1e-3
    return answer[0] * 0 + 1.0, answer[1]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (in_float32, "the gradient of `weights` is float32: compute in float64 throughout"),
        (lambda p: (np.float32(1), regression(p)[1]), "the loss is float32"),
        (without_bias, "`bias` is not among the gradients"),
        (transposed, r"`weights` has the shape \(4, 3\), and \(3, 4\) in the gradients"),
        (changing, "the function changed `bias`"),
        (lambda p: (np.nan, regression(p)[1]), "the loss is nan"),
        (lambda p: regression(p)[0], "return the loss and the gradients"),
        (lambda p: ("low", regression(p)[1]), "the loss is 'low'"),
    ],
)
def test_what_would_spoil_the_check_is_refused(function, message):
    with pytest.raises(TrainingError, match=message):
        check_gradients(function, start())


def test_a_random_loss_is_refused():
    random = np.random.default_rng(0)
    with pytest.raises(TrainingError, match="at the same point: fix what is random"):
        check_gradients(lambda x: (random.random(), x), np.ones(2))


@pytest.mark.parametrize("parameters", [{}, [], np.ones(2, int), {"w": 1.0}, "w"])
def test_what_is_no_parameter_is_refused(parameters):
    with pytest.raises(TrainingError):
        check_gradients(lambda x: (1.0, x), parameters)


@pytest.mark.parametrize(
    "settings",
    [{"tolerance": 0}, {"tolerance": np.nan}, {"step": 0}, {"entries": 0}, {"seed": -1}],
)
def test_a_setting_outside_its_domain_is_refused(settings):
    with pytest.raises(TrainingError):
        check_gradients(regression, start(), **settings)
