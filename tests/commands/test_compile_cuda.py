"""`optdsl compile --target cuda` and `optdsl show --as ptx`, with the toolkit and without."""

import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "compile_cuda.json"

needs_toolkit = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"
)


@pytest.fixture
def bare(monkeypatch):
    """Let no part of the toolkit be installed."""
    monkeypatch.setattr("optdsl.codegen.toolkit.compiling.has_module", lambda name: False)


def test_without_the_toolkit_it_says_what_to_install(optdsl, bare, tmp_path):
    told = optdsl("compile", "SGD", "--target", "cuda", "-o", tmp_path / "out")
    assert told.status == 1
    assert "numba-cuda is missing" in told.err
    assert "optdsl[cuda]" in told.err
    assert not (tmp_path / "out").exists(), "nothing is written by halves"
    assert "numba-cuda is missing" in optdsl("show", "SGD", "--as", "ptx").err


def test_what_cannot_be_is_refused(optdsl):
    assert (
        "`sm_99`" in optdsl("compile", "SGD", "--target", "cuda", "--arch", "sm_99", "-o", "x").err
    )
    assert "--target cuda" in optdsl("compile", "SGD", "--arch", "sm_90", "-o", "x").err
    told = optdsl("compile", "SGD", "--target", "cuda", "--dtype", "int8", "-o", "x")
    assert "parameters cannot be int8" in told.err
    kept = ("--storage", "theta=bfloat16", "-o", "x")
    told = optdsl("compile", "SGD", "--target", "cuda", *kept)
    assert "SGD keeps its parameters in bfloat16" in told.err
    assert "is a schedule" in optdsl("show", "Cosine", "--as", "ptx").err


def test_options_that_nothing_reads_are_refused(optdsl):
    for options in (("--dtype", "int8"), ("--as", "program", "--arch", "sm_80"),
                    ("--as", "assembly", "--target", "cuda"), ("--target", "cuda")):  # fmt: skip
        told = optdsl("show", "SGD", *options)
        assert (told.status, told.out) == (2, "")
        assert f"{options[-2]}" in told.err
    assert "only --as ptx and --as sass" in optdsl("show", "SGD", "--dtype", "float64").err
    assert optdsl("show", "SGD", "--as", "jax", "--target", "jax").status == 0


def test_the_source_needs_no_toolkit(optdsl, bare):
    told = optdsl("show", "Adam", "--as", "source", "--target", "cuda")
    assert told.status == 0
    assert "from optdsl.cuda import from_layout" in told.out


def test_a_schedule_is_compiled_to_a_module_only(optdsl, bare, tmp_path):
    told = optdsl("compile", "Cosine", "--target", "cuda", "-o", tmp_path)
    assert told.status == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["cosine.py"]


@needs_toolkit
def test_what_is_written(optdsl, tmp_path):
    told = optdsl("compile", "LAMB", "--target", "cuda", "--arch", "sm_80,sm_90", "-o", tmp_path)
    assert told.status == 0
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert {"lamb.py", "lamb.h", "lamb.sm_80.ptx", "lamb.sm_90.ptx", "lamb.report.txt"} <= names
    for name in ("lamb.sm_80.cubin", "lamb.sm_90.cubin"):
        assert (tmp_path / name).read_bytes().startswith(b"\x7fELF")
    ptx = (tmp_path / "lamb.sm_90.ptx").read_text()
    report = json.loads((tmp_path / "lamb.report.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text(encoding="utf-8")))
    for kernel in report["kernels"]:
        assert f".visible .entry {kernel['entry']}(" in ptx
        for each in kernel["architectures"]:
            taken = each["resources"]
            assert taken["registers"] <= 64
            assert taken["spill_store_bytes"] == taken["spill_load_bytes"] == 0
            assert 0 < taken["occupancy"] <= 1
    first = report["kernels"][0]
    assert [each["name"] for each in first["streams"]] == ["theta", "g", "m", "v"]
    assert report["step"]["bytes_per_parameter"] == 40
    assert report["step"]["launches"] == ["lamb_kernel_1", "lamb_finish_1", "lamb_kernel_2"]
    assert "A step: 3 launches, 40 bytes a parameter" in told.out
    assert "H100" in told.out


@needs_toolkit
def test_narrow_parameters_move_fewer_bytes(optdsl, tmp_path):
    optdsl("compile", "Adam", "--target", "cuda", "--arch", "sm_90", "--dtype", "bfloat16",
           "-o", tmp_path)  # fmt: skip
    report = json.loads((tmp_path / "adam.report.json").read_text())
    assert report["step"]["bytes_per_parameter"] == 2 * 2 + 2 + 4 * 4  # states stay float32
    formats = {each["name"]: each["dtype"] for each in report["kernels"][0]["streams"]}
    assert formats == {"theta": "bfloat16", "g": "bfloat16", "m": "float32", "v": "float32"}


@needs_toolkit
def test_roots_of_the_hardware_are_an_option(optdsl, tmp_path):
    for more, root in (((), "sqrt.rn.f32"), (("--approximate",), "sqrt.approx.f32")):
        optdsl("compile", "Adam", "--target", "cuda", "--arch", "sm_90", *more, "-o", tmp_path)
        assert root in (tmp_path / "adam.sm_90.ptx").read_text()


@needs_toolkit
def test_stages_are_shown(optdsl):
    assert ".target sm_80" in optdsl("show", "SGD", "--as", "ptx", "--arch", "sm_80").out
    sass = optdsl("show", "SGD", "--as", "sass")
    assert "STG.E.128" in sass.out or "nvdisasm is missing" in sass.err
