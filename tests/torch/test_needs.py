"""What a rule sees of a tensor besides its entries decides where it may run on parts of one."""

import pytest

from optdsl.torch import optimizer
from tests.torch.models import made


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        ("AdamW", set()),
        ("ClipByGlobalNorm(c=1) | AdamW", {"all"}),
        ("LARS", {"tensor"}),
        ("Muon", {"rows", "shape", "tensor"}),
        ("SGLD", {"draws"}),
        ("SkipNonfinite | SGD", {"all"}),
        ('SGD if named("*.bias") else Adam', set()),
    ],
)
def test_needs_are_told_by_kinds(rule, needs):
    assert made(rule).rules.needs == needs


def test_formats_of_states_have_needs_too():
    Small = optimizer("Adam", storage={"m": "bfloat16 stochastic", "v": "int8 blockwise(32)"})
    assert Small.rules.needs == {"draws", "blocks"}
