"""Makes a definition of our language from a document's equations.

What the document leaves unsaid is decided by fixed rules, and the result
lists every such decision: which symbols stay free, which domains and which
starting values are assumed.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.ahead import without_repeated
from optdsl.latex.declared import Declared, Function, spellings
from optdsl.latex.equations import SourceEquation
from optdsl.latex.firsts import from_first
from optdsl.latex.given_gradient import with_changed_gradient
from optdsl.latex.members import write_out
from optdsl.latex.previous import check_previous
from optdsl.latex.problems import refuse
from optdsl.latex.roles import usual_domain
from optdsl.latex.starts import ZERO, check_moves, starting_value
from optdsl.latex.timing import (
    check_gradient,
    check_read_first,
    error,
    find_targets,
    nowhere,
    place_of,
    printed,
    start,
    statement,
)
from optdsl.latex.versions import apart


@dataclass(frozen=True)
class Reading:
    """A definition made of a document's equations, and what was assumed for it.

    `free` are the symbols that no equation defines and whose letter has no
    usual role, or that carry a time: a claim must say what they are.
    `parameter` is what the document calls theta; `renamed` holds the other names that
    the definition spells otherwise: `g` that is more than a gradient, and `alpha_t` beside `alpha`.
    `bounds` are symbols at which an index ends: the definition has their numbers in their place.
    `members` says of each name that was written out which name it is a member of.
    """

    definition: syntax.Definition
    free: tuple[syntax.Name, ...]
    assumed_domains: Mapping[str, syntax.Interval]
    assumed_starts: tuple[syntax.Equation, ...]
    parameter: str = "theta"
    renamed: Mapping[str, str] = field(default_factory=dict)
    bounds: frozenset[str] = frozenset()
    members: Mapping[str, str] = field(default_factory=dict)


def to_definition(
    equations: Iterable[SourceEquation],
    declared: Declared = (),
    *,
    name: str = "Source",
    family: syntax.Family = "optimizer",
    gives: tuple[str, ...] = (),
    parameter: str | None = None,
    numbers: Mapping[str, int] | None = None,
) -> Reading:
    """Return the definition that the equations are, taken together.

    An assignment (`:=`, or no time on either side) reads what it sets as it
    was before: in its own line and above it at t-1, below it at t. `declared`
    are names that the caller accounts for, in ASCII; they are not listed as
    free. `numbers` are those at which an index other than t may end: its members
    are written out. Raises DiagnosticError where the equations do not make one
    rule: two equations for one symbol, the same time of one name on both sides, a
    name with a time here and without one there.
    """
    known = spellings(declared)
    members = write_out(tuple(equations), numbers or {})
    given, moving = _sort(members.equations)
    moving = without_repeated(moving)
    called = parameter or parameter_of(moving)
    moving = apart(with_changed_gradient(moving), called)
    if called != "theta":
        given = [_rename(equation, {called: "theta"}) for equation in given]
        moving = [_rename(equation, {called: "theta"}) for equation in moving]
    moving, renamed = _part_names(moving)
    given = [
        _rename(one, {old: new for old, new in renamed.items() if old == "g"}) for one in given
    ]
    targets = find_targets(moving)
    check_gradient(moving, targets)
    moving = from_first(moving, given, targets)
    statements = [statement(order, moving, targets) for order in range(len(moving))]
    if family == "transform":
        statements = _given_gradient(statements)
    starts = [start(equation, targets) for equation in given]
    starts = _starts([one for one in starts if one.targets != (one.value,)])  # `x_1 = x_0`
    assumed = _missing_starts(statements, starts, known)
    check_read_first(statements, assumed, targets)
    whole = (*starts, *assumed, *statements)
    drawn = {t.name for one in moving if one.role == "draw" for t in one.targets}
    unknown = [one for one in _unknown(whole) if one.name not in _facts(declared)]
    check_previous([one for one in unknown if one.name not in known], targets)
    domains = {
        symbol.name: domain
        for symbol in unknown
        if not symbol.indices
        and (domain := usual_domain(members.bases.get(symbol.name, symbol.name))) is not None
    }
    hypers = tuple(_hyper(symbol, domains.get(symbol.name)) for symbol in unknown)
    outputs = tuple(renamed.get(output, output) for output in gives)
    definition = syntax.Definition(
        family, name, gives=outputs, statements=(*hypers, *_with_draws(whole, drawn))
    )
    free = tuple(
        symbol for symbol in unknown if symbol.name not in domains and symbol.name not in known
    )
    extra = (members.bounds, members.bases)
    return Reading(definition, free, domains, tuple(assumed), called, renamed, *extra)


def _with_draws(
    statements: tuple[syntax.Equation, ...], drawn: set[str]
) -> Iterator[syntax.Statement]:
    """Yield the statements, those that draw as draws."""
    for one in statements:
        name = one.targets[0].name
        if name in drawn and isinstance(one.value, syntax.Call):
            yield syntax.Draw(syntax.Name(name, span=one.span), one.value, span=one.span)
        else:
            yield one


# ------------------------------------------------------------------- sorting


def _sort(
    equations: tuple[SourceEquation, ...],
) -> tuple[list[SourceEquation], list[SourceEquation]]:
    """Part the starting values from the equations of a step; a clock's own lines say nothing."""
    given: list[SourceEquation] = []
    moving: list[SourceEquation] = []
    for equation in equations:
        if equation.role in ("skip when", "evaluate at"):
            raise error("latex-unexpected", "only a spec says this", equation)
        if not equation.targets:
            raise error("latex-no-equation", "this is an expression, not an equation", equation)
        if _is_clock(equation):
            continue
        if equation.initial and not any(target.indices for target in equation.targets):
            again = {t.name for one in equations if not one.initial for t in one.targets}
            if {target.name for target in equation.targets} <= again:
                equation = _as_start(equation)
            else:
                _check_lasts(equation, again)
        numbered = [trees.number_of(target) is not None for target in equation.targets]
        if any(numbered) and not all(numbered):
            raise error("latex-start", "a starting value beside another value", equation)
        (given if numbered[0] else moving).append(equation)
    return given, moving


def _check_lasts(equation: SourceEquation, changed: set[str]) -> None:
    """What stands before a loop is computed once: it may read nothing that the loop changes."""
    for name, _ in trees.names_in(equation.value):
        if name.name in changed and trees.number_of(name) is None:
            message = f"the loop changes `{name.name}`, and this is computed before it"
            hint = "say its value at the start, as in `\\theta_0`"
            raise refuse("latex-start", message, name.span or place_of(equation), hint)


def _as_start(equation: SourceEquation) -> SourceEquation:
    """What stands before a loop that sets it again is its start."""
    zero = syntax.Number("0", span=equation.span)
    targets = tuple(replace(target, indices=(zero,)) for target in equation.targets)
    return replace(equation, targets=targets)


def _is_clock(equation: SourceEquation) -> bool:
    """`t \\gets 0` and `t \\gets t + 1`; no other equation may set t."""
    if all(target != syntax.Name("t") for target in equation.targets):
        return False
    step = syntax.Binary("+", syntax.Name("t"), syntax.Number("1"))
    if len(equation.targets) == 1 and equation.value in (syntax.Number("0"), step):
        return True
    raise error("latex-clock", "t counts the steps: it starts at 0 and grows by 1", equation)


def parameter_of(equations: Sequence[SourceEquation]) -> str:
    """What the document calls the parameter: theta, or what its gradients are taken at.

    That is a name which the equations set, or one which they read nowhere else. Of several, as in
    `grad(x[k] + mu*v[k])`, it is the one to which its equation adds. A point that each step makes
    anew beside something that moves, as in `y = x + e` and `x = x - eta*grad(y)`, is not it.
    """
    names = [pair for equation in equations for pair in trees.names_in(equation.value)]
    targets = {target.name for equation in equations for target in equation.targets}
    if "theta" in targets or any(name.name == "theta" for name, _ in names):
        return "theta"
    inside = {name.name for name, in_gradient in names if in_gradient}
    points = inside & targets or inside - {name.name for name, within in names if not within}
    if len(points) > 1:
        points = {
            target.name
            for equation in equations
            for target in equation.targets
            if target.name in points and _adds_to(target.name, equation.value)
        }
    return points.pop() if len(points) == 1 and not _is_aside(points, equations) else "theta"


def _is_aside(points: set[str], equations: Sequence[SourceEquation]) -> bool:
    """Is the one point made anew in each step, while another name moves from itself or from it?"""
    reads = {
        target.name: {name.name for name, _ in trees.names_in(equation.value)}
        for equation in reversed(equations)  # the first that sets a name says whether it stays
        for target in equation.targets
    }
    if any(point not in reads or point in reads[point] for point in points):
        return False
    return any(
        _adds_to(name, equation.value)
        for equation in equations
        for target in equation.targets
        if target.name not in points
        for name in {target.name, *points}
    )


def _adds_to(name: str, value: syntax.Expression) -> bool:
    """Is the name by itself a term of the sum?"""
    match value:
        case syntax.Binary("+", left, right):
            return _adds_to(name, left) or _adds_to(name, right)
        case syntax.Binary("-", left, _):
            return _adds_to(name, left)
    return isinstance(value, syntax.Name) and value.name == name


def _rename(
    equation: SourceEquation, names: Mapping[str, str], timed_only: bool = False
) -> SourceEquation:
    def change(name: syntax.Name, _: bool = False) -> syntax.Name:
        if name.name in names and (name.indices or not timed_only):
            return replace(name, name=names[name.name])
        return name

    targets = tuple(change(target) for target in equation.targets)
    return replace(equation, targets=targets, value=trees.rewrite(equation.value, change))


def _part_names(
    equations: list[SourceEquation],
) -> tuple[list[SourceEquation], dict[str, str]]:
    """Give two names to what are two symbols.

    `\\alpha_t = \\alpha \\sqrt{...}` sets alpha_t, a value a step, from alpha, a hyperparameter.
    `g_t = \\nabla f(\\theta_{t-1}) + \\lambda \\theta_{t-1}` sets g_t, more than
    the gradient g.
    """
    renamed: dict[str, str] = {}
    reads = [name for equation in equations for name, _ in trees.names_in(equation.value)]
    untimed = {name.name for name in reads if not name.indices}
    for equation in equations:
        for target in equation.targets:
            sized = usual_domain(target.name) is not None and trees.offset_of(target) is not None
            if sized and target.name in untimed:
                if not any(read.indices and read.name == target.name for read in reads):
                    message = f"`{printed(target)}` is set, but only the one without a time is read"
                    raise refuse("latex-time", message, target.span or place_of(equation))
                renamed[target.name] = target.name + "_t"
            elif target.name == "g" and not _is_gradient(equation.value):
                renamed["g"] = "g_t"
    for old in renamed:
        timed_only = old != "g"
        equations = [_rename(equation, {old: renamed[old]}, timed_only) for equation in equations]
    return equations, renamed


def _is_gradient(value: syntax.Expression) -> bool:
    return isinstance(value, syntax.Call) and value.function == "grad"


def _given_gradient(statements: list[syntax.Equation]) -> list[syntax.Equation]:
    """A transform is handed the gradient at theta[t-1]: there it is g[t]."""
    before = trees.at(syntax.Name("theta"), -1)

    def change(node: syntax.Expression) -> syntax.Expression | None:
        if (
            isinstance(node, syntax.Call)
            and node.function == "grad"
            and node.arguments == (before,)
        ):
            return trees.at(syntax.Name("g", span=node.span), 0)
        return None

    found = [
        replace(equation, value=trees.replace_within(equation.value, change))
        for equation in statements
    ]
    return [equation for equation in found if (equation.value,) != equation.targets]


# ------------------------------------------------------------ starts and names


def _starts(starts: list[syntax.Equation]) -> list[syntax.Equation]:
    seen: set[syntax.Name] = set()
    for given in starts:
        for target in given.targets:
            if target in seen:
                message = f"a second starting value for `{target.name}`"
                raise refuse("latex-twice", message, target.span or nowhere(given))
            seen.add(target)
    return starts


def _missing_starts(
    statements: list[syntax.Equation], starts: list[syntax.Equation], declared: frozenset[str]
) -> list[syntax.Equation]:
    """Return `x[0] = ...` for each name whose past is read and whose start is not said."""
    said = {target.name for start in starts for target in start.targets} | {"theta"}
    values = {target.name: start.value for start in starts for target in start.targets}
    equations = {
        target.name: statement.value for statement in statements for target in statement.targets
    }
    replaced = {target.name for start in starts for target in start.targets if _in_step_1(target)}
    missing = {
        name.name: name
        for statement in statements
        if not {target.name for target in statement.targets} <= replaced
        for name, _ in trees.names_in(statement.value)
        if (trees.offset_of(name) or 0) < 0 and name.name not in said
    }
    found = []
    for name in missing:
        target = syntax.Name(name, (syntax.Number("0"),))
        value: syntax.Expression
        declared_start = [start for start in (f"{name}0", f"{name}_0") if start in declared]
        if declared_start:
            value = syntax.Name(declared_start[0])
        else:
            value = starting_value(name, equations, values)
            if value == ZERO:
                check_moves(missing[name], equations.get(name), equations.keys() - {name})
        found.append(syntax.Equation((target,), value))
    return found


def _in_step_1(target: syntax.Name) -> bool:
    """Is this the value of step 1, in place of what the equation gives?"""
    return trees.number_of(target) == 1


def _unknown(statements: Iterable[syntax.Equation]) -> list[syntax.Name]:
    """Return the names that are read and not defined, in the order of their first reading."""
    whole = tuple(statements)
    defined = {
        target.name
        for equation in whole
        for target in equation.targets
        if trees.number_of(target) is None
    }
    found: dict[str, syntax.Name] = {}
    for equation in whole:
        for name, _ in trees.names_in(equation.value):
            if name.name in defined | {"t", "theta", "g"}:
                continue
            known = found.setdefault(name.name, name)
            if bool(known.indices) != bool(name.indices):
                message = f"`{name.name}` with a time and without"
                raise refuse("latex-time", message, name.span or nowhere(equation))
    return list(found.values())


def _facts(declared: Declared) -> set[str]:
    """Return what declared functions, which are in our language, say of the tensor at hand."""
    functions = [one for one in declared if isinstance(one, Function)]
    read = {name.name for one in functions for name, _ in trees.names_in(one.value)}
    return read & {"rows", "columns", "ndim", "size"}


def _hyper(symbol: syntax.Name, domain: syntax.Interval | None) -> syntax.Hyper:
    alias = None
    if keyword.iskeyword(symbol.name):
        alias = syntax.Alias(symbol.name + "_")
    return syntax.Hyper(symbol.name, alias=alias, domain=domain, span=symbol.span)
