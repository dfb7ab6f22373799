"""The C header of a rule for CUDA: it compiles, its numbers are those of Python, it launches."""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from optdsl.codegen.toolkit.building import build
from optdsl.codegen.toolkit.header import header_text
from optdsl.codegen.versions import Imprint
from optdsl.library import load_rule
from optdsl.runtime.layout import Scalars

STUB = Path(__file__).with_name("cuda_stub.h").read_text(encoding="utf-8")

PROGRAM = """
#include "rule.h"
#include <vector>
extern "C" {
long long noted[64][16];
int notes;
CUresult cuLaunchKernel(CUfunction kernel, unsigned gx, unsigned, unsigned, unsigned bx, unsigned,
                        unsigned, unsigned, CUstream stream, void **given, void **) {
    long long *note = noted[notes++];
    note[0] = (long long)(intptr_t)kernel;
    note[1] = gx;
    note[2] = bx;
    note[3] = (long long)(intptr_t)stream;
    for (int i = 0; i < 10; ++i) note[4 + i] = *(long long *)given[i];
    return CUDA_SUCCESS;
}
void numbers(double t, const double *hyper, double *step_state, double *exactly) {
    NUMBERS
}
int step() {
    std::vector<CUfunction> kernels;
    for (long long i = 0; i < RULE_KERNELS; ++i) kernels.push_back((CUfunction)(intptr_t)(i + 1));
    std::vector<optdsl_table> tables;
    for (int i = 0; i < RULE_TABLES; ++i) {
        optdsl_table table = {};
        table.blocks = 10 * (i + 1);
        table.tensors = 3;
        table.owners = table.firsts = 1000 * (i + 1);
        table.sizes = 7;
        table.shapes = 8;
        tables.push_back(table);
    }
    optdsl_numbers given = {1, 2, 3, 4, 5};
    return STEP;
}
long long tall(long long rows, long long columns) { return optdsl_tall(rows, columns, 0); }
long long tiles(long long rows, long long columns, long long tall) {
    return optdsl_tiles(rows, columns, 128, tall);
}
long long lines(long long rows, long long columns) { return optdsl_lines(rows, columns, 8, 256); }
long long blocks(const int64_t *sizes, long long count, long long chunk, int64_t *owners,
                 int64_t *chunks, int64_t *firsts) {
    return optdsl_blocks(sizes, count, chunk, owners, chunks, firsts);
}
}
"""

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Return what compiles the header of a rule, and loads a library around it."""

    def compile_rule(rule):
        folder = tmp_path_factory.mktemp("header")
        made = build(load_rule(rule), "rule", ())
        text = header_text(made, "rule", Imprint("VERSION"))
        numbers = [part for part in text.split() if part.startswith("rule_numbers")]
        calls = "".join(f"{name.split('(')[0]}(t, hyper, step_state, exactly);" for name in numbers)
        launches = "rule_step(kernels.data(), tables.data(), &given, (CUstream)77)"
        program = PROGRAM.replace("NUMBERS\n", f"{calls}\n")
        program = program.replace("STEP;", f"{launches};" if "rule_step(" in text else "0;")
        (folder / "cuda.h").write_text(STUB)
        (folder / "rule.h").write_text(text)
        (folder / "rule.cpp").write_text(program)
        strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wno-unused-function",
                  "-Wno-unused-variable", "-Wno-cast-function-type"]  # fmt: skip
        command = ["g++", *strict, "-ffp-contract=off", "-shared", "-fPIC", f"-I{folder}",
                   folder / "rule.cpp", "-o", folder / "rule.so"]  # fmt: skip
        subprocess.run(command, check=True)
        return made, text, ctypes.CDLL(str(folder / "rule.so"))

    return compile_rule


def numbers_by_python(layout, t, hyper):
    found = np.zeros(layout.scalars)
    for stage in layout.ready or layout.function:
        if isinstance(stage, Scalars):
            stage.function(float(t), hyper, np.zeros(4), found)
    return found


def numbers_by_c(library, layout, t, hyper):
    found, state = np.zeros(layout.scalars), np.zeros(4)
    pointers = (each.ctypes.data_as(ctypes.c_void_p) for each in (hyper, state, found))
    library.numbers(ctypes.c_double(t), *pointers)
    return found


@needs_compiler
@pytest.mark.parametrize("rule", ["Adam", "NAdam", "RAdam", "ClipByGlobalNorm | AdamW"])
def test_numbers_of_a_step_are_those_of_python(compiled, rule):
    made, _, library = compiled(rule)
    layout = made.layout
    hyper = np.full(64, 0.5)
    for place, slot in enumerate(layout.hyperparameters):
        hyper[place] = slot.default if isinstance(slot.default, float) else 0.25
    for t in (1, 2, 7, 5000):
        expected = numbers_by_python(layout, t, hyper)
        np.testing.assert_allclose(numbers_by_c(library, layout, t, hyper), expected, rtol=1e-15)


@needs_compiler
def test_a_step_launches_the_kernels_in_order(compiled):
    made, _, library = compiled("LAMB")
    noted = (ctypes.c_longlong * 16 * 64).in_dll(library, "noted")
    assert library.step() == 0
    assert ctypes.c_int.in_dll(library, "notes").value == 3
    by_entry = {each.entry: place + 1 for place, each in enumerate(made.kernels)}
    expected = [  # kernel, blocks, threads, stream, and the first table
        [by_entry["rule_kernel_1"], 10, 256, 77, 1000],
        [by_entry["rule_finish_1"], 3, 256, 77, 1000],
        [by_entry["rule_kernel_2"], 20, 256, 77, 2000],
    ]
    assert [list(noted[i][:5]) for i in range(3)] == expected
    assert list(noted[0][9:13]) == [1, 2, 3, 4], "cohort, numbers, exactly, tensor"


@needs_compiler
def test_blocks_are_those_of_the_runtime(compiled):
    from optdsl.codegen.support.cuda.tables import blocks

    _, _, library = compiled("SGD")
    sizes = np.array([5, 0, 4096, 4097], np.int64)
    expected = blocks([1, 0, 4, 5])
    found = [np.zeros(len(each), np.int64) for each in expected]
    pointers = [each.ctypes.data_as(ctypes.c_void_p) for each in (sizes, *found)]
    library.blocks.restype = ctypes.c_longlong
    count = library.blocks(pointers[0], len(sizes), 1024, *pointers[1:])
    assert count == len(expected[0])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@needs_compiler
def test_passes_over_tiles_are_told_the_shapes_of_tensors(compiled):
    made, text, library = compiled("Adafactor")
    noted = (ctypes.c_longlong * 16 * 64).in_dll(library, "noted")
    assert library.step() == 0
    entries = {place + 1: each.entry for place, each in enumerate(made.kernels)}
    found = [(entries[note[0]].removeprefix("rule_"), note[1], note[4], note[6]) for note in noted
             if note[0]]  # fmt: skip
    assert [(name, blocks, first) for name, blocks, first, _ in found] == [
        ("kernel_1", 10, 1000), ("finish_1", 3, 1000), ("lines_1", 20, 2000),
        ("finish_2", 3, 2000), ("kernel_2", 30, 3000), ("finish_3", 3, 3000),
        ("kernel_3", 40, 4000),
    ]  # fmt: skip
    told = [extent for *_, extent in found]
    assert [told[0], told[2], told[4], told[6]] == [8, 8, 8, 8]
    assert [note[5] for note in noted if entries.get(note[0], "")[5:11] == "finish"] == [7, 8, 7]
    partial_sums = dict(re.findall(r"RULE_(\w+)_REDUCTIONS = (\d+)", text))
    assert partial_sums == {"KERNEL_1": "1", "LINES_1": "1", "KERNEL_2": "1", "KERNEL_3": "0"}


@needs_compiler
def test_tiles_are_those_of_the_runtime(compiled):
    from optdsl.codegen.support.cuda.tables import Lines, Tiles

    _, _, library = compiled("Adafactor")
    shapes = np.array([(1, 1), (1, 70_000), (0, 5), (5, 0), (64, 128), (65, 129), (50_257, 768)])
    sizes = ctypes.c_longlong
    library.tall.restype = library.tiles.restype = library.lines.restype = sizes
    given = [[sizes(number) for number in shape] for shape in shapes.tolist()]
    for cut, count in ((Tiles(), 0), (Tiles(16), 16)):
        found = [library.tiles(*each, sizes(count)) for each in given]
        assert found == cut.pieces(shapes, ("float32",)).tolist()
    assert [library.tall(*each) for each in given] == Tiles().heights(shapes).tolist()
    assert [library.lines(*each) for each in given] == Lines(8, 256).pieces(shapes, ()).tolist()


@needs_compiler
def test_the_header_is_c_too(compiled, tmp_path):
    _, text, _ = compiled("Adam")
    (tmp_path / "cuda.h").write_text(STUB)
    (tmp_path / "rule.h").write_text(text)
    (tmp_path / "rule.c").write_text('#include "rule.h"\n')
    command = ["gcc", "-std=c99", "-Wall", "-Werror", "-Wno-unused", f"-I{tmp_path}", "-c",
               tmp_path / "rule.c", "-o", tmp_path / "rule.o"]  # fmt: skip
    subprocess.run(command, check=True)


@needs_compiler
def test_the_documented_program_compiles(compiled, tmp_path):
    page = Path(__file__).parents[3] / "docs" / "cuda.md"
    (program,) = re.findall(r"```c\+\+\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    made = build(load_rule("Adam"), "adam", ())
    (tmp_path / "cuda.h").write_text(STUB)
    (tmp_path / "adam.h").write_text(header_text(made, "adam", Imprint("VERSION")))
    (tmp_path / "program.cpp").write_text(program)
    command = ["g++", "-fsyntax-only", "-Wall", "-Werror", "-Wno-unused-function",
               f"-I{tmp_path}", tmp_path / "program.cpp"]  # fmt: skip
    subprocess.run(command, check=True)


def test_a_rule_that_chooses_what_to_launch_says_so():
    made = build(load_rule("SkipNonfinite | Adam"), "rule", ())
    assert "launch its kernels one by one" in header_text(made, "rule", Imprint("VERSION"))
