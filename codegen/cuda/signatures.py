"""What kernels of each kind are given, in order, and how the function of one is written.

All of it are addresses of tables, but `tensors` and `entries`, which are plain numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.codegen.source import indent, wrapped
from optdsl.codegen.support.cuda.words import __all__ as WORDS

#: A kernel that goes through entries.
PASS = (
    "owners", "chunks", "sizes", "addresses", "rows", "cohort", "numbers", "exactly", "tensor",
    "everything", "partials",
)  # fmt: skip
#: One that tells rows and columns apart: `shapes` has those of each tensor, and of its tiles.
TILES = tuple("shapes" if name == "sizes" else name for name in PASS)
#: One that finishes reductions; and one that finishes those of rows or columns.
FINISH = (
    "firsts", "sizes", "tensors", "entries", "rows", "cohort", "exactly", "tensor", "everything",
    "partials",
)  # fmt: skip
FINISH_LINES = tuple("shapes" if name == "sizes" else name for name in FINISH)
#: One that computes the numbers of a step: rows of one cohort, and what all share.
STEP = ("clocks", "hyper", "step_state", "exactly", "numbers", "everything")

_LOCAL = (
    "block", "count", "column", "first", "height", "lane", "lanes", "last", "line", "number", "own",
    "owner", "shapes", "size", "step", "steps", "strip", "strips", "tall", "tile", "turn", "update",
    "value", "whole", "width",
)  # fmt: skip
#: Names that kernels use themselves, so that no value of a rule is called so.
TAKEN = frozenset((*PASS, *FINISH, *STEP, *_LOCAL, *WORDS))


def maker(
    kind: str, formats: Iterable[str], parameters: Iterable[str], body: list[str]
) -> list[str]:
    """Return the function that makes a kernel of this kind, for streams of given formats."""
    inner = [*wrapped("def update(", list(parameters), "):", 4), *indent(body), "return update"]
    return [f"@kernel({kind})", *wrapped("def NAME(", list(formats), "):"), *indent(inner)]
