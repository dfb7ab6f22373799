"""What equations show of a hyperparameter's part, and what such a one usually is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.roles import is_decay, usual_domain

_ZERO, _ONE = syntax.Number("0"), syntax.Number("1")
_SHARE = syntax.Interval(_ZERO, _ONE, high_open=True)
_SIZE = syntax.Interval(_ZERO, syntax.Constant("inf"), high_open=True)
#: Letters that papers use for the step size, the likeliest first.
_STEPS = ("eta", "alpha", "gamma", "lr", "epsilon")

Part = Literal["decay", "momentum", "epsilon", "weight decay", "step size"]

_ORDER = ("step size", "decay", "momentum", "epsilon", "weight decay", None)


@dataclass(frozen=True)
class Usual:
    """A hyperparameter's default, domain, alias and line of text; None where it is not known."""

    default: str | None = None
    domain: syntax.Interval | None = None
    alias: str | None = None
    doc: str | None = None


@dataclass(frozen=True)
class _Term:
    """One term of a sum: what is multiplied, and what it is divided by."""

    factors: tuple[syntax.Expression, ...]
    divisors: tuple[syntax.Expression, ...] = ()


def usual_hyperparameters(
    names: Sequence[str], equations: Sequence[syntax.Equation]
) -> dict[str, Usual]:
    """Return what is usual for each of `names`, by the part that it plays in the equations.

    They come in the usual order, the step size first. The part decides, the letter only between
    several of one part: gamma is a decay in `gamma*v[t-1] + (1 - gamma)*g[t]`, and the step
    size in `theta[t-1] - gamma*g[t]`.
    """
    parts = _parts(names, equations)
    names = sorted(names, key=lambda name: _ORDER.index(parts.get(name)))
    squares = _of_squares(parts, equations)
    plain = [name for name, part in parts.items() if part == "decay" and name not in squares]
    paired = {"beta1", "beta2"} <= {name for name, part in parts.items() if part == "decay"}
    found = {}
    for name in names:
        match parts.get(name):
            case "decay":
                late = name == "beta2" or (name in squares and plain)
                alias = f"betas[{name[-1]}]" if paired and name in ("beta1", "beta2") else None
                doc = f"decay of {_decays(name, equations)}"
                found[name] = Usual("0.999" if late else "0.9", _SHARE, alias, doc)
            case "momentum":
                doc = f"share of the last {_decays(name, equations)} that is kept"
                found[name] = Usual("0.9", _SHARE, "momentum", doc)
            case "epsilon":
                found[name] = Usual("1e-8", _SIZE, "eps", "keeps the division finite")
            case "weight decay":
                found[name] = Usual("0.01", _SIZE, "weight_decay", "strength of the weight decay")
            case "step size":
                found[name] = Usual("0.001" if squares else "0.01", _SIZE, "lr", "step size")
            case _:
                found[name] = Usual(domain=usual_domain(name))
    return _with_own_aliases(found)


def _with_own_aliases(found: dict[str, Usual]) -> dict[str, Usual]:
    """Where two would have one alias, the first keeps it."""
    seen: set[str] = set()
    kept = {}
    for name, usual in found.items():
        alias = usual.alias if usual.alias not in seen and usual.alias not in found else None
        seen |= {alias} if alias else set()
        kept[name] = Usual(usual.default, usual.domain, alias, usual.doc)
    return kept


# ---------------------------------------------------------------------- parts


def _parts(names: Sequence[str], equations: Sequence[syntax.Equation]) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for name in names:
        if _decays(name, equations, averaging=True):
            parts[name] = "decay"
        elif name.startswith("epsilon") and _only_added(name, equations):
            parts[name] = "epsilon"
        elif _always_beside_theta(name, equations):
            parts[name] = "weight decay"
    step = _step_size([name for name in names if name not in parts], equations)
    if step is not None:
        parts[step] = "step size"
    for name in names:
        if name not in parts and is_decay(name) and _decays(name, equations):
            parts[name] = "momentum"
    return parts


def _sums(equations: Sequence[syntax.Equation]) -> Iterator[tuple[str, tuple[_Term, ...]]]:
    """Yield every sum of the equations as its terms, with the name that its equation sets."""
    for equation in equations:
        for node in trees.within(equation.value):
            if isinstance(node, syntax.Binary) and node.operator in "+-":
                yield equation.targets[0].name, tuple(_terms(node))


def _decays(name: str, equations: Sequence[syntax.Equation], *, averaging: bool = False) -> str:
    """Return which value of the step before `name` keeps a share of; "" where there is none."""
    for _, terms in _sums(equations):
        kept = [
            factor.name
            for term in terms
            if _holds(term, name)
            for factor in term.factors
            if isinstance(factor, syntax.Name) and (trees.offset_of(factor) or 0) < 0
        ]
        if kept and kept[0] != "theta" and (not averaging or any(_rest(t, name) for t in terms)):
            return kept[0]
    return ""


def _rest(term: _Term, name: str) -> bool:
    """Is `1 - name` a factor of the term?"""
    return any(
        isinstance(factor, syntax.Binary)
        and (factor.operator, factor.left) == ("-", _ONE)
        and _is(factor.right, name)
        for factor in term.factors
    )


def _of_squares(parts: dict[str, Part], equations: Sequence[syntax.Equation]) -> set[str]:
    """Return the decays of averages of squares."""
    return {
        name
        for name, part in parts.items()
        if part == "decay"
        for _, terms in _sums(equations)
        for term in terms
        if _rest(term, name) and any(_is_square(factor) for factor in term.factors)
    }


def _is_square(factor: syntax.Expression) -> bool:
    return (
        isinstance(factor, syntax.Binary)
        and factor.operator == "^"
        and factor.right == syntax.Number("2")
    )


def _only_added(name: str, equations: Sequence[syntax.Equation]) -> bool:
    """Is it always a term of a sum, or always part of what is divided by?"""
    added = divides = 0
    for equation in equations:
        for node in trees.within(equation.value):
            if isinstance(node, syntax.Binary) and node.operator in "+-":
                added += sum(_is(side, name) for side in (node.left, node.right))
            elif isinstance(node, syntax.Binary) and node.operator == "/":
                divides += sum(read.name == name for read, _ in trees.names_in(node.right))
    return _readings(name, equations) in (added, divides)


def _always_beside_theta(name: str, equations: Sequence[syntax.Equation]) -> bool:
    """Does theta stand in every product that it is a factor of?"""
    beside = [
        any(isinstance(other, syntax.Name) and other.name == "theta" for other in term.factors)
        for equation in equations
        for term in _all_terms(equation.value)
        if _holds(term, name)
    ]
    return bool(beside) and all(beside) and len(beside) == _readings(name, equations)


def _step_size(names: Sequence[str], equations: Sequence[syntax.Equation]) -> str | None:
    """Return what multiplies the whole step, or a letter of step sizes that multiplies a term."""
    of_theta = [e for e in equations if e.targets[0].name == "theta"]
    changes = [
        term
        for equation in of_theta
        for term in _terms(equation.value)
        if not (len(term.factors) == 1 and _is(term.factors[0], "theta"))
    ]
    states = {target.name for equation in equations for target in equation.targets}
    names = [name for name in names if name.split("_")[0] not in states]  # `eta_plus` of an `eta`
    whole = [name for name in names if changes and all(_holds(term, name) for term in changes)]
    factors = [
        name
        for letter in _STEPS
        for name in names
        if name.rstrip("0123456789").split("_")[0] == letter
        and any(_holds(term, name) for e in equations for term in _all_terms(e.value))
        and not _decays(name, equations)
    ]
    likely = [name for name in factors if name in whole] or whole or factors
    return likely[0] if likely else None


# ---------------------------------------------------------------------- terms


def _all_terms(expression: syntax.Expression) -> Iterator[_Term]:
    """Yield the terms of an expression, and those of every sum within it."""
    yield from _terms(expression)
    for node in _below_terms(expression):
        yield from _all_terms(node)


def _below_terms(expression: syntax.Expression) -> Iterator[syntax.Expression]:
    """Yield what is made of parts, below the products of an expression."""
    for term in _terms(expression):
        for factor in (*term.factors, *term.divisors):
            match factor:
                case syntax.Call(_, arguments):
                    for part in arguments:
                        if not isinstance(part, syntax.Keyword | syntax.Scope):
                            yield part
                case syntax.Binary("+" | "-"):
                    yield factor
                case syntax.Binary(_, left, right):
                    yield left
                    yield right
                case syntax.Conditional(value, condition, otherwise):
                    yield from (value, condition, *(() if otherwise is None else (otherwise,)))


def _terms(expression: syntax.Expression) -> Iterator[_Term]:
    match expression:
        case syntax.Binary("+" | "-", left, right):
            yield from _terms(left)
            yield from _terms(right)
        case syntax.Unary("-", operand):
            yield from _terms(operand)
        case _:
            yield _factors(expression)


def _factors(expression: syntax.Expression) -> _Term:
    match expression:
        case syntax.Binary("*", left, right):
            first, second = _factors(left), _factors(right)
            return _Term(first.factors + second.factors, first.divisors + second.divisors)
        case syntax.Binary("/", left, right):
            upper, lower = _factors(left), _factors(right)
            return _Term(upper.factors + lower.divisors, upper.divisors + lower.factors)
    return _Term((expression,))


def _holds(term: _Term, name: str) -> bool:
    return any(_is(factor, name) for factor in term.factors)


def _is(expression: syntax.Expression, name: str) -> bool:
    return isinstance(expression, syntax.Name) and expression.name == name


def _readings(name: str, equations: Sequence[syntax.Equation]) -> int:
    return sum(
        read.name == name for equation in equations for read, _ in trees.names_in(equation.value)
    )
