"""Whatever happens, a user reads a sentence and gets the right exit status."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from optdsl.commands import door
from optdsl.commands.terminal import Misuse
from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span


def leave(error):
    def command():
        raise error

    return door.guarded(command)


SPAN = Span(SourceText("a.opt", "optimizer A\n  m = bta1\n"), 18, 22)
UNKNOWN = Diagnostic("undefined-name", "there is no `bta1`", SPAN, hint="did you mean `beta1`?")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (DiagnosticError(UNKNOWN), 1, "a.opt:2:7: error[undefined-name]: there is no `bta1`"),
        (DiagnosticError([UNKNOWN, UNKNOWN]), 1, "  help: did you mean `beta1`?"),
        (Misuse("not so", "but so"), 2, "error: not so\n  help: but so"),
        (FileNotFoundError(2, "No such file or directory", "x"), 2, "x: no such file or directory"),
        (PermissionError(13, "Permission denied", "x"), 2, "error: x: permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_failures_are_sentences(error, status, said, capsys):
    with pytest.raises(SystemExit) as leaving:
        leave(error)()
    assert leaving.value.code == status
    assert said in capsys.readouterr().err


def test_a_caret_keeps_its_place(capsys):
    with pytest.raises(SystemExit):
        leave(DiagnosticError(UNKNOWN))()
    assert " 2 |   m = bta1\n   |       ^^^^\n" in capsys.readouterr().err


def test_a_bug_leaves_a_log_and_no_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_log_path", lambda name: tmp_path / name)
    with pytest.raises(SystemExit) as leaving:
        leave(ZeroDivisionError("what was that"))()
    assert leaving.value.code == 70
    said = capsys.readouterr().err
    assert said.startswith("error: internal error, please report it with ")
    assert len(said.splitlines()) == 1
    (log,) = (tmp_path / "optdsl").iterdir()
    assert "ZeroDivisionError: what was that" in log.read_text()


def test_markup_in_messages_is_text(capsys):
    with pytest.raises(SystemExit):
        leave(Misuse("betas[1] and [bold] and [/]"))()
    assert "betas[1] and [bold] and [/]" in capsys.readouterr().err


def test_misuse_of_the_command_line(optdsl):
    assert optdsl("nonsense").status == 2
    assert optdsl("list", "--nonsense").status == 2
    assert optdsl("compile", "Adam").status == 2


def test_help_and_version(optdsl):
    assert "compile" in optdsl("--help").out
    assert optdsl("--version").out.startswith("optdsl ")
    assert optdsl("check", "-h").status == 0


def write_garbage(folder):
    """Write files that no spec looks like."""
    (folder / "empty.opt").write_bytes(b"")
    (folder / "blank.opt").write_bytes(b"\n \t\n# nothing\n")
    (folder / "binary.opt").write_bytes(random.Random(0).randbytes(4096))
    (folder / "nul.opt").write_bytes(b"optimizer A\n  theta[t] = \0\n")
    (folder / "latin1.opt").write_bytes("optimizer Ä\n".encode("latin-1"))
    (folder / "deep.opt").write_text(
        f"optimizer A\n  theta[t] = {'(' * 20_000}g[t]{')' * 20_000}\n"
    )
    (folder / "minus.opt").write_text(f"optimizer A\n  theta[t] = {'-' * 20_000}g[t]\n")
    (folder / "power.opt").write_text(f"optimizer A\n  theta[t] = {'2^' * 5_000}g[t]\n")
    (folder / "sum.opt").write_text(f"optimizer A\n  theta[t] = g[t]{'+1' * 20_000}\n")
    (folder / "string.opt").write_text('optimizer A\n  "never closed\n')
    (folder / "python.opt").write_text("import os\nclass A:\n    pass\n")
    (folder / "long.opt").write_text("x" * 1_000_000)
    (folder / "folder.opt").mkdir()


GARBAGE = [
    "empty", "blank", "binary", "nul", "latin1", "deep", "minus", "power", "sum", "string",
    "python", "long", "folder", "missing",
]  # fmt: skip
COMMANDS = [
    ("check",),
    ("check", "--json"),
    ("info",),
    ("compile", "-o", "build"),
    ("show", "--as", "program"),
    ("fmt", "--check"),
]


@pytest.mark.parametrize("name", GARBAGE)
@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_garbage_is_refused_in_words(optdsl, tmp_path, command, name):
    write_garbage(tmp_path)
    outcome = optdsl(command[0], f"{name}.opt", *command[1:])
    if command[0] == "fmt" and name in ("empty", "blank"):
        assert outcome.status in (0, 1)
        return
    assert outcome.status in (1, 2), outcome
    assert outcome.text.strip()
    assert "internal error" not in outcome.text


def test_a_reader_may_leave():
    """`optdsl list | head -1` ends quietly."""
    script = "from optdsl.commands import main; main(['list'])"
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("closed", ["1", "2", "1 2"])
def test_output_may_be_closed(closed):
    code = "from optdsl.commands import main; main(['list'])"
    script = f"""
import os, sys
for stream in map(int, "{closed}".split()):
    os.close(stream)
os.execv(sys.executable, [sys.executable, "-c", {code!r}])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_bare_checkout_has_the_command_line():
    root = Path(__file__).resolve().parents[2]
    # -S leaves out site-packages' path files, so nothing is installed but what we name.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    ran = subprocess.run(
        [sys.executable, "-S", str(root / "cli.py"), "list"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(libraries)},
    )
    assert "Adam" in ran.stdout, ran.stderr
