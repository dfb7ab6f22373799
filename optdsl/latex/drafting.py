"""A draft in the house's style of the definition that a document's equations are.

Names in place of which a claim says others are renamed, equations that the result does not
rest on are left out, the gradient stands in an equation of its own, and hyperparameters get
what is usual for their part. Nothing is computed: the equations stay the document's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span
from optdsl.language import parse_expression, syntax
from optdsl.latex import trees
from optdsl.latex.definition import Reading
from optdsl.latex.problems import refuse
from optdsl.latex.renaming import check_apart, names_of, with_names
from optdsl.latex.statements import is_start, set_by, targets_of, value_of
from optdsl.latex.timing import printed
from optdsl.latex.usual import Usual, usual_hyperparameters

#: What every rule may read without setting it: of the step, and of the tensor at hand.
_GIVEN = frozenset(("t", "theta", "g", "loss", "rows", "columns", "ndim", "size"))
_MODULE_WORDS = frozenset(("lambda",))


@dataclass(frozen=True)
class Draft:
    """A definition to start from.

    `unknown` are the hyperparameters whose part the equations do not show, `assumed` the starts
    that the document does not give, `unread` what it sets and the outputs do not rest on.
    """

    definition: syntax.Definition
    unknown: tuple[str, ...]
    assumed: tuple[str, ...]
    unread: tuple[str, ...]


def draft(
    reading: Reading,
    named: Mapping[str, syntax.Expression],
    place: Span,
    *,
    evaluate: str | None = None,
    given: Mapping[str, str] = MappingProxyType({}),
    hint: Callable[[str], str] = lambda name: "add the equation that sets it",
) -> Draft:
    """Return the draft of what was read.

    Args:
        reading: the definition that the document's equations are.
        named: what symbols of the document are in our names, as a claim's `where` says it.
        place: where the equations stand, for what is said of them as a whole.
        given: the numbers that the document gives hyperparameters, by our names.
        evaluate: the point, in our names, at which the model is evaluated; None is theta.
        hint: what to do where the equation for a name of the document is missing.

    Raises:
        DiagnosticError: no parameter is updated, no gradient is read, or a value of a step is
            read that no equation sets.
    """
    definition = reading.definition
    equations = [s for s in definition.statements if targets_of(s)]
    indices = [s for s in definition.statements if isinstance(s, syntax.Index)]
    check_apart(equations, named)
    equations = [with_names(one, named) for one in equations]
    outputs = _renamed_outputs(definition, named)
    every, point = set_by(equations), _evaluated(evaluate, equations, place)
    kept = _needed(equations, (*outputs, *((evaluate,) if evaluate else ())))
    if definition.family == "optimizer":
        _check_update(equations, kept, place)
        kept = _with_own_gradient(kept)
    undefined = _undefined(kept)
    usual = usual_hyperparameters(
        [name.name for name in undefined], [s for s in kept if isinstance(s, syntax.Equation)]
    )
    usual = {name: _with_given(each, given.get(name)) for name, each in usual.items()}
    unknown = tuple(name for name, each in usual.items() if each.default is None)
    free = ({name.name for name in reading.free} & set(unknown)) - names_of(named)
    _check_set([name for name in undefined if name.name in free], place, hint)
    kept = _without_needless_times(kept, usual)
    statements = (
        *(_hyper(name, each) for name, each in usual.items()),
        *_read_indices(indices, kept),
        *_joined_starts(kept),
        *point,
    )
    gives = outputs if definition.gives else ()
    assumed = {target.name for start in reading.assumed_starts for target in start.targets}
    return Draft(
        replace(definition, gives=gives, statements=statements),
        unknown,
        tuple(name for name in _starts_of(kept) if name in assumed),
        tuple(name for name in every if name not in set_by(kept) and name != "g"),
    )


def _evaluated(
    name: str | None, equations: Sequence[syntax.Statement], place: Span
) -> list[syntax.Evaluate]:
    if name is None:
        return []
    if name not in set_by(equations):
        message = f"`{name}` is to be evaluated, and no equation sets it"
        raise refuse("undefined-symbol", message, place, "say with --where what is called so")
    return [syntax.Evaluate(trees.at(syntax.Name(name), 0))]


def _renamed_outputs(
    definition: syntax.Definition, named: Mapping[str, syntax.Expression]
) -> tuple[str, ...]:
    outputs = definition.gives if definition.family != "optimizer" else ("theta",)
    ours = [named.get(output) for output in outputs]
    return tuple(
        value.name if isinstance(value, syntax.Name) else output
        for output, value in zip(outputs, ours, strict=True)
    )


def _undefined(statements: Iterable[syntax.Statement]) -> list[syntax.Name]:
    """Return the names that are read and set nowhere, each as it is read first."""
    whole = tuple(statements)
    defined = {
        target.name
        for one in whole
        for target in targets_of(one)
        if trees.number_of(target) is None
    }
    found: dict[str, syntax.Name] = {}
    for one in whole:
        for name, _ in trees.names_in(value_of(one)):
            if name.name not in defined | _GIVEN:
                found.setdefault(name.name, name)
    return list(found.values())


# --------------------------------------------------------------------- checks


def no_update(place: Span, targets: Iterable[str]) -> DiagnosticError:
    """Return the error that no parameter is updated by equations which set `targets`."""
    hint = "the equation that sets the parameter, as in `\\theta_{t+1} = ...`, is missing"
    names = sorted(set(targets) - {"g"})
    if names:
        hint += f"; where it is called {' or '.join(names)}, say --where '${names[-1]}$ = theta'"
    return refuse("no-update", "no parameter is updated here", place, hint)


def _check_update(
    whole: Sequence[syntax.Statement], statements: Sequence[syntax.Statement], place: Span
) -> None:
    targets = {target.name for one in whole for target in targets_of(one)}
    if "theta" not in targets:
        raise no_update(place, targets)
    reads = [name.name for one in statements for name, _ in trees.names_in(value_of(one))]
    if "g" not in reads and not any(_gradients(one) for one in statements):
        hint = (
            "a rule reads `g_t`, or a gradient that is written out: `\\nabla f(\\theta_t)`; "
            "where it has another name, say --where '$G_t$ = g'"
        )
        raise refuse("no-gradient", "the update reads no gradient", place, hint)


def _check_set(unset: Sequence[syntax.Name], place: Span, hint: Callable[[str], str]) -> None:
    """A value of a step that nothing sets is a missing equation, unless its part is known."""
    problems = []
    for name in unset:
        if name.indices:
            message = f"`{printed(name)}` is read, and no equation sets it"
            where, help_ = name.span or place, hint(name.name)
            problems.append(Diagnostic("undefined-symbol", message, where, help_))
    if problems:
        raise DiagnosticError(problems)


# ------------------------------------------------------------------- pruning


def _needed(
    statements: Sequence[syntax.Statement], outputs: Iterable[str]
) -> list[syntax.Statement]:
    """Return the statements that the outputs rest on; of starts, those that are read."""
    moving = [s for s in statements if not is_start(s)]
    setters = {target.name: one for one in moving for target in targets_of(one)}
    needed: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in setters:
            waiting += [read.name for read, _ in trees.names_in(value_of(setters[name]))]
    kept = [s for s in moving if {target.name for target in targets_of(s)} & needed]
    reads = [name for one in kept for name, _ in trees.names_in(value_of(one))]
    past = {name.name for name in reads if (trees.offset_of(name) or 0) < 0}
    starts = [
        replace(one, targets=targets)
        for one in statements
        if isinstance(one, syntax.Equation)
        and is_start(one)
        and (targets := tuple(t for t in one.targets if t.name in past or _at_one(t, needed)))
    ]
    return [*starts, *kept]


def _read_indices(
    indices: Iterable[syntax.Index], statements: Sequence[syntax.Statement]
) -> list[syntax.Index]:
    """Return the indices that the statements have."""
    names = [name for one in statements for name in targets_of(one)]
    names += [name for one in statements for name, _ in trees.names_in(value_of(one))]
    used = {
        read.name for name in names for part in name.indices for read, _ in trees.names_in(part)
    }
    return [index for index in indices if index.name in used]


def _at_one(target: syntax.Name, needed: set[str]) -> bool:
    """What stands in for the equation of step 1 counts without a past."""
    return trees.number_of(target) == 1 and target.name in needed


# ------------------------------------------------------------------ gradients


def _gradients(statement: syntax.Statement) -> list[syntax.Call]:
    return [
        node
        for node in trees.within(value_of(statement))
        if isinstance(node, syntax.Call) and node.function == "grad"
    ]


def _with_own_gradient(statements: list[syntax.Statement]) -> list[syntax.Statement]:
    """Call the one gradient g[t], if the document does not; leave out where it is by default."""
    ours = trees.at(syntax.Name("theta"), -1)
    asked = {node for one in statements for node in _gradients(one)}
    is_read = any(
        name.name == "g" for one in statements for name, _ in trees.names_in(value_of(one))
    )
    is_set = any(target.name == "g" for one in statements for target in targets_of(one))
    found = statements
    if len(asked) == 1 and not is_read and not is_set:
        (gradient,) = asked
        g = trees.at(syntax.Name("g"), 0)
        found = [_replaced(one, gradient, g) for one in statements]
        starts = sum(map(is_start, found))
        found.insert(starts, syntax.Equation((g,), gradient))
    default = syntax.Call("grad", (ours,))
    return [
        one
        for one in found
        if not (isinstance(one, syntax.Equation) and _sets_g(one) and one.value == default)
    ]


def _sets_g(equation: syntax.Equation) -> bool:
    return equation.targets == (trees.at(syntax.Name("g"), 0),)


def _replaced(
    statement: syntax.Statement, old: syntax.Expression, new: syntax.Expression
) -> syntax.Statement:
    if not isinstance(statement, syntax.Equation):
        return statement

    def change(node: syntax.Expression) -> syntax.Expression | None:
        return new if node == old else None

    return replace(statement, value=trees.replace_within(statement.value, change))


# ---------------------------------------------------------------------- style


def _without_needless_times(
    statements: Sequence[syntax.Statement], hypers: Iterable[str]
) -> list[syntax.Statement]:
    """Leave `[t]` out where no past is read, as in `mhat` and `eta`."""
    reads = [name for one in statements for name, _ in trees.names_in(value_of(one))]
    moved = {name.name for name in reads if name.indices and trees.offset_of(name) != 0}
    started = {t.name for one in statements for t in targets_of(one) if is_start(one)}
    plain = {t.name for one in statements for t in targets_of(one)} | set(hypers)
    plain -= moved | started | {"theta", "g", "loss"}

    def change(name: syntax.Name, _: bool = False) -> syntax.Expression:
        bare = name.name in plain and trees.offset_of(name) == 0
        return replace(name, indices=()) if bare else name

    found: list[syntax.Statement] = []
    for one in statements:
        if isinstance(one, syntax.Equation):
            targets = tuple(replace(t, indices=()) if t.name in plain else t for t in one.targets)
            one = replace(one, targets=targets, value=trees.rewrite(one.value, change))
        elif isinstance(one, syntax.Draw):
            drawn = trees.rewrite(one.distribution, change)
            assert isinstance(drawn, syntax.Call)
            one = replace(one, distribution=drawn)
        found.append(one)
    return found


def _starts_of(statements: Iterable[syntax.Statement]) -> list[str]:
    return [t.name for one in statements if is_start(one) for t in targets_of(one)]


def _joined_starts(statements: Iterable[syntax.Statement]) -> list[syntax.Statement]:
    """Write starts of one value on one line: `m[0] = v[0] = 0`."""
    found: list[syntax.Statement] = []
    for one in statements:
        last = found[-1] if found else None
        if (
            isinstance(one, syntax.Equation)
            and isinstance(last, syntax.Equation)
            and is_start(one)
            and isinstance(one.value, syntax.Number)
            and last.value == one.value
        ):
            found[-1] = replace(last, targets=(*last.targets, *one.targets))
        else:
            found.append(one)
    return found


def _with_given(usual: Usual, number: str | None) -> Usual:
    """Return what is usual, with the number that the document gives."""
    if number is None:
        return usual
    return replace(usual, default=number, doc=usual.doc or "as the document gives it")


def _hyper(name: str, usual: Usual) -> syntax.Hyper:
    alias, position = usual.alias, None
    if alias is not None and alias.endswith("]"):
        alias, position = alias[:-3], int(alias[-2])
    if alias is None and name in _MODULE_WORDS:
        alias = name + "_"
    comments: tuple[str, ...] = ()
    if usual.default is None:
        where = "" if usual.domain is not None else " and a domain"
        comments = (f"TODO: give {name} a default{where}, and say what it is.",)
    return syntax.Hyper(
        name,
        alias=None if alias is None else syntax.Alias(alias, position),
        default=None if usual.default is None else parse_expression(usual.default, "<usual>"),
        domain=usual.domain,
        doc=usual.doc,
        comments=comments,
    )
