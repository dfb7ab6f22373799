"""Means over a batch of gradients: `\\frac{1}{B} \\sum_{i \\in B} \\nabla f_i(x)` is the gradient.

The loss of the language is the loss of the batch, the mean over its examples. Only a sum that is
divided by the number of its terms is that: any other is left as it stands, and refused.
"""

from __future__ import annotations

from dataclasses import replace

from optdsl.diagnostics import Span
from optdsl.latex import gradients, shapes
from optdsl.latex.notation import (
    Bars,
    Big,
    Chain,
    Comparison,
    Digits,
    Fraction,
    Group,
    Infix,
    Member,
    Raw,
    Script,
    Scripted,
    Sides,
    Symbol,
)
from optdsl.latex.problems import refuse

_MEAN = "divide the sum by the number of its terms: `\\frac{1}{|B|} \\sum_{i \\in B}`"


def with_batch_gradients(statements: tuple[Sides, ...]) -> tuple[Sides, ...]:
    """Return the statements with the gradient of the loss for means over a batch.

    Raises DiagnosticError where gradients of examples are summed up and not divided by their
    number, or by something that may be another number.
    """
    statements = tuple(shapes.rebuild(one, _mean) for one in statements)
    for node in shapes.walk(statements):
        if isinstance(node, Big) and _of_example(node) is not None:
            message = "a sum of gradients over a batch, and not their mean"
            raise refuse("latex-sum", message, node.span, _MEAN)
    return statements


def _mean(node: object) -> object:
    match node:
        case Chain((*before, last), span) if (made := _over(before, last)) is not None:
            return _joined(made, span)
        case Infix(first, rest, span) if all(sign in ("*", "\\times") for sign, _ in rest):
            parts = [first, *(operand for _, operand in rest)]
            factors = [one for part in parts for one in _factors(part)]
            if (made := _over(factors[:-1], factors[-1])) is not None:
                return _joined(made, span)
    return None


def _factors(raw: Raw) -> tuple[Raw, ...]:
    return raw.factors if isinstance(raw, Chain) else (raw,)


def _joined(factors: list[Raw], span: Span) -> Raw:
    return factors[0] if len(factors) == 1 else Chain(tuple(factors), span)


def _over(before: list[Raw], last: Raw) -> list[Raw] | None:
    """Return the factors without the sum, where one before it divides by how many it has."""
    before, last = _inwards(before, last)
    if not isinstance(last, Big) or (gradient := _of_example(last)) is None:
        return None
    for place in range(len(before) - 1, -1, -1):
        one = before[place]
        if isinstance(one, Fraction) and _counts(one.denominator, last):
            ones = isinstance(one.numerator, Digits) and one.numerator.text == "1"
            kept = () if ones else _factors(one.numerator)
            return [*before[:place], *kept, *before[place + 1 :], *gradient]
    return None


def _inwards(before: list[Raw], last: Raw) -> tuple[list[Raw], Raw]:
    """`\\nabla \\frac{1}{B} \\sum_i f_i(x)`: the gradient of a sum is the sum of gradients."""
    places = [place for place, one in enumerate(before) if shapes.is_nabla(one)]
    if not isinstance(last, Big) or len(places) != 1 or len(before) - places[0] > 2:
        return before, last
    if not all(isinstance(one, Fraction) for one in before[places[0] + 1 :]):
        return before, last
    nabla = before[places[0]]
    body = Chain((nabla, *_factors(last.body)), last.body.span)
    rest = [one for one in before if one is not nabla]
    return rest, Big(last.name, last.scripts, body, last.span)


def _counts(number: Raw, sum_: Big) -> bool:
    """Is it how many terms the sum has: `n` of `i = 1, ..., n`; `|B|`, `B` or `b` of a set B?

    Where the sum does not say over how many it runs, a letter before it does.
    """
    match [script for script in sum_.scripts if not script.raised]:
        case [Script(items=(Member(_, members),))]:
            inner = number.value if isinstance(number, Bars) and not number.double else number
            return _letters(inner) == _letters(members) != ()
        case [Script(items=(Symbol(),))] if len(sum_.scripts) == 1:
            return isinstance(number, Symbol) and number.kind == "letter"
    high = [script.items[0] for script in sum_.scripts if script.raised]
    return len(high) == 1 and _letters(number) == _letters(high[0]) != ()


def _letters(raw: Raw) -> tuple[str, ...]:
    """Return the letters of a symbol, in whatever alphabet and case; a time on it counts."""
    return tuple(
        node.name.lower() if isinstance(node, Symbol) else node.text
        for node in shapes.walk(raw)
        if isinstance(node, Symbol | Digits)
    )


# ---------------------------------------------------------------- one example


def _of_example(sum_: Big) -> tuple[Raw, ...] | None:
    """Return the factors of the gradient that is summed up, without its example; None for others.

    Its loss has the index, `f_i`, or its data have, `f(x; z_i)`; its point has none.
    """
    letters = _letters_of(sum_)
    match _factors(sum_.body):
        case (nabla, loss, *bracket) if letters and shapes.is_nabla(nabla) and len(bracket) < 2:
            pass
        case _:
            return None
    bracket = [_own_point(one, nabla, letters) for one in bracket]
    on_loss = letters & shapes.letters_on(loss)
    data = [item for one in bracket for item in _data_with(one, letters)]
    if sum_.name != "sum" or not (on_loss or data):
        return None
    kept = [_without(one, data) for one in bracket]
    if _reads(tuple(kept), letters) or _reads(nabla, letters):
        return None  # each example has a point of its own
    return (nabla, _plain(loss, letters), *kept)


def _letters_of(sum_: Big) -> set[str]:
    """Return what stands for one example: `i` of `i = 1`, `s_t` of a set, `(x, y)` of one."""
    match [script for script in sum_.scripts if not script.raised]:
        case [Script(items=(Member(Group("(", items), _),))]:
            return {_base(item) for item in items}
        case [Script(items=(Member(element, _),))]:
            return {_base(element)} - {""}
        case [Script(items=(Comparison("==", Symbol(name), Digits("1")) | Symbol(name),))]:
            return {name}
    return set()


def _base(raw: Raw) -> str:
    return shapes.letter_of(shapes.unscripted(raw))


def _reads(node: object, letters: set[str]) -> bool:
    """Does a letter stand in a script, or on the line?"""
    on_the_line = {one.name for one in shapes.on_the_line(node)}
    scripts = {
        letter
        for part in shapes.walk(node)
        if isinstance(part, Script)
        for letter in shapes.index_letters(part)
    }
    return bool(letters & (on_the_line | scripts))


def _data_with(bracket: Raw, letters: set[str]) -> list[Raw]:
    """Return what stands behind the point and has the index, or is the example."""
    if not isinstance(bracket, Group):
        return []
    return [item for item in bracket.items[1:] if _reads(item, letters)]


def _own_point(bracket: Raw, nabla: Raw, letters: set[str]) -> Raw:
    """`\\nabla_\\theta L(f(x_i; \\theta), y_i)`: put the parameter first, the example behind."""
    if not isinstance(bracket, Group) or not _reads(bracket.items[0], letters):
        return bracket
    point = gradients.nested_point(bracket, gradients.subject_of(nabla))
    if point is None:
        return bracket
    separators = (";", *bracket.separators)
    return replace(bracket, items=(point, *bracket.items), separators=separators)


def _without(bracket: Raw, data: list[Raw]) -> Raw:
    if not isinstance(bracket, Group) or not data:
        return bracket
    items = [item for item in bracket.items if not any(item is one for one in data)]
    separators = bracket.separators[: len(items) - 1]
    return replace(bracket, items=tuple(items), separators=separators)


def _plain(loss: Raw, letters: set[str]) -> Raw:
    if not isinstance(loss, Scripted):
        return loss
    scripts = tuple(one for one in loss.scripts if not letters & {*shapes.index_letters(one)})
    return Scripted(loss.base, scripts, loss.span) if scripts else loss.base
