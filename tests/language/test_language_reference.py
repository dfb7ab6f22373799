"""The language reference: every example reads, formats, compiles, runs, and claims what holds."""

import re
from pathlib import Path

import numpy as np
import pytest

from optdsl.checks.claims import check_definition
from optdsl.codegen import compile_system
from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_file, parse, syntax
from optdsl.language.trees import walk
from optdsl.library import lookup_in
from optdsl.model import build_rule, functions
from optdsl.runtime import from_layout

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "language.md"
LATER = "*(not yet compiled)*"
NOT_YET = {"not-yet-compiled", "not-compiled"}


def blocks(text):
    """Yield each example, and whether the words before it, or its heading, say `not yet`."""
    for section in re.split(r"(?m)^## ", text)[1:]:
        heading = section.splitlines()[0]
        end = 0
        for match in re.finditer(r"^```opt\n(.*?)^```$", section, re.M | re.S):
            words = section[end : match.start()]
            end = match.end()
            yield match.group(1), LATER in heading or LATER in words


EXAMPLES = list(blocks(REFERENCE.read_text(encoding="utf-8")))
TEXTS = [text for text, _ in EXAMPLES]
NOW = [text for text, later in EXAMPLES if not later]
NOT_NOW = [text for text, later in EXAMPLES if later]


def named(text):
    return " ".join(text.split()[:3])


def test_the_reference_has_examples():
    assert len(EXAMPLES) > 20
    assert len(NOW) > 20


@pytest.mark.parametrize("block", TEXTS, ids=named)
def test_block_reads_and_formats(block):
    text = format_file(parse(block))
    assert format_file(parse(text)) == text


@pytest.mark.parametrize("block", NOT_NOW, ids=named)
def test_what_is_not_yet_compiled_is_refused(block):
    file = parse(block)
    with pytest.raises(DiagnosticError) as refused:
        compiled(file)
    assert {diagnostic.code for diagnostic in refused.value.diagnostics} & NOT_YET


def compiled(file):
    """Return the layout of each definition."""
    lookup = lookup_in(file)
    return [compile_system(build_rule(each, lookup), "reference") for each in file.definitions]


def run(made):
    """Take three steps with what a definition makes, in the way that its family wants."""
    needed = {slot.local_name: 2 for slot in made.layout.hyperparameters if slot.default is None}
    inputs = {slot.known_as: 1.5 for slot in made.layout.inputs}
    if made.layout.family == "schedule":
        given = {name: [value] * 3 for name, value in inputs.items()}
        return made(**needed).values(3, **given).tolist()
    shapes = {"layer.weight": (3, 2), "layer.bias": (3,), "cube": (2, 2, 2)}
    start = {name: np.linspace(1, 2, int(np.prod(shape))).reshape(shape) for name, shape in
             shapes.items()}  # fmt: skip
    if made.layout.family == "transform":
        transform = made(**needed)
        return [transform.update(start, start, loss=0.5, **inputs) for _ in range(3)][-1]
    optimizer = made(start, **needed)
    for _ in range(3):
        optimizer.step(lambda point: (0.5, {n: np.cos(a) for n, a in point.items()}), **inputs)
    return optimizer.evaluation()


@pytest.mark.parametrize("block", NOW, ids=named)
def test_block_runs(block):
    for layout in compiled(parse(block)):
        found = run(from_layout(layout))
        arrays = found.values() if isinstance(found, dict) else [found]
        assert all(array is None or np.isfinite(array).all() for array in arrays), layout.name


CLAIMS = [
    text
    for text in NOW
    if any(isinstance(s, syntax.Claim) for d in parse(text).definitions for s in d.statements)
]


@pytest.mark.parametrize("block", CLAIMS, ids=named)
def test_what_is_claimed_holds(block):
    file = parse(block)
    for definition in file.definitions:
        for finding in check_definition(definition, lookup_in(file)):
            assert finding.passed, finding.verdict


def test_claims_are_among_the_examples():
    assert CLAIMS


def test_every_construct_is_shown():
    """Every statement, clause, node and function of the language stands in some example."""
    text = "\n".join(TEXTS)
    shown = {type(node).__name__ for block in TEXTS for node in walk(parse(block))}
    kinds = {
        kind.__name__
        for kind in vars(syntax).values()
        if isinstance(kind, type) and issubclass(kind, syntax.Node) and not kind.__subclasses__()
    }
    assert kinds - shown == set()
    words = set(re.findall(r"\w+", text))
    assert words >= functions.FUNCTIONS | functions.FACTS
