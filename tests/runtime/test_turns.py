"""Rules one after another, beside PyTorch and Optax."""

import gc
import weakref

import numpy as np
import torch

from tests.runtime.choices import arrays, as_torch, assert_same, give, quadratic


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
