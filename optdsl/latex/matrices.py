"""Products of matrices, transposes and inner products.

A capital letter that is transposed anywhere is a matrix, and so is what is
made of matrices; a lower-case letter that is transposed is a vector, and
`g^\\top h` is an inner product over all parameters. A product of two matrices
side by side is a matrix product; `\\odot` stays a product of entries.
"""

from __future__ import annotations

from dataclasses import replace

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex import shapes, trees
from optdsl.latex.names import Evidence
from optdsl.latex.notation import Entrywise, Raw, Script, Scripted, Sign, Symbol
from optdsl.latex.problems import refuse
from optdsl.latex.reads import Reads
from optdsl.latex.roles import usual_domain

#: Capitals that count something; others beside a matrix may be matrices, too.
_COUNTS = frozenset("DKMNT")
_NUMBERS = frozenset(["norm", "sum", "mean", "rms", "max", "min", "dot", "any", "sqrt"])


def is_matrix(expression: syntax.Expression, evidence: Evidence) -> bool:
    """Is it known to be a matrix?"""
    if not evidence.linear:
        return False
    match expression:
        case syntax.Name(name):
            return name in evidence.matrices
        case syntax.Attribute(_, "T") | syntax.Binary("@") | syntax.Call("matpow" | "eye"):
            return True
        case syntax.Unary("-", operand):
            return is_matrix(operand, evidence)
        case syntax.Binary("+" | "-" | "*" | "/", left, right):
            return is_matrix(left, evidence) or is_matrix(right, evidence)
        case syntax.Binary("^", base, _):
            return is_matrix(base, evidence)
    return False


def is_square(expression: syntax.Expression, evidence: Evidence) -> bool:
    """Is it a matrix times its own transpose, or a sum of such?"""
    match expression:
        case syntax.Name(name):
            return name in evidence.squares
        case syntax.Binary("@", left, syntax.Attribute(right, "T")):
            return left == right or (is_square(left, evidence) and is_square(right, evidence))
        case syntax.Binary("@", syntax.Attribute(left, "T"), right):
            return left == right
        case syntax.Binary("@", left, right):
            return is_square(left, evidence) and is_square(right, evidence)
        case syntax.Unary("-", operand):
            return is_square(operand, evidence)
        case syntax.Binary("+" | "-" | "*" | "/", left, right):
            parts = [part for part in (left, right) if is_matrix(part, evidence)]
            return bool(parts) and all(is_square(part, evidence) for part in parts)
        case syntax.Call("matpow"):
            return True
    return False


def multiplied(
    left: syntax.Expression, right: syntax.Expression, sign: str, span: Span, evidence: Evidence
) -> syntax.Expression:
    """Return the product of two factors: of matrices, of numbers, or entry by entry."""
    pair = is_matrix(left, evidence), is_matrix(right, evidence)
    if sign == "@":
        return syntax.Binary("@", left, right, span=span)
    if sign == "\\odot" or not any(pair):
        return syntax.Binary("*", left, right, span=span)
    if all(pair):
        return syntax.Binary("@", left, right, span=span)
    other = right if pair[0] else left
    if not _is_number(other, evidence):
        place = other.span or span
        hint = "write `\\odot` for a product of entries, `x^\\top` where a matrix is meant"
        raise refuse("latex-ambiguous", "is this a matrix, or a number?", place, hint)
    return syntax.Binary("*", left, right, span=span)


def _is_number(expression: syntax.Expression, evidence: Evidence) -> bool:
    """Is it one number for a tensor: made of hyperparameters, of t, of norms?"""
    for name, in_gradient in trees.names_in(_without_reductions(expression)):
        role = usual_domain(name.name) is not None
        known = name.name in evidence.declared | evidence.numbers
        capital = len(name.name) == 1 and name.name.isupper() and name.name not in _COUNTS
        scalar = role or known or not (name.indices or capital)
        if in_gradient or name.name in ("theta", "g") or not scalar:
            return False
    return True


def _without_reductions(expression: syntax.Expression) -> syntax.Expression:
    def change(node: syntax.Expression) -> syntax.Expression | None:
        reduces = isinstance(node, syntax.Call) and node.function in _NUMBERS - {"sqrt"}
        return syntax.Number("1") if reduces else None

    return trees.replace_within(expression, change)


def raised(base: syntax.Expression, exponent: Raw, span: Span, reader: Reads) -> syntax.Expression:
    """Return a power: of a number, of every entry, or of a square matrix."""
    if isinstance(exponent, Entrywise):
        return syntax.Binary("^", base, reader.expression(exponent.exponent), span=span)
    value = reader.expression(exponent)
    if not is_matrix(base, reader.evidence):
        return syntax.Binary("^", base, value, span=span)
    if is_square(base, reader.evidence):
        return syntax.Call("matpow", (base, value), span=span)
    hint = "write `A^{\\odot 2}` for a power of the entries"
    message = "is this a power of the matrix or of its entries?"
    raise refuse("latex-ambiguous", message, exponent.span, hint)


def learn(
    equations: list[tuple[tuple[syntax.Name, ...], syntax.Expression]], evidence: Evidence
) -> bool:
    """Note which names are matrices, squares and numbers by their equations; was any new?"""
    if not evidence.linear:
        return False
    before = len(evidence.matrices), len(evidence.squares), len(evidence.numbers)
    for targets, value in equations:
        names = {target.name for target in targets}
        if is_matrix(value, evidence):
            evidence.matrices |= names
            others = [one for t, one in equations if {x.name for x in t} & names]
            if all(_stays_square(one, names, evidence) for one in others):
                evidence.squares |= names
        elif _is_number(value, evidence):
            evidence.numbers |= names
    return before != (len(evidence.matrices), len(evidence.squares), len(evidence.numbers))


def _stays_square(value: syntax.Expression, names: set[str], evidence: Evidence) -> bool:
    """Is it square where the names themselves are? Their starts say nothing."""
    if not is_matrix(value, evidence):
        return True
    assumed = replace(evidence, squares=evidence.squares | names)
    return is_square(value, assumed)


# ---------------------------------------------------------------- transposes


def transposed(raw: Raw, evidence: Evidence) -> Raw | None:
    """Return what is transposed, without its mark; None where nothing is."""
    if not isinstance(raw, Scripted):
        return None
    marks = [script for script in raw.scripts if _is_mark(script, raw, evidence)]
    if len(marks) != 1:
        return None
    rest = tuple(script for script in raw.scripts if script is not marks[0])
    return Scripted(raw.base, rest, raw.span) if rest else raw.base


def _is_mark(script: Script, raw: Scripted, evidence: Evidence) -> bool:
    if not script.raised or len(script.items) != 1:
        return False
    match script.items[0]:
        case Sign("top"):
            return True
        case Symbol("T", "letter", ""):
            return not {"T"} & (evidence.declared | evidence.plain) and not _is_role(raw)
    return False


def _is_role(raw: Scripted) -> bool:
    """A Greek letter raised to T may be a power: `\\beta^T`."""
    base = shapes.unscripted(raw)
    return isinstance(base, Symbol) and base.kind == "greek" and base.name != "theta"


def is_capital(raw: Raw) -> bool:
    """Does it name matrices: is every letter that stands on the line a capital?"""
    found = [node for node in shapes.on_the_line(raw) if node.kind in ("letter", "greek")]
    return bool(found) and all(node.name[0].isupper() for node in found)


def inner_product(left: Raw, right: Raw, span: Span, reader: Reads) -> syntax.Expression:
    """Return `dot(left, right)`: over all tensors, or over one where layers are numbered."""
    values = reader.expression(left), reader.expression(right)
    return syntax.Call("dot", (*values, *reader.scope(left, right)), span=span)
