"""From the text of a spec to its syntax tree."""

from __future__ import annotations

from dataclasses import replace

from optdsl.diagnostics import DiagnosticError, SourceText, Span
from optdsl.language import mistakes, syntax
from optdsl.language.builder import ExpressionBuilder
from optdsl.language.layout import Layout, Line, blank, lay_out
from optdsl.language.reading import begins_definition, read_line, start_rule
from optdsl.language.statements import StatementBuilder


def parse(text: str, name: str = "<text>") -> syntax.File:
    """Return the definitions that `text` holds.

    Raises DiagnosticError with every mistake of the text, one a line at most.

    >>> parse("optimizer SGD\\n  theta[t] = theta[t-1] - g[t]").definitions[0].name
    'SGD'
    """
    layout = lay_out(SourceText(name, text))
    reader = _FileReader(layout)
    for line in layout.lines:
        reader.take(line)
    return reader.finish()


def parse_expression(text: str, name: str = "<expression>") -> syntax.Expression:
    """Return the expression that `text` is; raises DiagnosticError where it is none.

    >>> parse_expression("ClipByGlobalNorm(c=1) | Adam").operator
    '|'
    """
    layout = blank(SourceText(name, text))
    line = layout.lines[0]
    if line.mistakes:
        raise DiagnosticError(line.mistakes[0])
    tree = read_line(layout, line, "expression")
    return ExpressionBuilder(layout.source, line.start).expression(tree)


class _Draft:
    """A definition that is being read; `header` is None where its header is wrong."""

    def __init__(self) -> None:
        self.header: syntax.Definition | None = None
        self.unfinished: Line | None = None
        self.statements: list[syntax.Statement] = []
        self.lines_below = 0
        self.has_docstring = False

    def done(self) -> syntax.Definition | None:
        """Return the whole definition; raises DiagnosticError where it is empty."""
        header = self.header
        if header is None:
            return None
        below = self.lines_below - self.has_docstring
        if not below and header.value is None and header.extends is None:
            raise DiagnosticError(mistakes.empty(header))
        span = header.span
        if self.statements and span is not None and self.statements[-1].span is not None:
            span = span.to(self.statements[-1].span)
        return replace(header, statements=tuple(self.statements), span=span)


class _FileReader:
    """Reads one logical line after another into definitions."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.mistakes = list(layout.mistakes)
        self.definitions: list[syntax.Definition] = []
        self.draft: _Draft | None = None
        self.carried: tuple[str, ...] = ()

    def take(self, line: Line) -> None:
        """Read one line; it costs one mistake at most."""
        line.comments = (*self.carried, *line.comments)
        self.carried = ()
        try:
            if line.at_margin:
                self._take_at_margin(line)
            else:
                self._take_indented(line)
        except DiagnosticError as error:
            self.mistakes.append(error.diagnostics[0])

    def finish(self) -> syntax.File:
        """Return the file, or raise every mistake of it."""
        self._close()
        if self.mistakes:
            raise DiagnosticError(sorted(self.mistakes, key=mistakes.place))
        source = self.layout.source
        return syntax.File(
            tuple(self.definitions),
            (*self.carried, *self.layout.comments),
            span=Span(source, 0, len(source.text)),
        )

    # ------------------------------------------------------------- headers

    def _take_at_margin(self, line: Line) -> None:
        code, span = self._code(line), self._span(line)
        if begins_definition(code):
            draft = self._open()
            if code.endswith("=") and not line.mistakes:
                draft.unfinished = line
            else:
                self._read_header(draft, line)
            return
        unknown = mistakes.unknown_header(code, span)
        if unknown is not None:
            self._open()
            raise DiagnosticError(unknown)
        inside = self.draft is not None
        raise DiagnosticError(mistakes.unindented(span) if inside else mistakes.outside(span))

    def _open(self) -> _Draft:
        self._close()
        self.draft = _Draft()
        return self.draft

    def _read_header(self, draft: _Draft, line: Line) -> None:
        if line.mistakes:
            raise DiagnosticError(line.mistakes[0])
        tree = read_line(self.layout, line, "header")
        header = StatementBuilder(self.layout.source, line).header(tree)
        draft.header = header
        if any(definition.name == header.name for definition in self.definitions):
            raise DiagnosticError(mistakes.repeated(header))

    def _close(self) -> None:
        draft, self.draft = self.draft, None
        if draft is None:
            return
        try:
            if draft.unfinished is not None:
                self._read_header(draft, draft.unfinished)
            definition = draft.done()
        except DiagnosticError as error:
            self.mistakes.append(error.diagnostics[0])
        else:
            self.definitions += [] if definition is None else [definition]

    # ---------------------------------------------------------- statements

    def _take_indented(self, line: Line) -> None:
        draft, span = self.draft, self._span(line)
        if begins_definition(self._code(line)):
            self._open()
            raise DiagnosticError(mistakes.indented_definition(span))
        if draft is None:
            raise DiagnosticError(mistakes.outside(span))
        if draft.unfinished is not None:
            whole, draft.unfinished = _join(draft.unfinished, line), None
            self._read_header(draft, whole)
            return
        draft.lines_below += 1
        rule = start_rule(self._code(line))
        if line.mistakes:
            raise DiagnosticError(line.mistakes[0])
        tree = read_line(self.layout, line, rule)
        builder = StatementBuilder(self.layout.source, line)
        if rule == "docstring":
            self._take_docstring(draft, line, builder.text(tree.children[0]))
            return
        statement = builder.statement(tree)
        header = draft.header
        composed = header is not None and header.value is not None
        if header is not None and composed and not isinstance(statement, syntax.Claim):
            raise DiagnosticError(mistakes.in_composition(header, statement))
        draft.statements.append(statement)

    def _take_docstring(self, draft: _Draft, line: Line, text: str) -> None:
        header = draft.header
        trailing = () if line.trailing_comment is None else (line.trailing_comment,)
        self.carried = (*line.comments, *trailing)
        if header is None:
            return
        if draft.lines_below > 1 or header.doc is not None:
            raise DiagnosticError(mistakes.misplaced_docstring(self._span(line)))
        draft.has_docstring = True
        draft.header = replace(header, doc=text)

    def _code(self, line: Line) -> str:
        return self.layout.code[line.start : line.end]

    def _span(self, line: Line) -> Span:
        return Span(self.layout.source, line.start, line.end)


def _join(header: Line, value: Line) -> Line:
    """Return a header that ends in `=` together with the line below, its value."""
    comments = [comment for comment in (header.trailing_comment,) if comment is not None]
    return Line(
        header.start,
        value.end,
        True,
        (*header.comments, *comments, *value.comments),
        value.trailing_comment,
        header.gap,
        [*header.mistakes, *value.mistakes],
    )
