"""Kernels compiled at run time are kept on disk, and made again where anything has changed."""

import pytest

import optdsl
from optdsl.cuda import programs
from optdsl.diagnostics import DiagnosticError


@pytest.fixture
def kernel():
    layout = optdsl.load("SGD", "cuda").layout
    return layout.ready[-1].function.kernel


def test_ptx_is_made_once(kernel, monkeypatch, tmp_path):
    made = []

    def ptx_of(kernel, formats, capability, approximate):
        made.append((formats, capability, approximate))
        return f".visible .entry {kernel.name}_{len(made)}("

    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(programs, "ptx_of", ptx_of)
    asked = [
        (("float32",), (9, 0), False),
        (("float32",), (9, 0), False),
        (("float64",), (9, 0), False),
        (("float32",), (8, 0), False),
        (("float32",), (9, 0), True),
    ]
    entries = [programs.compiled(kernel, *each)[1] for each in asked]
    assert entries == ["kernel_1_1", "kernel_1_1", "kernel_1_2", "kernel_1_3", "kernel_1_4"]
    assert made == asked[:1] + asked[2:]


def test_without_the_compiler_it_says_what_to_install(kernel, monkeypatch, tmp_path):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("optdsl.codegen.toolkit.compiling.has_module", lambda name: False)
    with pytest.raises(DiagnosticError, match=r"numba-cuda is missing[\s\S]*optdsl\[cuda\]"):
        programs.compiled(kernel, ("float32",), (9, 0), False)
