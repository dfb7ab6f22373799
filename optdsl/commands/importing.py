"""`optdsl import`: a draft of a spec from the equations of a paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from optdsl.commands.files import read_text
from optdsl.commands.import_steps import Asked, Imported, draft_of, prove, remark_text, starting
from optdsl.commands.naming import snake_case
from optdsl.commands.terminal import Misuse, out
from optdsl.diagnostics import DiagnosticError
from optdsl.files import write_text

if TYPE_CHECKING:
    from optdsl.checks.claims import Finding
    from optdsl.language import syntax


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
    made = draft_of(asked)
    finding = prove(made, asked)
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
) -> Asked:
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
    return Asked(
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


def _report(made: Imported, asked: Asked, finding: Finding) -> None:
    from optdsl.checks.known import claim_text

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
        console.print(f"  assumed: where {starting(made.draft.assumed)}")
    if made.draft.unknown:
        console.print(f"  to fill in, marked TODO: {', '.join(made.draft.unknown)}")
    if made.remarks:
        console.print("  not read: remarks; see that they say no more than the formulas do")
        for one in made.remarks:
            console.print(f"    {remark_text(one)}", soft_wrap=True, markup=False, highlight=False)
    console.print("Next:")
    console.print(f"  optdsl check {asked.output}", soft_wrap=True)
