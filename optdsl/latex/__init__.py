"""Reads the LaTeX of papers onto the syntax tree of the language, and writes it back."""

from optdsl.latex.definition import Reading, to_definition
from optdsl.latex.equations import SourceEquation, read, read_expression, read_symbol

__all__ = [
    "Reading",
    "SourceEquation",
    "read",
    "read_expression",
    "read_symbol",
    "to_definition",
]
