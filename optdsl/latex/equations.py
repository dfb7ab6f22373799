"""Reads LaTeX into equations: the front door of the reader."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from optdsl.diagnostics import DiagnosticError, SourceText, Span
from optdsl.language import syntax
from optdsl.latex.names import Evidence, survey
from optdsl.latex.notation import Raw, Sides
from optdsl.latex.parsing import parse_row
from optdsl.latex.problems import refuse
from optdsl.latex.reading import Reader
from optdsl.latex.rows import Row
from optdsl.latex.tokens import tokenize

#: Names known to be names, in ASCII; one with a time (`f[t]`) is a function of t.
Declared: TypeAlias = Collection[str | syntax.Name]


@dataclass(frozen=True, slots=True)
class SourceEquation:
    """An equation of a document, as it stands there.

    Several targets share one value (`a = b = 0`); an expression that nothing
    is set to has no target. `assignment` says that the document wrote `:=`,
    `\\gets` or `\\leftarrow`. `tag` is the number or label by which the document knows it.
    """

    targets: tuple[syntax.Name, ...]
    value: syntax.Expression
    assignment: bool = False
    tag: str | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


def read(latex: str, name: str = "<latex>", declared: Declared = ()) -> tuple[SourceEquation, ...]:
    r"""Return the equations of a piece of LaTeX, all of it or none.

    `declared` are names, in ASCII, that are known to be names: they decide
    between one long name and a product of letters, and between a function
    and a factor. Raises DiagnosticError with a caret where it cannot be read.

    >>> (equation,) = read(r"v_t = \gamma v_{t-1} + \eta \nabla_\theta J(\theta)")
    >>> equation.targets[0].name, equation.assignment
    ('v', False)
    """
    source = SourceText(name, latex)
    rows = tokenize(Span(source, 0, len(latex)), spellings(declared))
    if not rows:
        raise refuse("latex-unexpected", "expected an equation", Span(source, 0, len(latex)))
    return read_rows(rows, declared)


def read_rows(rows: Iterable[Row], declared: Declared = ()) -> tuple[SourceEquation, ...]:
    """Return the equations of rows, read together: what one shows of a symbol counts for all.

    A row that begins with its sign continues the one above it.
    """
    rows = tuple(rows)
    try:
        return _interpret(_parse(rows), tuple(declared))
    except RecursionError:
        message = "this formula is too long or nested too deeply"
        raise refuse("latex-deep", message, rows[0].span) from None


def _parse(rows: tuple[Row, ...]) -> list[tuple[Sides, str | None]]:
    parsed: list[tuple[Sides, str | None]] = []
    errors: list[DiagnosticError] = []
    left: Raw | None = None
    for row in rows:
        try:
            statements = parse_row(row)
        except DiagnosticError as error:
            errors.append(error)
            continue
        for statement in statements:
            whole = _continue(statement, left) if statement.sides[0] is None else statement
            left = whole.sides[0]
            parsed.append((whole, row.tags[0] if row.tags else None))
    _raise_all(errors)
    return parsed


def _interpret(
    parsed: list[tuple[Sides, str | None]], declared: tuple[str | syntax.Name, ...]
) -> tuple[SourceEquation, ...]:
    reader = Reader(survey(tuple(statement for statement, _ in parsed), declared))
    found: list[SourceEquation] = []
    errors: list[DiagnosticError] = []
    for statement, tag in parsed:
        try:
            if len(parsed) > 1 and len(statement.sides) == 1:
                raise refuse("latex-unexpected", "expected `=`", _end(statement.span))
            found.extend(_equations(statement, tag, reader))
        except DiagnosticError as error:
            errors.append(error)
    _raise_all(errors)
    return tuple(found)


def _continue(statement: Sides, left: Raw | None) -> Sides:
    if left is None:
        message = "nothing stands to the left of this"
        raise refuse("latex-unexpected", message, statement.span)
    return Sides((left, *statement.sides[1:]), statement.relations, statement.span)


def _equations(statement: Sides, tag: str | None, reader: Reader) -> list[SourceEquation]:
    sides = [side for side in statement.sides if side is not None]
    span, assignment = statement.span, ":=" in statement.relations
    if len(sides) == 1:
        return [SourceEquation((), reader.expression(sides[0]), False, tag, span)]
    values = [reader.expression(side) for side in sides]
    head = values[0]
    if not isinstance(head, syntax.Name):
        raise refuse("latex-target", "expected one name to the left", sides[0].span)
    targets = [head]
    rest = values[1:]
    while len(rest) > 1 and isinstance(middle := rest[0], syntax.Name):
        targets.append(middle)
        del rest[0]
    return [SourceEquation(tuple(targets), value, assignment, tag, span) for value in rest]


def read_expression(
    latex: str, name: str = "<latex>", declared: Declared = ()
) -> syntax.Expression:
    r"""Return the one expression that a piece of LaTeX is.

    >>> read_expression(r"\frac{1}{2} x_t").operator
    '*'
    """
    (*equations,) = read(latex, name, declared)
    if len(equations) != 1 or equations[0].targets:
        source = SourceText(name, latex)
        message = "expected an expression, not an equation"
        raise refuse("latex-unexpected", message, Span(source, 0, len(latex)))
    return equations[0].value


def read_symbol(latex: str, name: str = "<latex>") -> syntax.Name:
    r"""Return the name that a single symbol is in our notation.

    Where nothing else is known, a lone `i` on it belongs to its name, `i,j` does not.

    >>> read_symbol(r"\eta_{min}^i").name, read_symbol(r"E[g^2]_t").name
    ('eta_min_i', 'E_g2')
    """
    source = SourceText(name, latex)
    whole = Span(source, 0, len(latex))
    rows = tokenize(whole)
    statements = parse_row(rows[0]) if len(rows) == 1 else ()
    if len(statements) == 1 and len(statements[0].sides) == 1:
        side = statements[0].sides[0]
        evidence = survey(statements, ())
        evidence.lone_symbol = True
        value = None if side is None else Reader(evidence).expression(side)
        if isinstance(value, syntax.Name):
            return value
    raise refuse("latex-symbol", "expected one symbol", whole)


def spellings(declared: Declared) -> frozenset[str]:
    """Return the declared names as text."""
    return frozenset(name if isinstance(name, str) else name.name for name in declared)


def _end(span: Span) -> Span:
    return Span(span.source, span.end, span.end)


def _raise_all(errors: list[DiagnosticError]) -> None:
    if errors:
        raise DiagnosticError(found for error in errors for found in error.diagnostics)


__all__ = [
    "Evidence",
    "SourceEquation",
    "read",
    "read_expression",
    "read_rows",
    "read_symbol",
]
