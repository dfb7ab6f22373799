"""`optdsl compile --target library`: the files that it writes, and what it says."""

import shutil
import subprocess
import sys

import pytest

from optdsl.codegen.library.objects import c_compiler

needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")


@needs_compiler
def test_four_files_are_written(optdsl, tmp_path):
    done = optdsl("compile", "SGD", "--target", "library", "-o", "build")
    assert done.status == 0, done.text
    written = {path.suffix for path in (tmp_path / "build").iterdir()}
    assert {".h", ".o", ".py"} < written
    assert len(list((tmp_path / "build").iterdir())) == 4
    assert "Wrote build/sgd.h and build/sgd.o (optimizer SGD, target library)" in done.out
    assert "from build.sgd import SGD" in done.out
    code = (
        "import numpy as np\nfrom build.sgd import SGD\nw = np.ones(3)\n"
        "SGD([w], lr=0.5).step([w.copy()])\nassert w.tolist() == [0.5] * 3"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_composition_may_be_named(optdsl, tmp_path):
    rule = "ClipByGlobalNorm(c=1) | SGD"
    done = optdsl("compile", rule, "--target", "library", "-o", "build", "--name", "clipped_sgd")
    assert done.status == 0, done.text
    assert "Wrote build/clipped_sgd.py" in done.out
    assert "from build.clipped_sgd import ClippedSgd" in done.out
    header = (tmp_path / "build" / "clipped_sgd.h").read_text()
    assert f"ClippedSgd: {rule}" in header
    assert (
        " * It claims nothing; the claims of its parts: optdsl check ClipByGlobalNorm SGD" in header
    )
    assert "int clipped_sgd_step_f32(const clipped_sgd_hyper *hyper," in header
    done = optdsl("compile", rule, "-o", "build", "--name", "ShortSgd", "--target", "reference")
    assert "from build.short_sgd import ShortSgd" in done.out


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("2fast", "must be letters, digits and single underscores"),
        ("a__b", "must be letters, digits and single underscores"),
        ("double", "is a word of C or C++"),
        ("lambda", "is a word of Python"),
        ("math", "math.h is a header of C"),
    ],
)
def test_what_is_no_name_is_refused(optdsl, tmp_path, name, why):
    refused = optdsl("compile", "SGD", "-o", "build", "--name", name)
    assert refused.status == 2
    assert f"`{name}` cannot be a name" in refused.err
    assert why in refused.err
    assert not (tmp_path / "build").exists()


def test_a_name_is_for_one_rule(optdsl, tmp_path):
    text = "".join(f"optimizer {name}\n  theta[t] = theta[t-1] - g[t]\n" for name in ("A", "B"))
    (tmp_path / "two.opt").write_text(text)
    refused = optdsl("compile", "two.opt", "-o", "build", "--name", "mine")
    assert refused.status == 2
    assert "--name names one rule, and two.opt holds 2" in refused.err
    assert "two.opt:A" in refused.err


def test_without_a_compiler_it_says_what_to_run(optdsl, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    done = optdsl("compile", "SGD", "--target", "library", "-o", "build")
    assert done.status == 0, done.text
    assert {path.name for path in (tmp_path / "build").iterdir()} == {"sgd.h", "sgd.o", "sgd.py"}
    assert "There is no C compiler here. To link, run in build: cc -shared" in done.out


@pytest.mark.skipif(shutil.which("false") is None, reason="needs a program that fails")
def test_a_compiler_that_cannot_link_is_told(optdsl, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "false")
    refused = optdsl("compile", "SGD", "--target", "library", "-o", "build")
    assert refused.status == 1
    assert "error[cannot-link]" in refused.err
    assert "-o libsgd" in refused.err
    assert not (tmp_path / "build").exists()


def test_what_c_cannot_step_has_no_header(optdsl, tmp_path):
    rule, stem = "SGD for 3 then (SGD if ndim == 1 else Adam)", "refused"
    why = "lets a condition on tensors decide what they take in some steps alone"
    done = optdsl("compile", rule, "--target", "library", "-o", "build", "--name", stem)
    assert done.status == 0
    assert "There is no header, for C cannot step it" in done.out
    assert why in done.out
    assert (tmp_path / "build" / f"{stem}.py").exists()
    assert not (tmp_path / "build" / f"{stem}.h").exists()


@needs_compiler
def test_storage_may_be_chosen(optdsl, tmp_path):
    chosen = ("--storage", "v=int8 blockwise(64) stochastic", "--storage", "theta=bfloat16")
    done = optdsl("compile", "RMSprop", "--target", "library", "-o", "build", *chosen)
    assert done.status == 0, done.text
    header = (tmp_path / "build" / "rmsprop.h").read_text()
    assert "uint8_t *v;" in header
    assert "uint16_t *theta;" in header


@pytest.mark.parametrize(
    "given", [("--dtype", "bfloat16"), ("--approximate",), ("--arch", "sm_90")]
)
def test_what_only_cards_take_is_refused(optdsl, tmp_path, given):
    refused = optdsl("compile", "Adam", "--target", "library", "-o", "build", *given)
    assert refused.status == 2
    assert f"{given[0]}: only --target cuda takes this" in refused.err
    assert ("--storage theta=bfloat16" in refused.err) == (given[0] == "--dtype")
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("rule", "storage", "why"),
    [
        ("Adam", "m", "`m` says no storage"),
        ("Adam", "q=bfloat16", "`q` is no state"),
        ("Adam", "m=int4", "no format `int4`"),
        ("Cosine", "theta=bfloat16", "a schedule has no parameters"),
    ],
)
def test_what_is_no_storage_is_refused(optdsl, tmp_path, rule, storage, why):
    refused = optdsl("compile", rule, "-o", "build", "--storage", storage)
    assert refused.status in (1, 2)
    assert why in refused.err
    assert not (tmp_path / "build").exists()
