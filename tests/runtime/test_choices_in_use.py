"""What users rely on where rules choose: stored states, groups, errors, every shipped rule."""

import re
from pathlib import Path

import numba
import numpy as np
import pytest
import torch

import optdsl
from optdsl.library import find, shipped
from tests.runtime.choices import arrays, as_torch, assert_same, give, quadratic
from tests.sampling import sampled

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
SAMPLE = {
    "Adadelta", "Adafactor", "Adam", "AggMo", "EMA", "LAMB", "Lookahead", "Muon", "NAdam",
    "Nesterov", "Polyak", "Prodigy", "RAdam", "SAM", "SGD", "Shampoo", "SWATS",
}  # fmt: skip
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


@pytest.mark.parametrize("name", sampled(OPTIMIZERS, SAMPLE))
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


@pytest.mark.parametrize("name", sampled(OPTIMIZERS, SAMPLE))
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
