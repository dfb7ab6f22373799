"""Every shipped optimizer on a card that is simulated, beside the reference."""

from types import SimpleNamespace

import pytest

from benchmarks import cuda
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime import StepError
from tests.cuda.test_script import Tensor

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("rule", cuda._rules())
def test_steps_are_those_of_the_reference(card, rule):
    torch = SimpleNamespace(
        tensor=lambda values, dtype=None, device=None: Tensor(values), float32=None
    )
    try:
        error = cuda.difference(rule, torch)
    except (DiagnosticError, StepError) as refused:
        reason = str(refused)
    else:
        reason = "" if error < 1e-4 else f"the difference is {error}"
    assert not reason or "not-on-cuda" in reason
