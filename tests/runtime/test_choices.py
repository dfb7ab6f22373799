"""Rules chosen tensor by tensor, and rules one after another, beside PyTorch and Optax."""

import gc
import re
import weakref
from pathlib import Path

import numba
import numpy as np
import pytest
import torch

import optdsl
from optdsl.library import find, shipped

SHAPES = [(4, 3), (3,), (5, 4), (2,), (2, 3, 2)]


def arrays(seed, shapes=SHAPES, scale=1.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_normal(shape) for shape in shapes]


def as_torch(parameters):
    return [torch.tensor(p.copy(), requires_grad=True) for p in parameters]


def give(parameters, gradients):
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)


def assert_same(ours, theirs, within=1e-12):
    for mine, other in zip(ours, theirs, strict=True):
        other = other.detach().numpy() if isinstance(other, torch.Tensor) else other
        np.testing.assert_allclose(mine, other, rtol=within, atol=within)


@pytest.fixture
def load():
    return lambda what: optdsl.load(what, "reference")


@pytest.fixture(params=["reference", "numba-cpu"])
def load_for(request):
    return lambda what: optdsl.load(what, request.param)


# ------------------------------------------------------------- by tensor


def test_two_optimizers_over_two_sets_of_parameters_clipped_together(load_for):
    ours, theirs = arrays(0), as_torch(arrays(0))
    Mixed = load_for(
        "ClipByGlobalNorm(c=1) | (Momentum(eta=0.1) if ndim == 2 else AdamW(eta=3e-3))"
    )
    opt = Mixed(ours)
    matrices = [p for p in theirs if p.ndim == 2]
    rest = [p for p in theirs if p.ndim != 2]
    others = [torch.optim.SGD(matrices, lr=0.1, momentum=0.9), torch.optim.AdamW(rest, lr=3e-3)]
    for t in range(50):
        gradients = arrays(100 + t, scale=0.05 if t % 3 == 0 else 2.0)
        give(theirs, gradients)
        norm = torch.nn.utils.get_total_norm([p.grad for p in theirs])
        if norm > 1:  # PyTorch's own clipping adds 1e-6 to the norm
            for p in theirs:
                p.grad /= norm
        for other in others:
            other.step()
        opt.step(gradients)
    assert_same(ours, theirs)


def test_a_norm_within_a_branch_is_over_the_tensors_of_that_branch(load):
    ours, theirs = arrays(1), as_torch(arrays(1))
    Mixed = load("(ClipByGlobalNorm(c=0.5) | SGD(eta=0.1)) if ndim == 1 else Momentum(eta=0.1)")
    opt = Mixed(ours)
    vectors = [p for p in theirs if p.ndim == 1]
    others = [
        torch.optim.SGD(vectors, lr=0.1),
        torch.optim.SGD([p for p in theirs if p.ndim != 1], lr=0.1, momentum=0.9),
    ]
    for t in range(20):
        gradients = arrays(t)
        give(theirs, gradients)
        norm = torch.nn.utils.get_total_norm([p.grad for p in vectors])
        for p in vectors:
            p.grad *= min(1, 0.5 / norm)
        for other in others:
            other.step()
        opt.step(gradients)
    assert_same(ours, theirs)


def test_names_and_shapes_decide_and_choices_nest(load):
    optax = pytest.importorskip("optax")
    import jax

    jax.config.update("jax_enable_x64", True)
    names = ["body.weight", "body.bias", "embed.weight", "norm.scale", "head.weight"]
    shapes = [(4, 3), (3,), (5, 4), (2,), (3, 2)]
    ours = dict(zip(names, arrays(2, shapes), strict=True))
    theirs = {name: p.copy() for name, p in ours.items()}
    Mixed = load(
        'SGD(eta=0.1) if named("embed*") or size < 3 else '
        "Momentum(eta=0.05) if ndim == 2 and rows > columns else Adam(eta=0.01)"
    )
    opt = Mixed(ours)
    labels = {
        "embed.weight": "sgd", "norm.scale": "sgd", "body.weight": "momentum",
        "head.weight": "momentum", "body.bias": "adam",
    }  # fmt: skip
    rules = {
        "sgd": optax.sgd(0.1), "momentum": optax.sgd(0.05, momentum=0.9), "adam": optax.adam(0.01)
    }  # fmt: skip
    other = optax.partition(rules, labels)
    state = other.init(theirs)
    for t in range(30):
        gradients = dict(zip(names, arrays(t, shapes), strict=True))
        updates, state = other.update(gradients, state, theirs)
        theirs = optax.apply_updates(theirs, updates)
        opt.step(gradients)
    assert_same([ours[n] for n in names], [np.asarray(theirs[n]) for n in names], 1e-10)


def test_each_tensor_holds_the_states_of_its_own_rule_alone(load):
    parameters = arrays(3)
    opt = load("SGD if ndim == 2 else AdamW")(parameters)
    opt.step(arrays(4))
    entries = opt.state_dict()["entries"]
    assert {name: set(kept) for name, kept in entries.items()} == {
        "m": {"1", "3", "4"}, "v": {"1", "3", "4"}
    }  # fmt: skip


def test_a_wrapper_of_a_choice_is_a_choice_of_wrapped_rules(load):
    mixed, apart = arrays(5), arrays(5)
    opt = load("Lookahead(SGD(eta=0.1) if ndim == 2 else Adam(eta=0.01), k=3)")(mixed)
    two = [
        load("Lookahead(SGD(eta=0.1), k=3)")([p for p in apart if p.ndim == 2]),
        load("Lookahead(Adam(eta=0.01), k=3)")([p for p in apart if p.ndim != 2]),
    ]
    for t in range(10):
        gradients = arrays(t)
        opt.step(gradients)
        two[0].step([g for g in gradients if g.ndim == 2])
        two[1].step([g for g in gradients if g.ndim != 2])
    assert_same(mixed, apart, 0)


def quadratic(parameters):
    return [p * (1 + n) for n, p in enumerate(parameters)]


def test_sam_of_a_choice_climbs_along_all_gradients_at_once(load_for):
    ours = arrays(6)
    theirs = [p.copy() for p in ours]
    moments = [np.zeros_like(p) for p in ours]
    opt = load_for("SAM(Momentum(eta=0.1) if ndim == 2 else SGD(eta=0.05), rho=0.1)")(ours)
    for _ in range(10):
        opt.step(quadratic)
        g = quadratic(theirs)
        norm = np.sqrt(sum(np.sum(x * x) for x in g))
        s = quadratic([p + 0.1 * x / norm for p, x in zip(theirs, g, strict=True)])
        for n, p in enumerate(theirs):
            if p.ndim == 2:
                moments[n] = 0.9 * moments[n] + 0.1 * s[n]
                p -= moments[n]
            else:
                p -= 0.05 * s[n]
    assert_same(ours, theirs)


def test_rules_that_look_ahead_take_their_gradient_at_their_own_points(load):
    ours = arrays(7)
    theirs = [p.copy() for p in ours]
    moments = [np.zeros_like(p) for p in ours]
    opt = load("Nesterov(eta=0.1) if ndim == 2 else SGD(eta=0.1)")(ours)
    for _ in range(10):
        opt.step(quadratic)
        g = quadratic([p - 0.9 * m for p, m in zip(theirs, moments, strict=True)])
        for n, p in enumerate(theirs):
            if p.ndim == 2:
                moments[n] = 0.9 * moments[n] + 0.1 * g[n]
            p -= moments[n] if p.ndim == 2 else 0.1 * g[n]
    assert_same(ours, theirs)
    handed = arrays(7)
    ready = load("Nesterov(eta=0.1) if ndim == 2 else SGD(eta=0.1)")(handed)
    for _ in range(10):
        ready.step(quadratic(handed))
    assert_same(ready.theta(), theirs)


def test_one_that_asks_twice_sees_the_others_where_they_were(load):
    seen = []

    def gradients(parameters):
        seen.append([p.copy() for p in parameters])
        return quadratic(parameters)

    ours = arrays(8)
    before = [p.copy() for p in ours]
    load("SAM(SGD) if ndim == 2 else SGD")(ours).step(gradients)
    assert len(seen) == 2
    for first, second, start in zip(*seen, before, strict=True):
        assert np.array_equal(first, start)
        assert np.array_equal(second, start) == (start.ndim != 2)


def test_transforms_can_be_chosen_too(load):
    ours, theirs = arrays(9), as_torch(arrays(9))
    opt = load("(ClipByValue(c=0.1) if ndim == 1 else WeightDecay(lambda=0.1)) | SGD(eta=0.1)")(
        ours
    )
    plain = torch.optim.SGD([p for p in theirs if p.ndim == 1], lr=0.1)
    decayed = torch.optim.SGD([p for p in theirs if p.ndim != 1], lr=0.1, weight_decay=0.1)
    for t in range(10):
        gradients = arrays(t)
        give(theirs, gradients)
        for p in theirs:
            if p.ndim == 1:
                p.grad.clamp_(-0.1, 0.1)
        plain.step()
        decayed.step()
        opt.step(gradients)
    assert_same(ours, theirs)


def test_a_transform_alone_can_choose(load):
    transform = load("ClipByValue(c=0.1) if ndim == 1 else ClipByGlobalNorm(c=1)")()
    gradients = arrays(10)
    result = transform.update(gradients)
    norm = np.sqrt(sum(np.sum(g * g) for g in gradients if g.ndim != 1))
    for given, made in zip(gradients, result, strict=True):
        expected = np.clip(given, -0.1, 0.1) if given.ndim == 1 else given * min(1, 1 / norm)
        np.testing.assert_allclose(made, expected, rtol=1e-12)


def test_skipping_left_of_a_choice_holds_every_tensor(load):
    ours = arrays(11)
    before = [p.copy() for p in ours]
    opt = load("SkipNonfinite | (SGD if ndim == 2 else Adam)")(ours)
    bad = arrays(12)
    bad[1][0] = np.nan
    assert opt.step(bad).skipped
    assert_same(ours, before, 0)
    assert not opt.step(arrays(12)).skipped


def test_skipping_within_a_branch_holds_its_own_tensors(load):
    ours = arrays(13)
    theirs = [p.copy() for p in ours]
    opt = load("(Accumulate(k=2) | SGD(eta=0.1)) if ndim == 2 else SGD(eta=0.1)")(ours)
    result = [opt.step(arrays(t)) for t in range(4)]
    given = [arrays(t) for t in range(4)]
    for n, p in enumerate(theirs):
        p -= 0.1 * sum(g[n] for g in given) / (2 if p.ndim == 2 else 1)
    assert_same(ours, theirs)
    assert [r.taken for r in result] == [(5, 3), (5, 5), (5, 3), (5, 5)]
    assert not any(r.skipped for r in result)


# ----------------------------------------------------------------- in turn


def test_optimizers_switched_by_hand(load_for):
    ours, theirs = arrays(20), as_torch(arrays(20))
    opt = load_for("SGD(eta=0.1) for 7 then Adam(eta=0.01) for 12 then Momentum(eta=0.05)")(ours)
    other = torch.optim.SGD(theirs, lr=0.1)
    for t in range(30):
        if t == 7:
            other = torch.optim.Adam(theirs, lr=0.01)
        if t == 19:
            other = torch.optim.SGD(theirs, lr=0.05, momentum=0.9)
        gradients = arrays(t)
        give(theirs, gradients)
        other.step()
        opt.step(gradients)
        assert_same(ours, theirs)


def test_the_states_of_a_rule_that_has_ended_are_let_go(load):
    opt = load("Adam for 2 then Momentum")(arrays(21))
    opt.step(arrays(22))
    first = weakref.ref(opt._engine.tensors.stream("m")[0])
    assert set(opt.state_dict()["entries"]["m"]) == set("01234")
    opt.step(arrays(22))
    gc.collect()
    assert first() is None
    assert opt.state_dict()["entries"] == {"m": {}, "v": {}, "Momentum_v": {}}
    opt.step(arrays(22))
    assert set(opt.state_dict()["entries"]["Momentum_v"]) == set("01234")


def test_a_tensor_that_joins_late_counts_its_own_steps(load):
    ours, theirs = arrays(23), as_torch(arrays(23))
    opt = load("SGD(eta=0.1) for 5 then Adam(eta=0.01)")(ours)
    others = [torch.optim.SGD([p], lr=0.1) for p in theirs]
    taken = [0] * len(theirs)
    for t in range(20):
        gradients = arrays(t)
        for n, p in enumerate(theirs):
            if (n == 2 and t < 8) or (n == 4 and t % 2):
                gradients[n] = None
                continue
            if taken[n] == 5:
                others[n] = torch.optim.Adam([p], lr=0.01)
            taken[n] += 1
            p.grad = torch.tensor(gradients[n])
            others[n].step()
        opt.step(gradients)
    assert_same(ours, theirs)


def test_schedules_of_the_second_rule_begin_with_it(load):
    handed, written = arrays(24), arrays(24)
    opt = load("SGD(eta=0.1) for 4 then SGD")(handed, lr=lambda t: 0.1 if t < 4 else 1 / t)
    built = load("SGD(eta=Inverse(eta_0=0.1, k=1)) for 4 then SGD(eta=Inverse(eta_0=0.2, k=1))")
    built = built(written)
    rates = [0.1, 0.1, 0.1, 1 / 4, 0.1, 0.1, 0.1, 1 / 4, 1 / 5, 1 / 6]
    inverse = [0.1 / (1 + t) for t in range(1, 5)] + [0.2 / (1 + t) for t in range(1, 7)]
    for own, optimizer, schedule in ((handed, opt, rates), (written, built, inverse)):
        theirs = arrays(24)
        for t, rate in enumerate(schedule):
            for p, g in zip(theirs, arrays(t), strict=True):
                p -= rate * g
            optimizer.step(arrays(t))
        assert_same(own, theirs)


def test_a_wrapper_keeps_what_it_remembers_when_the_rule_within_changes(load):
    ours = arrays(25)
    fast, slow = [p.copy() for p in ours], [p.copy() for p in ours]
    moments = [np.zeros_like(p) for p in ours]
    opt = load("Lookahead(SGD(eta=0.1) for 4 then Momentum(eta=0.1), k=3, alpha=0.5)")(ours)
    for t in range(1, 11):
        gradients = arrays(t)
        opt.step(gradients)
        for n, g in enumerate(gradients):
            moments[n] = 0.9 * moments[n] + 0.1 * g if t > 4 else moments[n]
            fast[n] -= moments[n] if t > 4 else 0.1 * g
            if t % 3 == 0:
                slow[n] = slow[n] + 0.5 * (fast[n] - slow[n])
                fast[n] = slow[n].copy()
    assert_same(ours, fast)


def test_a_rule_that_looked_ahead_leaves_theta_behind(load_for):
    by_function, handed = arrays(26), arrays(26)
    rule = "Nesterov(eta=0.1) for 4 then SGD(eta=0.1)"
    asked, given = load_for(rule)(by_function), load_for(rule)(handed)
    for t in range(8):
        asked.step(quadratic)
        given.step(quadratic(handed))
        assert_same(given.theta(), by_function)
        if t >= 3:
            assert_same(handed, by_function)


def test_numbers_for_all_tensors_span_those_before_and_after_the_change(load):
    ours, theirs = arrays(27), [p.copy() for p in arrays(27)]
    opt = load("ClipByGlobalNorm(c=1) | (SGD(eta=0.1) for 3 then SGD(eta=0.01))")(ours)
    taken = [0] * len(ours)
    for t in range(8):
        gradients = arrays(t)
        if t < 2:
            gradients[0] = None
        norm = np.sqrt(sum(np.sum(g * g) for g in gradients if g is not None))
        for n, g in enumerate(gradients):
            if g is not None:
                theirs[n] -= (0.1 if taken[n] < 3 else 0.01) * g / max(1, norm)
                taken[n] += 1
        opt.step(gradients)
    assert_same(ours, theirs)


def test_the_point_of_evaluation_goes_on_where_the_rule_within_changes(load):
    ours = arrays(28)
    theta, average = [p.copy() for p in ours], [p.copy() for p in ours]
    opt = load("EMA(SGD(eta=0.1) for 3 then SGD(eta=0.01), decay=0.5)")(ours)
    for t in range(6):
        gradients = arrays(t)
        opt.step(gradients)
        for n, g in enumerate(gradients):
            theta[n] -= (0.1 if t < 3 else 0.01) * g
            average[n] = 0.5 * average[n] + 0.5 * theta[n]
        assert_same(opt.evaluation(), average)
        assert_same(ours, theta)


def test_a_branch_may_be_evaluated_elsewhere_than_another(load):
    ours = arrays(29)
    average = [p.copy() for p in ours]
    opt = load("EMA(SGD(eta=0.1), decay=0.5) if ndim == 2 else Nesterov(eta=0.1)")(ours)
    for t in range(4):
        opt.step(arrays(t))
        for n, p in enumerate(ours):
            average[n] = 0.5 * average[n] + 0.5 * p if p.ndim == 2 else opt.theta()[n]
        assert_same(opt.evaluation(), average)


# --------------------------------------------------------- what users rely on

EVERYTHING = (
    "ClipByGlobalNorm(c=1) | "
    "(Momentum if ndim == 2 else Adam for 6 then (RMSprop if size > 2 else SGD))"
)


WRAPPED = "Lookahead((Adam for 5 then SGD) if ndim > 1 else Adam, k=2)"


@pytest.mark.parametrize("rule", [EVERYTHING, WRAPPED])
@pytest.mark.parametrize("broken_at", [0, 1, 5, 6, 7, 9])
def test_a_stored_state_goes_on_exactly(load, tmp_path, rule, broken_at):
    whole, broken = arrays(30), arrays(30)
    opt, first = load(rule)(whole), load(rule)(broken)
    for t in range(12):
        gradients = arrays(t)
        if t % 3 == 1:
            gradients[3] = None
        opt.step(gradients)
        if t == broken_at:
            first.save(tmp_path / "state.safetensors")
            first = load(rule)(broken)
            first.load(tmp_path / "state.safetensors")
        first.step(gradients)
    assert_same(whole, broken, 0)


def test_threads_change_nothing():
    shapes = [(300, 200), (50_000,), (64, 64), (3,)]
    found = []
    before = numba.get_num_threads()
    try:
        for threads in (1, 2):
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
            ours = [a.astype(np.float32) for a in arrays(31, shapes)]
            opt = optdsl.load(EVERYTHING)(ours)
            for t in range(9):
                opt.step([a.astype(np.float32) for a in arrays(t, shapes)])
            found.append(ours)
    finally:
        numba.set_num_threads(before)
    assert_same(*found, 0)


def test_groups_have_their_own_hyperparameters(load):
    ours, theirs = arrays(32), as_torch(arrays(32))
    groups = [
        {"params": ours[:2], "lr": 0.1},
        {"params": ours[2:], "Momentum.lr": 0.2, "Adam.lr": 0.02},
    ]
    opt = load("Momentum if ndim == 2 else Adam")(groups)
    others = [
        torch.optim.SGD([theirs[0]], lr=0.1, momentum=0.9),
        torch.optim.Adam([theirs[1]], lr=0.1),
        torch.optim.SGD([theirs[2]], lr=0.2, momentum=0.9),
        torch.optim.Adam(theirs[3:], lr=0.02),
    ]
    for t in range(10):
        gradients = arrays(t)
        give(theirs, gradients)
        for other in others:
            other.step()
        opt.step([gradients[:2], gradients[2:]])
    assert_same(ours, theirs)


def test_a_group_added_later_is_chosen_for_too(load):
    ours, theirs = arrays(33), as_torch(arrays(33))
    opt = load("SGD(eta=0.1) if ndim == 2 else Adam(eta=0.1)")(ours[:2])
    others = [torch.optim.SGD([theirs[0]], lr=0.1), torch.optim.Adam([theirs[1]], lr=0.1)]
    for t in range(10):
        if t == 4:
            opt.add_group({"params": ours[2:]})
            others += [torch.optim.SGD([theirs[2]], lr=0.1), torch.optim.Adam(theirs[3:], lr=0.1)]
        gradients = arrays(t)
        give(theirs, gradients)
        for other in others:
            other.step()
        opt.step(gradients if t >= 4 else gradients[:2])
    assert_same(ours, theirs)


def test_a_step_that_fails_at_the_change_changes_nothing(load):
    ours, theirs = arrays(34), arrays(34)
    rule = "Adam(eta=0.1) for 2 then Momentum(eta=0.1)"
    opt, other = load(rule)(ours), load(rule)(theirs)
    for _ in range(2):
        opt.step(quadratic)
        other.step(quadratic)

    def broken(parameters):
        raise RuntimeError("no gradients today")

    stored = opt.state_dict()
    with pytest.raises(RuntimeError):
        opt.step(broken)
    assert opt.state_dict()["entries"] == stored["entries"]
    for _ in range(3):
        opt.step(quadratic)
        other.step(quadratic)
    assert_same(ours, theirs, 0)


def test_a_stored_state_of_another_choice_is_refused(load):
    opt = load("SGD if ndim == 2 else Adam")(arrays(35))
    other = load("SGD if ndim == 1 else Adam")(arrays(35))
    other.step(arrays(36))
    with pytest.raises(optdsl.runtime.CheckpointError):
        opt.load_state_dict(other.state_dict())


def test_a_branch_without_tensors_costs_nothing(load):
    ours, theirs = arrays(37, [(3,), (2,)]), arrays(37, [(3,), (2,)])
    opt = load("ClipByGlobalNorm(c=1) | (Momentum if ndim == 2 else Adam(eta=0.1))")(ours)
    other = load("ClipByGlobalNorm(c=1) | Adam(eta=0.1)")(theirs)
    for t in range(5):
        opt.step(arrays(t, [(3,), (2,)]))
        other.step(arrays(t, [(3,), (2,)]))
    assert_same(ours, theirs, 0)


def test_groups_may_differ_in_what_one_branch_makes_a_number_of_for_all(load):
    rule = "(ClipByGlobalNorm | SGD) if ndim == 2 else SGD"
    ours = arrays(38)
    groups = [{"params": ours[:2], "max_norm": 1}, {"params": ours[2:], "max_norm": 2}]
    with pytest.raises(optdsl.runtime.HyperparameterError, match="must be the same for all"):
        load(rule)(groups).step([arrays(0)[:2], arrays(0)[2:]])
    vectors = arrays(38, [(3,), (2,)])
    groups = [{"params": vectors[:1], "max_norm": 1}, {"params": vectors[1:], "max_norm": 2}]
    load(rule)(groups).step([[np.ones(3)], [np.ones(2)]])


# ------------------------------------------------------------- every rule

OPTIMIZERS = [name for name, found in shipped().items() if found.family == "optimizer"]
FOUR = [(4, 3), (3,), (2, 5), (2,)]


def rugged(parameters):
    loss = 0.5 + sum(float(np.sum(p * p)) for p in parameters)
    return loss, [np.sin(3 * p) + 0.5 * p for p in parameters]


def of_rule(load, name):
    """Return the name of a rule, of SGD within it where it takes one, and what it must be given."""
    rule = f"{name}(SGD)" if find(name)[0].parameters else name
    made = load(rule)
    if made.layout.seed is not None:
        pytest.skip("its random numbers depend on the place of a tensor and on the step")
    return rule, made, {s.name: 2 for s in made.layout.hyperparameters if s.default is None}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_steps_among_others_as_it_does_alone(load, name):
    rule, made, needed = of_rule(load, name)
    mixed, apart = arrays(50, FOUR), arrays(50, FOUR)
    opt = load(f"{rule} if ndim == 2 else SGD(eta=0.05)")(mixed, **needed)
    own = made([p for p in apart if p.ndim == 2], **needed)
    others = load("SGD(eta=0.05)")([p for p in apart if p.ndim == 1])
    for _ in range(5):
        rest = [p.copy() for p in apart]

        def gradients(points, rest=rest):
            matrices = iter(points)
            loss, found = rugged([next(matrices) if p.ndim == 2 else p for p in rest])
            return loss, [g for g in found if g.ndim == 2]

        opt.step(rugged)
        own.step(gradients)
        others.step(lambda points: rugged(points)[1])
    assert_same(mixed, apart, 0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_that_follows_another_steps_as_a_new_one(load, name):
    rule, made, needed = of_rule(load, name)
    turned, switched = arrays(51, FOUR), arrays(51, FOUR)
    opt = load(f"SGD(eta=0.05) for 2 then {rule}")(turned, **needed)
    other = load("SGD(eta=0.05)")(switched)
    for t in range(6):
        other = made(switched, **needed) if t == 2 else other
        opt.step(rugged)
        other.step(rugged)
    assert_same(turned, switched, 0)


# ----------------------------------------------------------- the reference

REFERENCE = (Path(__file__).resolve().parents[2] / "docs" / "language.md").read_text("utf-8")
SECTIONS = re.findall(r"^## Rules (?:chosen|one).*?(?=^## )", REFERENCE, re.M | re.S)
BLOCKS = [b for s in SECTIONS for b in re.findall(r"^```opt\n(.*?)^```$", s, re.M | re.S)]


@pytest.mark.parametrize("block", BLOCKS, ids=["by tensor", "in turn"])
def test_every_rule_of_the_reference_steps(load, tmp_path, block):
    spec = tmp_path / "spec.opt"
    spec.write_text(block, encoding="utf-8")
    names = re.findall(r"^optimizer (\w+)", block, re.M)
    assert names
    for name in names:
        parameters = arrays(40)
        before = [p.copy() for p in parameters]
        opt = load(f"{spec}:{name}")(parameters)
        for _ in range(3):
            opt.step(quadratic)
        assert not any(np.array_equal(p, b) for p, b in zip(parameters, before, strict=True))
