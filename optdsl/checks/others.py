"""The other side of a claim: a rule, or equations of a document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optdsl.checks.evaluation_points import with_evaluation
from optdsl.checks.member_symbols import of_members, whole_numbers
from optdsl.checks.shapes import with_shapes
from optdsl.diagnostics import Diagnostic, DiagnosticError, Span, did_you_mean
from optdsl.language import format_expression, syntax
from optdsl.language.trees import walk
from optdsl.latex import Reading, read_symbol, to_definition
from optdsl.latex.declared import Declared, Function
from optdsl.latex.documents import SourceDocument
from optdsl.latex.equations import SourceEquation, read_function
from optdsl.latex.finding import load_document
from optdsl.latex.trees import names_in, rewrite
from optdsl.model import Rule, build, build_rule
from optdsl.model.alternatives import one_system
from optdsl.model.inheritance import Lookup
from optdsl.model.system import System


class NotUnderstood(Exception):
    """A document's lines cannot be read, or do not make one rule."""

    def __init__(self, error: DiagnosticError) -> None:
        super().__init__(str(error))
        self.diagnostics = error.diagnostics


@dataclass(frozen=True)
class Other:
    """The system of the other side.

    `symbols` are the names that the claim's `where` speaks of, as they stand in
    `system`. `domains` and `starts` are what was assumed for a document, `free` the
    symbols that it uses and never defines.
    """

    system: System
    symbols: Mapping[str, syntax.Where]
    free: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()


def other_side(claim: syntax.Claim, ours: System, lookup: Lookup) -> Other:
    """Return what a claim compares with.

    Raises:
        NotUnderstood: where a document's lines cannot be read.
        DiagnosticError: where the claim names what is not there.
    """
    if isinstance(claim.other, syntax.Document):
        return _document(claim, claim.other, ours, lookup)
    return rule_side(claim, one_system(named_rule(claim.other, ours, lookup)))


# ---------------------------------------------------------------------- rules


def named_rule(expression: syntax.Expression, ours: Rule, lookup: Lookup) -> Rule:
    """Return the rule that a claim names.

    Raises:
        DiagnosticError: there is none, or it is the rule that claims.
    """
    _require_another(expression, ours)
    match expression:
        case syntax.Name(name, ()):
            definition = lookup(name)
            if definition is None:
                message = f"there is no rule `{name}`"
                raise DiagnosticError(
                    Diagnostic("unknown-definition", message, expression.span, lookup.hint(name))
                )
        case _:
            definition = syntax.Definition(
                ours.family,
                format_expression(expression),
                value=expression,
                span=expression.span,
            )
    return build_rule(definition, lookup)


def _require_another(expression: syntax.Expression, ours: Rule) -> None:
    """Refuse a claim that names its own rule: that would be proved whatever the rule says."""
    for node in walk(expression):
        named = node.function if isinstance(node, syntax.Call) else getattr(node, "name", None)
        if named == ours.name:
            message = f"`{named}` is the rule that claims this, and is compared with itself"
            hint = f"if a shipped `{named}` is meant, give this rule another name"
            raise DiagnosticError(Diagnostic("claim-of-itself", message, node.span, hint))


def rule_side(claim: syntax.Claim, system: System) -> Other:
    """Return the other side of a claim that names a rule, which is this system."""
    if claim.gives is not None:
        system = giving(system, (claim.gives,))
    symbols = {}
    for where in claim.where:
        name = read_symbol(where.symbol).name if where.latex else where.symbol
        symbols[name] = where
    return Other(system, symbols)


def giving(system: System, names: tuple[str, ...]) -> System:
    """Return the system as one that gives other quantities for a gradient that is handed in.

    Several gradients are not one: where a step asks for more, it asks at points.
    """
    family: syntax.Family = "schedule" if system.family == "schedule" else "transform"
    gradients = system.gradients
    if len(gradients) == 1:
        gradients = (replace(gradients[0], point=None),)
    return replace(system, family=family, outputs=names, gradients=gradients, evaluation=None)


# ------------------------------------------------------------------ documents


def _document(claim: syntax.Claim, cited: syntax.Document, ours: System, lookup: Lookup) -> Other:
    document = _cited(cited, lookup.folder)
    said = [(symbol_of(where), where) for where in claim.where]
    symbols = {name.name: where for name, where in said if isinstance(name, syntax.Name)}
    declared: Declared = [
        *(name for name, _ in said),
        *(hyper.name for hyper in ours.hyperparameters),
    ]
    try:
        equations = document.equations(cited.tags, declared)
        equations, symbols = _with_gradient(equations, symbols)
        reading = _read(equations, ours, declared, symbols)
    except DiagnosticError as error:
        raise NotUnderstood(error) from None
    _check_functions(claim, document, [*said])
    symbols = {
        _in_their_names(name, reading): where
        for name, where in of_members(symbols, reading.members).items()
        if name not in reading.bounds
    }
    definition, symbols = with_shapes(reading.definition, symbols)
    definition = with_evaluation(definition, ours, symbols)
    try:
        system = build(definition, lookup, allow_unused=True)
    except DiagnosticError as error:
        raise NotUnderstood(error) from None
    return Other(
        replace(system, name=_called(cited)),
        symbols,
        tuple(symbol.name for symbol in reading.free),
        tuple(_domain(name, domain) for name, domain in reading.assumed_domains.items()),
        tuple(_start(start) for start in reading.assumed_starts),
    )


def _cited(cited: syntax.Document, folder: Path | None) -> SourceDocument:
    """Return the document that a claim cites; what is not there is marked in the claim."""
    place = cited.span
    try:
        document = load_document(cited.name, folder)
        for tag in cited.tags:
            place = _place_of(tag, cited.span)
            document.display(tag)
    except DiagnosticError as error:
        found = [replace(one, span=one.span or place) for one in error.diagnostics]
        raise DiagnosticError(found) from None
    return document


def _place_of(tag: str, cited: Span | None) -> Span | None:
    found = cited and re.search(rf"\beq\b.*?(?<![\w-]){re.escape(tag)}(?![\w-])", cited.text, re.S)
    if not (cited and found):
        return cited
    return Span(cited.source, cited.start + found.end() - len(tag), cited.start + found.end())


def source_equations(
    claim: syntax.Claim, ours: System, folder: Path | None = None
) -> tuple[SourceEquation, ...]:
    """Return the equations of the document that a claim cites, with the document's symbols.

    Raises:
        DiagnosticError: where they cannot be read.
    """
    assert isinstance(claim.other, syntax.Document)
    said = [symbol_of(where) for where in claim.where]
    declared: Declared = [*said, *(hyper.name for hyper in ours.hyperparameters)]
    return _cited(claim.other, folder).equations(claim.other.tags, declared)


def _read(
    equations: tuple[SourceEquation, ...],
    ours: System,
    declared: Declared,
    symbols: Mapping[str, syntax.Where],
) -> Reading:
    moves, gives = ours.family == "optimizer", tuple[str, ...]()
    if not moves:
        equations, gives = with_outputs(equations, ours.family, ours.outputs, symbols)
    return to_definition(
        equations,
        declared,
        name="Source",
        family=ours.family,
        gives=gives,
        parameter=_parameter(symbols) if moves else None,
        numbers=whole_numbers(symbols),
    )


def _check_functions(
    claim: syntax.Claim, document: SourceDocument, said: list[tuple[object, syntax.Where]]
) -> None:
    """A function that the lines do not have is a mistake in the claim."""
    assert isinstance(claim.other, syntax.Document)
    functions = [(one, where) for one, where in said if isinstance(one, Function)]
    for function, where in functions:
        others = [one for one, _ in said if one is not function]
        declared = [one for one in others if isinstance(one, str | syntax.Name | Function)]
        try:
            document.equations(claim.other.tags, declared)
        except DiagnosticError:
            continue
        message = f"`{function.name}` is no function in these lines"
        raise DiagnosticError(Diagnostic("claim-symbol", message, where.span or claim.span))


def _parameter(symbols: Mapping[str, syntax.Where]) -> str | None:
    """Return what they call theta, where the claim says it."""
    for name, where in symbols.items():
        if isinstance(where.value, syntax.Name) and where.value.name == "theta":
            return name
    return None


def _with_gradient(
    equations: tuple[SourceEquation, ...], symbols: Mapping[str, syntax.Where]
) -> tuple[tuple[SourceEquation, ...], dict[str, syntax.Where]]:
    """Call g what the claim says to be the gradient, where no line of theirs sets it.

    Returned are also the symbols of which there is more to be said.
    """
    own = {target.name for equation in equations for target in equation.targets}
    called = {
        name
        for name, where in symbols.items()
        if isinstance(where.value, syntax.Name) and where.value.name == "g" and name not in own
    }

    def change(name: syntax.Name, _: bool) -> syntax.Expression:
        return replace(name, name="g") if name.name in called else name

    changed = tuple(replace(each, value=rewrite(each.value, change)) for each in equations)
    return changed, {name: where for name, where in symbols.items() if name not in called}


def with_outputs(
    equations: tuple[SourceEquation, ...],
    family: syntax.Family,
    outputs: tuple[str, ...],
    symbols: Mapping[str, syntax.Where],
) -> tuple[tuple[SourceEquation, ...], tuple[str, ...]]:
    """Return the equations and what they give.

    A lone expression is what is given. A transform may set g itself: then g is the gradient
    that it hands on, and the gradient of the loss is the one it is given.
    """
    if len(equations) == 1 and not equations[0].targets and len(outputs) == 1:
        named = syntax.Name(outputs[0], span=equations[0].span)
        equations = (replace(equations[0], targets=(named,)),)
    gives = tuple(_their_name(output, equations, symbols) for output in outputs)
    if family == "transform" and gives == ("g",):
        return tuple(_with_handed_on(e, outputs[0]) for e in equations), outputs
    return equations, gives


def _their_name(
    output: str, equations: tuple[SourceEquation, ...], symbols: Mapping[str, syntax.Where]
) -> str:
    """Return what they call an output of ours: as `where` says, the same, or their one result."""
    for name, where in symbols.items():
        if isinstance(where.value, syntax.Name) and where.value.name == output:
            return name
    targets = [target.name for equation in equations for target in equation.targets]
    read = {
        name.name
        for equation in equations
        for name, _ in names_in(equation.value)
        if name.name not in {target.name for target in equation.targets}
    }
    results = [name for name in dict.fromkeys(targets) if name not in read]
    return results[0] if output not in targets and len(results) == 1 else output


def _with_handed_on(equation: SourceEquation, output: str) -> SourceEquation:
    """Call g by the name of our output, and the gradient of the loss g.

    Where g is set from itself, what stands on the right is the one that is handed in.
    """
    own = any(target.name == "g" for target in equation.targets)
    from_itself = own and any(name.name == "g" for name, _ in names_in(equation.value))

    def change(name: syntax.Name, _: bool) -> syntax.Expression:
        renamed = name.name == "g" and not from_itself
        return replace(name, name=output) if renamed else name

    value = _without_grad(rewrite(equation.value, change))
    targets = tuple(replace(t, name=output) if t.name == "g" else t for t in equation.targets)
    return replace(equation, targets=targets, value=value)


def _without_grad(expression: syntax.Expression) -> syntax.Expression:
    match expression:
        case syntax.Call("grad", (syntax.Name("theta"),)):
            return syntax.Name("g", (syntax.Name("t"),), span=expression.span)
        case syntax.Unary():
            return replace(expression, operand=_without_grad(expression.operand))
        case syntax.Binary():
            left, right = _without_grad(expression.left), _without_grad(expression.right)
            return replace(expression, left=left, right=right)
    return expression


def symbol_of(where: syntax.Where) -> syntax.Name | Function:
    """What `where` speaks of: a symbol, or a function, as in `$\\Pi(x)$ = x`."""
    if not where.latex:
        return syntax.Name(where.symbol)
    try:
        return read_symbol(where.symbol, "<where>")
    except DiagnosticError as error:
        try:
            return read_function(where.symbol, where.value, "<where>")
        except DiagnosticError:
            raise error from None


def _in_their_names(name: str, reading: Reading) -> str:
    return "theta" if name == reading.parameter else name


def _called(cited: syntax.Document) -> str:
    return f"{cited.name} eq {', '.join(cited.tags)}"


def _domain(name: str, domain: syntax.Interval) -> str:
    left, right = "(" if domain.low_open else "[", ")" if domain.high_open else "]"
    low, high = format_expression(domain.low), format_expression(domain.high)
    return f"{name} in {left}{low}, {high}{right}"


def _start(start: syntax.Equation) -> str:
    target = format_expression(start.targets[0])
    return f"{target} = {format_expression(start.value)}"


def suggestion(name: str, ours: System, claim: syntax.Claim) -> str:
    """Return a hint for a symbol of theirs that has no meaning on our side.

    What was asked on the command line stands in no text.
    """
    how = f"where {name} = ..." if claim.span is not None else f"--where '{name} = ...'"
    near = did_you_mean(name, [*(hyper.name for hyper in ours.hyperparameters), "g"])
    return f"say what it is in our names: `{how}`" + (f"; {near}" if near else "")
