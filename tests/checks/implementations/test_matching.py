import pytest

from optdsl.checks.implementations.matching import match, points
from optdsl.checks.implementations.naming import find_implementation, names_implementation
from optdsl.checks.implementations.nearest import shipped_subject
from optdsl.checks.implementations.subject import NotRun, Series


def matched(rule, implementation, where=None):
    found = match(shipped_subject(rule), find_implementation(implementation), where)
    return {mine.name: other.name for mine, other in found.pairs}, found


def test_hyperparameters_match_by_alias():
    names, found = matched("Adam", "torch.optim.Adam")
    assert names == {
        "eta": "lr",
        "beta1": "betas[1]",
        "beta2": "betas[2]",
        "epsilon": "eps",
    }
    assert [each.name for each in found.theirs] == ["weight_decay"]


def test_hyperparameters_match_by_spelling():
    names, _ = matched("RMSprop", "optax.rmsprop")
    assert names == {"eta": "learning_rate", "gamma": "decay", "epsilon": "eps"}


def test_what_has_no_match_is_told_and_not_guessed():
    _, found = matched("AdafactorUnfactored", "torch.optim.Adafactor")
    assert "gamma" in [each.name for each in found.ours]
    assert "beta2_decay" in [each.name for each in found.theirs]


def test_where_says_what_is_what():
    names, _ = matched("AdafactorUnfactored", "torch.optim.Adafactor", {"beta2_decay": "gamma"})
    assert names["gamma"] == "beta2_decay"


def test_where_names_what_is_there():
    with pytest.raises(NotRun, match="has no hyperparameter `delta`"):
        matched("Adam", "torch.optim.Adam", {"eps": "delta"})


def test_both_sides_are_given_the_same_values():
    _, found = matched("Adam", "torch.optim.Adamax")
    usual, others, moving = points(found)
    for point in (usual, others, moving):
        for mine, other, value in point.values:
            assert point.ours.get(mine.name, mine.default) == value
            assert point.theirs.get(other.name, other.default) == value
    assert dict(others.theirs)["eps"] == 1e-3
    assert isinstance(moving.theirs["lr"], Series)
    assert isinstance(moving.ours["eta"], Series)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("torch.optim.SGD(momentum=0.9, nesterov=True)", True),
        ("mine.py:step", True),
        ("a.b:c", True),
        ("Adam(eta=0.1)", False),
        ("Lookahead(Adam, k=5)", False),
        ("specs/mine.opt", False),
        ("mine.opt:Mine", False),
        ("paper.tex:19-21", False),
        ("paper.tex", False),
        ("0.1*Cosine(T=100)", False),
    ],
)
def test_how_an_implementation_is_written(text, is_one):
    assert names_implementation(text) is is_one
