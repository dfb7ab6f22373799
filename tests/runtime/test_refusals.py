"""What is refused, in words that help, before anything is written."""

import inspect
import re

import numpy as np
import pytest

import optdsl
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime import (
    GradientError,
    GradientTypeError,
    HyperparameterError,
    HyperparameterTypeError,
    ParameterError,
    ParameterTypeError,
    from_layout,
)
from tests.runtime import layouts, other_layouts

Adam = from_layout(layouts.adam())
Momentum = from_layout(layouts.momentum())
ClipAdam = from_layout(layouts.clip_adam())
Linear = from_layout(other_layouts.linear())
WarmRestarts = from_layout(other_layouts.restarts())


def refuse(kind, text, call, *arguments, **named):
    with pytest.raises(kind, match=re.escape(text)) as caught:
        call(*arguments, **named)
    return caught.value


def read_only():
    array = np.ones(3)
    array.flags.writeable = False
    return array


def unaligned():
    return np.frombuffer(bytearray(33), dtype=np.uint8)[1:].view(np.float64)


@pytest.mark.parametrize(
    ("parameters", "kind", "text"),
    [
        ([np.arange(3)], ParameterTypeError, "holds int64: float32, float64 and bfloat16"),
        ([np.ones(3, np.float16)], ParameterTypeError, "holds float16"),
        ([np.ones(3, ">f8")], ParameterTypeError, "holds >f8"),
        ([[1.0, 2.0]], ParameterTypeError, "number 0 is of type list: give a NumPy array"),
        ([np.float64(1.0)], ParameterTypeError, "is of type float64"),
        ([np.ma.masked_array([1.0])], ParameterTypeError, "is of type MaskedArray"),
        ({"w": np.ones((4, 4))[:, 1]}, ParameterError, "`w` is not contiguous in C order"),
        ({"w": np.ones((4, 4), order="F")}, ParameterError, "`w` is not contiguous in C order"),
        ({"w": read_only()}, ParameterError, "`w` is read-only"),
        ({"w": unaligned()}, ParameterError, "`w` is not aligned"),
        (np.ones(3), ParameterTypeError, "put a single array in a list"),
        (3, ParameterTypeError, "of type int, neither a list nor a dict"),
        ("abc", ParameterTypeError, "of type str, neither a list nor a dict"),
        ({1: np.ones(2)}, ParameterTypeError, "the key 1: names must be strings"),
        ([{"lr": 1.0}], ParameterTypeError, 'group 0 has no "params"'),
        ([{"params": []}, np.ones(1)], ParameterTypeError, "group 1 is of type ndarray"),
    ],
)
def test_parameters(parameters, kind, text):
    refuse(kind, text, Adam, parameters)


def test_hyperparameters_by_their_place():
    refuse(HyperparameterTypeError, "Adam takes hyperparameters by name: give lr=0.1",
           Adam, [np.ones(1)], 0.1)  # fmt: skip
    refuse(HyperparameterTypeError, "by name: give start=1", optdsl.load("Linear"), 1)
    refuse(HyperparameterTypeError, "by name: give max_norm=1", optdsl.load("ClipByGlobalNorm"), 1)
    refuse(HyperparameterTypeError, "takes no hyperparameters: leave 1 out", optdsl.load("Sign"), 1)


def test_hyperparameters_are_no_attributes():
    opt = Adam([np.ones(1)])
    with pytest.raises(AttributeError, match=r'write `opt\.groups\[0\]\["lr"\]`'):
        opt.lr = 0.1
    with pytest.raises(AttributeError, match="hyperparameters stand in groups"):
        _ = opt.beta1


def test_arrays_by_mistake_are_not_printed():
    refuse(HyperparameterTypeError, "takes hyperparameters by name: give max_norm=...",
           optdsl.load("ClipByGlobalNorm"), [np.ones(3)])  # fmt: skip


def test_targets_and_formats_that_are_none():
    for target in (0.1, None, []):
        refuse(DiagnosticError, "there is no target", optdsl.load, "SGD", target)
    for storage in ("bfloat16", {"v": 16}):
        with pytest.raises(DiagnosticError, match="does not say how a state is kept"):
            optdsl.load("Momentum", storage=storage)


def test_parameters_that_overlap():
    memory = np.zeros(10)
    refuse(ParameterError, "share memory", Adam, [memory[:6], memory[5:]])
    refuse(ParameterError, "share memory", Adam, {"a": memory, "b": memory})
    Adam([memory[:5], memory[5:], memory[5:5]])
    opt = Adam([{"params": [memory[:5]]}])
    refuse(ParameterError, "share memory", opt.add_group, {"params": [memory[4:]]})
    assert len(opt.groups) == 1
    opt.step([[np.ones(5)]])


@pytest.mark.parametrize(
    ("gradients", "kind", "text"),
    [
        ({"w": np.ones(3)}, GradientError, "no gradient for `b`: give one, or None"),
        ({"w": np.ones(3), "b": np.ones(2), "c": np.ones(2)}, GradientError, "no such parameter"),
        ({"w": np.ones(2), "b": np.ones(2)}, GradientError, "`w` has shape (2,)"),
        ({"w": np.ones((3, 1)), "b": np.ones(2)}, GradientError, "`w` has shape (3, 1)"),
        ({"w": np.ones(3), "b": np.ones(2, np.float32)}, GradientTypeError, "`b` holds float32"),
        ({"w": np.ones(3), "b": np.ones(2, int)}, GradientTypeError, "`b` holds int64"),
        ({"w": np.ones(3), "b": [1.0, 2.0]}, GradientTypeError, "`b` is of type list"),
        ({"w": np.ones(3), "b": 1.0}, GradientTypeError, "`b` is of type float"),
        ({"w": np.ones(3), "b": np.float64(1)}, GradientTypeError, "`b` is of type float64"),
        ({"w": np.ones(3), "b": np.ma.array([1.0, 2])}, GradientTypeError, "masked"),
        ([np.ones(3), np.ones(2)], GradientTypeError, "but the parameters are a dict"),
        (np.ones(3), GradientTypeError, "of type ndarray"),
        (None, GradientTypeError, "of type NoneType"),
    ],
)
def test_gradients(gradients, kind, text):
    w, b = np.ones(3), np.ones(2)
    opt = Adam({"w": w, "b": b})
    opt.step({"w": np.ones(3), "b": np.ones(2)})
    kept, state = (w.copy(), b.copy()), opt.state_dict()
    refuse(kind, text, opt.step, gradients)
    np.testing.assert_array_equal(w, kept[0])
    np.testing.assert_array_equal(b, kept[1])
    np.testing.assert_equal(opt.state_dict(), state)
    refuse(kind, text, opt.step, lambda point: gradients)
    np.testing.assert_equal(opt.state_dict(), state)


def test_gradients_of_lists_and_groups():
    opt = Adam([np.ones(3)])
    refuse(GradientError, "2 gradients for 1 parameters", opt.step, [np.ones(3), np.ones(3)])
    refuse(GradientTypeError, "the parameters are a list", opt.step, {"w": np.ones(3)})
    groups = Adam([{"params": [np.ones(3)]}, {"params": {"w": np.ones(3)}}])
    refuse(GradientTypeError, "there are 2 groups", groups.step, {"w": np.ones(3)})
    refuse(GradientError, "for 1 of 2 groups", groups.step, [[np.ones(3)]])
    refuse(
        GradientError, "of group 0 has shape (2,)", groups.step, [[np.ones(2)], {"w": np.ones(3)}]
    )


def test_gradients_that_share_memory_with_a_parameter():
    memory = np.ones(6)
    w, other = memory[:3], np.ones(3)
    opt = Adam({"w": w, "b": other})
    refuse(GradientError, "shares memory", opt.step, {"w": w, "b": np.ones(3)})
    refuse(GradientError, "shares memory", opt.step, {"w": np.ones(3), "b": memory[2:5]})
    refuse(GradientError, "shares memory", opt.step, {"w": np.ones(3), "b": memory[4::-2]})
    opt.step({"w": memory[3:], "b": np.ones(3)})


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"leraning_rate": 1}, HyperparameterError, "no hyperparameter `leraning_rate`"),
        ({"epsilno": 1}, HyperparameterError, "did you mean `epsilon`?"),
        ({"lr": 1, "eta": 1}, HyperparameterError, "given twice, as `lr` and as `eta`"),
        ({"betas": (0.9, 0.9), "beta1": 0}, HyperparameterError, "as `betas` and as `beta1`"),
        ({"betas": (0.9,)}, HyperparameterError, "takes 2 values, not 1"),
        ({"betas": 0.9}, HyperparameterTypeError, "give 2 values in a tuple"),
        ({"betas": "ab"}, HyperparameterTypeError, "give 2 values in a tuple"),
        ({"betas": (0.9, 1.0)}, HyperparameterError, "`beta2` (`betas[2]`) is 1.0, outside"),
        ({"lr": -1e-3}, HyperparameterError, "`eta` (`lr`) is -0.001, outside its domain"),
        ({"lr": -1}, HyperparameterError, "give [0, inf)"),
        ({"lr": float("nan")}, HyperparameterError, "is nan, outside"),
        ({"lr": float("inf")}, HyperparameterError, "is inf, outside"),
        ({"lr": "0.1"}, HyperparameterTypeError, "is '0.1', of type str"),
        ({"lr": True}, HyperparameterTypeError, "of type bool"),
        ({"lr": None}, HyperparameterTypeError, "of type NoneType"),
        ({"lr": 10**400}, HyperparameterError, "too large for float64"),
        ({"lr": Linear}, HyperparameterTypeError, "call it first, as in Linear(...)"),
        ({"Adam.eta": 1, "Adam.lr": 2}, HyperparameterError, "given twice"),
    ],
)
def test_hyperparameters(given, kind, text):
    refuse(kind, text, Adam, [np.ones(2)], **given)
    refuse(kind, text, Adam, [{"params": [np.ones(2)], **given}])
    if len(given) == 1:
        opt = Adam([np.ones(2)])
        (name, value), *_ = given.items()
        before = opt.state_dict()
        refuse(kind, text, opt.groups[0].__setitem__, name, value)
        np.testing.assert_equal(opt.state_dict(), before)


def test_hyperparameters_that_must_be_given():
    refuse(HyperparameterError, "needs a value for `eta` (`lr`)", Momentum, [np.ones(2)])
    refuse(HyperparameterError, "needs a value", Momentum, [{"params": [np.ones(2)]}])
    Momentum([{"params": [np.ones(2)], "lr": 0.1}])
    refuse(HyperparameterError, "needs a value for `eta_max`", WarmRestarts)
    refuse(HyperparameterError, "give a whole number in 1..inf", WarmRestarts, eta_max=1, T_0=1.5)


def test_groups_do_not_lose_their_parameters():
    opt = Adam([np.ones(2)])
    refuse(HyperparameterError, "cannot be replaced", opt.groups[0].__setitem__, "params", [])


def test_a_function_that_leaves_the_domain_is_refused_before_anything_is_written():
    a, b = np.ones(2), np.ones(2)
    opt = Adam([{"params": [a]}, {"params": [b], "lr": lambda t: 0.1 if t < 3 else -1.0}], lr=0.1)
    for _ in range(2):
        opt.step([[np.ones(2)], [np.ones(2)]])
    kept, state = (a.copy(), b.copy()), opt.state_dict()
    text = "hyperparameter `eta` (`lr`) is -1.0 at step 3, outside its domain: give [0, inf)"
    refuse(HyperparameterError, text, opt.step, [[np.ones(2)], [np.ones(2)]])
    np.testing.assert_array_equal(a, kept[0])
    np.testing.assert_array_equal(b, kept[1])
    np.testing.assert_equal(opt.state_dict(), state)
    opt.groups[1]["lr"] = 0.1
    opt.step([[np.ones(2)], [np.ones(2)]])
    np.testing.assert_array_equal(a, b)


def test_a_function_that_fails_says_where():
    opt = Adam([np.ones(2)], lr=lambda t: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        opt.step([np.ones(2)])
    assert caught.value.__notes__ == ["while hyperparameter `eta` was read at step 1"]


def test_a_schedule_inside_a_schedule_is_checked():
    opt = Adam([np.ones(2)], lr=Linear(eta_1=lambda t: 2.0 - t, T=1))
    opt.step([np.ones(2)])
    opt.step([np.ones(2)])
    refuse(HyperparameterError, "is -1.0 at step 3", opt.step, [np.ones(2)])


def test_what_is_one_number_for_all_groups_must_be_one():
    groups = [{"params": [np.ones(2)]}, {"params": [np.ones(2)], "c": 2.0}]
    opt = ClipAdam(groups, c=1.0)
    text = "`c` is 1.0 in group 0 at step 1 and 2.0 in group 1 at step 1"
    refuse(HyperparameterError, text, opt.step, [[np.ones(2)], [np.ones(2)]])
    assert not opt.state_dict()["entries"]["m"]
    opt.groups[0]["c"] = 2.0
    opt.step([[np.ones(2)], [np.ones(2)]])


def test_composed_rules_know_qualified_names():
    w = np.ones(2)
    opt = ClipAdam([w], **{"Adam.lr": 0.5, "ClipByGlobalNorm.c": 3.0})
    assert (opt.groups[0]["lr"], opt.groups[0]["c"]) == (0.5, 3.0)
    assert ClipAdam([w], lr=0.1, **{"Adam.eta": 0.2}).groups[0]["eta"] == 0.2


def test_signature_and_docstring():
    signature = inspect.signature(Adam)
    assert list(signature.parameters) == ["parameters", "lr", "betas", "eps", "hyperparameters"]
    assert signature.parameters["betas"].default == (0.9, 0.999)
    momentum = inspect.signature(Momentum).parameters["lr"]
    assert momentum.default is inspect.Parameter.empty
    assert "    eta, lr: step size (default 0.001, in [0, inf))" in Adam.__doc__
    assert "T_0 (default 10, in 1..inf)" in WarmRestarts.__doc__
    assert "formula" in str(inspect.signature(Linear))
    assert "lr=0.25" in repr(Adam([np.ones(1)], lr=0.25))
