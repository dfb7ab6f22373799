"""Storage formats of states and parameters: as a spec or a caller names them."""

import ml_dtypes
import numba
import numpy as np
import pytest

import optdsl
from optdsl.library import load_rule
from optdsl.model.storing import with_storage
from optdsl.program.traffic import state_bytes
from optdsl.runtime import HyperparameterError, ParameterTypeError
from optdsl.runtime.formats import load
from tests.sampling import sampled

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
BLOCKS = "int8 blockwise(256)"
FORMATS = ["bfloat16", "float16", BLOCKS, "bfloat16 stochastic", "float16 stochastic",
           f"{BLOCKS} stochastic"]  # fmt: skip
TARGETS = ["reference", "numba-cpu"]
SHAPES = [(70, 90), (5,), (), (0,), (3, 4, 5), (4097,)]


def small(storage, target="numba-cpu", rule="Adam"):
    return optdsl.load(rule, target, storage=storage)


def start(dtype=np.float32, seed=3):
    random = np.random.default_rng(seed)
    return [np.array(random.normal(size=shape), dtype) for shape in SHAPES]


def gradients(arrays):
    """Return gradients of every size, of the dtype of the arrays."""
    return [
        (np.sin(w.astype(np.float64)) * np.exp2(-(np.arange(w.size) % 9)).reshape(w.shape)).astype(
            w.dtype
        )
        for w in arrays
    ]


def trained(made, arrays, steps=12, **hypers):
    optimizer = made(arrays, **hypers)
    for _ in range(steps):
        optimizer.step(gradients(arrays))
    return optimizer


def adam(storage):
    """Return what Adam keeps in a format; its squares leave the range of float16."""
    return {"m": storage} if storage.startswith("float16") else {"m": storage, "v": storage}


def apart(ours, theirs):
    """Return the largest distance between two lists of arrays."""
    pairs = zip(ours, theirs, strict=True)
    return max(
        float(np.max(np.abs(a.astype(float) - b.astype(float)), initial=0)) for a, b in pairs
    )


@pytest.mark.parametrize("storage", FORMATS)
@pytest.mark.parametrize("target", TARGETS)
def test_states_in_a_format_train_as_float32_nearly_does(storage, target):
    plain, narrow = start(), start()
    trained(optdsl.load("Adam", target), plain, lr=0.01)
    trained(small(adam(storage), target), narrow, lr=0.01)
    assert 0 < apart(plain, narrow) < 0.02


@pytest.mark.parametrize("storage", FORMATS)
def test_targets_agree(storage):
    ends = []
    for target in TARGETS:
        arrays = start()
        trained(small(adam(storage), target), arrays, steps=3, lr=0.01)
        ends.append(arrays)
    assert apart(*ends) < 2e-3


@pytest.mark.parametrize("storage", FORMATS)
def test_both_targets_store_the_same_bits(storage):
    """What is stored of a number that both compute exactly does not depend on the target."""
    kept = []
    for target in TARGETS:
        made = small({"v": storage}, target, "Momentum")
        optimizer = trained(made, start(), steps=1, lr=1.0)
        kept.append(optimizer.state_dict()["entries"]["v"])
    for index in kept[0]:
        if SHAPES[int(index)] == ():
            continue  # what is beyond its only entry is anything
        one, two = (each[index].reshape(-1).view(np.uint8) for each in kept)
        np.testing.assert_array_equal(one, two)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@pytest.mark.parametrize("storage", FORMATS)
def test_one_thread_and_two_give_the_same_bits(storage):
    ends = []
    for threads in (1, 2):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            w = np.linspace(-1, 1, 100_003, dtype=np.float32)
            optimizer = trained(small(adam(storage)), [w], steps=3)
        finally:
            numba.set_num_threads(before)
        entries = optimizer.state_dict()["entries"]
        ends.append([w, *(entries[name]["0"].view(np.uint8) for name in "mv")])
    for one, two in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("storage", [*FORMATS, "theta"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_resumed_run_is_an_unbroken_one(tmp_path, storage, target):
    said = {"theta": "bfloat16 compensated"} if storage == "theta" else adam(storage)
    dtype = BFLOAT16 if storage == "theta" else np.float32
    made = small(said, target)
    seed = {"seed": 11} if "stochastic" in storage else {}
    unbroken = start(dtype)
    trained(made, unbroken, steps=7, **seed)
    arrays = start(dtype)
    trained(made, arrays, steps=4, **seed).save(tmp_path / "state")
    resumed = made(arrays)
    resumed.load(tmp_path / "state")
    for _ in range(3):
        resumed.step(gradients(arrays))
    for a, b in zip(arrays, unbroken, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_state_of_another_format_is_refused():
    stored = trained(small({"m": "bfloat16"}), start(), steps=1).state_dict()
    with pytest.raises(Exception, match="bfloat16"):
        small({"m": "float16"})(start()).load_state_dict(stored)


# ------------------------------------------------------------------- rounding by chance


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("storage", ["bfloat16 stochastic", "float16 stochastic",
                                     "int8 blockwise(64) stochastic"])  # fmt: skip
@pytest.mark.parametrize("number", [1.3, -0.7, 3e-7])
def test_rounding_by_chance_has_the_number_for_its_mean(target, storage, number):
    made = small({"v": storage}, target, "Momentum")
    count = 40_000
    w, g = np.zeros(count, np.float32), np.full(count, number, np.float32)
    optimizer = made([w], lr=1, gamma=0.5)
    optimizer.step([g])
    before = w.copy()
    optimizer.step([np.zeros_like(g)])  # v becomes half of what was stored
    stored = (before - w).astype(float) * 2
    values = np.unique(stored)
    assert len(values) <= 2
    gap = abs(number) / 8 + 2.0**-24
    assert abs(stored.mean() - number) < 5 * gap / np.sqrt(count)
    assert np.abs(stored - number).max() <= gap


@pytest.mark.parametrize("storage", ["bfloat16", BLOCKS])
def test_what_stands_still_when_rounded_to_the_nearest_moves_by_chance(storage):
    found = {}
    for rounding in ("", " stochastic"):
        w = np.zeros(4096, np.float32)
        optimizer = small({"v": storage + rounding}, rule="Momentum")([w], lr=1e-3, gamma=0.999)
        for g in (1.0, *[0.0] * 200):
            optimizer.step([np.full(4096, g, np.float32)])
        kept = optimizer.state_dict()["entries"]["v"]["0"]
        text = BLOCKS if storage == BLOCKS else "bfloat16"
        found[rounding] = load(text, kept, w.shape).mean()
    np.testing.assert_allclose(found[""], 1e-3, rtol=0.07)
    np.testing.assert_allclose(found[" stochastic"], 1e-3 * 0.999**200, rtol=0.02)


def test_the_seed_fixes_what_is_drawn():
    made = small({"m": "bfloat16 stochastic"})
    ends = []
    for seed in (1, 1, 2):
        arrays = start()
        trained(made, arrays, steps=3, seed=seed)
        ends.append(arrays)
    assert apart(ends[0], ends[1]) == 0
    assert apart(ends[0], ends[2]) > 0


def test_roundings_do_not_draw_what_the_rule_draws():
    a, b = start(), start()
    drawn = "GradientNoise | Momentum"
    trained(optdsl.load(drawn, "reference"), a, steps=2)
    trained(small({"v": "float16 stochastic"}, "reference", drawn), b, steps=2)
    assert 0 < apart(a, b) < 1e-2


# ------------------------------------------------------------------ bfloat16 parameters


@pytest.mark.parametrize(
    "rule",
    sampled(
        ["Adam", "Nesterov", "ClipByGlobalNorm(c=1) | Momentum", "SAM(SGD)", "EMA(SGD)"],
        {"Adam", "ClipByGlobalNorm(c=1) | Momentum", "EMA(SGD)"},
    ),
)
@pytest.mark.parametrize("target", TARGETS)
def test_parameters_may_be_bfloat16(rule, target):
    wide, narrow = start(), start(BFLOAT16)
    ends = []
    for arrays in (wide, narrow):
        optimizer = optdsl.load(rule, target)(arrays, lr=0.01)
        for _ in range(5):
            optimizer.step(gradients)
        ends.append(optimizer.evaluation())
    assert apart(wide, narrow) < 0.1
    assert apart(*ends) < 0.1
    entries = optimizer.state_dict()["entries"]
    assert all(a.dtype == np.float32 for state in entries.values() for a in state.values())
    assert narrow[0].dtype == BFLOAT16


def test_a_step_of_bfloat16_is_one_of_float32_rounded_once():
    w = start(BFLOAT16)
    wide = [array.astype(np.float32) for array in w]
    g = gradients(w)
    optdsl.load("Adam")(w).step(g)
    optdsl.load("Adam")(wide).step([each.astype(np.float32) for each in g])
    for narrow, exact in zip(w, wide, strict=True):
        np.testing.assert_array_equal(narrow, exact.astype(BFLOAT16))


@pytest.mark.parametrize("target", TARGETS)
def test_transforms_take_bfloat16_gradients(target):
    g = [np.full(4, 2.0, BFLOAT16)]
    (u,) = optdsl.load("ClipByGlobalNorm", target)(c=1).update(g)
    assert u.dtype == BFLOAT16
    np.testing.assert_array_equal(u, np.full(4, 0.5))


def test_gradients_have_the_dtype_of_their_parameters():
    with pytest.raises(Exception, match=r"ml_dtypes.bfloat16"):
        optdsl.load("SGD")([np.zeros(2, BFLOAT16)]).step([np.zeros(2, np.float32)])


@pytest.mark.parametrize("target", TARGETS)
def test_compensated_parameters_keep_what_rounding_takes(target):
    """Steps far below the last place of 1 add up, where they are kept; else they vanish."""
    ends = {}
    for rounding in ("", " compensated", " stochastic"):
        w = np.ones(4096, BFLOAT16)
        optimizer = small({"theta": f"bfloat16{rounding}"}, target, "SGD")([w], lr=1.0)
        for _ in range(300):
            optimizer.step([np.full(4096, 2.0**-12, BFLOAT16)])
        ends[rounding] = w.astype(float)
    expected = 1 - 300 * 2.0**-12
    assert (ends[""] == 1).all()
    np.testing.assert_allclose(ends[" compensated"], expected, atol=2.0**-8)
    np.testing.assert_allclose(ends[" stochastic"].mean(), expected, atol=2.0**-9)


def test_parameters_that_overflow_stay_infinite():
    w = np.full(2, 3e38, BFLOAT16)
    optimizer = small({"theta": "bfloat16 compensated"}, rule="SGD")([w], lr=1.0)
    for _ in range(3):
        optimizer.step([np.full(2, -3e38, BFLOAT16)])
    assert np.isinf(w.astype(float)).all()


def test_a_rule_that_keeps_its_parameters_in_bfloat16_takes_no_others():
    with pytest.raises(ParameterTypeError, match="keeps its parameters in bfloat16"):
        small({"theta": "bfloat16"}, rule="SGD")([np.zeros(3)])


# ------------------------------------------------------------------------ memory, specs


def test_state_memory():
    def size(**storage):
        return state_bytes(with_storage(load_rule("Adam"), storage))

    assert size() == 8
    assert size(m="bfloat16", v="bfloat16") == 4
    assert size(m=BLOCKS, v=BLOCKS) == 2 + 2 * 4 / 256
    assert size(m=BLOCKS, v=BLOCKS) <= 0.3 * size()
    assert size(theta="bfloat16 compensated") == 10


def test_arrays_are_as_small_as_is_said():
    w = np.zeros((512, 512), np.float32)
    states = {"m": BLOCKS, "v": BLOCKS}
    entries = trained(small(states), [w], steps=1).state_dict()["entries"]
    held = sum(state["0"].nbytes for state in entries.values())
    assert held == w.size * state_bytes(with_storage(load_rule("Adam"), states))


def test_a_spec_says_how_its_states_are_kept(tmp_path):
    path = tmp_path / "small.opt"
    path.write_text(
        "optimizer Small extends Adam\n"
        "  state m : bfloat16\n"
        "  state v : int8 blockwise(256)\n"
        "optimizer Smaller extends Small\n"
        "  state m : float16 stochastic\n"
        "optimizer Without extends Small\n"
        "  theta[t] = theta[t-1] - eta*m[t]\n"
    )
    for name, m, v in (("Small", "bfloat16", "uint8"), ("Smaller", "float16", "uint8"),
                       ("Without", "bfloat16", None)):  # fmt: skip
        optimizer = trained(optdsl.load(f"{path}:{name}", "reference"), start(), steps=2)
        entries = optimizer.state_dict()["entries"]
        assert entries["m"]["0"].dtype.name == m
        assert ("v" in entries) == (v is not None)
        assert v is None or entries["v"]["0"].dtype.name == v


def test_formats_are_those_of_the_rules_within(tmp_path):
    path = tmp_path / "small.opt"
    path.write_text(
        "optimizer Small extends Adam\n"
        "  state m : bfloat16\n"
        "  state v : int8 blockwise(256)\n"
        "optimizer Still extends Momentum\n"
        "  state v : float16\n"
        "optimizer Both = ClipByGlobalNorm(c=1) | (SAM(Small) if ndim == 2 else Still)\n"
    )
    optimizer = optdsl.load(path, "reference")(start(), lr=0.01)
    optimizer.step(gradients)
    entries = optimizer.state_dict()["entries"]
    dtypes = {name: {a.dtype.name for a in arrays.values()} for name, arrays in entries.items()}
    assert dtypes == {"m": {"bfloat16"}, "v": {"uint8"}, "Still_v": {"float16"}}


@pytest.mark.parametrize(
    "rule",
    [
        "LAMB",
        "Momentum for 3 then SGD",
        pytest.param("Momentum if ndim == 2 else Adam", marks=pytest.mark.slow),
    ],
)
def test_reductions_and_rules_that_choose(rule):
    plain, narrow = start(), start()
    trained(optdsl.load(rule), plain, steps=5, lr=0.01)
    trained(small({"v": BLOCKS}, rule=rule), narrow, steps=5, lr=0.01)
    assert 0 < apart(plain, narrow) < 0.1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"w": "bfloat16"}, "is no state"),
        ({"m": "bfloat8"}, "no format"),
        ({"m": "int8"}, "blockwise"),
        ({"m": "int8 blockwise(100)"}, "power of two"),
        ({"m": "float16 blockwise(64)"}, "no blocks"),
        ({"m": "float32 stochastic"}, "not rounded"),
        ({"m": "bfloat16 upwards"}, "no rounding"),
        ({"m": "bfloat16 compensated"}, "only what parameters lose"),
        ({"theta": "float16"}, "parameters are"),
        ({"m": ": bfloat16"}, "no storage format"),
    ],
)
def test_what_is_no_format_is_refused(said, message):
    with pytest.raises(optdsl.DiagnosticError, match=message):
        small(said)


def test_only_rules_that_round_by_chance_take_a_seed():
    with pytest.raises(HyperparameterError, match="seed"):
        small({"m": "bfloat16"})(start(), seed=1)
    assert small({"m": "bfloat16 stochastic"})(start(), seed=5).seed == 5


def test_proofs_do_not_see_formats(tmp_path):
    from optdsl.checks.claims import check_definition
    from optdsl.language import parse
    from optdsl.library import lookup_in

    file = parse("optimizer Small extends Adam\n  state v : int8 blockwise(256)\n  equals Adam\n")
    assert all(f.passed for f in check_definition(file.definitions[0], lookup_in(file)))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "rule",
    ["Muon", *(pytest.param(each, marks=pytest.mark.slow) for each in ("Shampoo", "Adafactor"))],
)
def test_rules_of_matrices_take_bfloat16(rule, target):
    made = optdsl.load(rule, target)
    states = {slot.name for slot in made.layout.states if slot.kind == "entry"}
    narrow = optdsl.load(rule, target, storage=dict.fromkeys(states, "bfloat16"))
    ends = []
    for each, dtype in ((made, np.float32), (made, BFLOAT16), (narrow, np.float32)):
        w = np.random.default_rng(1).normal(size=(6, 9)).astype(dtype)
        optimizer = each([w], lr=0.01)
        for _ in range(4):
            optimizer.step([np.sin(w.astype(np.float32)).astype(dtype)])
        ends.append(w.astype(np.float64))
    for end in ends[1:]:
        assert np.isfinite(end).all()
        assert apart([ends[0]], [end]) < 0.1


def test_blocks_are_refused_where_rows_are_told_apart(tmp_path):
    path = tmp_path / "rows.opt"
    path.write_text(
        "optimizer Rows\n  m[0] = 0\n  m[t] = 0.9*m[t-1] + g[t]\n"
        "  theta[t] = theta[t-1] - m[t]/(1 + sum(m[t]^2, per row))\n"
    )
    with pytest.raises(optdsl.DiagnosticError, match="not compiled yet"):
        optdsl.load(path, storage={"m": BLOCKS})
    optdsl.load(path, storage={"m": "bfloat16"})
