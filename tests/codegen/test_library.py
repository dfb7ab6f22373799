"""Libraries for C: what they export, what they compute, and a C program that trains with one."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.library import build_library, refusal
from optdsl.codegen.library.objects import c_compiler
from optdsl.language import parse
from optdsl.library import load_rule, lookup_in, shipped
from optdsl.model import build
from optdsl.model.alternatives import Alternatives
from optdsl.program.streams import output_buffer
from optdsl.runtime import ScheduleCursor, from_layout
from tests.codegen.calling import Built, Caller

needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")
pytestmark = needs_compiler

CAREFUL = "SkipNonfinite | ClipByGlobalNorm(c=1) | AdamW"
#: What any C has: the mathematical library, and what moves memory.
OF_C = {"pow", "powf", "exp", "log", "cos", "fma", "fmaf", "fmod", "fmodf", "floor", "floorf",
        "rint", "rintf", "memset", "memcpy", "memmove"}  # fmt: skip


@pytest.fixture(scope="module")
def careful(tmp_path_factory):
    return Built(CAREFUL, tmp_path_factory.mktemp("careful"), "careful")


def run(*command, cwd=None):
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ------------------------------------------------------------------- symbols


@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm")
def test_nothing_but_c_is_needed(careful):
    listed = run("nm", "--undefined-only", careful.folder / "careful.o").split()
    assert set(listed) - {"U"} <= OF_C


@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm")
def test_what_is_exported_is_what_the_header_declares(careful):
    listed = run("nm", "--defined-only", "--extern-only", careful.folder / "careful.o")
    exported = {line.split()[-1] for line in listed.splitlines()}
    declared = set(re.findall(r"\b(careful_\w+)(?:\(|\[)", careful.library.header))
    assert declared - exported == set()
    assert all(name.startswith("careful_kernel_") for name in exported - declared)


def test_a_header_says_the_equations_and_cannot_be_broken_out_of():
    text = (
        'optimizer Odd\n  "Ends */ here /* \\\\ ."\n  hyper new = 1 in [0, inf)\n'
        "  double[0] = 0\n  double[t] = double[t-1] + g[t]\n"
        "  theta[t] = theta[t-1] - new*double[t]\n"
    )
    file = parse(text, "odd.opt")
    header = build_library(build(file.definitions[0], lookup_in(file)), "odd").header
    assert "theta[t] = theta[t-1] - new*double[t]" in header
    assert "double new_;" in header
    assert "float *double_;" in header
    compiles(header, "c")


def compiles(header, language):
    options = ["-x", language, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-"]
    subprocess.run([c_compiler(), *options], input=header, text=True, check=True)


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_a_header_is_also_one_of_cpp(careful):
    compiles(careful.library.header, "c++")


# ------------------------------------------------------------------ a program

PROGRAM = """
#include "careful.h"
#include <stdio.h>
#include <stdlib.h>

#define N 5000

int main(void) {
    static float w[N], b[3], gw[N], gb[3], mw[N], mb[3], vw[N], vb[3];
    careful_hyper hyper = CAREFUL_DEFAULTS;
    careful_run run;
    careful_tensor_f32 tensors[2] = {
        {.size = N, .theta = w, .g = gw, .m = mw, .v = vw},
        {.size = 3, .theta = b, .g = gb, .m = mb, .v = vb},
    };
    if (careful_init_f32(&hyper, &run, tensors, 2) != 0) return 1;
    hyper.eta = 0.01;
    for (int step = 0; step < 300; step++) {
        for (int i = 0; i < N; i++) gw[i] = w[i] - (float)(i % 7);
        for (int i = 0; i < 3; i++) gb[i] = 4 * (b[i] + 1);
        if (step == 10) gw[17] = NAN;
        int rested = careful_step_f32(&hyper, &run, tensors, 2);
        if (rested != (step == 10)) return 2;
    }
    printf("%d %d", (int)run.t[0], (int)run.t[1]);
    for (int i = 0; i < 7; i++) printf(" %.9g", (double)w[i]);
    for (int i = 0; i < 3; i++) printf(" %.9g", (double)b[i]);
    hyper.beta1 = 1;
    return careful_step_f32(&hyper, &run, tensors, 2) == -3 ? 0 : 3;
}
"""


def as_the_program_does():
    """Return what the program prints, from the same steps on the reference target."""
    w, b = np.zeros(5000, np.float32), np.zeros(3, np.float32)
    rule = from_layout(compile_system(load_rule(CAREFUL), "reference"))
    opt = rule([w, b], lr=0.01)
    for step in range(300):
        gradient = w - np.arange(5000) % 7
        if step == 10:
            gradient[17] = np.nan
        opt.step([gradient.astype(np.float32), 4 * (b + 1)])
    return [300, 299, *w[:7], *b]


@pytest.mark.parametrize("linked", ["shared", "static"])
def test_a_c_program_trains_a_quadratic(careful, linked):
    folder = careful.folder
    (folder / "main.c").write_text(PROGRAM)
    options = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", linked]
    library = ["-L.", "-lcareful", "-Wl,-rpath,."] if linked == "shared" else ["careful.o"]
    run(c_compiler(), *options, "main.c", *library, "-lm", cwd=folder)
    printed = [float(word) for word in run(f"./{linked}", cwd=folder).split()]
    np.testing.assert_allclose(printed, as_the_program_does(), rtol=1e-5, atol=1e-6)


# --------------------------------------------------------- every kind of rule


def start():
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in ((3, 5), (7,), (5001,), (0,))]


AIMS = [0.3 * array for array in start()]


def wavy(points):
    return [np.cos(3 * x) + 0.5 * (x - aim) for x, aim in zip(points, AIMS, strict=True)]


def same(got, want):
    np.testing.assert_equal(len(got), len(want))
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def compare(built):
    """Take steps from C and on the reference target; compare all that comes of them."""
    system = built.interface.unit.system
    needed = {h.name: 10.0 if h.domain is not None and h.domain.whole else 0.02
              for h in built.rule.hyperparameters if h.default is None}  # fmt: skip
    rule = from_layout(compile_system(built.rule, "reference"))
    {"optimizer": optimizers, "transform": transforms, "schedule": schedules}[system.family](
        built, rule, needed
    )


def optimizers(built, rule, needed):
    interface, system = built.interface, built.interface.unit.system
    ours, theirs = start(), start()
    caller = Caller(built, ours, **needed)
    opt = rule(theirs, **needed)
    for step in range(6):
        loss = {"loss": 1.5 / (step + 1)} if system.losses else {}
        for name in system.losses:
            caller.number(name)[0] = loss["loss"]
        caller.step(wavy(ours) if interface.is_given else wavy, threads=2 * (step % 2))
        opt.step(wavy(theirs) if interface.is_given else wavy, **loss)
    same(ours, theirs)
    if "iterate" in interface.looks:
        same(caller.look("iterate", "iterate"), opt.theta())
        same(caller.look("iterate", "iterate", threads=2), opt.theta())
    if "evaluate" in interface.looks:
        same(caller.look("evaluate", "evaluation point"), opt.evaluation())
        same(caller.look("evaluate", "evaluation point", threads=2), opt.evaluation())


def transforms(built, rule, needed):
    system, thetas = built.interface.unit.system, start()
    caller, transform = Caller(built, thetas, **needed), rule(**needed)
    reads = "stream theta" in built.interface.tensor.fields
    for step in range(6):
        gradients = [gradient + step for gradient in wavy(thetas)]
        want = transform.update(gradients, thetas) if reads else transform.update(gradients)
        rested = caller.step(gradients, threads=2 * (step % 2)) == 1
        assert [each is None for each in want] == [rested] * len(want)
        if not rested:
            same(caller.stream(output_buffer(system)), want)


def schedules(built, rule, needed):
    inputs = built.interface.unit.system.handed_in
    caller, cursor = Caller(built, [], **needed), ScheduleCursor(rule(**needed))
    for step in range(30):
        given = {}
        for each in inputs:
            came = step % 3 == 0
            caller.hyper[built.interface.hyper.offset(each.flag)] = came
            if came:
                given[each.known_as] = np.cos(step)
                caller.hyper[built.interface.hyper.offset(each.name)] = np.cos(step)
        np.testing.assert_allclose(caller.next()[0], cursor.next(**given), rtol=1e-12, atol=1e-15)


KINDS = {
    "a number a tensor": "NovoGrad",
    "a number a step": "Accumulate(k=2) | NAdam",
    "gradients asked for": "SAM",
    "a point that looks ahead, by a schedule": "Nesterov(gamma=0.5*WarmRestarts(T_0=2, T_mult=2))",
    "a point to evaluate at": "EMA",
    "draws": "SGLD",
    "the loss, and a number for all": "Polyak",
    "a transform, and a fact": "MaskedWeightDecay",
    "a schedule with inputs": "Plateau",
    "values a row and a column": "Adafactor",
}


@pytest.mark.parametrize("rule", KINDS.values(), ids=KINDS)
def test_c_takes_the_steps_of_the_reference(rule, tmp_path):
    compare(Built(rule, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*shipped()} - {*KINDS.values()}))
def test_c_steps_every_other_shipped_rule(name, tmp_path):
    rule = load_rule(name)
    assert refusal(rule) is None
    if not isinstance(rule, Alternatives) and name != "Shampoo" and not name.startswith("Muon"):
        compare(Built(rule, tmp_path))  # those of matrices have tests of their own


# ------------------------------------------------------------------- numbers


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Built(
        "ClipByGlobalNorm | SGD(eta=Cosine(eta_max=0.5, T=4))", tmp_path_factory.mktemp("settings")
    )


def test_a_number_outside_its_domain_is_told_and_nothing_moves(careful):
    w = np.ones(4)
    caller = Caller(careful, [w])
    before = caller.run.copy()
    for name, value in (("beta1", 1.0), ("epsilon", -1.0), ("c", np.nan)):
        kept = caller.hyper.copy()
        caller.hyper[careful.interface.hyper.offset(name)] = value
        caller.put(0, "g", np.ones(4))
        assert caller.call("step") == -1 - careful.interface.hyper.offset(name)
        caller.hyper[:] = kept
    np.testing.assert_array_equal(caller.run[:2], before[:2])
    assert w.tolist() == [1.0] * 4


def test_what_the_spec_gives_by_a_schedule_can_be_given_by_hand(settings):
    w = np.zeros(1)
    caller = Caller(settings, [w])
    moved = []
    for eta in (np.nan, 0.25):
        caller.hyper[settings.interface.hyper.offset("eta")] = eta
        before = w[0]
        caller.step([np.ones(1)])
        moved.append(before - w[0])
    assert moved == [0.5, 0.25]
