"""The README is read from top to bottom as a user would: its files, commands and code, in order."""

import re
import sys
from pathlib import Path

import pytest

from optdsl.commands import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- file: (\S+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


def run_command(line, capsys):
    with pytest.raises(SystemExit):
        main(line.split()[1:])
    captured = capsys.readouterr()
    return (captured.out + captured.err).strip("\n")


def run_session(text, capsys):
    """Run each command after a `$`, and compare what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, expected = part.partition("\n")
        assert run_command(line, capsys) == expected.strip("\n"), line


def test_the_readme_is_true(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "build"]:
        monkeypatch.delitem(sys.modules, name)
    namespace = {}
    seen = set()
    for name, language, text in BLOCK.findall(README):
        seen.add(language)
        if name:
            Path(name).write_text(text, encoding="utf-8")
        elif language == "console":
            run_session(text, capsys)
        elif language == "python":
            exec(compile(text, "README.md", "exec"), namespace)
    assert seen == {"optdsl", "console", "python", "sh", "latex"}
    assert namespace["resumed"].theta()[0].tolist() == namespace["given"].theta()[0].tolist()


def test_the_first_two_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^make (\S+)", README, re.MULTILINE)[:2]
    assert commands == ["demo", "test"]
    assert all(re.search(rf"^{command}:", makefile, re.MULTILINE) for command in commands)


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
