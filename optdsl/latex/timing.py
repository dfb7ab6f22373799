"""At which time each name of a document is read, in our language's terms.

`theta_{t+1} = theta_t - ...` is read one step lower throughout, and what an
assignment sets is read as it was before in its own line and above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optdsl.diagnostics import DiagnosticError, Span
from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.equations import SourceEquation
from optdsl.latex.problems import refuse

RESERVED = frozenset(
    ("t", "theta", "g", "loss", "pi", "inf", "all", "per", "if", "else")
    + ("and", "or", "not", "for", "then", "true", "false")
)


@dataclass(frozen=True)
class Target:
    """How a name is defined: at `t + offset` (None: without a time), in which equation."""

    name: syntax.Name
    offset: int | None
    order: int
    in_place: bool
    assignment: bool
    line: int = 0


def find_targets(equations: Sequence[SourceEquation]) -> dict[str, Target]:
    """Return how each name is defined; DiagnosticError where one is defined twice."""
    found: dict[str, Target] = {}
    for order, equation in enumerate(equations):
        for target in equation.targets:
            if target.name in found or target.name in RESERVED - {"theta", "g"}:
                message = f"a second equation for `{target.name}`"
                if target.name not in found:
                    message = f"`{target.name}` is a word of the language"
                raise refuse("latex-twice", message, target.span or place_of(equation))
            found[target.name] = _target(target, order, equation)
    _check_times(found, equations)
    if "theta" not in found and (known := _theta_of_gradients(equations)) is not None:
        found["theta"] = known
    return found


def _check_times(found: Mapping[str, Target], equations: Sequence[SourceEquation]) -> None:
    """`g_{t-1} = ...` stands only beside what is set at t: a loop that counts from 0 has both."""
    offsets = {one.offset for one in found.values() if one.offset is not None}
    for one in found.values():
        if one.offset is not None and one.offset < (-1 if 0 in offsets else 0):
            place = one.name.span or place_of(equations[one.order])
            raise refuse("latex-time", "a value before t is not set", place)


def _theta_of_gradients(equations: Sequence[SourceEquation]) -> Target | None:
    """Where nothing moves theta, the point of a gradient says which theta is the one before."""
    points = [
        (name, order)
        for order, equation in enumerate(equations)
        for node in trees.within(equation.value)
        if isinstance(node, syntax.Call) and node.function == "grad"
        for name in node.arguments
        if isinstance(name, syntax.Name) and name.name == "theta"
    ]
    offsets = {trees.offset_of(name) for name, _ in points}
    if len(offsets) != 1 or (offset := offsets.pop()) is None:
        return None
    name, order = points[0]
    return Target(name, offset + 1, order, False, False)


def _target(target: syntax.Name, order: int, equation: SourceEquation) -> Target:
    offset = trees.offset_of(target)
    own = [read for read, _ in trees.names_in(equation.value) if read.name == target.name]
    same = [read for read in own if trees.offset_of(read) == offset and not trees.number_of(read)]
    same = [read for read in same if bool(read.indices) == bool(target.indices)]
    if same and offset is not None and not equation.assignment:
        message = f"`{printed(target)}` at the same time on both sides of `=`"
        hint = "write `:=` for an assignment"
        raise refuse("latex-same-time", message, same[0].span or place_of(equation), hint)
    return Target(target, offset, order, bool(same), equation.assignment, equation.line)


def start(equation: SourceEquation, targets: Mapping[str, Target]) -> syntax.Equation:
    """Return a starting value; a name that is defined at t+1 starts at 1, or at 0.

    What is set in step 1, as by `m_1 = g_1`, reads what that step reads: g[t].
    """
    set_at = tuple(_numbered(target, targets) for target in equation.targets)
    within = any(trees.number_of(target) == 1 for target in set_at)

    def change(name: syntax.Name, _: bool) -> syntax.Expression:
        read = _numbered(name, targets)
        number = trees.number_of(read)
        return trees.at(read, number - 1) if within and number is not None else read

    return syntax.Equation(set_at, trees.rewrite(equation.value, change), span=equation.span)


def _numbered(name: syntax.Name, targets: Mapping[str, Target]) -> syntax.Name:
    target, number = targets.get(name.name), trees.number_of(name)
    if target is None or not target.offset or number is None:
        return name
    index = syntax.Number(str(max(number - target.offset, 0)), span=name.span)
    return syntax.Name(name.name, (index,), span=name.span)


def statement(
    order: int, equations: Sequence[SourceEquation], targets: Mapping[str, Target]
) -> syntax.Equation:
    """Return equation number `order` as an equation of our language."""
    equation = equations[order]
    own = frozenset(target.name for target in equation.targets)

    def change(name: syntax.Name, in_gradient: bool) -> syntax.Expression:
        target = targets.get(name.name)
        place = order
        unordered = target is not None and target.in_place and not target.assignment
        if (
            unordered
            and target
            and order > target.order
            and _needs(target, own, equations, targets)
        ):
            place = target.order  # what the assignment needs was made before it
        return _read_at(name, in_gradient, place, targets, equation)

    value = trees.rewrite(equation.value, change)
    set_at = tuple(trees.at(target, 0) for target in equation.targets)
    return syntax.Equation(set_at, value, span=equation.span)


def _needs(
    target: Target,
    names: frozenset[str],
    equations: Sequence[SourceEquation],
    targets: Mapping[str, Target],
) -> bool:
    """Does what an equation sets rest on one of these names in the same step?

    Rows of a table stand in no order: `\\theta = \\theta + \\Delta\\theta_t` above the row
    that says what `\\Delta\\theta_t` is.
    """
    seen: set[str] = set()
    waiting = [target]
    while waiting:
        one = waiting.pop()
        for name, _ in trees.names_in(equations[one.order].value):
            other = targets.get(name.name)
            if other is None or name.name == target.name.name:
                continue
            if (trees.offset_of(name) or 0) < (other.offset or 0):
                continue  # its value of the step before
            if other.in_place and not name.indices and one.order < other.order:
                continue  # set below: its value of the step before
            if name.name in names:
                return True
            if name.name not in seen:
                seen.add(name.name)
                waiting.append(other)
    return False


def _read_at(
    name: syntax.Name,
    in_gradient: bool,
    order: int,
    targets: Mapping[str, Target],
    equation: SourceEquation,
) -> syntax.Name:
    """Return a name as our language reads it: at t what this step makes, at t-1 what was before."""
    offset = trees.offset_of(name)
    if name.name == "t":
        return name
    if trees.number_of(name) is not None:
        return _numbered(name, targets)
    if name.name in RESERVED - {"theta", "g"}:
        message = f"`{name.name}` is a word of the language"
        raise refuse("latex-reserved", message, name.span or place_of(equation))
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
        both = f"`{printed(name)}` and `{printed(target.name)}`"
        message = f"with a time and without, or at two times of an assignment: {both}"
        raise refuse("latex-time", message, name.span or place_of(equation))
    _check_set_above(name, offset, order, target, equation)
    return trees.at(name, offset - target.offset)


def _check_set_above(
    name: syntax.Name, offset: int, order: int, target: Target, equation: SourceEquation
) -> None:
    """The lines of an algorithm are done one after the other: none reads what one below it sets."""
    if 0 < equation.line < target.line and offset == target.offset:
        message = f"`{printed(name)}` is read above the line that sets it"
        hint = f"put that line above this one, or read `{target.name.name}` at another time"
        raise refuse("latex-time", message, name.span or place_of(equation), hint)


def _read_undefined(name: syntax.Name, offset: int | None) -> syntax.Name:
    if name.name == "g" and offset is None:
        return trees.at(name, 0)
    if name.name == "theta" and offset is None:
        return trees.at(name, -1)
    return name


def check_gradient(equations: Sequence[SourceEquation], targets: Mapping[str, Target]) -> None:
    """g without an equation is the gradient of this step: then `g_t` must be read somewhere."""
    reads = [
        name
        for equation in equations
        for name, _ in trees.names_in(equation.value)
        if name.name == "g"
    ]
    if "g" in targets or not reads:
        return
    place = reads[0].span or place_of(equations[0])
    if all(trees.offset_of(read) not in (0, None) for read in reads):
        message = "at which point is this gradient taken?"
        hint = "g_t is the gradient of step t; give g an equation to say it otherwise"
        raise refuse("latex-gradient", message, place, hint)
    elsewhere = any(_takes_gradient(equation.value) for equation in equations)
    if elsewhere and any(not read.indices for read in reads):
        message = "is this `g` the gradient, beside one that is written out?"
        hint = "write `g_t` for the gradient of the step"
        raise refuse("latex-gradient", message, place, hint)


def check_read_first(
    statements: Sequence[syntax.Equation],
    assumed: Sequence[syntax.Equation],
    targets: Mapping[str, Target],
) -> None:
    """What a display sets anew, `u := g/\\sqrt{v}`, is not known where a row above it reads it."""
    unsaid = {one.targets[0].name for one in assumed}
    for equation in statements:
        for name, _ in trees.names_in(equation.value):
            target = targets.get(name.name)
            if target is None or name.name not in unsaid or (trees.offset_of(name) or 0) >= 0:
                continue
            anew = target.offset is None and not target.in_place and not target.line
            if anew and target.assignment:
                message = f"`{printed(name)}` is read before a row sets it"
                hint = "set it above, or say its start, as in `m_0 = 0`"
                raise refuse("latex-time", message, name.span or nowhere(equation), hint)


def _takes_gradient(value: syntax.Expression) -> bool:
    return any(
        isinstance(node, syntax.Call) and node.function == "grad" for node in trees.within(value)
    )


def printed(name: syntax.Name) -> str:
    """Return a name as the document prints it."""
    return name.name if name.span is None else name.span.text


def place_of(equation: SourceEquation) -> Span:
    """Return where an equation stands."""
    return equation.span or nowhere(equation)


def nowhere(node: object) -> Span:
    """Raise ValueError: what is read from a document has a place."""
    raise ValueError(f"no place is known for {node!r}")


def error(code: str, message: str, equation: SourceEquation) -> DiagnosticError:
    """Return the error that points at a whole equation."""
    return refuse(code, message, place_of(equation))
