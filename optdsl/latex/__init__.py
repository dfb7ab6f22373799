"""Reads the LaTeX of papers onto the syntax tree of the language, and writes it back."""

from optdsl.latex.declared import Function
from optdsl.latex.definition import Reading, to_definition
from optdsl.latex.documents import SourceDocument
from optdsl.latex.equations import (
    SourceEquation,
    read,
    read_expression,
    read_function,
    read_symbol,
)
from optdsl.latex.finding import document_names, load_document
from optdsl.latex.writer import write_equation, write_equations, write_expression

__all__ = [
    "Function",
    "Reading",
    "SourceDocument",
    "SourceEquation",
    "document_names",
    "load_document",
    "read",
    "read_expression",
    "read_function",
    "read_symbol",
    "to_definition",
    "write_equation",
    "write_equations",
    "write_expression",
]
