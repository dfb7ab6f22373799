"""Steps with gradients handed in, and with a function of gradients."""

import numpy as np
import pytest
import torch

import optdsl
from optdsl.runtime import GradientError, StepError, StepResult, from_layout
from tests.runtime import layouts

Adam = from_layout(layouts.adam())
Momentum = from_layout(layouts.momentum())
Nesterov = from_layout(layouts.nesterov())
SkipAdam = from_layout(layouts.skip_adam())
SkipEachAdam = from_layout(layouts.skip_adam("tensor"))
ClipAdam = from_layout(layouts.clip_adam())
Counted = from_layout(layouts.counted())
SAM = from_layout(layouts.sam())
SHAPES = [(3, 5), (), (0,), (1,), (2, 0, 3), (7,), (2, 3, 4)]


def some_arrays(seed, dtype=np.float64, shapes=SHAPES):
    random = np.random.default_rng(seed)
    return [np.array(random.standard_normal(shape), dtype=dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_walks_with_torch(dtype):
    ours = some_arrays(0, dtype)
    theirs = [torch.tensor(array, requires_grad=True) for array in ours]
    opt = Adam(ours, lr=0.01, betas=(0.8, 0.99))
    other = torch.optim.Adam(theirs, lr=0.01, betas=(0.8, 0.99))
    for step in range(30):
        gradients = some_arrays(step + 1, dtype)
        opt.step(gradients)
        for tensor, gradient in zip(theirs, gradients, strict=True):
            tensor.grad = torch.from_numpy(gradient.copy())
        other.step()
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    for mine, tensor in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, tensor.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_nesterov_walks_with_torch_and_both_ways_agree():
    by_array, by_function = some_arrays(0), some_arrays(0)
    ready, asking = Nesterov(by_array, lr=0.05), Nesterov(by_function, lr=0.05)
    for _ in range(20):
        ready.step([np.sin(x) for x in by_array])
        asking.step(lambda point: [np.sin(x) for x in point])
        for one, two in zip(ready.theta(), asking.theta(), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(asking.theta()[0], by_function[0])
    assert not np.allclose(ready.theta()[0], by_array[0])


def test_nesterov_agrees_under_a_momentum_that_varies():
    one, two = np.array([1.0, -2.0]), np.array([1.0, -2.0])

    def gamma(t):
        return 0.9 - 0.8 / t

    ready, asking = Nesterov([one], gamma=gamma), Nesterov([two], gamma=gamma)
    for _ in range(10):
        ready.step([one**3])
        asking.step(lambda point: [point[0] ** 3])
    np.testing.assert_allclose(ready.theta()[0], two, rtol=1e-13)


def test_a_look_ahead_holds_although_the_group_changes():
    # The gradient was asked for at a point made with the old gamma; both ways must keep to it.
    one, two = np.array([1.0, -2.0]), np.array([1.0, -2.0])
    ready = Nesterov([one], gamma=0.9)

    values = {1: 0.9, 2: 0.9, 3: 0.9, 4: 0.9, 5: 0.5, 6: 0.5}
    asking = Nesterov([two], gamma=lambda t: values.get(t, 0.5))
    for step in range(6):
        ready.step([one**3])
        asking.step(lambda point: [point[0] ** 3])
        if step == 2:
            ready.groups[0]["gamma"] = 0.5
    np.testing.assert_allclose(ready.theta()[0], asking.theta()[0], rtol=1e-13)


def test_theta_before_the_first_step_and_for_arrays_that_sat_out():
    a, b = np.ones(2), np.ones(3)
    opt = Nesterov({"a": a, "b": b})
    np.testing.assert_array_equal(opt.theta()["a"], a)
    opt.step({"a": np.ones(2), "b": None})
    theta = opt.theta()
    np.testing.assert_array_equal(theta["b"], np.ones(3))
    np.testing.assert_allclose(theta["a"], 0.99)
    theta["a"][:] = 5
    assert a[0] != 5


def test_the_kind_of_step_stays_what_it_was_where_the_arrays_mean_something_else():
    opt = Nesterov([np.ones(2)])
    opt.step([np.ones(2)])
    with pytest.raises(StepError, match="keep giving gradients"):
        opt.step(lambda point: point)
    other = Nesterov([np.ones(2)])
    other.step(lambda point: [np.ones(2)])
    with pytest.raises(StepError, match="keep giving a function"):
        other.step([np.ones(2)])


def test_adam_takes_either_kind_at_any_time():
    one, two = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    first, second = Adam([one]), Adam([two])
    for step in range(4):
        first.step([2 * one])
        second.step([2 * two] if step % 2 else lambda point: [2 * point[0]])
    np.testing.assert_array_equal(one, two)


def test_list_dict_and_groups_step_alike():
    shapes = [(2,), (3,)]
    plain, named, grouped = (some_arrays(0, shapes=shapes) for _ in range(3))
    gradient = some_arrays(1, shapes=shapes)
    names = dict(zip("ab", named, strict=True))
    first, second = Adam(plain, lr=0.1), Adam(names, lr=0.1)
    third = Adam([{"params": grouped[:1], "lr": 0.1}, {"params": {"b": grouped[1]}}], lr=0.1)
    first.step(gradient)
    second.step({"b": gradient[1], "a": gradient[0]})
    third.step([[gradient[0]], {"b": gradient[1]}])
    for a, b, c in zip(plain, named, grouped, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_groups_may_be_addressed_flat():
    a, b = np.ones(2), np.ones(3)
    opt = Adam([{"params": {"a": a}}, {"params": {"b": b}}], lr=0.5)
    opt.step({"a": np.ones(2), "b": None})
    opt.step([{"a": None}, {"b": np.ones(3)}])
    np.testing.assert_allclose(np.concatenate([a, b]), 0.5)
    c, d = np.ones(2), np.ones(3)
    lists = Adam([{"params": [c]}, {"params": [d]}], lr=0.5)
    lists.step([np.ones(2), np.ones(3)])
    np.testing.assert_allclose(np.concatenate([c, d]), 0.5)
    seen = []
    opt.step(lambda point: seen.append(point) or [{"a": None}, {"b": None}])
    assert [sorted(part) for part in seen[0]] == [["a"], ["b"]]


def test_a_group_changes_between_steps_and_one_is_added():
    a, b = np.ones(1), np.ones(1)
    opt = Momentum([{"params": [a], "lr": 1.0}], momentum=0.0)
    opt.step([[np.ones(1)]])
    opt.groups[0]["lr"] = 0.25
    assert opt.groups[0]["eta"] == 0.25
    group = opt.add_group({"params": {"b": b}, "lr": 2.0})
    assert group["lr"] == 2.0
    opt.step([[np.ones(1)], {"b": np.ones(1)}])
    assert (a[0], b[0]) == (-0.25, -1.0)
    assert [len(g["params"]) for g in opt.groups] == [1, 1]


def test_a_group_may_be_added_to_plain_parameters():
    a, b = np.ones(1), np.ones(1)
    opt = Momentum({"a": a}, lr=1.0, momentum=0.0)
    opt.step({"a": np.ones(1)})
    opt.add_group({"params": {"b": b}})
    opt.step({"a": np.ones(1), "b": np.ones(1)})
    assert (a[0], b[0]) == (-1.0, 0.0)


def test_a_new_group_takes_what_the_class_was_given():
    a, b = np.ones(1), np.ones(1)
    opt = Momentum([a], lr=1.0, momentum=0.0)
    opt.groups[0]["lr"] = 0.5
    opt.add_group({"params": [b]})
    opt.step([np.ones(1), np.ones(1)])
    assert (a[0], b[0]) == (0.5, 0.0)


def test_nothing_to_step_is_no_error():
    opt = Adam([])
    assert opt.step([]) == StepResult(False, (0,))
    empty = Adam([{"params": []}, {"params": [np.ones(2)]}])
    assert empty.step([[], [np.ones(2)]]).taken == (1,)


def test_a_0d_parameter_takes_a_numpy_number():
    scale = np.array(1.0)
    Momentum([scale], lr=0.5).step([np.float64(1.0)])
    assert scale == 0.5


def test_a_gradient_that_is_not_contiguous_counts_as_it_is_now():
    w, base = np.ones((2, 3)), np.ones((3, 2))
    opt = Momentum([w], lr=1.0, momentum=0.0)
    for value in (1.0, 2.0, 3.0, 4.0):
        base[...] = value
        opt.step([base.T])
    np.testing.assert_array_equal(w, np.full((2, 3), -9.0))


def test_a_gradient_buffer_is_read_anew_at_each_step():
    w, g = np.ones(3), np.ones(3)
    opt = Momentum([w], lr=1.0, momentum=0.0)
    for value in (1.0, 2.0, 3.0, 4.0):
        g[...] = value
        opt.step([g])
    np.testing.assert_array_equal(w, np.full(3, -9.0))


def test_gradients_are_let_go_after_a_step():
    import gc
    import weakref

    opt = Adam([np.ones(3)])
    gradient = np.ones(3)
    seen = weakref.ref(gradient)
    opt.step([gradient])
    del gradient
    gc.collect()
    assert seen() is None


def test_skipping_leaves_everything_and_says_so():
    w, same = np.ones(3), np.ones(3)
    opt, other = SkipAdam([w]), Adam([same])
    for step in range(6):
        gradient = np.full(3, step + 1.0)
        other.step([gradient])
        if step == 3:
            before = w.copy()
            result = opt.step([np.array([1.0, np.nan, 2.0])])
            assert result == StepResult(True, (1, 0))
            np.testing.assert_array_equal(w, before)
        assert opt.step([gradient]) == StepResult(False, (1, 1))
    np.testing.assert_array_equal(w, same)


def test_skipping_tensor_by_tensor_splits_clocks():
    a, b, c, d = np.ones(3), np.ones(2), np.ones(3), np.ones(2)
    opt, one, two = SkipEachAdam([a, b]), Adam([c]), Adam([d])
    for step in range(8):
        good, bad = np.full(3, step + 1.0), np.full(2, step + 1.0)
        if step in (2, 5):
            bad = np.array([np.inf, 1.0])
            assert opt.step([good, bad]) == StepResult(False, (2, 1))
        else:
            two.step([bad])
            assert opt.step([good, bad]) == StepResult(False, (2, 2))
        one.step([good])
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(b, d)


def test_clipping_takes_all_tensors_together():
    a, b, c, d = np.ones(2), np.ones(2), np.ones(2), np.ones(2)
    opt, other = ClipAdam([a, b], c=1.0, eta=0.1), Adam([c, d], lr=0.1)
    for step in range(5):
        g, h = np.full(2, 3.0 + step), np.full(2, 4.0)
        norm = np.sqrt((g**2).sum() + (h**2).sum())
        opt.step([g, h])
        other.step([g / norm, h / norm])
    np.testing.assert_allclose(a, c, rtol=1e-12)
    np.testing.assert_allclose(b, d, rtol=1e-12)


def test_states_of_every_kind():
    w, b = np.zeros(2), np.zeros(1)
    opt = Counted([w, b], lr=0.5)
    gw, gb = np.array([1.0, 3.0]), np.array([2.0])
    n = np.array([0.5, 0.5])
    s, expected = 0.0, [np.zeros(2), np.zeros(1)]
    for step in range(1, 5):
        n += [2.0, 2.0]
        s += 2.0
        for place, gradient in enumerate((gw, gb)):
            expected[place] -= (0.5 * step + n[place] + s) * gradient
        opt.step([gw, gb])
    np.testing.assert_allclose(w, expected[0])
    np.testing.assert_allclose(b, expected[1])


def test_a_rule_that_asks_twice_refuses_plain_gradients():
    with pytest.raises(StepError, match="asks for 2 gradients"):
        SAM([np.ones(2)]).step([np.ones(2)])


def test_sam_asks_at_both_points_and_gives_the_first_loss():
    w = np.array([3.0, 4.0])
    opt = SAM([w], lr=0.1, rho=0.5)
    asked, losses = [], iter([7.0, 8.0])

    def gradient(point):
        asked.append(point[0].copy())
        return next(losses), [2 * point[0]]

    result = opt.step(gradient)
    assert result.loss == 7.0
    climbed = np.array([3.0, 4.0]) + 0.5 * np.array([0.6, 0.8])
    np.testing.assert_allclose(asked, [[3.0, 4.0], climbed])
    np.testing.assert_allclose(w, np.array([3.0, 4.0]) - 0.1 * 2 * climbed)


def test_sam_is_not_fooled_by_a_buffer_used_twice():
    buffer = np.zeros(2)
    one, two = np.array([3.0, 4.0]), np.array([3.0, 4.0])
    reusing, fresh = SAM([one]), SAM([two])

    def into_buffer(point):
        np.multiply(point[0], 2.0, out=buffer)
        return [buffer]

    for _ in range(3):
        reusing.step(into_buffer)
        fresh.step(lambda point: [2 * point[0]])
    ours, theirs = reusing.state_dict()["entries"], fresh.state_dict()["entries"]
    np.testing.assert_array_equal(ours["a"]["0"], theirs["a"]["0"])
    np.testing.assert_array_equal(one, two)


def test_a_function_may_return_what_it_was_given():
    one, two = np.array([3.0, 4.0]), np.array([3.0, 4.0])
    first, second = Nesterov([one]), Nesterov([two])
    for _ in range(3):
        first.step(lambda point: point)
        second.step(lambda point: [point[0].copy()])
    np.testing.assert_array_equal(one, two)


def test_a_function_cannot_write_to_the_parameters():
    w = np.ones(2)

    def meddle(point):
        point[0][0] = 5.0

    with pytest.raises(ValueError, match="read-only"):
        Adam([w]).step(meddle)
    np.testing.assert_array_equal(w, np.ones(2))


def test_a_function_that_fails_at_its_second_point_changes_nothing():
    w = np.array([3.0, 4.0])
    opt = SAM([w])
    opt.step(lambda point: point)
    before, state = w.copy(), opt.state_dict()
    calls = []

    def fail(point):
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError("the model broke")
        return [np.ones(2)]

    with pytest.raises(ZeroDivisionError, match="the model broke"):
        opt.step(fail)
    np.testing.assert_array_equal(w, before)
    np.testing.assert_equal(opt.state_dict(), state)


def test_a_function_that_drops_a_gradient_midway_is_refused():
    opt = SAM([np.ones(2), np.ones(2)])
    answers = iter([[np.ones(2), np.ones(2)], [np.ones(2), None]])
    with pytest.raises(GradientError, match="at a later one"):
        opt.step(lambda point: next(answers))


def test_a_function_may_leave_tensors_out():
    one, two = some_arrays(0, shapes=[(2,), (3,)]), some_arrays(0, shapes=[(2,), (3,)])
    by_function, by_hand = Adam(one), Adam(two)
    for step in range(6):
        keep = [step % 2 == 0, step % 3 == 0]
        gradients = [np.sin(x) if k else None for x, k in zip(two, keep, strict=True)]
        by_function.step(
            lambda point, keep=keep: [
                np.sin(x) if k else None for x, k in zip(point, keep, strict=True)
            ]
        )
        by_hand.step(gradients)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


def test_a_function_that_leaves_a_tensor_out_does_not_move_its_look_ahead():
    one, two = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    both, alone = Nesterov([one, np.ones(3)]), Nesterov([two])
    for step in range(6):
        both.step(lambda x, step=step: [x[0] if step % 2 else None, np.ones(3)])
        if step % 2:
            alone.step(lambda x: x)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
def test_a_gradient_put_in_place_of_an_equal_one_is_seen(target):
    w = [np.zeros(1) for _ in range(40)]
    g = [np.ones(1) for _ in w]
    opt = optdsl.load("SGD", target)(w, lr=1.0)
    for _ in range(3):
        opt.step(g)
    g[7] = np.ones(1)
    opt.step(g)
    g[7][:] = 5.0
    opt.step(g)
    assert [w[6][0], w[7][0], w[8][0]] == [-5.0, -9.0, -5.0]
