"""What Keras expects of an optimizer, on its PyTorch backend."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

import optdsl
import optdsl.keras
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime import CheckpointError, HyperparameterError, ParameterError, StepError
from optdsl.torch import cards
from tests.torch.fake_cards import FakeCuda

X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)


def model(seed=0):
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def fitted(made, epochs=2):
    made.fit(X, Y, epochs=epochs, batch_size=8, shuffle=False, verbose=0)
    return made


def weights(made):
    return [v.numpy().copy() for v in made.trainable_variables]


def stepped(optimizer, gradients, start=(1.0, -2.0)):
    """Return one variable after steps with these gradients."""
    variable = keras.Variable(np.array(start, np.float32))
    for gradient in gradients:
        optimizer.apply([torch.tensor(gradient, dtype=torch.float32)], [variable])
    return variable.numpy()


# ------------------------------------------------------------------------- steps


@pytest.mark.parametrize("rule", ["Lion", "ClipByGlobalNorm(c=0.5) | Adam", "Nesterov"])
def test_fit_is_a_loop_by_hand(rule):
    kept = model()
    kept.compile(
        optimizer=optdsl.keras.optimizer(rule, "reference")(learning_rate=0.01), loss="mse"
    )
    fitted(kept)

    by_hand = model()
    tensors = [v.value for v in by_hand.trainable_variables]
    arrays = [t.detach().numpy() for t in tensors]
    optimizer = optdsl.load(rule, "reference")(arrays, lr=0.01)
    for _ in range(2):
        for begin in range(0, len(X), 8):
            given = torch.from_numpy(X[begin : begin + 8])
            loss = ((by_hand(given) - torch.from_numpy(Y[begin : begin + 8])) ** 2).mean()
            optimizer.step([g.numpy() for g in torch.autograd.grad(loss, tensors)])
    for ours, expected in zip(weights(kept), arrays, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_nothing_is_copied():
    variable = keras.Variable(np.ones(3, np.float32))
    address = variable.value.data_ptr()
    optimizer = optdsl.keras.optimizer("SGD", "reference")(learning_rate=1.0)
    optimizer.apply([torch.ones(3)], [variable])
    assert variable.value.data_ptr() == address
    assert variable.numpy().tolist() == [0.0, 0.0, 0.0]
    assert int(optimizer.iterations) == 1


def test_a_variable_without_a_gradient_sits_out():
    first, second = (keras.Variable(np.ones(2, np.float32)) for _ in range(2))
    optimizer = optdsl.keras.optimizer("SGD", "reference")(learning_rate=0.5)
    optimizer.build([first, second])
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([torch.ones(2), None], [first, second])
    assert (first.numpy().tolist(), second.numpy().tolist()) == ([0.5, 0.5], [1.0, 1.0])


def test_one_variable_steps_alone():
    optimizer = optdsl.keras.optimizer("SGD", "reference")(learning_rate=0.5)
    variable = keras.Variable(np.ones(2, np.float32))
    optimizer.build([variable])
    optimizer.update_step(torch.ones(2), variable, 0.25)
    assert variable.numpy().tolist() == [0.75, 0.75]
    together = optdsl.keras.optimizer("ClipByGlobalNorm(c=1) | SGD", "reference")()
    together.build([variable])
    with pytest.raises(StepError, match="a number of all variables"):
        together.update_step(torch.ones(2), variable, 0.25)


def test_a_rule_that_reads_the_loss_sees_it():
    made = model()
    made.compile(optimizer=optdsl.keras.optimizer("Polyak", "reference")(f_min=0.0), loss="mse")
    before = made.evaluate(X, Y, verbose=0)
    assert fitted(made).evaluate(X, Y, verbose=0) < before


def test_the_model_is_evaluated_where_the_rule_says():
    optimizer = optdsl.keras.optimizer("AveragedSGD", "reference")(learning_rate=1.0)
    variable = keras.Variable(np.array([4.0], np.float32))
    for _ in range(2):
        optimizer.apply([torch.ones(1)], [variable])
    with optimizer.evaluating():
        assert variable.numpy().tolist() == [2.5]
    assert variable.numpy().tolist() == [2.0]


# -------------------------------------------------------------------- the base class


@pytest.mark.parametrize(
    "given",
    [
        {"clipnorm": 0.5},
        {"clipvalue": 0.1},
        {"global_clipnorm": 0.5},
        {"weight_decay": 0.1},
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 4.0},
    ],
    ids=str,
)
def test_arguments_of_the_base_class_mean_what_they_mean(given):
    gradients = [[3.0, -4.0], [0.1, 0.2], [1.0, 1.0], [-2.0, 0.5]]
    ours = optdsl.keras.optimizer("SGD", "reference")(learning_rate=0.1, **given)
    theirs = keras.optimizers.SGD(learning_rate=0.1, **given)
    np.testing.assert_allclose(stepped(ours, gradients), stepped(theirs, gradients), rtol=1e-6)


def test_weight_decay_is_the_rule_s_where_it_has_one():
    given = {"learning_rate": 0.1, "weight_decay": 0.5}
    ours = optdsl.keras.optimizer("AdamW", "reference")(**given)
    theirs = keras.optimizers.AdamW(**given, epsilon=1e-8)
    gradients = [[1.0, 2.0], [3.0, -1.0]]
    assert ours.weight_decay is None
    np.testing.assert_allclose(stepped(ours, gradients), stepped(theirs, gradients), rtol=1e-5)


def test_the_rate_may_be_a_schedule_of_keras():
    falling = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.25])
    optimizer = optdsl.keras.optimizer("SGD", "reference")(learning_rate=falling)
    assert stepped(optimizer, [[1.0, 1.0]] * 3, (2.0, 2.0)).tolist() == [-0.25, -0.25]


def test_callbacks_set_the_rate():
    optimizer = optdsl.keras.optimizer("SGD", "reference")(learning_rate=1.0)
    variable = keras.Variable(np.zeros(1, np.float32))
    optimizer.apply([torch.ones(1)], [variable])
    optimizer.learning_rate = 0.5
    optimizer.apply([torch.ones(1)], [variable])
    assert variable.numpy().tolist() == [-1.5]


def test_a_rate_that_nobody_gave_is_the_rule_s_own():
    muon_and_adam = optdsl.keras.optimizer("SGD(eta=1) if ndim > 1 else SGD(eta=2)", "reference")()
    matrix, vector = keras.Variable(np.zeros((1, 1), "f")), keras.Variable(np.zeros(1, "f"))
    muon_and_adam.apply([torch.ones(1, 1), torch.ones(1)], [matrix, vector])
    assert (matrix.numpy().tolist(), vector.numpy().tolist()) == ([[-1.0]], [-2.0])


def test_an_input_is_observed():
    optimizer = optdsl.keras.optimizer("SGD(eta=Plateau(patience=0))", "reference")()
    variable = keras.Variable(np.zeros(1, np.float32))
    places = [0.0]
    for metric in (1.0, 2.0, 2.0):
        optimizer.observe(metric=metric)
        optimizer.apply([torch.ones(1)], [variable])
        places.append(float(variable.numpy()[0]))
    steps = -np.diff(places)
    assert steps[1] < steps[0]
    optimizer.observe(score=1.0)
    with pytest.raises(StepError, match="score"):
        optimizer.apply([torch.ones(1)])


# ---------------------------------------------------------------------------- saving


def test_training_goes_on_from_a_file(tmp_path):
    straight = model()
    made = optdsl.keras.optimizer("ClipByGlobalNorm(c=1) | AdamW", "reference")
    straight.compile(optimizer=made(learning_rate=0.02, betas=(0.8, 0.9)), loss="mse")
    fitted(straight)
    straight.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == straight.optimizer.get_config()
    for one, other in zip(weights(fitted(straight)), weights(fitted(loaded)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_config_makes_the_same_optimizer():
    made = optdsl.keras.optimizer("SGLD", "reference")
    optimizer = made(learning_rate=0.3, seed=5, clipnorm=1.0, name="cold")
    config = optimizer.get_config()
    again = made.from_config(config)
    assert again.get_config() == config
    assert config["learning_rate"] == 0.3
    gradients = [[1.0, 2.0]]
    np.testing.assert_array_equal(stepped(optimizer, gradients), stepped(again, gradients))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_an_optimizer_is_copied_with_its_state(copied):
    first, other = (keras.Variable(np.ones(2, "float32")) for _ in range(2))
    optimizer = optdsl.keras.optimizer("Momentum", "reference")(learning_rate=0.5, gamma=0.5)
    optimizer.build([first])
    optimizer.apply([np.ones(2, "float32")])
    again = copied(optimizer)
    other.assign(first)
    again.build([other])
    for each in (optimizer, again):
        each.apply([torch.full((2,), 3.0)])
    np.testing.assert_array_equal(first.numpy(), other.numpy())
    third = copied(optimizer)
    with pytest.raises(CheckpointError, match="but here it is"):
        third.build([keras.Variable(np.ones(3, "float32"))])


def test_a_function_cannot_be_saved():
    optimizer = optdsl.keras.optimizer("Momentum", "reference")(gamma=lambda t: 0.5)
    with pytest.raises(HyperparameterError, match="a file of Keras cannot hold"):
        optimizer.get_config()


# -------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("rule", "message"),
    [("SAM", "points of its own"), ("ClipByValue", "steps nothing"), ("Cosine", "a schedule")],
)
def test_what_keras_cannot_run_is_refused(rule, message):
    with pytest.raises(DiagnosticError, match=message):
        optdsl.keras.optimizer(rule, "reference")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"momentum_decay": 1.0}, "no hyperparameter"),
        ({"betas": (2.0, 0.9)}, "outside its domain"),
        ({"lr": 0.1}, "as `learning_rate`"),
        ({"learning_rate": -1.0}, "outside its domain"),
    ],
)
def test_wrong_arguments_are_refused_at_once(given, message):
    with pytest.raises(HyperparameterError, match=message):
        optdsl.keras.optimizer("Adam", "reference")(**given)


def test_variables_on_a_card_are_refused(monkeypatch):
    opt = optdsl.keras.optimizer("SGD", "reference")(learning_rate=0.1)
    monkeypatch.setattr(cards, "CUDA", FakeCuda())
    with pytest.raises(ParameterError, match="is on cuda:0: this door steps those on the CPU"):
        opt.build([keras.Variable(np.ones(2))])


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(DiagnosticError, match="Keras runs on jax"):
        optdsl.keras.optimizer("SGD", "reference")
