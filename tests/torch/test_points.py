"""Gradients asked for elsewhere than at the parameters, points of evaluation, and losses."""

import copy
from functools import partial

import pytest
import torch

import optdsl
from optdsl.runtime import GradientError, StepError
from tests.torch.models import apart, batches, loss_of, made, net, train, twins


def closure_of(model, opt, batch, seen=None):
    def closure():
        opt.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        if seen is not None:
            seen.append([p.detach().clone() for p in model.parameters()])
        return loss

    return closure


def test_sharpness_aware_steps_are_those_of_its_paper():
    model, beside = twins()
    opt = made("SAM(AdamW)")(model.parameters(), lr=0.02, rho=0.1)
    base = torch.optim.AdamW(beside.parameters(), lr=0.02)
    for batch in batches(10):
        loss = opt.step(closure_of(model, opt, batch))
        other = closure_of(beside, base, batch)()
        with torch.no_grad():
            parameters = list(beside.parameters())
            norm = torch.stack([p.grad.norm() for p in parameters]).norm()
            away = [0.1 * p.grad / norm for p in parameters]
            kept = [p.clone() for p in parameters]
            for p, e in zip(parameters, away, strict=True):
                p.add_(e)
        closure_of(beside, base, batch)()
        with torch.no_grad():
            for p, start in zip(parameters, kept, strict=True):
                p.copy_(start)
        base.step()
        assert loss.item() == pytest.approx(other.item(), rel=1e-10)
    assert apart(model, beside) < 1e-10


def test_nesterov_takes_its_gradient_where_it_looks_ahead():
    model = net()
    opt = made("Nesterov")(model.parameters(), lr=0.05, momentum=0.9)
    rule = optdsl.load("Nesterov")
    arrays = [p.detach().numpy().copy() for p in model.parameters()]
    beside = rule(arrays, lr=0.05, momentum=0.9)
    twin = copy.deepcopy(model)
    for batch in batches(10):
        seen = []
        opt.step(closure_of(model, opt, batch, seen))

        def gradients(points, batch=batch):
            with torch.no_grad():
                for p, point in zip(twin.parameters(), points, strict=True):
                    p.copy_(torch.from_numpy(point.copy()))
            return [g.numpy() for g in torch.autograd.grad(loss_of(twin, batch), twin.parameters())]

        beside.step(gradients)
        assert len(seen) == 1
        for p, q in zip(seen[0], twin.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=1e-12, atol=1e-12)
    for p, array in zip(model.parameters(), arrays, strict=True):
        assert torch.allclose(p.detach(), torch.from_numpy(array), rtol=1e-12, atol=1e-12)
    with pytest.raises(StepError, match="the first step was given a function"):
        opt.step()


def test_without_a_closure_the_parameters_hold_the_point_ahead():
    model, beside = twins()
    opt = made("Nesterov")(model.parameters(), lr=0.05, momentum=0.9)
    asked = made("Nesterov")(beside.parameters(), lr=0.05, momentum=0.9)
    for batch in batches(10):
        train(model, opt, [batch])
        asked.step(closure_of(beside, asked, batch))
    for ours, theirs in zip(opt.theta(), beside.parameters(), strict=True):
        assert torch.allclose(ours, theirs.detach(), rtol=1e-12, atol=1e-14)
    assert apart(model, beside) > 1e-4


def test_a_closure_that_fails_changes_nothing():
    model = net()
    opt = made("SAM(SGD)")(model.parameters(), lr=0.1)
    opt.step(closure_of(model, opt, batches(1)[0]))
    kept = copy.deepcopy(model)
    calls = []

    def failing():
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("no more data")
        return closure_of(model, opt, batches(1)[0])()

    with pytest.raises(RuntimeError, match="no more data"):
        opt.step(failing)
    assert apart(model, kept) == 0
    calls.clear()

    def forgetful():
        calls.append(1)
        loss = closure_of(model, opt, batches(1)[0])()
        if len(calls) == 2:
            model[0].weight.grad = None
        return loss

    with pytest.raises(GradientError, match="give both or neither"):
        opt.step(forgetful)
    assert apart(model, kept) == 0


def test_rules_that_need_a_closure_say_so():
    model = net()
    opt = made("SAM(SGD)")(model.parameters(), lr=0.1)
    with pytest.raises(StepError, match="give `step` a closure that zeroes gradients"):
        train(model, opt, batches(1))
    polyak = made("Polyak")(model.parameters())
    with pytest.raises(StepError, match="reads the loss"):
        train(model, polyak, batches(1))


def test_the_model_is_evaluated_where_the_rule_says():
    model, beside = twins()
    opt = made("EMA(SGD)")(model.parameters(), lr=0.05, decay=0.9)
    averaged = torch.optim.swa_utils.AveragedModel(
        beside, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    averaged.update_parameters(beside)
    other = torch.optim.SGD(beside.parameters(), lr=0.05)
    for batch in batches(10):
        train(model, opt, [batch])
        train(beside, other, [batch])
        averaged.update_parameters(beside)
    held = copy.deepcopy(model)
    with opt.evaluating():
        assert apart(model, averaged.module) < 1e-12
        with pytest.raises(StepError, match="leave the `with` block"):
            opt.step()
    assert apart(model, held) == 0
    with pytest.raises(ZeroDivisionError), opt.evaluating():
        1 / 0  # noqa: B018
    assert apart(model, held) == 0


def test_no_checkpoint_is_made_of_the_point_of_evaluation():
    w = torch.ones(2, requires_grad=True)
    opt = made("ScheduleFreeAdamW")([w], lr=0.1)
    w.grad = torch.ones(2)
    opt.step()
    kept, stored = w.detach().clone(), opt.state_dict()
    with opt.evaluating():
        assert opt.state[w]["step"] == 1
        loading = partial(opt.load_state_dict, stored)
        for refused in (opt.state_dict, loading, opt.step, partial(copy.deepcopy, opt)):
            with pytest.raises(StepError, match="leave the `with` block first"):
                refused()
    opt.load_state_dict(opt.state_dict())
    assert torch.equal(w, kept)


def test_schedule_free_training_in_a_usual_loop():
    model = net(torch.float32)
    opt = made("ScheduleFreeAdamW")(model.parameters(), lr=0.05)
    given = batches(1, torch.float32) * 60
    losses = train(model, opt, given)
    with opt.evaluating():
        evaluated = loss_of(model, given[0]).item()
    assert evaluated < 0.8 * losses[0]
    again = made("ScheduleFreeAdamW")(copy.deepcopy(model).parameters(), lr=0.05)
    again.load_state_dict(opt.state_dict())
    with again.evaluating(), opt.evaluating():
        assert all(map(torch.equal, opt.param_groups[0]["params"], again.param_groups[0]["params"]))


def test_a_loss_reaches_rules_that_read_it():
    model, beside = twins()
    opt = made("StochasticPolyak")(model.parameters(), lr=0.1)
    other = made("StochasticPolyak")(beside.parameters(), lr=0.1)
    for batch in batches(10):
        loss = loss_of(model, batch)
        opt.zero_grad()
        loss.backward()
        opt.step(loss=loss)
        with torch.no_grad():
            squares = sum((p.grad**2).sum() for p in model.parameters())
            step = torch.clamp(loss / (0.5 * squares), max=0.1)
            for p, q in zip(model.parameters(), beside.parameters(), strict=True):
                q.sub_(step * p.grad)
        assert apart(model, beside) < 1e-10
    uphill = made("StochasticPolyak")(other.param_groups[0]["params"], lr=0.1, maximize=True)
    batch = batches(1)[0]
    before = loss_of(beside, batch).item()

    def closure():
        uphill.zero_grad()
        gain = -loss_of(beside, batch)
        gain.backward()
        return gain

    for _ in range(5):
        uphill.step(closure)
    assert loss_of(beside, batch).item() < before


def test_inputs_reach_schedules():
    w = torch.zeros(1, requires_grad=True)
    opt = made("SGD")([w], lr=optdsl.load("PlateauOfScore")(value=1.0))
    w.grad = torch.ones(1)
    opt.step(metric=0.5)
    assert w.item() < 0
    with pytest.raises(StepError, match="no input `metrics`"):
        opt.step(metrics=0.5)
