"""Names that say when: `m_{old}` beside an `m` that is set is its value of the step before."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from optdsl.language import syntax
from optdsl.latex.problems import refuse
from optdsl.latex.timing import printed

_BEFORE = frozenset(("old", "prev", "previous", "last", "before"))
_NOW = ("", "_new", "_next", "_now", "_current", "_curr", "_cur")


def check_previous(unset: Iterable[syntax.Name], targets: Collection[str]) -> None:
    """Refuse a name that nothing sets where it is the value before of one that is set."""
    for name in unset:
        stem, _, word = name.name.rpartition("_")
        base = {"theta", stem} if stem == "theta" else {stem}
        if word in _BEFORE and any(one + now in targets for one in base for now in _NOW):
            message = f"is `{printed(name)}` the value of the step before?"
            hint = f"write `{stem}_{{t-1}}` for it, and `{stem}_t` for the new one"
            assert name.span is not None, "what a document reads has a place"
            raise refuse("latex-time", message, name.span, hint)
