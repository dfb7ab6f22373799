"""Sparse gradients step the rows that they have, where a proof says that the others stay."""

import copy

import pytest
import torch

from optdsl.runtime import GradientError
from tests.torch.models import apart, made, train


class Words(torch.nn.Module):
    def __init__(self, sparse):
        super().__init__()
        torch.manual_seed(0)
        self.words = torch.nn.Embedding(50, 3, sparse=sparse, dtype=torch.float64)
        self.out = torch.nn.Linear(3, 2, dtype=torch.float64)

    def forward(self, places):
        return self.out(self.words(places)).mean(1)


def given(count):
    generator = torch.Generator().manual_seed(3)
    return [
        (
            torch.randint(0, 50, (4, 3), generator=generator),
            torch.randn(4, 2, generator=generator, dtype=torch.float64),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    "rule", ["SGD", "AdagradOutside", "ClipByGlobalNorm(c=0.1) | SGD", "ClipByValue(c=0.01) | SGD"]
)
def test_rows_are_stepped_as_in_whole_tensors(rule):
    sparse, dense = Words(True), Words(False)
    first, second = (made(rule)(each.parameters(), lr=0.1) for each in (sparse, dense))
    train(sparse, first, given(10))
    train(dense, second, given(10))
    assert sparse.words.weight.grad.is_sparse
    assert apart(sparse, dense) < 1e-14
    stored = copy.deepcopy(first.state_dict())
    first.load_state_dict(stored)
    for each in (sparse, dense):
        each.words.sparse = not each.words.sparse  # what was sparse is dense now, and back
    train(sparse, first, given(5))
    train(dense, second, given(5))
    assert apart(sparse, dense) < 1e-14
    assert first.state_dict()["state"][0]["step"] == 15


def test_rows_are_those_of_torchs_own():
    ours, theirs = Words(True), Words(True)
    opt = made("AdagradOutside")(ours.parameters(), lr=0.1)
    other = torch.optim.Adagrad(theirs.parameters(), lr=0.1, eps=1e-8)
    train(ours, opt, given(20))
    train(theirs, other, given(20))
    assert apart(ours, theirs) < 1e-12


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ("Adam", "Adam moves entries whose gradient is 0 .m: 1/2 becomes 1/4 in step 2"),
        ("SAM(SGD)", "asks for it elsewhere"),
        ("SkipNonfinite | SGD", "takes a `any` over all entries"),
        ("SGLD", "random numbers"),
        ("SGD if ndim == 2 else Adam", "chooses between rules"),
    ],
)
def test_other_rules_refuse_and_say_why(rule, match):
    model = Words(True)
    kept = copy.deepcopy(model)
    opt = made(rule)(model.parameters(), lr=0.1)
    batch = given(1)[0]

    def closure():
        opt.zero_grad()
        loss = model(batch[0]).square().mean()
        loss.backward()
        return loss

    with pytest.raises(GradientError, match=match):
        opt.step(closure)
    assert apart(model, kept) == 0


def test_the_proof_holds_for_some_hyperparameters_only():
    model = Words(True)
    opt = made("Adagrad")(model.parameters(), lr=0.1, eps=0)
    with pytest.raises(GradientError, match="only if epsilon > 0"):
        train(model, opt, given(1))


def test_gradients_of_single_entries_are_refused():
    w = torch.zeros(3, 2, requires_grad=True)
    opt = made("SGD")([w])
    w.grad = torch.eye(3, 2).to_sparse()
    with pytest.raises(GradientError, match="not one of whole rows"):
        opt.step()


def test_uphill_and_no_rows_at_all():
    w = torch.zeros(4, 2, requires_grad=True)
    opt = made("SGD")([w], lr=1.0, maximize=True)
    places = torch.tensor([[1, 1, 3]])
    w.grad = torch.sparse_coo_tensor(places, torch.ones(3, 2), (4, 2))
    opt.step()
    assert w.tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]
    w.grad = torch.sparse_coo_tensor(torch.zeros(1, 0, dtype=torch.long), torch.ones(0, 2), (4, 2))
    opt.step()
    assert w.tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]
