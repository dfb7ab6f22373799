"""The language of specs: text to syntax tree, and back."""

from optdsl.language.expression_format import format_expression
from optdsl.language.formatter import format_file, format_statement
from optdsl.language.parser import parse, parse_expression
from optdsl.language.time import normalize_time

__all__ = [
    "format_expression",
    "format_file",
    "format_statement",
    "normalize_time",
    "parse",
    "parse_expression",
]
