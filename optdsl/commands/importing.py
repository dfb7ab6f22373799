"""`optdsl import`: a draft of a spec from the equations of a paper."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from optdsl.commands.files import read_text, write_text
from optdsl.commands.naming import snake_case
from optdsl.commands.terminal import Misuse, out
from optdsl.diagnostics import Diagnostic, DiagnosticError, Span

if TYPE_CHECKING:
    from optdsl.checks.claims import Finding
    from optdsl.language import syntax
    from optdsl.latex.declared import Declared
    from optdsl.latex.drafting import Draft
    from optdsl.latex.equations import SourceEquation
    from optdsl.latex.manuscripts import Manuscript


_KEPT = "kept by optdsl import."


@dataclass(frozen=True)
class _Asked:
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
class _Imported:
    """The draft, and the texts that are to be written; `kept` is where the LaTeX is kept."""

    draft: Draft
    spec: str
    kept: Path
    source: str | None
    tags: tuple[str, ...]


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.tex", help="A LaTeX file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.opt", help="The spec to write.", show_default="here"
        ),
    ] = None,
    eq: Annotated[
        list[str] | None,
        typer.Option(
            "--eq",
            metavar="TAGS",
            help="Numbers and labels of the equations, as in `4, 19-21, step`.",
            show_default="all that belong to the one update",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="SYMBOL=NAME",
            help=r"What a symbol is in our names, as in '$\alpha$ = eta' or '$\Pi(x)$ = x'.",
        ),
    ] = None,
    family: Annotated[
        Literal["optimizer", "schedule", "transform"],
        typer.Option("--family", "-f", help="What the equations are."),
    ] = "optimizer",
    gives: Annotated[
        str | None,
        typer.Option(help="What a schedule or transform gives.", show_default="what nothing reads"),
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(help="Our name of the point of evaluation.", show_default="theta"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the rule.", show_default="from the file's name")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> int:
    """Write a draft of a spec from the equations of a LaTeX file, and prove that it is theirs."""
    asked = _asked(file, output, eq or [], where or [], family, gives, evaluate, name)
    made = _draft(asked)
    finding = _proved(made, asked)
    for path in (made.kept if made.source is not None else None, asked.output):
        if path is not None and path.exists() and not force:
            raise Misuse(f"{path} exists already", "choose another name with -o, or add --force")
    if made.source is not None:
        write_text(made.kept, made.source)
    write_text(asked.output, made.spec)
    _report(made, asked, finding)
    return 0


# -------------------------------------------------------------------- request


def _asked(
    file: Path,
    output: Path | None,
    eq: list[str],
    where: list[str],
    family: syntax.Family,
    gives: str | None,
    evaluate: str | None,
    name: str | None,
) -> _Asked:
    from optdsl.latex.manuscripts import parse_manuscript

    output = output or Path(f"{snake_case(file.stem)}.opt")
    if output.suffix != ".opt":
        raise Misuse(f"{output}: the name of a spec ends in .opt")
    if not output.parent.is_dir():
        raise Misuse(f"{output.parent}: there is no such folder")
    name = name or _rule_name(output.stem)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise Misuse(f"`{name}` cannot name a rule", "use letters, digits and _, a letter first")
    if gives is not None and family == "optimizer":
        raise Misuse("an optimizer gives theta", "--gives goes with --family")
    manuscript = parse_manuscript(file.stem, read_text(file), str(file))
    tags = tuple(tag.strip() for part in eq for tag in part.split(",") if tag.strip())
    outputs = () if gives is None else (gives,)
    said = _bindings(where)
    return _Asked(
        manuscript, file, output, name, family, manuscript.check(tags), said, outputs, evaluate
    )


def _rule_name(stem: str) -> str:
    """Return the name of a rule for that of a file: `my-rule_2` gives MyRule2."""
    parts = re.findall(r"[A-Za-z0-9]+", stem)
    joined = "".join(part[:1].upper() + part[1:] for part in parts)
    return joined if joined[:1].isalpha() else f"Rule{joined}"


def _bindings(where: list[str]) -> tuple[syntax.Where, ...]:
    """Return what `--where` says, read as the language reads it."""
    from optdsl.language import parse, syntax

    found: list[syntax.Where] = []
    for text in where:
        prefix = "optimizer X\n  source x eq 1 where "
        try:
            file = parse(f"{prefix}{text}\n", "--where")
        except DiagnosticError as error:
            hint = r"write it as in a claim: --where '$\alpha$ = eta'"
            raise Misuse(f"--where {text}: {error.diagnostics[0].message}", hint) from None
        (claim,) = file.definitions[0].statements
        assert isinstance(claim, syntax.Claim)
        found += claim.where
    return tuple(found)


# ---------------------------------------------------------------------- draft


def _draft(asked: _Asked) -> _Imported:
    from optdsl.checks.member_symbols import of_members, whole_numbers
    from optdsl.checks.others import symbol_of, with_outputs
    from optdsl.language import syntax
    from optdsl.latex import to_definition
    from optdsl.latex.drafting import draft
    from optdsl.latex.selecting import select, setters_among

    said = [(symbol_of(one), one.value) for one in asked.where]
    declared: Declared = [symbol for symbol, _ in said]
    named = {one.name: value for one, value in said if isinstance(one, syntax.Name)}
    moved = [one for one, v in named.items() if isinstance(v, syntax.Name) and v.name == "theta"]
    parameter = moved[0] if moved else None
    roots = _theirs(asked.gives, named)
    tags = asked.tags or select(asked.manuscript, declared, parameter=parameter, gives=roots)
    equations = asked.manuscript.equations(tags, declared)
    read, gives = equations, roots
    if asked.family != "optimizer":
        gives = asked.gives or _results(equations)
        read, gives = with_outputs(equations, asked.family, gives, _by_name(asked))
    reading = to_definition(
        read,
        declared,
        name=asked.name,
        family=asked.family,
        gives=gives,
        parameter=parameter,
        numbers=whole_numbers(_by_name(asked)),
    )
    mapping = {
        ("theta" if name == reading.parameter else name): one.value
        for name, one in of_members(_by_name(asked), reading.members).items()
        if name not in reading.bounds
    }
    place = _whole(equations)
    left = [tag for tag in asked.manuscript.units if tag not in tags]

    def hint(name: str) -> str:
        setters = setters_among(asked.manuscript, left, name, declared)
        also = f"{', '.join(setters)} sets it: name it with --eq, too; or " if setters else ""
        return f"{also}say what it is with --where"

    made = draft(reading, mapping, place, evaluate=asked.evaluate, hint=hint)
    return _with_source(asked, made, tags, equations, declared)


def _theirs(gives: tuple[str, ...], named: dict[str, syntax.Expression]) -> tuple[str, ...]:
    """Return what the document calls the outputs, where `--where` says it."""
    from optdsl.language import syntax

    ours = {v.name: name for name, v in named.items() if isinstance(v, syntax.Name)}
    return tuple(ours.get(output, output) for output in gives)


def _by_name(asked: _Asked) -> dict[str, syntax.Where]:
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
    asked: _Asked,
    made: Draft,
    tags: tuple[str, ...],
    equations: tuple[SourceEquation, ...],
    declared: Declared,
) -> _Imported:
    """Add the claim to a draft, and keep the document where the claim finds it."""
    from optdsl.language import format_file, syntax
    from optdsl.latex.manuscripts import reads_alike

    file, folder = asked.path, asked.output.parent
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", file.stem).strip("-")
    beside = file.suffix == ".tex" and file.resolve().parent == folder.resolve()
    text = asked.manuscript.document.source.text
    if beside and stem == file.stem and stem[:1].isalpha():
        source = None if reads_alike(text, stem, tags, equations, declared) else ""
    else:
        source = ""
    if source is None:
        kept = file
    else:
        own = re.sub(r"[^A-Za-z0-9_]+", "-", asked.output.stem).strip("-")
        own = own if own[:1].isalpha() else f"source-{own}"
        kept = folder / f"{own}.tex"
        if kept.resolve() == file.resolve() or not _is_kept(kept):
            kept = folder / f"{own}-source.tex"  # that file is someone's own
        source = asked.manuscript.kept(tags, f"From {file.name}; {_KEPT}")
        if not reads_alike(source, kept.stem, tags, equations, declared):
            message = "these equations cannot be kept as a source document"
            hint = "put them into equation or align environments, with a label each"
            raise DiagnosticError(Diagnostic("import-source", message, _whole(equations), hint))
    where = tuple(one for one in asked.where if _speaks(one, made.unread))
    claim = syntax.Claim("source", syntax.Document(kept.stem, tags), where=where)
    definition = made.definition
    definition = replace(
        definition,
        doc=f"From {file.name.replace(chr(34), '')}: {', '.join(tags)}.",
        statements=(*_with_assumed(made), claim),
        comments=("A draft: what is marked TODO is for you to say.",) if made.unknown else (),
    )
    return _Imported(made, format_file(syntax.File((definition,))), kept, source, tags)


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
            comment = f"The document does not say where {_starting(made.assumed)}."
            statements[place] = replace(one, comments=(comment,))
            break
    return statements


def _starting(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return f"{names[0]} starts"
    return f"{', '.join(names[:-1])} and {names[-1]} start"


# ---------------------------------------------------------------------- proof


def _proved(made: _Imported, asked: _Asked) -> Finding:
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
    message = f"the draft is not what these equations say: {finding.verdict}"
    hint = "write the spec by hand, and report these equations"
    problem = Diagnostic("import-unproved", message, None, hint)
    raise DiagnosticError([*finding.diagnostics, problem])


def _report(made: _Imported, asked: _Asked, finding: Finding) -> None:
    from optdsl.checks.claims import claim_text

    console = out()
    definition = made.draft.definition
    console.print(f"Wrote {asked.output} ({definition.family} {definition.name})", soft_wrap=True)
    if made.source is None:
        console.print(f"Its source is {made.kept}", soft_wrap=True)
    else:
        console.print(f"Wrote {made.kept}, its source", soft_wrap=True)
    claim = " ".join(claim_text(finding.claim).split())
    console.print(f"  {finding.verdict.kind}: {claim}", soft_wrap=True)
    left = [tag for tag in asked.manuscript.units if tag not in made.tags]
    if left:
        console.print(f"  left out: {', '.join(left)}", soft_wrap=True)
    if made.draft.unread:
        unread = ", ".join(made.draft.unread)
        console.print(f"  left out, as nothing that counts reads it: {unread}", soft_wrap=True)
    if made.draft.assumed:
        console.print(f"  assumed: where {_starting(made.draft.assumed)}")
    if made.draft.unknown:
        console.print(f"  to fill in, marked TODO: {', '.join(made.draft.unknown)}")
    console.print("Next:")
    console.print(f"  optdsl check {asked.output}", soft_wrap=True)
