"""Each `tests/invalid/NAME.opt` is refused with exactly the diagnostics of `NAME.txt`."""

import ast
from pathlib import Path

import pytest

import optdsl.language
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.language import parse

FOLDER = Path(__file__).parent / "invalid"
SPECS = sorted(FOLDER.glob("*.opt"))


def diagnostics_of(path: Path) -> list[Diagnostic]:
    text = path.read_bytes().decode("utf-8")
    try:
        file = parse(text, path.name)
    except DiagnosticError as error:
        return list(error.diagnostics)
    from optdsl.library import lookup_in
    from optdsl.model import build

    found: list[Diagnostic] = []
    for definition in file.definitions:
        try:
            build(definition, lookup_in(file))
        except DiagnosticError as error:
            found += error.diagnostics
    return found


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_is_refused_in_these_words_at_a_place(path, golden):
    found = diagnostics_of(path)
    assert found, f"{path.name} is accepted"
    golden("\n\n".join(map(str, found)) + "\n", path.with_suffix(".txt"))
    for diagnostic in found:
        span = diagnostic.span
        assert span is not None
        assert 0 <= span.start <= span.end <= len(span.source.text)


def test_no_expectation_without_a_spec():
    assert {path.stem for path in FOLDER.glob("*.txt")} <= {path.stem for path in SPECS}


def codes_of_the_language() -> set[str]:
    """Return the codes that the language package can give, read from its source."""
    codes = set()
    for path in Path(optdsl.language.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("Diagnostic", "fail", "tell"):
                codes |= {
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    return codes


def test_every_code_of_the_language_has_a_spec():
    shown = {diagnostic.code for path in SPECS for diagnostic in diagnostics_of(path)}
    assert codes_of_the_language() <= shown
