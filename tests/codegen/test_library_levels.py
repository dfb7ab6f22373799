"""Levels of instructions: what each is compiled to, and which of them a library chooses."""

import ctypes
import re
import shutil
import subprocess

import llvmlite.ir as ir
import numpy as np
import pytest
from llvmlite import binding

from optdsl.codegen.library.code import library_code
from optdsl.codegen.library.dispatch import suited_function
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.objects import c_compiler, host_triple, object_code
from optdsl.codegen.support.registers import is_x86, this_machine
from optdsl.codegen.unit import prepare
from optdsl.library import load_rule
from tests.codegen.calling import Built, Caller

pytestmark = pytest.mark.skipif(not is_x86(this_machine()), reason="levels are those of x86")
needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")


@pytest.fixture(scope="module")
def lion(tmp_path_factory):
    """A rule that chooses entry by entry: with AVX-512, by masks."""
    return Built("Lion", tmp_path_factory.mktemp("lion"), "lion")


# -------------------------------------------------------------------- assembly


@pytest.fixture(scope="module")
def instructions(lion):
    """Return the instructions of every function, as objdump prints them."""
    if shutil.which("objdump") is None:
        pytest.skip("no objdump")
    command = ["objdump", "-d", "--no-show-raw-insn", str(lion.folder / "lion.o")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts = re.split(r"^[0-9a-f]+ <([^>]+)>:$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@needs_compiler
@pytest.mark.parametrize("function", ["update_1_f32", "update_1_f64"])
def test_each_level_has_the_vectors_that_it_names(instructions, function):
    avx2 = instructions[f"{function}.level_avx2"]
    avx512 = instructions[f"{function}.level_avx512"]
    assert re.search(r"\bv\w+p[sd] .*%ymm", avx2)
    assert not re.search(r"%zmm|%k[0-7]", avx2)
    assert re.search(r"\bv\w+p[sd] .*%[yz]mm", avx512)
    assert re.search(r"%k[1-7]", avx512)


@needs_compiler
def test_what_runs_everywhere_uses_nothing_that_is_not_everywhere(instructions):
    plain = "".join(text for name, text in instructions.items() if ".level_avx" not in name)
    assert re.search(r"\bmulps .*%xmm", plain), "the baseline has vectors too"
    assert not re.search(r"%[yz]mm|%k[0-7]|\tv[a-z]+p[sd] ", plain)


def test_another_machine_gets_its_baseline():
    interface = Interface(prepare(load_rule("SGD")), "sgd")
    triple = "aarch64-unknown-linux-gnu"
    text, _ = library_code([interface], "aarch64", triple, interface)
    assert "llvm.aarch64.set.fpcr" in text
    assert "avx" not in text
    try:
        code = object_code(text, triple, "aarch64")
    except RuntimeError:
        pytest.skip("this LLVM knows no aarch64")
    assert code[:4] == b"\x7fELF"
    assert int.from_bytes(code[18:20], "little") == 183, "the machine that the file is for"


# ---------------------------------------------------------------------- choice

HASWELL = {"basic": 1 << 12 | 1 << 13 | 1 << 22 | 1 << 23 | 1 << 26 | 1 << 27 | 1 << 28 | 1 << 29,
           "more": 1 << 3 | 1 << 5 | 1 << 8, "extended": 1 | 1 << 5, "saved": 0b111}  # fmt: skip
SKYLAKE = {**HASWELL, "saved": 0b11100111,
           "more": HASWELL["more"] | 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31}  # fmt: skip
PROCESSORS = {
    "with AVX-512": (SKYLAKE, 2),
    "with AVX2": (HASWELL, 1),
    "with AVX but without FMA": ({**HASWELL, "basic": HASWELL["basic"] ^ 1 << 12}, 0),
    "with nothing": (dict.fromkeys(HASWELL, 0), 0),
    "with AVX-512 but no masks for bytes": ({**SKYLAKE, "more": SKYLAKE["more"] ^ 1 << 30}, 1),
    "whose system saves no wide registers": ({**SKYLAKE, "saved": 0b111}, 1),
    "whose system saves no vectors at all": ({**SKYLAKE, "saved": 0b1}, 0),
}


@pytest.fixture(scope="module")
def suited():
    """Return the function that the constructor asks, compiled where it can be called."""
    module = ir.Module("choice")
    module.triple = host_triple()
    suited_function(module).linkage = ""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(str(module)), machine)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint] * 4)
    yield kind(engine.get_function_address("suited_instructions"))
    engine.close()


@pytest.mark.parametrize(("reports", "level"), PROCESSORS.values(), ids=PROCESSORS)
def test_a_processor_gets_the_best_that_it_has(suited, reports, level):
    assert suited(*reports.values()) == level


@needs_compiler
def test_the_level_at_loading_is_the_best_of_this_processor(lion):
    features = binding.get_host_cpu_features()
    wide = all(features.get(f"avx512{kind}") for kind in ("f", "bw", "cd", "dq", "vl"))
    narrow = all(features.get(name) for name in ("avx2", "fma", "bmi", "bmi2", "f16c", "movbe"))
    assert lion.function("instructions")() == (2 if wide else 1 if narrow else 0)


@needs_compiler
def test_levels_can_be_forced_and_agree(lion):
    use, best = lion.function("use_instructions"), lion.function("instructions")()
    found = []
    try:
        for level in range(best + 1):
            assert use(level) == 0
            assert lion.function("instructions")() == level
            w = np.linspace(-1, 1, 5000, dtype=np.float32)
            caller = Caller(lion, [w], np.float32)
            for _ in range(5):
                caller.step([np.cos(9 * w)])
            found.append(w)
        assert use(best + 1) == -1
        assert use(-1) == -1
        assert lion.function("instructions")() == best
    finally:
        use(best)
    for each in found[1:]:
        np.testing.assert_allclose(each, found[0], rtol=1e-6, atol=1e-7)
