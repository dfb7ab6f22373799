"""The CUDA toolkit without a card: PTX, cubins, what kernels take, and what is said without it."""

from fractions import Fraction

import pytest

from optdsl.codegen.toolkit import assembling, finding
from optdsl.codegen.toolkit.architectures import ARCHITECTURES, USUAL, architectures
from optdsl.codegen.toolkit.assembling import Resources, assemble, resources
from optdsl.codegen.toolkit.disassembling import instructions, sass_text
from optdsl.codegen.toolkit.modules import one_module
from optdsl.codegen.toolkit.occupancy import occupancy
from optdsl.diagnostics import DiagnosticError

needs_assembler = pytest.mark.skipif(
    assembling.assembler_at_hand() is None, reason="neither ptxas nor nvJitLink is installed"
)

PTX = """\
.version 8.0
.target sm_80
.address_size 64

.visible .entry NAME(.param .u64 a, .param .u64 b, .param .f32 c)
{
    .reg .f32 %f<4>;
    .reg .b32 %r<2>;
    .reg .b64 %rd<6>;
    ld.param.u64 %rd1, [a];
    ld.param.u64 %rd2, [b];
    ld.param.f32 %f1, [c];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd3, %r1, 4;
    add.s64 %rd4, %rd1, %rd3;
    add.s64 %rd5, %rd2, %rd3;
    ld.global.f32 %f2, [%rd4];
    mul.rn.f32 %f3, %f1, %f2;
    st.global.f32 [%rd5], %f3;
    ret;
}
"""


@pytest.fixture(scope="module")
def module():
    return one_module([PTX.replace("NAME", name) for name in ("scale_one", "scale_two")])


# ------------------------------------------------------------- architectures


def test_architectures_are_found_by_name():
    assert [each.name for each in architectures("sm_90, sm_80,sm_90")] == ["sm_90", "sm_80"]
    assert ARCHITECTURES["sm_100"].capability == (10, 0)
    assert set(USUAL) <= set(ARCHITECTURES)


def test_an_unknown_architecture_is_refused():
    with pytest.raises(DiagnosticError, match=r"unknown-architecture.*`sm_8`"):
        architectures("sm_8,sm_90")


@pytest.mark.parametrize(
    ("name", "threads", "registers", "shared", "blocks", "share", "limit"),
    [
        # worked by hand
        ("sm_80", 256, 32, 0, 8, 1, "threads"),
        ("sm_80", 256, 33, 0, 6, Fraction(3, 4), "registers"),
        ("sm_80", 256, 64, 0, 4, Fraction(1, 2), "registers"),
        ("sm_80", 1024, 65, 0, 0, 0, "registers"),
        ("sm_86", 256, 40, 0, 6, 1, "threads"),
        ("sm_86", 32, 16, 0, 16, Fraction(1, 3), "blocks"),
        ("sm_89", 128, 255, 0, 2, Fraction(1, 6), "registers"),
        ("sm_90", 256, 32, 48 * 1024, 4, Fraction(1, 2), "shared memory"),
        ("sm_75", 256, 32, 0, 4, 1, "threads"),
    ],
)
def test_occupancy(name, threads, registers, shared, blocks, share, limit):
    found = occupancy(ARCHITECTURES[name], threads, registers, shared)
    assert (found.blocks, found.limit) == (blocks, limit)
    assert found.share == pytest.approx(float(share))


# ------------------------------------------------------------------ resources

LINKED = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_90'
ptxas info    : Function properties for first
ptxas         .     8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Function properties for helper
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 4096 bytes smem
ptxas info    : Compile time = 3.808 ms
ptxas info    : Compiling entry function 'second' for 'sm_90'
ptxas info    : Function properties for second
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 12 registers, used 0 barriers
info    : 8 bytes gmem
info    : used 12 registers, used 0 barriers, 0 stack, 0 bytes smem
"""


def test_what_an_assembler_says_is_read_kernel_by_kernel():
    assert resources(LINKED) == {
        "first": Resources(40, spill_stores=12, spill_loads=16, stack=8, shared=4096),
        "second": Resources(12),
    }


# -------------------------------------------------------------------- toolkit


def test_kernels_of_one_module_share_its_head(module):
    assert module.count(".visible .entry scale_one(") == 1
    assert module.count(".visible .entry scale_two(") == 1
    assert module.count(".target sm_80") == 1
    with pytest.raises(ValueError, match="no PTX module"):
        one_module([module, "nothing"])


@needs_assembler
def test_every_assembler_makes_cubins(module):
    sm_90 = ARCHITECTURES["sm_90"]
    runs = assembling.assemblers().values()
    for cubin, log in (run(module, sm_90) for run in runs):
        assert cubin.startswith(b"\x7fELF")
        found = resources(log)
        assert set(found) == {"scale_one", "scale_two"}
        assert all(1 < each.registers <= 32 and not each.spill_stores for each in found.values())


@needs_assembler
@pytest.mark.skipif(finding.find_program("nvdisasm") is None, reason="no nvdisasm")
def test_machine_code_is_counted(module):
    made = assemble(module, ARCHITECTURES["sm_90"])
    counted = instructions(sass_text(made.cubin))
    assert counted["scale_one"] == counted["scale_two"]
    assert counted["scale_one"]["STG.E"] == 1
    assert counted["scale_one"]["LDG.E"] == 1


@needs_assembler
def test_what_an_assembler_refuses_is_said(module):
    newer = module.replace(".version 8.0", ".version 99.9")
    with pytest.raises(DiagnosticError, match=r"not-assembled[\s\S]*of one release"):
        assemble(newer, ARCHITECTURES["sm_90"])


# -------------------------------------------------------------- without it


def test_without_assembler_and_disassembler_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(assembling, "assemblers", dict)
    with pytest.raises(DiagnosticError, match="assembler is missing"):
        assemble("", ARCHITECTURES["sm_90"])
    monkeypatch.setattr("optdsl.codegen.toolkit.disassembling.find_program", lambda name: None)
    with pytest.raises(DiagnosticError, match="nvdisasm is missing"):
        sass_text(b"")


def test_programs_are_looked_for_where_CUDA_HOME_says(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ptxas").touch()
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert finding.find_program("ptxas") == tmp_path / "bin" / "ptxas"
