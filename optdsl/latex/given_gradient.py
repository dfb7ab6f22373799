"""`g_t \\gets g_t + \\lambda \\theta_{t-1}` where nothing else sets g: a gradient is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.equations import SourceEquation
from optdsl.latex.problems import refuse
from optdsl.latex.timing import place_of, printed

#: What the changed gradient is called.
_CHANGED = "g_t"


def with_changed_gradient(equations: Sequence[SourceEquation]) -> list[SourceEquation]:
    """Return the equations with a name for the gradient that is changed in place.

    The first equation that sets g reads the gradient, and so do those above it; those below it
    read what it has set. Where gradients are written out, g is a state of its own.
    Raises DiagnosticError where `g_{t-1}` is read beside it: it could be either.
    """
    first = next((at for at, one in enumerate(equations) if _sets_gradient(one)), None)
    if first is None or not _reads_itself(equations[first]) or any(map(_asks, equations)):
        return list(equations)
    offset = trees.offset_of(_target(equations[first]))
    if offset is not None and not equations[first].assignment:
        return list(equations)
    _check_change(equations[first])
    for one in equations:
        for name, _ in trees.names_in(one.value):
            if name.name == "g" and trees.offset_of(name) not in (offset, None):
                message = f"is `{printed(name)}` the gradient, or what was made of it?"
                hint = "give what is made of the gradient a name of its own"
                raise refuse("latex-gradient", message, name.span or place_of(one), hint)
    return [_renamed(one, at > first, at >= first) for at, one in enumerate(equations)]


def _check_change(equation: SourceEquation) -> None:
    """`g = a g + (1 - a) h` may be an average of its own, and h the gradient."""
    terms = list(trees.terms(equation.value))
    if any(_is_g(term) for term in terms) or all(map(_holds_g, terms)):
        return
    message = "is this `g` the gradient, or an average that is called so?"
    hint = "write out the gradient, `\\nabla f(\\theta)`, or give the average another name"
    raise refuse("latex-gradient", message, place_of(equation), hint)


def _is_g(value: syntax.Expression) -> bool:
    return isinstance(value, syntax.Name) and value.name == "g"


def _holds_g(value: syntax.Expression) -> bool:
    return any(name.name == "g" for name, _ in trees.names_in(value))


def _sets_gradient(equation: SourceEquation) -> bool:
    named = any(target.name == "g" for target in equation.targets)
    return named and trees.number_of(_target(equation)) is None


def _target(equation: SourceEquation) -> syntax.Name:
    return next(target for target in equation.targets if target.name == "g")


def _reads_itself(equation: SourceEquation) -> bool:
    target = _target(equation)
    return any(
        name.name == "g" and name.indices == target.indices
        for name, _ in trees.names_in(equation.value)
    )


def _asks(equation: SourceEquation) -> bool:
    return any(
        isinstance(node, syntax.Call) and node.function == "grad"
        for node in trees.within(equation.value)
    )


def _renamed(equation: SourceEquation, reads: bool, sets: bool) -> SourceEquation:
    def change(name: syntax.Name, _: bool = False) -> syntax.Name:
        return replace(name, name=_CHANGED) if name.name == "g" else name

    value = trees.rewrite(equation.value, change) if reads else equation.value
    targets = tuple(map(change, equation.targets)) if sets else equation.targets
    return replace(equation, targets=targets, value=value)
