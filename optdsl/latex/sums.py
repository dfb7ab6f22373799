"""Reads big sums and products.

- `\\sum_i g_{t,i}^2` and `\\sum_{i=1}^d` run over entries: `sum(g[t]^2, all)`; over one index of
  two they are sums of a row or a column;
- `\\sum_{i=1}^{K} v_t^{(i)}` runs over members, an index of the language: `sum(v[i, t], i)`,
  and `\\prod_{i=1}^{K} b_i` is `prod(b[i], i)`;
- `\\sum_{i=1}^{t} \\gamma_i^2` and `\\prod_{i=1}^{t} \\mu_i` grow with the steps: each is a state
  with an equation of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax
from optdsl.latex import shapes, trees
from optdsl.latex.declared import Total
from optdsl.latex.names import Evidence
from optdsl.latex.notation import Big, Chain, Comparison, Infix, Member, Raw, Script
from optdsl.latex.problems import refuse
from optdsl.latex.reads import Reads
from optdsl.latex.roles import usual_domain

#: The upper bound that says "over all entries" where it is not declared.
DIMENSION = "d"
#: What to write for a mean over examples that is not read as one.
EXAMPLES = (
    "the mean of gradients over a batch is the gradient of the loss: write `\\nabla J(\\theta)`,"
    " or `\\frac{1}{|B|} \\sum_{i \\in B} \\nabla f_i(\\theta)`"
)
_HINT = "write `\\sum_{i=1}^{K}`, `\\sum_{i=1}^{t}` or `\\sum_i`"


@dataclass(frozen=True)
class Bounds:
    """What a big sum runs over: its letters, and from where to where."""

    letters: tuple[str, ...]
    low: Raw | None
    high: Raw | None


def bounds(raw: Big) -> Bounds:
    """Return what the scripts of a big sum say."""
    low: Raw | None = None
    letters: tuple[str, ...] = ()
    high: Raw | None = None
    for script in raw.scripts:
        if script.raised and len(script.items) == 1 and high is None:
            high = script.items[0]
        elif not script.raised and not letters:
            letters, low = _lower(script)
        else:
            raise refuse("latex-sum", "this bound is not understood", script.span, _HINT)
    if not letters:
        raise refuse("latex-sum", "over what does this run?", raw.span, _HINT)
    return Bounds(letters, low, high)


def _lower(script: Script) -> tuple[tuple[str, ...], Raw | None]:
    match script.items:
        case (Comparison("==", first, low),) if letter := shapes.letter_of(first):
            return (letter,), low
        case (Member(_, _, place),):
            raise refuse("latex-sum", "what runs over a set is not understood", place, EXAMPLES)
    letters = tuple(shapes.letter_of(item) for item in script.items)
    if "" in letters or set(script.separators) - {","}:
        if len(script.items) == 1 and (both := shapes.components_of(script.items[0])):
            return both, None
        raise refuse("latex-sum", "this bound is not understood", script.span, _HINT)
    return letters, None


def kind_of(found: Bounds, evidence: Evidence) -> str:
    """Say what it runs over: "steps", "entries", "members", or "" where that is not clear."""
    if found.high is None:
        return "entries" if found.low is None else ""
    if shapes.time_of(found.high) is not None:
        return "steps"
    letter = shapes.letter_of(found.high)
    if letter == DIMENSION and letter not in evidence.declared:
        return "entries"
    return "members"


def big(raw: Big, reader: Reads) -> syntax.Expression:
    """Return what a big sum or product says."""
    found = bounds(raw)
    kind = kind_of(found, reader.evidence)
    if raw.name == "prod":
        require_bound(raw, "does the product run over this, too?")
    if kind == "steps":
        return _running(raw, found, reader)
    if kind == "entries" and raw.name == "prod":
        message = "a product over entries is not understood"
        raise refuse(
            "latex-sum", message, raw.span, "write `\\prod_{i=1}^{K}` or `\\prod_{i=1}^{t}`"
        )
    if kind == "entries":
        return _over_entries(raw, found, reader)
    return _over_members(raw, found, reader)


def require_bound(raw: Raw, message: str) -> None:
    """Refuse a factor behind a big sum or product that has no index of it; others are left."""
    if not isinstance(raw, Big):
        return
    letters = set(bounds(raw).letters)
    for factor in _factors(raw.body):
        nested = [bounds(node) for node in shapes.walk(factor) if isinstance(node, Big)]
        hidden = {letter for one in nested for letter in one.letters}
        within = shapes.letters_on(factor) | {one.name for one in shapes.on_the_line(factor)}
        within |= {letter for two in within for letter in two if set(two) <= shapes.COMPONENTS}
        if not letters & (within - hidden):
            hint = "put brackets around what belongs to it"
            raise refuse("latex-ambiguous", message, factor.span, hint)


def _factors(raw: Raw) -> list[Raw]:
    match raw:
        case Chain(parts):
            return [factor for part in parts for factor in _factors(part)]
        case Infix(first, rest) if rest[0][0] not in ("+", "-"):
            return [
                factor for part in (first, *(one for _, one in rest)) for factor in _factors(part)
            ]
    return [raw]


def _over_entries(raw: Big, found: Bounds, reader: Reads) -> syntax.Expression:
    reader.met.clear()
    body = reader.expression(raw.body)
    used = set(reader.met)
    if set(found.letters) & reader.evidence.layers:
        raise refuse("latex-sum", "a sum over layers is not understood", raw.span, _HINT)
    for name, _ in trees.names_in(body):
        known = reader.seen.get(name.name)
        if known is not None and known.components and usual_domain(name.name) is not None:
            message = f"is `{known.span.text}` a number for each entry?"
            raise refuse("latex-sum", message, known.span, _HINT)
    stray = [letter for letter in found.letters if letter not in used]
    if stray:
        raise _stray(stray[0], raw)
    scope: tuple[syntax.Scope, ...] = (syntax.Scope("all"),)
    if used >= {"i", "j"}:
        scope = ()
        if found.letters == ("j",):
            scope = (syntax.Scope("per row"),)
        elif found.letters == ("i",):
            scope = (syntax.Scope("per column"),)
    return syntax.Call("sum", (body, *scope), span=raw.span)


def _stray(letter: str, raw: Big) -> DiagnosticError:
    examples = letter in shapes.letters_on(raw.body)
    message = f"nothing here has the index `{letter}`"
    return refuse("latex-sum", message, raw.body.span, EXAMPLES if examples else _HINT)


def _over_members(raw: Big, found: Bounds, reader: Reads) -> syntax.Expression:
    (letter,) = found.letters
    if found.low is None or found.high is None:
        raise refuse("latex-sum", "from where to where does this run?", raw.span, _HINT)
    low, high = reader.expression(found.low), reader.expression(found.high)
    ends = all(isinstance(end, syntax.Number | syntax.Name) for end in (low, high))
    if not ends or any(isinstance(end, syntax.Name) and end.indices for end in (low, high)):
        raise refuse("latex-sum", "an index runs between two numbers or names", raw.span, _HINT)
    index = syntax.Index(letter, syntax.Range(low, high), span=raw.span)
    if reader.indices.setdefault(letter, index) != index:
        raise refuse("latex-sum", f"`{letter}` runs over two ranges", raw.span)
    body = reader.expression(raw.body)
    own = syntax.Name(letter)
    if not any(own in name.indices for name, _ in trees.names_in(body)):
        raise _stray(letter, raw)
    return syntax.Call(raw.name, (body, syntax.Name(letter)), span=raw.span)


def _running(raw: Big, found: Bounds, reader: Reads) -> syntax.Expression:
    (letter,) = found.letters
    if not shapes.says_number(found.low, "1"):
        raise refuse("latex-sum", "a running sum begins at step 1", raw.span, _HINT)
    if any(shapes.time_of(node) is not None for node in shapes.walk_raw(raw.body)):
        message = "terms that change with t make no running sum"
        raise refuse("latex-sum", message, raw.body.span, "write it as a recursion")
    term = reader.expression(shapes.with_letter(raw.body, letter, "t"))
    if any((trees.offset_of(name) or 0) != 0 for name, _ in trees.names_in(term)):
        raise refuse("latex-sum", "a running sum of other steps", raw.body.span, _HINT)
    for total in reader.totals:
        if (total.kind, total.term) == (raw.name, term):
            break
    else:
        total = Total(_total_name(raw.name, term, reader), raw.name, term)
        reader.totals.append(total)
    offset = shapes.time_of(found.high) if found.high is not None else 0
    value: syntax.Expression = trees.at(syntax.Name(total.name, span=raw.span), min(offset or 0, 0))
    for _ in range(offset or 0):  # up to t + 1: what the next step adds is said here
        term = trees.later(term)
        value = syntax.Binary("+" if raw.name == "sum" else "*", value, term, span=raw.span)
    return value


def _total_name(kind: str, term: syntax.Expression, reader: Reads) -> str:
    first = next((name.name for name, _ in trees.names_in(term) if name.name != "t"), "terms")
    stem = f"{kind}_{first}"
    taken = reader.evidence.named | {total.name for total in reader.totals}
    names = [stem, *(f"{stem}_{number}" for number in range(2, 100))]
    return next(name for name in names if name not in taken)
