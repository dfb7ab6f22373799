"""The language of specs: text to syntax tree, and back."""

from optdsl.language.parser import parse, parse_expression

__all__ = ["parse", "parse_expression"]
