"""`torch.compile` around models and steps: models are compiled, steps run as they are."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from tests.torch.models import apart, batches, loss_of, made, train, twins


@pytest.fixture
def counter():
    torch._dynamo.reset()
    yield CompileCounter()
    torch._dynamo.reset()


def compiled(function, counter, **how):
    return torch.compile(function, backend=counter, **how)


def test_a_compiled_model_is_trained(counter):
    model, beside = twins()
    quick = compiled(model, counter)
    opt, other = (made("AdamW")(m.parameters(), lr=0.02) for m in (quick, beside))
    train(quick, opt, batches(4))
    train(beside, other, batches(4))
    assert counter.frame_count == 1
    assert apart(model, beside) == 0


def test_a_closure_may_call_a_compiled_model(counter):
    model, beside = twins()
    quick = compiled(model, counter)
    opt, other = (made("SAM(AdamW)")(m.parameters(), lr=0.02) for m in (model, beside))
    for batch in batches(3):
        for each, stepped in ((quick, opt), (beside, other)):

            def closure(each=each, stepped=stepped, batch=batch):
                stepped.zero_grad()
                loss = loss_of(each, batch)
                loss.backward()
                return loss

            stepped.step(closure)
    assert counter.frame_count == 1
    assert apart(model, beside) == 0


def test_a_step_within_a_compiled_function_runs_as_it_is(counter):
    model, beside = twins()
    opt, other = (made("AdamW")(m.parameters(), lr=0.02) for m in (model, beside))

    def whole(batch):
        opt.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        opt.step()
        return loss.detach()

    quick = compiled(whole, counter)
    for batch in batches(4):
        loss = quick(batch)
        assert loss.item() == pytest.approx(train(beside, other, [batch])[0])
    assert apart(model, beside) == 0
    with pytest.raises(torch._dynamo.exc.Unsupported, match="a step is compiled already"):
        compiled(lambda: opt.step(), counter, fullgraph=True)()
