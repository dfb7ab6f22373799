"""Reads LaTeX into equations: the front door of the reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from optdsl.diagnostics import DiagnosticError, SourceText, Span
from optdsl.language import syntax
from optdsl.latex import algorithms, draws, matrices, shapes, trees
from optdsl.latex.batches import with_batch_gradients
from optdsl.latex.clock import with_clock
from optdsl.latex.declared import Declared, Function, Total, spellings
from optdsl.latex.diagonals import with_entries
from optdsl.latex.differentials import with_derivatives
from optdsl.latex.names import Evidence, sort_scripts
from optdsl.latex.notation import Chain, Group, Operator, Raw, Run, Sides, Symbol
from optdsl.latex.ones import with_ones
from optdsl.latex.onto import steps_said
from optdsl.latex.parsing import parse_row
from optdsl.latex.problems import refuse
from optdsl.latex.reading import Reader
from optdsl.latex.rows import Row
from optdsl.latex.surveying import survey
from optdsl.latex.tokens import tokenize
from optdsl.latex.tuples import paired

Role = Literal["equation", "draw", "skip when", "evaluate at"]


@dataclass(frozen=True, slots=True)
class SourceEquation:
    """An equation of a document, as it stands there.

    Several targets share one value (`a = b = 0`); an expression that nothing
    is set to has no target. `assignment` says that the document wrote `:=`,
    `\\gets` or `\\leftarrow`. `tag` is the number or label by which the document knows it.
    A draw (`\\xi_t \\sim ...`) has its distribution for a value. `indices` are those other
    than t that stand in it, with what they run over. `initial` tells that it stands before
    the loop of an algorithm, `line` which line of one it is, from 1, `loops` within which loops of
    fixed length, the outermost first.
    """

    targets: tuple[syntax.Name, ...]
    value: syntax.Expression
    assignment: bool = False
    tag: str | None = None
    role: Role = "equation"
    indices: tuple[syntax.Index, ...] = ()
    initial: bool = False
    loops: tuple[syntax.Index, ...] = ()
    line: int = 0
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def statement(self) -> syntax.Statement:
        """The statement of the language that it is, at the times of the document."""
        match self.role:
            case "draw" if isinstance(self.value, syntax.Call):
                return syntax.Draw(self.targets[0], self.value, span=self.span)
            case "skip when":
                return syntax.SkipWhen(self.value, span=self.span)
            case "evaluate at":
                return syntax.Evaluate(self.value, span=self.span)
        return syntax.Equation(self.targets, self.value, span=self.span)


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
    whole = Span(source, 0, len(latex))
    if algorithms.holds_algorithm(latex):
        block = algorithms.read_block(whole, spellings(declared))
        parsed = [(statement, None) for statement in block.statements]
        return read_parsed([*parsed], declared, whole, block.loop)
    rows = tokenize(whole, spellings(declared))
    if not rows:
        raise refuse("latex-unexpected", "expected an equation", whole)
    return read_rows(rows, declared)


def read_rows(rows: Iterable[Row], declared: Declared = ()) -> tuple[SourceEquation, ...]:
    """Return the equations of rows, read together: what one shows of a symbol counts for all.

    A row that begins with its sign continues the one above it.
    """
    rows = tuple(rows)
    try:
        parsed = parse_rows(rows)
    except RecursionError:
        message = "this formula is too long or nested too deeply"
        raise refuse("latex-deep", message, rows[0].span) from None
    return read_parsed(parsed, declared, rows[0].span)


def read_parsed(
    parsed: list[tuple[Sides, str | None]],
    declared: Declared,
    place: Span,
    loop: tuple[str, int] | None = None,
) -> tuple[SourceEquation, ...]:
    """Return the equations of statements, each with its tag, that are read together.

    `loop` is the letter by which an algorithm counts its steps, and the number of the first.
    """
    try:
        return _interpret(parsed, tuple(declared), place, loop)
    except RecursionError:
        message = "this formula is too long or nested too deeply"
        raise refuse("latex-deep", message, place) from None


def parse_rows(rows: tuple[Row, ...]) -> list[tuple[Sides, str | None]]:
    """Return the statements of rows, each with its tag."""
    parsed: list[tuple[Sides, str | None]] = []
    errors: list[DiagnosticError] = []
    left: Raw | None = None
    for row in rows:
        try:
            statements = paired(parse_row(row))
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
    parsed: list[tuple[Sides, str | None]],
    declared: tuple[str | syntax.Name | Function, ...],
    place: Span,
    loop: tuple[str, int] | None = None,
) -> tuple[SourceEquation, ...]:
    """Return what statements say together; `loop` is a letter that counts steps, and its first."""
    counting, loop = steps_said([one for one, _ in parsed], loop)
    parsed = [one for place, one in enumerate(parsed) if place not in counting]
    letter, first = loop or (None, 1)
    statements = with_derivatives(tuple(one for one, _ in parsed), declared)
    statements = with_entries(with_batch_gradients(statements), declared)
    statements = with_ones(statements)
    statements = with_clock(statements, declared, letter, first)
    tags = [tag for _, tag in parsed]
    evidence = survey(statements, declared)
    while True:  # what is made of matrices is a matrix: until nothing new is learnt
        reader = Reader(evidence)
        found, errors = _read_all(statements, tags, reader)
        if not matrices.learn([(one.targets, one.value) for one in found], evidence):
            break
    _raise_all(errors)
    found = [_with_indices(equation, reader) for equation in found]
    if not found:
        raise refuse("latex-unexpected", "nothing is set here", place)
    return tuple(found)


def _read_all(
    statements: tuple[Sides, ...], tags: list[str | None], reader: Reader
) -> tuple[list[SourceEquation], list[DiagnosticError]]:
    found: list[SourceEquation] = []
    errors: list[DiagnosticError] = []
    for statement, tag in zip(statements, tags, strict=True):
        try:
            alone = len(statement.sides) == 1 and not statement.relations
            if len(statements) > 1 and alone and statement.phrase is None:
                raise refuse("latex-unexpected", "expected `=`", _end(statement.span))
            before = len(reader.draws), len(reader.totals)
            reader.layer, reader.initial = statement.layer, statement.initial
            made = _equations(statement, tag, reader)
            loops = tuple(reader.indices[letter] for letter in statement.loops)
            for one in made:
                one = replace(one, initial=statement.initial, line=statement.line)
                found.append(replace(one, loops=loops))
            for name, distribution in reader.draws[before[0] :]:
                drawn = SourceEquation((name,), distribution, False, tag, "draw", span=name.span)
                found.append(drawn)
            for total in reader.totals[before[1] :]:
                found.extend(_running(total, tag))
        except DiagnosticError as error:
            errors.append(error)
    return found, errors


def _with_indices(equation: SourceEquation, reader: Reader) -> SourceEquation:
    if not reader.indices:
        return equation
    used = {
        index.name
        for part in (*equation.targets, equation.value)
        for name, _ in trees.names_in(part)
        for index in name.indices
        if isinstance(index, syntax.Name) and index.name != "t"
    }
    indices = tuple(reader.indices[name] for name in sorted(used) if name in reader.indices)
    return replace(equation, indices=indices)


def _running(total: Total, tag: str | None) -> list[SourceEquation]:
    """Return the equations of a running sum or product: where it starts, and how it grows."""
    span, adds = total.term.span, total.kind == "sum"
    name = syntax.Name(total.name, span=span)
    start = syntax.Name(total.name, (syntax.Number("0"),), span=span)
    first = syntax.Number("0" if adds else "1", span=span)
    value = syntax.Binary("+" if adds else "*", trees.at(name, -1), total.term, span=span)
    return [
        SourceEquation((start,), first, False, tag, span=span),
        SourceEquation((trees.at(name, 0),), value, False, tag, span=span),
    ]


def _continue(statement: Sides, left: Raw | None) -> Sides:
    if left is None:
        message = "nothing stands to the left of this"
        raise refuse("latex-unexpected", message, statement.span)
    return Sides((left, *statement.sides[1:]), statement.relations, statement.span)


def _equations(statement: Sides, tag: str | None, reader: Reader) -> list[SourceEquation]:
    sides = [side for side in statement.sides if side is not None]
    span, assignment = statement.span, ":=" in statement.relations
    if statement.phrase is not None:
        role: Role = "skip when" if statement.phrase == "skip when" else "evaluate at"
        return [SourceEquation((), reader.expression(sides[0]), False, tag, role, span=span)]
    if "in" in statement.relations:
        return _member(sides, statement, reader)
    if len(sides) == 1:
        return [SourceEquation((), reader.value(sides[0]), False, tag, span=span)]
    head = reader.expression(sides[0])
    if not isinstance(head, syntax.Name):
        hint = "a square may be set where nothing reads its root"
        squared = isinstance(head, syntax.Binary) and head.operator == "^"
        message = "expected one name to the left"
        raise refuse("latex-target", message, sides[0].span, hint if squared else None)
    if "~" in statement.relations:
        if len(sides) != 2:
            raise refuse("latex-draw", "a draw is of one name", span)
        drawn = draws.drawn(sides[1], reader)
        return [SourceEquation((head,), drawn, False, tag, "draw", span=span)]
    targets, rest = [head], [reader.value(side) for side in sides[1:]]
    while len(rest) > 1 and isinstance(middle := rest[0], syntax.Name):
        targets.append(middle)
        del rest[0]
    return [SourceEquation(tuple(targets), value, assignment, tag, span=span) for value in rest]


def _member(sides: list[Raw], statement: Sides, reader: Reader) -> list[SourceEquation]:
    """What `k \\in \\{1, \\dots, 5\\}` runs over; `x \\in \\mathbb{R}^d` sets nothing."""
    if not shapes.is_symbol(sides[0]):
        raise refuse("latex-unexpected", "expected one symbol before this", statement.span)
    if len(sides) == 2 and isinstance(run := sides[1], Run):
        letter = shapes.letter_of(sides[0])
        low, high = reader.expression(run.low), reader.expression(run.high)
        if not letter:
            raise refuse("latex-symbol", "an index is a single letter", sides[0].span)
        if letter == "t":
            if low != syntax.Number("1"):
                raise refuse("latex-clock", "t counts the steps from 1", run.low.span)
            return []
        index = syntax.Index(letter, syntax.Range(low, high), span=statement.span)
        if reader.indices.setdefault(letter, index) != index:
            raise refuse("latex-sum", f"`{letter}` runs over two ranges", statement.span)
    return []


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


def read_function(latex: str, value: syntax.Expression, name: str = "<latex>") -> Function:
    r"""Return the function that `\Pi_{\mathcal{F}}(x)` declares, where its value is `value`.

    Its subscript, where that is no name, is left out: a function without one stands for all.

    >>> read_function(r"\Pi(x)", syntax.Name("x")).parameters
    ('x',)
    """
    whole = Span(SourceText(name, latex), 0, len(latex))
    rows = tokenize(whole)
    statements = parse_row(rows[0]) if len(rows) == 1 else ()
    side = statements[0].sides[0] if len(statements) == 1 else None
    match side:
        case Chain((head, Group("(", items))) if items and all(map(shapes.is_symbol, items)):
            evidence = survey(statements, ())
            evidence.lone_symbol = True
            parameters = tuple(sort_scripts(item, evidence).name for item in items)
            base = shapes.unscripted(head)
            if isinstance(base, Operator | Symbol):
                try:
                    called = sort_scripts(head, evidence).name
                except DiagnosticError:
                    called = base.name
                return Function(called, parameters, value)
    raise refuse("latex-symbol", "expected one symbol", whole)


def _end(span: Span) -> Span:
    return Span(span.source, span.end, span.end)


def _raise_all(errors: list[DiagnosticError]) -> None:
    if errors:
        raise DiagnosticError(found for error in errors for found in error.diagnostics)


__all__ = [
    "Declared",
    "Evidence",
    "Function",
    "SourceEquation",
    "parse_rows",
    "read",
    "read_expression",
    "read_function",
    "read_parsed",
    "read_rows",
    "read_symbol",
    "spellings",
]
