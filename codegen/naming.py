"""Python names for the values of a rule."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from optdsl.model.expressions import Value

#: Names that generated modules use themselves.
_LOCAL = (
    "addresses", "arrays", "begin", "begins", "chunk", "cohort", "columns", "count", "counts",
    "everything", "formats", "hyper", "i", "identity", "line", "numbers", "partials", "real",
    "row", "rows", "scalars", "seed_high", "seed_low", "shape", "shapes", "states", "step_state",
    "t", "table", "tensor", "width",
)  # fmt: skip
_CALLED = (
    "abs", "add", "as_matrices", "as_rows", "bind_chunks", "bind_whole", "column_totals", "cos",
    "cube", "divide", "entrywise", "enumerate", "exp", "fill", "float64", "floor", "from_layout",
    "greatest", "in_first_block", "inf", "isfinite", "join_tables", "kernel", "layout",
    "LAYOUT", "least", "LIBRARY", "log", "logical_not", "LONGEST", "maximum", "minimum", "mod",
    "normal_entries", "np", "number_of", "over_all", "over_axis", "over_chunks", "over_rows",
    "partial", "per_tensor", "pi", "prange", "quiet", "range", "reduced", "row_totals",
    "SharedLibrary", "sign", "size_of", "sqrt", "square", "standard_normal", "standard_uniform",
    "symmetric_power",
    "uniform_entries", "view", "where", "widened", "zip", "load", "store", "lost", "room",
    "entry_words", "open_blocks", "close_blocks", "close_blocks_by_chance", "bfloat16_by_chance",
    "float16_by_chance", "min", "rooms", "before_blocks", "read_block", "next_block", "last_block",
)  # fmt: skip
RESERVED = frozenset(_LOCAL + _CALLED)

_FUNCTION = re.compile(
    r"(accepts|clock|combine|default|finish|kernel|lines|matrices|pass|scalars|schedule|start|"
    r"update)_\w+"
)


class Identifiers:
    """One identifier a value, readable and never used twice."""

    def __init__(self, indexed: Iterable[str] = (), taken: Iterable[str] = ()) -> None:
        self._indexed = frozenset(indexed)
        self._taken = set(RESERVED) | set(taken)
        self._known: dict[tuple[str, int], str] = {}
        self._streams: dict[str, str] = {}

    def value(self, value: Value) -> str:
        """Return the name of one number: `m_t` at t, `m_prev` at t-1, `eta_next` at t+1."""
        key = (value.name, value.offset)
        if key not in self._known:
            ending = {-1: "_prev", 0: "_t" if value.name in self._indexed else "", 1: "_next"}
            self._known[key] = self._fresh(identifier(value.name) + ending[value.offset])
        return self._known[key]

    def stream(self, stream: str) -> str:
        """Return the name of an array."""
        if stream not in self._streams:
            self._streams[stream] = self._fresh(identifier(stream))
        return self._streams[stream]

    def _fresh(self, wish: str) -> str:
        if _FUNCTION.fullmatch(wish):
            wish += "_"
        name, count = wish, 1
        while name in self._taken:
            count += 1
            name = f"{wish}_{count}"
        self._taken.add(name)
        return name


def identifier(name: str) -> str:
    """Return `name` as a Python identifier: `AdamW.eta` is `AdamW_eta`."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "x"
    if plain[0].isdigit():
        plain = f"x{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def comment(text: str) -> str:
    """Return `text` as what may stand behind `#`: one line, nothing that is not printable."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
