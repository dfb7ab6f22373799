"""Makes a definition of our language from a document's equations.

What the document leaves unsaid is decided by fixed rules, and the result
lists every such decision: which symbols stay free, which domains and which
starting values are assumed.
"""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.equations import SourceEquation
from optdsl.latex.names import refuse
from optdsl.latex.roles import usual_domain
from optdsl.latex.starts import starting_value

RESERVED = frozenset(
    [
        "t",
        "theta",
        "g",
        "loss",
        "pi",
        "inf",
        "all",
        "per",
        "if",
        "else",
        "and",
        "or",
        "not",
        "for",
        "then",
        "true",
        "false",
    ]
)


@dataclass(frozen=True)
class Reading:
    """A definition made of a document's equations, and what was assumed for it.

    `free` are the symbols that no equation defines and whose letter has no
    usual role, or that carry a time: a claim must say what they are.
    `parameter` is what the document calls theta.
    """

    definition: syntax.Definition
    free: tuple[syntax.Name, ...]
    assumed_domains: Mapping[str, syntax.Interval]
    assumed_starts: tuple[syntax.Equation, ...]
    parameter: str = "theta"


def to_definition(
    equations: Iterable[SourceEquation],
    declared: Collection[str] = (),
    *,
    name: str = "Source",
    family: syntax.Family = "optimizer",
    gives: tuple[str, ...] = (),
    parameter: str | None = None,
) -> Reading:
    """Return the definition that the equations are, taken together.

    An assignment (`:=`, or no time on either side) reads what it sets as it
    was before: in its own line and above it at t-1, below it at t. `declared`
    are names that the caller accounts for, in ASCII; they are not listed as
    free. Raises DiagnosticError where the equations do not make one rule: two
    equations for one symbol, the same time of one name on both sides, a name
    with a time here and without one there.
    """
    given, moving = _sort(tuple(equations))
    called = parameter or _parameter(moving)
    if called != "theta":
        given = [_rename(equation, called) for equation in given]
        moving = [_rename(equation, called) for equation in moving]
    targets = _targets(moving)
    _check_gradient(moving, targets)
    statements = [_statement(order, moving, targets) for order in range(len(moving))]
    starts = [_start(equation) for equation in given]
    assumed = _missing_starts(statements, starts, frozenset(declared))
    equations_of_all = (*starts, *assumed, *statements)
    unknown = _unknown(equations_of_all)
    domains = {
        symbol.name: domain
        for symbol in unknown
        if not symbol.indices and (domain := usual_domain(symbol.name)) is not None
    }
    hypers = tuple(_hyper(symbol, domains.get(symbol.name)) for symbol in unknown)
    definition = syntax.Definition(
        family, name, gives=gives, statements=(*hypers, *equations_of_all)
    )
    free = tuple(
        symbol for symbol in unknown if symbol.name not in domains and symbol.name not in declared
    )
    return Reading(definition, free, domains, tuple(assumed), called)


# ------------------------------------------------------------------- sorting


def _sort(
    equations: tuple[SourceEquation, ...],
) -> tuple[list[SourceEquation], list[SourceEquation]]:
    """Part the starting values from the equations of a step; a clock's own lines say nothing."""
    given: list[SourceEquation] = []
    moving: list[SourceEquation] = []
    for equation in equations:
        if not equation.targets:
            raise _error("latex-no-equation", "this is an expression, not an equation", equation)
        if _is_clock(equation):
            continue
        numbered = [trees.number_of(target) is not None for target in equation.targets]
        if any(numbered) and not all(numbered):
            raise _error("latex-start", "a starting value beside another value", equation)
        (given if numbered[0] else moving).append(equation)
    return given, moving


def _is_clock(equation: SourceEquation) -> bool:
    """`t \\gets 0` and `t \\gets t + 1`; no other equation may set t."""
    if all(target != syntax.Name("t") for target in equation.targets):
        return False
    step = syntax.Binary("+", syntax.Name("t"), syntax.Number("1"))
    if len(equation.targets) == 1 and equation.value in (syntax.Number("0"), step):
        return True
    raise _error("latex-clock", "t counts the steps: it starts at 0 and grows by 1", equation)


def _parameter(equations: list[SourceEquation]) -> str:
    """What the document calls the parameter: theta, or what its gradients are taken at."""
    names = [pair for equation in equations for pair in trees.names_in(equation.value)]
    targets = {target.name for equation in equations for target in equation.targets}
    if "theta" in targets or any(name.name == "theta" for name, _ in names):
        return "theta"
    points = {name.name for name, in_gradient in names if in_gradient and name.name in targets}
    return points.pop() if len(points) == 1 else "theta"


def _rename(equation: SourceEquation, called: str) -> SourceEquation:
    def change(name: syntax.Name, _: bool) -> syntax.Expression:
        return replace(name, name="theta") if name.name == called else name

    targets = tuple(
        replace(target, name="theta") if target.name == called else target
        for target in equation.targets
    )
    return replace(equation, targets=targets, value=trees.rewrite(equation.value, change))


# ---------------------------------------------------------------------- time


@dataclass(frozen=True)
class _Target:
    """How a name is defined: at `t + offset` (None: without a time), in which equation."""

    name: syntax.Name
    offset: int | None
    order: int
    in_place: bool
    assignment: bool


def _targets(equations: list[SourceEquation]) -> dict[str, _Target]:
    found: dict[str, _Target] = {}
    for order, equation in enumerate(equations):
        for target in equation.targets:
            if target.name in found or target.name in RESERVED - {"theta", "g"}:
                message = f"a second equation for `{target.name}`"
                if target.name not in found:
                    message = f"`{target.name}` is a word of the language"
                raise refuse("latex-twice", message, target.span or _place(equation))
            found[target.name] = _target(target, order, equation)
    return found


def _target(target: syntax.Name, order: int, equation: SourceEquation) -> _Target:
    offset = trees.offset_of(target)
    if offset is not None and offset < 0:
        raise refuse("latex-time", "a value before t is not set", target.span or _place(equation))
    own = [read for read, _ in trees.names_in(equation.value) if read.name == target.name]
    same = [read for read in own if trees.offset_of(read) == offset and not trees.number_of(read)]
    same = [read for read in same if bool(read.indices) == bool(target.indices)]
    if same and offset is not None and not equation.assignment:
        message = f"`{_printed(target)}` at the same time on both sides of `=`"
        hint = "write `:=` for an assignment"
        raise refuse("latex-same-time", message, same[0].span or _place(equation), hint)
    return _Target(target, offset, order, bool(same), equation.assignment)


def _statement(
    order: int, equations: list[SourceEquation], targets: dict[str, _Target]
) -> syntax.Equation:
    equation = equations[order]

    def change(name: syntax.Name, in_gradient: bool) -> syntax.Expression:
        return _read_at(name, in_gradient, order, targets, equation)

    value = trees.rewrite(equation.value, change)
    set_at = tuple(trees.at(target, 0) for target in equation.targets)
    return syntax.Equation(set_at, value, span=equation.span)


def _read_at(
    name: syntax.Name,
    in_gradient: bool,
    order: int,
    targets: dict[str, _Target],
    equation: SourceEquation,
) -> syntax.Name:
    """Return a name as our language reads it: at t what this step makes, at t-1 what was before."""
    offset = trees.offset_of(name)
    if name.name == "t" or trees.number_of(name) is not None:
        return name
    target = targets.get(name.name)
    if target is None:
        return _read_undefined(name, offset)
    before = -1 if order <= target.order else 0
    if offset is None and (target.in_place or target.offset is None):
        if not target.in_place and not target.assignment:
            before = 0  # a definition: it holds wherever it stands
        if target.offset is None or in_gradient:
            return trees.at(name, before)
    if offset is None and in_gradient and name.name == "theta":
        return trees.at(name, -1)
    if target.in_place and offset is not None and offset == target.offset:
        return trees.at(name, before)
    if offset is None or target.offset is None or target.in_place:
        printed = f"`{_printed(name)}` and `{_printed(target.name)}`"
        message = f"with a time and without, or at two times of an assignment: {printed}"
        raise refuse("latex-time", message, name.span or _place(equation))
    return trees.at(name, offset - target.offset)


def _read_undefined(name: syntax.Name, offset: int | None) -> syntax.Name:
    if name.name == "g" and offset is None:
        return trees.at(name, 0)
    if name.name == "theta" and offset is None:
        return trees.at(name, -1)
    return name


def _check_gradient(equations: list[SourceEquation], targets: dict[str, _Target]) -> None:
    """g without an equation is the gradient of this step: then `g_t` must be read somewhere."""
    reads = [
        name
        for equation in equations
        for name, _ in trees.names_in(equation.value)
        if name.name == "g"
    ]
    if "g" in targets or not reads:
        return
    place = reads[0].span or _place(equations[0])
    if all(trees.offset_of(read) not in (0, None) for read in reads):
        message = "at which point is this gradient taken?"
        hint = "g_t is the gradient of step t; give g an equation to say it otherwise"
        raise refuse("latex-gradient", message, place, hint)
    elsewhere = any(_takes_gradient(equation.value) for equation in equations)
    if elsewhere and any(not read.indices for read in reads):
        message = "is this `g` the gradient, beside one that is written out?"
        hint = "write `g_t` for the gradient of the step"
        raise refuse("latex-gradient", message, place, hint)


def _takes_gradient(value: syntax.Expression) -> bool:
    return any(
        isinstance(node, syntax.Call) and node.function == "grad" for node in trees.within(value)
    )


# ------------------------------------------------------------ starts and names


def _start(equation: SourceEquation) -> syntax.Equation:
    return syntax.Equation(equation.targets, equation.value, span=equation.span)


def _missing_starts(
    statements: list[syntax.Equation], starts: list[syntax.Equation], declared: frozenset[str]
) -> list[syntax.Equation]:
    """Return `x[0] = ...` for each name whose past is read and whose start is not said."""
    said = {target.name for start in starts for target in start.targets} | {"theta"}
    values = {target.name: start.value for start in starts for target in start.targets}
    equations = {
        target.name: statement.value for statement in statements for target in statement.targets
    }
    missing = {
        name.name: None
        for statement in statements
        for name, _ in trees.names_in(statement.value)
        if (trees.offset_of(name) or 0) < 0 and name.name in {*equations, "g"} - said
    }
    found = []
    for name in missing:
        target = syntax.Name(name, (syntax.Number("0"),))
        value: syntax.Expression
        if f"{name}0" in declared:
            value = syntax.Name(f"{name}0")
        else:
            value = starting_value(name, equations, values)
        found.append(syntax.Equation((target,), value))
    return found


def _unknown(statements: Iterable[syntax.Equation]) -> list[syntax.Name]:
    """Return the names that are read and not defined, in the order of their first reading."""
    statements = tuple(statements)
    defined = {target.name for statement in statements for target in statement.targets}
    found: dict[str, syntax.Name] = {}
    for statement in statements:
        for name, _ in trees.names_in(statement.value):
            if name.name in defined | {"t", "theta", "g"}:
                continue
            known = found.setdefault(name.name, name)
            if bool(known.indices) != bool(name.indices):
                message = f"`{name.name}` with a time and without"
                raise refuse("latex-time", message, name.span or _nowhere(statement))
    return list(found.values())


def _hyper(symbol: syntax.Name, domain: syntax.Interval | None) -> syntax.Hyper:
    alias = None
    if keyword.iskeyword(symbol.name):
        alias = syntax.Alias(symbol.name + "_")
    return syntax.Hyper(symbol.name, alias=alias, domain=domain, span=symbol.span)


# ------------------------------------------------------------------ messages


def _printed(name: syntax.Name) -> str:
    return name.name if name.span is None else name.span.text


def _place(equation: SourceEquation) -> Span:
    return equation.span or _nowhere(equation)


def _nowhere(node: object) -> Span:
    raise ValueError(f"no place is known for {node!r}")


def _error(code: str, message: str, equation: SourceEquation) -> DiagnosticError:
    return refuse(code, message, _place(equation))
