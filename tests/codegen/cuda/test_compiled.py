"""What becomes of kernels for CUDA: PTX and machine code, on any machine that has a toolkit."""

import inspect
import re
from importlib.util import find_spec

import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.support.cuda.compiling import ptx
from optdsl.codegen.support.cuda.words import WARPS
from optdsl.codegen.toolkit.architectures import USUAL, architectures
from optdsl.codegen.toolkit.assembling import assemble, assembler_at_hand
from optdsl.codegen.toolkit.compiling import ptx_of
from optdsl.codegen.toolkit.disassembling import instructions, sass_text
from optdsl.codegen.toolkit.finding import find_program
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule, shipped
from tests.codegen.cuda.launching import kernels_of

pytestmark = [
    pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not installed"),
    pytest.mark.skipif(assembler_at_hand() is None, reason="no ptxas and no nvJitLink"),
]
RULES = [name for name, each in shipped().items() if each.family != "schedule"]


def compiled(name, form, architecture="sm_90", **options):
    """Yield the kernels of a rule: PTX, how many accesses of 16 bytes there must be, or None."""
    layout = compile_system(load_rule(name), "numba-cuda")
    [machine] = architectures(architecture)
    for kernel, stage in kernels_of(layout):
        formats = (form,) if stage is None else formats_of(layout, stage, form)
        yield (
            kernel,
            stage,
            machine,
            ptx(kernel, formats, machine.capability, name, **options),
        )


def formats_of(layout, stage, form):
    """Return the formats of the streams of a pass: states keep 16 bits only where they say so."""
    wide = "float32" if form == "bfloat16" else form
    said = {state.name: state.storage for state in layout.states}
    states = [said.get(stream) or wide for stream in stage.streams]
    own, shaped = {"theta", "g"}, dict(layout.shaped)
    return tuple(
        "float64" if s in shaped else form if s in own else f.split()[0]
        for s, f in zip(stage.streams, states, strict=True)
    )


def check(name, form, architecture="sm_90"):
    try:
        found = list(compiled(name, form, architecture))
    except DiagnosticError as error:
        if error.diagnostics[0].code != "not-on-cuda":
            raise
        pytest.skip(error.diagnostics[0].message)
    for kernel, stage, machine, text in found:
        assembled = assemble(text.text, machine)
        [taken] = assembled.kernels.values()
        wide = 80 if kernel.kind == "pass" else 128
        assert taken.registers <= (wide if form == "float64" else 64), kernel.name
        assert (taken.stack, taken.spill_stores, taken.spill_loads) == (0, 0, 0), kernel.name
        folds = inspect.getsource(kernel.make).count("_of_block(")
        assert taken.shared == folds * WARPS * 8, "a float64 a warp, so that hundreds fit"
        if kernel.kind in ("pass", "tiles") and form != "bfloat16" and find_program("nvdisasm"):
            loads, stores = inputs(kernel), len(stage.writes)
            found = whole_accesses(assembled.cubin)
            # Machine code may have the loop over rows several times, and each has its accesses.
            copies = found[0] // loads if kernel.kind == "tiles" else 1
            assert 1 <= copies <= 4
            assert found == (copies * loads, copies * stores)


def inputs(kernel):
    """Return how many arrays a kernel loads from."""
    return len(re.findall(r" = load(?:_constant)?\(", inspect.getsource(kernel.make)))


def whole_accesses(cubin):
    """Return how many loads and stores of 16 bytes the machine code of a kernel has."""
    [counted] = instructions(sass_text(cubin)).values()
    return tuple(
        sum(count for name, count in counted.items() if re.match(rf"{kind}\.E\.128\b", name))
        for kind in ("LDG", "STG")
    )


@pytest.mark.parametrize("name", ["AdamW", "LAMB", "SGLD"])
def test_kernels_are_lean(name):
    check(name, "float32")


@pytest.mark.parametrize("form", ["float64", "bfloat16"])
def test_kernels_of_other_formats_are_lean(form):
    check("AdamW", form)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", USUAL)
@pytest.mark.parametrize("name", RULES)
def test_kernels_of_every_rule_are_lean(name, architecture):
    check(name, "float32", architecture)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["float64", "bfloat16"])
@pytest.mark.parametrize(
    "name", ["AdEMAMix", "Adafactor", "Adan", "LAMB", "MADGRAD", "Prodigy", "SGLD"]
)
def test_kernels_of_any_format_are_lean(name, form):
    check(name, form)


def test_divisions_and_roots_are_exact_unless_said_otherwise():
    [*_, [_, _, _, exact]] = compiled("AdamW", "float32")
    [*_, [_, _, machine, fast]] = compiled("AdamW", "float32", approximate=True)
    assert "div.rn.f32" in exact.text
    assert "sqrt.rn.f32" in exact.text
    assert not re.search(r"(div|sqrt)\.rn\.f32", fast.text)
    assert "div.full.f32" in fast.text
    few, many = (assemble(each.text, machine).kernels for each in (fast, exact))
    assert next(iter(few.values())).registers <= next(iter(many.values())).registers


def test_gradients_are_read_through_the_cache_for_constants():
    [*_, [_, _, _, text]] = compiled("AdamW", "float32")
    assert text.text.count("ld.global.nc.v4.f32") == 1
    assert text.text.count("ld.global.v4.f32") == 3


@pytest.mark.parametrize("architecture", ["sm_75", "sm_86", "sm_89", "sm_103", "sm_120"])
def test_ptx_is_marked_as_old_as_may_be(architecture):
    """Older drivers take it: the assembler refuses nothing but what is older still."""
    [*_, [_, _, machine, text]] = compiled("SGD", "float32", architecture)
    assemble(text.text, machine)
    [(major, minor)] = re.findall(r"\.version (\d+)\.(\d+)", text.text)
    older = f".version {major}.{int(minor) - 1}" if int(minor) else f".version {int(major) - 1}.9"
    with pytest.raises(DiagnosticError, match="refuses the PTX"):
        assemble(text.text.replace(f".version {major}.{minor}", older), machine)


def test_a_card_that_the_toolkit_does_not_know_is_refused():
    [kernel] = [each for each, stage in kernels_of(compile_system(load_rule("SGD"), "numba-cuda"))
                if stage is not None]  # fmt: skip
    with pytest.raises(DiagnosticError, match=r"compute capability 3\.5"):
        ptx_of(kernel, ("float32", "float32"), (3, 5))


def test_no_number_of_float32_is_computed_in_float64():
    [*_, [_, _, _, text]] = compiled("AdamW", "float32")
    assert ".f64" not in text.text
