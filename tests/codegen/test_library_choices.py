"""Rules that choose, follow one another, or rest, as C steps them."""

import re

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.library import refusal
from optdsl.codegen.library.objects import c_compiler
from optdsl.language import parse
from optdsl.library import load_rule, lookup_in
from optdsl.model import build_rule
from optdsl.program.streams import output_buffer
from optdsl.runtime import from_layout
from tests.codegen.calling import Built, Caller
from tests.codegen.test_library import same, start, wavy

pytestmark = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")

SKIPPING = """transform SkipLarge gives u
  "Leaves out the tensors whose gradient is large."
  m[0] = 0
  m[t] = 0.5*m[t-1] + g[t]
  u = m[t]*t
  skip when rms(g[t]) > 10

optimizer Lone = SkipLarge | Adam(eta=0.1*Cosine(T=30))
"""
ALL_AT_ONCE = (
    "SkipNonfinite | ClipByGlobalNorm(c=1) | "
    "((Momentum for 2 then Adam(eta=0.1*Cosine(T=9))) if ndim == 1 else SGD)"
)
CHOICES = {
    "everything": ALL_AT_ONCE,
    "rows, and a number a step": "NAdam if ndim == 1 else Adafactor",
    "some rest": "(Accumulate(k=2) | Adam) if ndim == 1 else SGD",
    "gradients asked for": "SAM(SGD) if ndim == 1 else (SGD for 3 then Adam)",
    "two follow": "SGD for 2 then Momentum for 2 then Adam(eta=Cosine(eta_max=0.1, T=9))",
}


def reference(built):
    return from_layout(compile_system(built.rule, "reference"))


def first_cases(built, thetas):
    """Return the rule that each tensor takes: the second part of a choice is for matrices."""
    groups = built.interface.groups
    return [groups[int(theta.ndim != 1) % len(groups)][0] for theta in thetas]


def leave_out(caller):
    """Put NULL wherever the header says so, and begin anew."""
    for stream in caller.interface.streams:
        numbers = re.findall(r"[0-9]+", caller.interface.holders(stream))
        for index, case in enumerate(caller.cases()):
            if numbers and str(case) not in numbers:
                caller.table[index, caller.interface.tensor.offset(f"stream {stream}")] = 0
    assert caller.call("init") == 0


def gradients(thetas, step):
    """Return gradients, once with what is no number."""
    found = wavy(thetas)
    if step == 3:
        found[2][7] = np.nan
    return found


@pytest.mark.parametrize("text", [
    pytest.param(text, id=name, marks=[] if name == "everything" else [pytest.mark.slow])
    for name, text in CHOICES.items()
])  # fmt: skip
def test_every_tensor_takes_the_rule_that_it_says(text, tmp_path):
    built = Built(text, tmp_path, "chosen")
    thetas, theirs = start(), start()
    caller = Caller(built, thetas, which=first_cases(built, thetas))
    leave_out(caller)
    opt = reference(built)(theirs)
    careful = "Skip" in text
    for step in range(8):
        given = [gradients(x, step) if careful else wavy(x) for x in (thetas, theirs)]
        given = given if built.interface.is_given else [wavy, wavy]
        rested = caller.step(given[0], threads=2 * (step % 2))
        assert rested == (careful and step == 3)
        opt.step(given[1])
        same(thetas, theirs)
    caller.table[0, built.interface.tensor.offset("which")] = len(built.interface.cases)
    before = thetas[0].copy()
    asks = [] if built.interface.is_given else [None, None]
    assert caller.call("step", *asks) == -1 - built.interface.hyper.words
    np.testing.assert_array_equal(thetas[0], before)


@pytest.mark.slow
@pytest.mark.parametrize("own", ["EMA(SGD)", "Nesterov"])
def test_tensors_whose_rule_has_a_point_of_its_own_are_looked_at(own, tmp_path):
    built = Built(f"{own} if ndim == 1 else SGD", tmp_path)
    thetas, theirs = start(), start()
    caller = Caller(built, thetas, which=first_cases(built, thetas))
    opt = reference(built)(theirs)
    for _ in range(3):
        caller.step(wavy(thetas))
        opt.step(wavy(theirs))
    looks = {"iterate": ("iterate", opt.theta), "evaluate": ("evaluation point", opt.evaluation)}
    (name,) = built.interface.looks
    stream, want = looks[name]
    for threads in (0, 2):
        found = caller.look(name, stream, threads)
        pairs = [pair for pair in zip(found, want(), strict=True) if pair[0].ndim == 1]
        same(*zip(*pairs, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["(Accumulate(k=2) | Sign) if ndim == 1 else ClipByNorm(c=1)", "Sign for 2 then ClipByNorm"],
)
def test_transforms_may_be_chosen(text, tmp_path):
    built, thetas = Built(text, tmp_path), start()
    caller = Caller(built, thetas, which=first_cases(built, thetas))
    transform = reference(built)()
    for step in range(5):
        given = [gradient + step for gradient in wavy(thetas)]
        caller.step(given)
        want = transform.update(given)
        found = caller.stream(output_buffer(built.interface.unit.system))
        pairs = [pair for pair in zip(found, want, strict=True) if pair[1] is not None]
        same(*zip(*pairs, strict=True))


def test_tensors_that_rest_count_their_own_steps(tmp_path):
    file = parse(SKIPPING, "lone.opt")
    built = Built(build_rule(file.definitions[1], lookup_in(file)), tmp_path)
    thetas, theirs = start(), start()
    caller, opt = Caller(built, thetas), reference(built)(theirs)
    for step in range(6):
        scales = [100.0 if step in sat_out else 1.0 for sat_out in ((1,), (1, 2), (), ())]
        if step == 4:
            scales = [100.0] * 4
        given = [[scale * g for scale, g in zip(scales, wavy(x), strict=True)]
                 for x in (thetas, theirs)]  # fmt: skip
        assert caller.step(given[0], threads=2 * (step % 2)) == 0, "the empty one never rests"
        opt.step(given[1])
        same(thetas, theirs)
    assert caller.run.reshape(4, -1)[:, 1].tolist() == [4, 3, 5, 6]
    assert "an array of as many runs as there are tensors" in built.library.header


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SGD for 3 then (SGD if ndim == 1 else Adam)", "lets a condition on tensors decide"),
        ("(Accumulate | SGD) for 8 then (Accumulate | Adam)", "counts some of its steps anew"),
    ],
)
def test_what_c_cannot_step_is_told(text, why):
    assert why in refusal(load_rule(text)).message
