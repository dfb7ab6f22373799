"""What `optdsl import` does between its file and what it writes: read, draft, keep, prove."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from optdsl.commands.files import read_text
from optdsl.commands.terminal import Misuse
from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span

if TYPE_CHECKING:
    from optdsl.checks.claims import Finding
    from optdsl.language import syntax
    from optdsl.latex import Reading
    from optdsl.latex.declared import Declared
    from optdsl.latex.drafting import Draft
    from optdsl.latex.equations import SourceEquation
    from optdsl.latex.manuscripts import Manuscript

_KEPT = "kept by optdsl import."


@dataclass(frozen=True)
class Asked:
    """What the user wants of which file, and what was said of its symbols."""

    manuscript: Manuscript
    path: Path
    output: Path
    name: str
    family: syntax.Family
    tags: tuple[str, ...]
    where: tuple[syntax.Where, ...]
    gives: tuple[str, ...]
    evaluate: str | None


@dataclass(frozen=True)
class Imported:
    """The draft, and the texts that are to be written; `kept` is where the LaTeX is kept."""

    draft: Draft
    spec: str
    kept: Path
    source: str | None
    tags: tuple[str, ...]
    remarks: tuple[Diagnostic, ...] = ()  # what the document says in words that nobody reads


# ---------------------------------------------------------------------- draft


def draft_of(asked: Asked) -> Imported:
    """Return the draft of what is asked for.

    Raises:
        DiagnosticError: the equations cannot be read, or are not one rule.
        Misuse: it is open what they give.
    """
    from optdsl.checks.others import symbol_of
    from optdsl.language import syntax
    from optdsl.latex.drafting import draft
    from optdsl.latex.selecting import select, setters_among

    declared: Declared = [symbol_of(one) for one in asked.where]
    named = {name: one.value for name, one in _by_name(asked).items()}
    moved = [one for one, v in named.items() if isinstance(v, syntax.Name) and v.name == "theta"]
    parameter = moved[0] if moved else None
    roots = _theirs(asked.gives, named)
    tags = asked.tags or select(asked.manuscript, declared, parameter=parameter, gives=roots)
    equations = asked.manuscript.equations(tags, declared)
    reading, mapping = _read(asked, equations, declared, parameter)
    left = [tag for tag in asked.manuscript.document.tags if tag not in tags]

    def hint(name: str) -> str:
        setters = setters_among(asked.manuscript, left, name, declared)
        also = f"{', '.join(setters)} sets it: name it with --eq, too; or " if setters else ""
        return f"{also}say what it is with --where"

    given = _given(asked, tags, named)
    place = _whole(equations)
    made = draft(reading, mapping, place, evaluate=asked.evaluate, given=given, hint=hint)
    return _with_source(asked, made, tags, equations, declared)


def _given(
    asked: Asked, tags: tuple[str, ...], named: dict[str, syntax.Expression]
) -> dict[str, str]:
    """Return the numbers that algorithms are given, by our names of what they are given for."""
    from optdsl.language import syntax
    from optdsl.latex.defaults import given_numbers

    displays = [one for one in asked.manuscript.document.asked(tags) if one.algorithm]
    found = {name: value for one in displays for name, value in given_numbers(one.span).items()}
    ours = {name: v.name for name, v in named.items() if isinstance(v, syntax.Name)}
    return {ours.get(name, name): value for name, value in found.items()}


def _read(
    asked: Asked,
    equations: tuple[SourceEquation, ...],
    declared: Declared,
    parameter: str | None,
) -> tuple[Reading, dict[str, syntax.Expression]]:
    """Return what the equations are, and what its symbols are in our names."""
    from optdsl.checks.member_symbols import of_members, whole_numbers
    from optdsl.checks.others import with_outputs
    from optdsl.latex import to_definition

    symbols, gives = _by_name(asked), asked.gives
    if asked.family != "optimizer":
        gives = gives or _results(equations)
        equations, gives = with_outputs(equations, asked.family, gives, symbols)
    reading = to_definition(
        equations,
        declared,
        name=asked.name,
        family=asked.family,
        gives=gives,
        parameter=parameter,
        numbers=whole_numbers(symbols),
    )
    mapping = {
        ("theta" if name == reading.parameter else name): one.value
        for name, one in of_members(symbols, reading.members).items()
        if name not in reading.bounds
    }
    return reading, mapping


def _theirs(gives: tuple[str, ...], named: dict[str, syntax.Expression]) -> tuple[str, ...]:
    """Return what the document calls the outputs, where `--where` says it."""
    from optdsl.language import syntax

    ours = {v.name: name for name, v in named.items() if isinstance(v, syntax.Name)}
    return tuple(ours.get(output, output) for output in gives)


def _by_name(asked: Asked) -> dict[str, syntax.Where]:
    from optdsl.checks.others import symbol_of
    from optdsl.language import syntax

    said = [(symbol_of(one), one) for one in asked.where]
    return {symbol.name: one for symbol, one in said if isinstance(symbol, syntax.Name)}


def _results(equations: tuple[SourceEquation, ...]) -> tuple[str, ...]:
    """Return what equations set and do not read; an expression alone gives `u`."""
    from optdsl.latex.trees import names_in

    targets = [target.name for one in equations for target in one.targets]
    read = {
        name.name
        for one in equations
        for name, _ in names_in(one.value)
        if name.name not in {target.name for target in one.targets}
    }
    results = tuple(name for name in dict.fromkeys(targets) if name not in read)
    if len(results) > 1:
        raise Misuse(
            f"these equations give {', '.join(results)}", "say with --gives which is meant"
        )
    return results or ("u",)


def _whole(equations: tuple[SourceEquation, ...]) -> Span:
    spans = [one.span for one in equations if one.span is not None]
    first, last = min(spans, key=lambda s: s.start), max(spans, key=lambda s: s.end)
    return first.to(last)


# --------------------------------------------------------------------- source


def _with_source(
    asked: Asked,
    made: Draft,
    tags: tuple[str, ...],
    equations: tuple[SourceEquation, ...],
    declared: Declared,
) -> Imported:
    """Add the claim to a draft, and keep the document where the claim finds it."""
    from optdsl.language import format_file, syntax
    from optdsl.latex.manuscripts import reads_alike

    file, source = asked.path, None
    text = asked.manuscript.document.source.text
    if _is_citable(asked) and reads_alike(text, file.stem, tags, equations, declared):
        kept = file
    else:
        kept = _place_beside(asked)
        source = asked.manuscript.kept(tags, f"From {file.name}; {_KEPT}")
        if not reads_alike(source, kept.stem, tags, equations, declared):
            message = "these equations cannot be kept as a source document"
            hint = "put them into equation or align environments, with a label each"
            raise DiagnosticError(Diagnostic("import-source", message, _whole(equations), hint))
    where = tuple(one for one in asked.where if _speaks(one, made.unread))
    remarks = asked.manuscript.document.remarks(tags)
    claim = syntax.Claim("source", syntax.Document(kept.stem, tags), where=where)
    definition = replace(
        made.definition,
        doc=f"From {file.name.replace(chr(34), '')}: {', '.join(tags)}.",
        statements=(*_with_assumed(made), claim),
        comments=_head(made, remarks),
    )
    spec = format_file(syntax.File((definition,)))
    return Imported(made, spec, kept, source, tags, remarks)


def _head(made: Draft, remarks: tuple[Diagnostic, ...]) -> tuple[str, ...]:
    """Say at the head of a draft what is left to its reader."""
    todo = ["A draft: what is marked TODO is for you to say."] if made.unknown else []
    aside = ["The document also says, in remarks that are not read:"] if remarks else []
    return (*todo, *aside, *(f"  {remark_text(one)}" for one in remarks))


def remark_text(remark: Diagnostic) -> str:
    """Return a remark with its line: `line 7: freeze the embedding`."""
    place = remark.span
    assert place is not None
    line, _ = place.source.position(place.start)
    return f"line {line}: {' '.join(place.text.split())}"


def _is_citable(asked: Asked) -> bool:
    """Does the file stand where a claim of the spec would find it, under a name that it can say?"""
    file = asked.path
    beside = file.resolve().parent == asked.output.parent.resolve()
    return beside and file.suffix == ".tex" and _as_document(file.stem) == file.stem


def _place_beside(asked: Asked) -> Path:
    """Return where to keep the equations: beside the spec, and in no file of someone's own."""
    folder, stem = asked.output.parent, _as_document(asked.output.stem)
    for kept in (folder / f"{stem}.tex", folder / f"{stem}-source.tex"):
        if kept.resolve() != asked.path.resolve() and _is_kept(kept):
            return kept
    raise Misuse(f"{kept} exists already, and no import wrote it", "choose another name with -o")


def _as_document(stem: str) -> str:
    """Return a name by which claims can cite a file."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-")
    return plain if plain[:1].isalpha() else f"source-{plain}"


def _speaks(where: syntax.Where, unread: tuple[str, ...]) -> bool:
    """Does it say something of what the draft holds?"""
    from optdsl.language import syntax

    return not (isinstance(where.value, syntax.Name) and where.value.name in unread)


def _is_kept(path: Path) -> bool:
    """Is the place free, or did an earlier import write the file there?"""
    return not path.exists() or read_text(path).split("\n")[0].endswith(_KEPT)


def _with_assumed(made: Draft) -> list[syntax.Statement]:
    """Say above the starts which of them the document does not give."""
    from optdsl.language import syntax
    from optdsl.latex.trees import number_of

    statements = list(made.definition.statements)
    for place, one in enumerate(statements):
        begins = isinstance(one, syntax.Equation) and number_of(one.targets[0]) is not None
        if begins and made.assumed:
            comment = f"The document does not say where {starting(made.assumed)}."
            statements[place] = replace(one, comments=(comment,))
            break
    return statements


def starting(names: tuple[str, ...]) -> str:
    """Return names in a clause: `m and v start`."""
    if len(names) == 1:
        return f"{names[0]} starts"
    return f"{', '.join(names[:-1])} and {names[-1]} start"


# ---------------------------------------------------------------------- proof


def prove(made: Imported, asked: Asked) -> Finding:
    """Check the draft as it will stand; nothing is written unless its claim holds."""
    from optdsl.checks.claims import check_definition
    from optdsl.language import parse
    from optdsl.library import lookup_in

    file = parse(made.spec, str(asked.output))
    text = asked.manuscript.document.source.text if made.source is None else made.source
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{made.kept.stem}.tex").write_text(text, encoding="utf-8")
        lookup = replace(lookup_in(file), folder=Path(folder))
        (finding,) = check_definition(file.definitions[0], lookup)
    if finding.passed:
        return finding
    message = f"the draft is not proved to be what these equations say: {finding.verdict.kind}"
    hint = "write the spec by hand, or take other equations with --eq"
    problems = [_at_its_place(problem, made.kept) for problem in finding.diagnostics]
    raise DiagnosticError([*problems, Diagnostic("import-unproved", message, None, hint)])


def _at_its_place(problem: Diagnostic, path: Path) -> Diagnostic:
    """Name the file in which the document will stand, not that in which it was checked."""
    span = problem.span
    if span is None or Path(span.source.name).name != path.name:
        return problem
    named = SourceText(str(path), span.source.text)
    return replace(problem, span=Span(named, span.start, span.end))
