"""From a syntax tree to the one text that says it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax
from optdsl.language.expression_format import CONDITIONAL, format_expression
from optdsl.language.time import normalize_time
from optdsl.language.wrap import INDENT, LONGEST, wrap

_DOC_GAP = "   "
_WIDEST_CELL = 32


def format_file(file: syntax.File) -> str:
    """Return the canonical text of `file`; parsing it gives an equal tree.

    What is defined at `[t+1]` is written one step lower throughout.
    """
    parts = ["\n".join(_definition(definition)) for definition in file.definitions]
    if file.comments:
        parts.append("\n".join(_comments(file.comments, "")))
    return "\n\n".join(parts) + "\n" if parts else ""


def _definition(definition: syntax.Definition) -> list[str]:
    # What says a name at two times stays as it was written, for the model to refuse.
    with suppress(DiagnosticError):
        definition = normalize_time(definition)
    lines = [*_comments(definition.comments, ""), *_header(definition)]
    if definition.doc is not None:
        lines.append(f'{INDENT}"{definition.doc}"')
    columns = _hyper_columns(definition.statements)
    for place, statement in enumerate(definition.statements):
        if statement.gap and place:
            lines.append("")
        lines += _comments(statement.comments, INDENT)
        text = _hyper(statement, columns[place]) if isinstance(statement, syntax.Hyper) else None
        wrapped = wrap(INDENT + (text or format_statement(statement)))
        lines += _with_comment(wrapped, statement.trailing_comment)
    return lines


def _header(definition: syntax.Definition) -> list[str]:
    text = f"{definition.family} {definition.name}"
    if definition.parameters:
        text += f"({', '.join(definition.parameters)})"
    if definition.extends is not None:
        text += f" extends {format_expression(definition.extends, CONDITIONAL)}"
    if definition.gives:
        text += f" gives {', '.join(definition.gives)}"
    lines = [text]
    if definition.value is not None:
        value = format_expression(definition.value)
        lines = [f"{text} = {value}"]
        if len(lines[0]) > LONGEST:
            lines = [f"{text} =", *wrap(INDENT + value)]
    return _with_comment(lines, definition.trailing_comment)


def _comments(comments: Iterable[str], indent: str) -> list[str]:
    return [f"{indent}# {comment}" if comment else f"{indent}#" for comment in comments]


def _with_comment(lines: list[str], comment: str | None) -> list[str]:
    if comment is None:
        return lines
    return [*lines[:-1], f"{lines[-1]}  # {comment}" if comment else f"{lines[-1]}  #"]


# ------------------------------------------------------------- hyperparameters


def _hyper_cells(hyper: syntax.Hyper) -> tuple[str, str, str]:
    head = f"hyper {hyper.name}"
    if hyper.indices:
        head += f"[{', '.join(format_expression(index) for index in hyper.indices)}]"
    if hyper.alias is not None:
        head += f" as {hyper.alias.name}"
        if hyper.alias.position is not None:
            head += f"[{hyper.alias.position}]"
    default = "" if hyper.default is None else f"= {format_expression(hyper.default)}"
    domain = "" if hyper.domain is None else f"in {_domain(hyper.domain)}"
    return head, default, domain


def _hyper_columns(statements: tuple[syntax.Statement, ...]) -> dict[int, list[int]]:
    """Return how wide the columns of each hyperparameter are: those of its run agree."""
    columns: dict[int, list[int]] = {}
    widths = [0, 0, 0]
    for place, statement in enumerate(statements):
        if not isinstance(statement, syntax.Hyper):
            continue
        if place - 1 not in columns or statement.gap:
            widths = [0, 0, 0]
        for column, cell in enumerate(_hyper_cells(statement)):
            if len(cell) <= _WIDEST_CELL:
                widths[column] = max(widths[column], len(cell))
        columns[place] = widths
    return columns


def _hyper(hyper: syntax.Hyper, widths: list[int]) -> str:
    cells = zip(_hyper_cells(hyper), widths, strict=True)
    text = " ".join(cell.ljust(width) for cell, width in cells if cell or width)
    return text.rstrip() if hyper.doc is None else f'{text}{_DOC_GAP}"{hyper.doc}"'


def _domain(domain: syntax.Interval | syntax.Range) -> str:
    low, high = format_expression(domain.low), format_expression(domain.high)
    if isinstance(domain, syntax.Range):
        return f"{low}..{high}"
    return f"{'(' if domain.low_open else '['}{low}, {high}{')' if domain.high_open else ']'}"


# ------------------------------------------------------------ other statements


def format_statement(statement: syntax.Statement) -> str:
    """Return one statement as a line, without its comments."""
    match statement:
        case syntax.Hyper():
            return _hyper(statement, [0, 0, 0])
        case syntax.Index(name, bounds):
            return f"index {name} = {_domain(bounds)}"
        case syntax.Input(name, doc):
            return f"input {name}" + _doc(doc)
        case syntax.Equation(targets, value, doc):
            sides = [format_expression(target) for target in targets]
            return " = ".join([*sides, format_expression(value, CONDITIONAL)]) + _doc(doc)
        case syntax.Draw(target, distribution, doc):
            drawn = f"{format_expression(target)} ~ {format_expression(distribution)}"
            return drawn + _doc(doc)
        case syntax.SkipWhen(condition):
            return f"skip when {format_expression(condition)}"
        case syntax.Evaluate(point):
            return f"evaluate {format_expression(point)}"
        case syntax.Storage(name, storage, block, rounding):
            blocks = "" if block is None else f" blockwise({block})"
            rounded = "" if rounding is None else f" {rounding}"
            return f"state {name} : {storage}{blocks}{rounded}"
        case syntax.Claim():
            return _claim(statement)
    raise TypeError(f"{type(statement).__name__} is no statement of a definition")


def _doc(doc: str | None) -> str:
    return "" if doc is None else f'{_DOC_GAP}"{doc}"'


def _claim(claim: syntax.Claim) -> str:
    if isinstance(claim.other, syntax.Document):
        other = f"{claim.other.name} eq {', '.join(format_tags(claim.other.tags))}"
    else:
        other = format_expression(claim.other, CONDITIONAL)
    parts = [f"{claim.verb} {other}"]
    if claim.constant:
        parts.append(f"for constant {', '.join(claim.constant)}")
    if claim.where:
        parts.append(f"where {', '.join(_where(binding) for binding in claim.where)}")
    if claim.when:
        settings = (
            f"{setting.name} = {format_expression(setting.value, CONDITIONAL)}"
            for setting in claim.when
        )
        parts.append(f"when {', '.join(settings)}")
    if claim.gives is not None:
        parts.append(f"gives {claim.gives}")
    if claim.because is not None:
        parts.append(f'because "{claim.because}"')
    return " ".join(parts)


def _where(binding: syntax.Where) -> str:
    symbol = f"${binding.symbol}$" if binding.latex else binding.symbol
    return f"{symbol} = {format_expression(binding.value, CONDITIONAL)}"


def format_tags(tags: tuple[str, ...]) -> list[str]:
    """Return the tags with runs of numbers written as ranges.

    >>> format_tags(("4", "19", "20", "21", "adam"))
    ['4', '19-21', 'adam']
    """
    runs: list[list[str]] = []
    for tag in tags:
        if runs and _follows(runs[-1], tag):
            runs[-1].append(tag)
        else:
            runs.append([tag])
    return [run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def _follows(run: list[str], tag: str) -> bool:
    numbers = all(
        one.isdecimal() and len(one) < 9 and str(int(one)) == one for one in (run[-1], tag)
    )
    return numbers and int(tag) == int(run[-1]) + 1 and len(run) < 1000
