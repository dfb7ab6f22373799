"""The language of specs: text to syntax tree, and back."""

from optdsl.language.parser import parse, parse_expression
from optdsl.language.time import normalize_time

__all__ = ["normalize_time", "parse", "parse_expression"]
