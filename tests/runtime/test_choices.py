"""Rules chosen tensor by tensor, beside PyTorch and Optax."""

import numpy as np
import pytest
import torch

from tests.runtime.choices import arrays, as_torch, assert_same, give, quadratic


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


def test_a_rule_with_norms_of_its_own_keeps_them_beside_a_shared_one(load):
    """The norm of all and the norm of theta are sums of one pass."""
    alone, beside = arrays(1), arrays(1)
    LAMB, Mixed = load("LAMB"), load("ClipByGlobalNorm(c=1e9) | (LAMB if ndim > 1 else Momentum)")
    matrices = [p for p in alone if p.ndim > 1]
    first, second = LAMB(matrices), Mixed(beside)
    for t in range(3):
        gradients = arrays(100 + t)
        first.step([g for g in gradients if g.ndim > 1])
        second.step(gradients)
    assert_same([p for p in beside if p.ndim > 1], matrices)


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
