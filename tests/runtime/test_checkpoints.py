"""States stored and taken up again: bit for bit, or refused with nothing changed."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optdsl
from optdsl.runtime import CheckpointError, from_layout
from tests.runtime import layouts, other_layouts

Adam = from_layout(layouts.adam())
Momentum = from_layout(layouts.momentum())
Nesterov = from_layout(layouts.nesterov())
SkipEachAdam = from_layout(layouts.skip_adam("tensor"))
Counted = from_layout(layouts.counted())
Coarse = from_layout(layouts.bfloat16_momentum())
WarmRestarts = from_layout(other_layouts.restarts())
Linear = from_layout(other_layouts.linear())

SHAPES = [(2, 3), (), (0,), (5,)]


def rate(t):
    return 0.1 / t


RULES = {
    "Adam": lambda p: Adam(p, lr=WarmRestarts(eta_max=Linear(eta_1=0.1, T=3), T_0=2), eps=1e-7),
    "Nesterov": lambda p: Nesterov(p, lr=rate, gamma=WarmRestarts(eta_max=0.9, T_0=2)),
    "SkipEach": lambda p: SkipEachAdam(p, lr=WarmRestarts(eta_max=0.1, T_0=2)),
    "Counted": lambda p: Counted(p, lr=0.03),
    "Coarse": lambda p: Coarse(p),
}


def gradients_of(seed, dtype, pattern):
    random = np.random.default_rng(seed)
    found = []
    for shape, kind in zip(SHAPES, pattern, strict=True):
        gradient = np.array(random.standard_normal(shape), dtype=dtype)
        if kind == "bad":
            gradient = gradient * np.nan
        found.append(None if kind == "none" else np.array(gradient, dtype=dtype))
    return dict(zip("abcd", found, strict=True))


def parameters_of(dtype):
    return {name: np.ones(shape, dtype) for name, shape in zip("abcd", SHAPES, strict=True)}


def in_bytes(state):
    if isinstance(state, dict):
        return {key: in_bytes(value) for key, value in state.items()}
    if isinstance(state, list):
        return [in_bytes(value) for value in state]
    return state.tobytes() if isinstance(state, np.ndarray) else state


PATTERN = st.tuples(*[st.sampled_from(["good", "good", "none", "bad"])] * 4)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=12)
@given(before=st.lists(PATTERN, max_size=6), after=st.lists(PATTERN, min_size=1, max_size=4))
def test_a_resumed_run_is_bit_equal(tmp_path_factory, rule, dtype, before, after):
    make = RULES[rule]
    whole = parameters_of(dtype)
    unbroken = make(whole)
    for step, pattern in enumerate(before):
        unbroken.step(gradients_of(step, dtype, pattern))
    path = tmp_path_factory.mktemp("states") / "state"
    unbroken.save(path)
    copies = [{name: array.copy() for name, array in whole.items()} for _ in range(2)]
    by_file, by_dict = make(copies[0]), make(copies[1])
    by_file.load(path)
    by_dict.load_state_dict(unbroken.state_dict())
    for step, pattern in enumerate(after):
        for opt in (unbroken, by_file, by_dict):
            opt.step(gradients_of(100 + step, dtype, pattern))
    for name, array in whole.items():
        assert array.tobytes() == copies[0][name].tobytes() == copies[1][name].tobytes()
    for one, two in zip(unbroken.theta().values(), by_file.theta().values(), strict=True):
        assert one.tobytes() == two.tobytes()
    assert in_bytes(by_file.state_dict()) == in_bytes(unbroken.state_dict())


def test_resuming_in_the_midst_of_a_run_in_use():
    # Gradients that are known by identity must be looked at anew after a load.
    w, g = np.ones(3), np.ones(3)
    opt = Adam([w], lr=0.1)
    for _ in range(3):
        opt.step([g])
    state, kept = opt.state_dict(), w.copy()
    for _ in range(3):
        opt.step([g])
    later = w.copy()
    opt.load_state_dict(state)
    w[...] = kept
    for _ in range(3):
        opt.step([g])
    np.testing.assert_array_equal(w, later)


def test_a_state_is_plain_and_a_copy():
    w = np.ones(2)
    opt = Adam({"w": w}, lr=rate)
    opt.step({"w": np.ones(2)})
    state = opt.state_dict()

    def check(value):
        if isinstance(value, dict):
            assert all(type(key) is str for key in value)
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        else:
            assert type(value) in (int, float, str, np.ndarray)

    check(state)
    state["entries"]["m"]["0"][:] = 7
    assert opt.state_dict()["entries"]["m"]["0"][0] != 7
    assert state["groups"][0]["eta"] == {"function": f"{__name__}.rate"}


def test_numbers_of_groups_come_back_exactly(tmp_path):
    value = 0.1 + 0.2
    opt = Adam([{"params": [np.ones(1)], "lr": value}, {"params": [np.ones(2)], "lr": 5e-324}])
    opt.save(tmp_path / "state")
    other = Adam([{"params": [np.ones(1)]}, {"params": [np.ones(2)]}])
    other.load(tmp_path / "state")
    assert [group["lr"] for group in other.groups] == [value, 5e-324]


def test_a_schedule_comes_back_with_its_own_numbers():
    opt = Momentum([np.ones(1)], lr=WarmRestarts(eta_max=0.5, T_0=3))
    other = Momentum([np.ones(1)], lr=WarmRestarts(eta_max=0.1, T_0=9))
    opt.step([np.ones(1)])
    other.load_state_dict(opt.state_dict())
    assert other.groups[0]["lr"] == WarmRestarts(eta_max=0.5, T_0=3)


def test_the_meaning_of_the_arrays_comes_back():
    w = np.array([1.0, 2.0])
    opt = Nesterov([w])
    opt.step([w.copy()])
    other = Nesterov([w.copy()])
    other.load_state_dict(opt.state_dict())
    np.testing.assert_array_equal(other.theta()[0], opt.theta()[0])
    with pytest.raises(ValueError, match="keep giving gradients"):
        other.step(lambda point: point)


def stepped(Rule, parameters, **hyperparameters):
    opt = Rule(parameters, **hyperparameters)
    ones = {name: np.ones_like(array) for name, array in parameters.items()}
    opt.step(ones)
    return opt


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: stepped(Momentum, {"w": np.ones(2)}, lr=1), "is one of Momentum, but here"),
        (lambda: stepped(Adam, {"w": np.ones(3)}), "shapes"),
        (lambda: stepped(Adam, {"w": np.ones((2, 1))}), "shapes"),
        (lambda: stepped(Adam, {"w": np.ones(2, np.float32)}), "float32"),
        (lambda: stepped(Adam, {"v": np.ones(2)}), "parameters `v` at place 0"),
        (lambda: stepped(Adam, {"w": np.ones(2), "b": np.ones(1)}), "2 in number"),
        (lambda: stepped(Adam, {"w": np.ones(2)}, lr=rate), "was the function"),
        (
            lambda: stepped(Adam, {"w": np.ones(2)}, lr=WarmRestarts(eta_max=1)),
            "was the schedule WarmRestarts: give it again",
        ),
    ],
)
def test_states_of_others_are_refused(tmp_path, make, text):
    w = np.ones(2)
    opt = stepped(Adam, {"w": w})
    kept, state = w.copy(), opt.state_dict()
    other = make()
    with pytest.raises(CheckpointError, match=text):
        opt.load_state_dict(other.state_dict())
    other.save(tmp_path / "state")
    with pytest.raises(CheckpointError, match=text):
        opt.load(tmp_path / "state")
    np.testing.assert_equal(opt.state_dict(), state)
    np.testing.assert_array_equal(w, kept)


def test_groups_must_be_the_same():
    def make(groups):
        return Adam([{"params": [np.ones(1) for _ in range(n)]} for n in groups])

    with pytest.raises(CheckpointError, match="but here"):
        make([1, 2]).load_state_dict(make([2, 1]).state_dict())
    with pytest.raises(CheckpointError, match="but here"):
        make([3]).load_state_dict(make([2, 1]).state_dict())


def broken_states():
    def without(key):
        return lambda state: {k: v for k, v in state.items() if k != key}

    def changed(path, value):
        def change(state):
            place = state
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            return state

        return change

    return {
        "format": changed(["format"], 99),
        "no format": without("format"),
        "no groups": without("groups"),
        "no cohorts": without("cohorts"),
        "no entries": without("entries"),
        "no m": changed(["entries"], {"v": {}}),
        "no array": changed(["entries", "m"], {}),
        "shape": changed(["entries", "m", "0"], np.ones(5)),
        "dtype": changed(["entries", "m", "0"], np.ones(2, np.float32)),
        "index": changed(["entries", "m", "9"], np.ones(2)),
        "number": changed(["groups", 0, "eta"], -1.0),
        "name": changed(["groups", 0, "other"], 1.0),
        "text": changed(["groups", 0, "eta"], "0.1"),
        "members": changed(["cohorts", 0, "members"], np.array([0, 0])),
        "too few": changed(["cohorts"], []),
        "numbers": changed(["everything"], np.zeros(3)),
        "rows": changed(["tensor"], np.zeros((7, 1))),
        "steps": changed(["cohorts", 0, "step_state"], np.zeros(2)),
        "clock": changed(["cohorts", 0, "clocks"], [-1]),
        "clocks": changed(["cohorts", 0, "clocks"], [1, 2]),
        "mode": changed(["mode"], "other"),
        "list": lambda state: [state],
        "none": lambda state: None,
    }


@pytest.mark.parametrize("name", broken_states())
def test_damaged_states_are_refused(name):
    w = np.ones(2)
    opt = stepped(Adam, {"w": w})
    state = opt.state_dict()
    damaged = broken_states()[name](stepped(Adam, {"w": np.ones(2)}).state_dict())
    with pytest.raises(CheckpointError):
        opt.load_state_dict(damaged)
    np.testing.assert_equal(opt.state_dict(), state)


def test_damaged_files_are_refused(tmp_path):
    opt = stepped(Adam, {"w": np.ones(40)})
    path, broken = tmp_path / "state", tmp_path / "broken"
    opt.save(path)
    data = path.read_bytes()
    state = opt.state_dict()
    for cut in (0, 1, 7, 8, 100, len(data) // 2, len(data) - 1):
        broken.write_bytes(data[:cut])
        with pytest.raises(CheckpointError, match="broken"):
            opt.load(broken)
    for place in range(0, len(data), 13):
        flipped = bytearray(data)
        flipped[place] ^= 4
        broken.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="broken"):
            opt.load(broken)
    broken.write_bytes(json.dumps({"a": 1}).encode())
    with pytest.raises(CheckpointError, match="broken"):
        opt.load(broken)
    np.testing.assert_equal(opt.state_dict(), state)
    with pytest.raises(FileNotFoundError):
        opt.load(tmp_path / "missing")


def test_other_safetensors_files_are_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"weight": np.ones(3)}, tmp_path / "model")
    with pytest.raises(CheckpointError, match="holds no state"):
        Adam([np.ones(1)]).load(tmp_path / "model")


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    opt = stepped(Adam, {"w": np.ones(2)})
    path = tmp_path / "state"
    opt.save(path)
    old = path.read_bytes()
    opt.step({"w": np.ones(2)})

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            opt.save(path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["state"]
    opt.save(path)
    assert path.read_bytes() != old


HEAVY_BALL = """\
# {comment}
optimizer Ball
  hyper eta as lr = 0.1 in [0, inf)
  hyper gamma = {gamma} in [0, 1)
  v[0] = 0
  v[t] = gamma*v[t-1] + {inside}g[t]
  theta[t] = theta[t-1] - {outside}v[t]  # {comment}
"""


def ball(folder, comment="", gamma=0.9, inside="eta*", outside=""):
    spec = folder / "ball.opt"
    spec.write_text(HEAVY_BALL.format(comment=comment, gamma=gamma, inside=inside, outside=outside))
    return optdsl.load(spec, target="reference")([np.ones(3)])


def test_a_state_of_edited_equations_is_taken_with_a_warning(tmp_path, recwarn):
    made = ball(tmp_path)
    made.step([np.ones(3)])
    stored = made.state_dict()
    ball(tmp_path, comment="only a word", gamma=0.5).load_state_dict(stored)
    assert not recwarn
    outside = ball(tmp_path, inside="", outside="eta*")
    with pytest.warns(UserWarning, match="other equations of Ball .* `v` means") as told:
        outside.load_state_dict(stored)
    assert told[0].filename == __file__
    assert outside.state_dict()["entries"]["v"]["0"].tolist() == [0.1] * 3
    del stored["fingerprint"]
    outside.load_state_dict(stored)
    assert not recwarn
