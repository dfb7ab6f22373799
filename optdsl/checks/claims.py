"""Each claim of a definition, held against what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from optdsl.checks.cache import remembered
from optdsl.checks.choices import pairs, together, undecided
from optdsl.checks.equivalence import Verdict
from optdsl.checks.equivalence.question import Question
from optdsl.checks.known import EXPECTED, claims_of, keep
from optdsl.checks.others import (
    NotUnderstood,
    Other,
    giving,
    named_rule,
    other_side,
    rule_side,
    suggestion,
)
from optdsl.checks.translate import kinds_of, translate
from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean
from optdsl.language import syntax
from optdsl.model import Alternatives, Rule, build_rule
from optdsl.model.expressions import Expression, Number, Value
from optdsl.model.inheritance import Lookup
from optdsl.model.system import System


@dataclass(frozen=True)
class Finding:
    """A claim, the verdict on it, and whether that is the expected one.

    `warning` says that a claim passes only because nothing speaks against it.
    `diagnostics` say what is wrong, at the claim's place.
    """

    claim: syntax.Claim
    expected: str
    verdict: Verdict
    passed: bool
    warning: bool
    diagnostics: tuple[Diagnostic, ...] = ()


def check_definition(
    definition: syntax.Definition, lookup: Lookup, *, strict: bool = False
) -> list[Finding]:
    """Check every claim of a definition.

    Args:
        definition: a definition that builds.
        lookup: gives the definition of a name, or None.
        strict: count "agrees", which is no proof, as a failure.

    Raises:
        DiagnosticError: where the definition itself does not build.
    """
    claims = claims_of(definition)
    if not claims:
        return []
    ours = build_rule(definition, lookup)
    return [check_claim(claim, ours, lookup, strict=strict) for claim in claims]


def check_claim(
    claim: syntax.Claim, ours: Rule, lookup: Lookup, *, strict: bool = False
) -> Finding:
    """Check one claim of what a definition means; keep the verdict for `known`."""
    finding = _found(claim, ours, lookup, strict)
    keep(claim, ours, lookup, finding.verdict.kind)
    return finding


def _found(claim: syntax.Claim, ours: Rule, lookup: Lookup, strict: bool) -> Finding:
    try:
        verdict = _decided(claim, ours, lookup)
        problems: tuple[Diagnostic, ...] = ()
    except NotUnderstood as error:
        reason = "; ".join(_worded(problem) for problem in error.diagnostics)
        verdict = Verdict("not understood", reason)
        if claim.verb == "unreadable":
            return Finding(claim, EXPECTED[claim.verb], verdict, True, False)
        problems = error.diagnostics
    except DiagnosticError as error:
        verdict = Verdict("not understood", error.diagnostics[0].message)
        problems = error.diagnostics
    return _judged(claim, verdict, problems, strict)


def _judged(
    claim: syntax.Claim, verdict: Verdict, problems: tuple[Diagnostic, ...], strict: bool
) -> Finding:
    expected = EXPECTED[claim.verb]
    passed = verdict.kind == expected and claim.verb != "unreadable"
    warning = False
    if verdict.kind == "agrees" and expected == "proved" and not strict:
        passed = warning = True
        message = f"{verdict.kind}, but not proved: {verdict.reason}"
        problems = (Diagnostic("unproved-claim", message, claim.span, severity="warning"),)
    if not passed and not problems:
        problems = (_unexpected(claim, verdict, expected),)
    return Finding(claim, expected, verdict, passed, warning, problems)


def _unexpected(claim: syntax.Claim, verdict: Verdict, expected: str) -> Diagnostic:
    if claim.verb == "unreadable":
        message, hint = "this line can be read", "claim `source` or `differs` of it"
    else:
        message = f"expected: {expected}; found: {verdict}"
        hint = None
        if verdict.kind == "proved":
            hint = "claim `source` or `equals`"
        elif verdict.kind == "differs":
            hint = "mend the equation, or claim `differs`"
    return Diagnostic("broken-claim", message, claim.span, hint)


def _worded(problem: Diagnostic) -> str:
    if problem.span is None:
        return problem.message
    line, column = problem.span.source.position(problem.span.start)
    return f"{problem.span.source.name}:{line}:{column}: {problem.message}"


# -------------------------------------------------------------------- verdict


def _decided(claim: syntax.Claim, ours: Rule, lookup: Lookup) -> Verdict:
    theirs = None
    if not isinstance(claim.other, syntax.Document):
        theirs = named_rule(claim.other, ours, lookup)
    chooses = isinstance(theirs, Alternatives)
    if isinstance(ours, System) and not chooses:
        return _verdict(claim, ours, lookup)
    if theirs is None or claim.gives is not None:
        return undecided("this claim is of one rule")
    return _by_case(claim, ours, theirs)


def compare_rules(claim: syntax.Claim, ours: Rule, theirs: Rule) -> Verdict:
    """Return the verdict on two rules, under what a claim says of them.

    Raises:
        DiagnosticError: where the claim names what is not there.
    """
    if isinstance(ours, Alternatives) or isinstance(theirs, Alternatives):
        return _by_case(claim, ours, theirs)
    us, constant, fixed = _our_side(claim, ours)
    other = rule_side(claim, theirs)
    mapping = _mapping(claim, other, us)
    _check_free(claim, other, us, mapping)
    return remembered(us, other.system, constant, mapping, fixed)


def _by_case(claim: syntax.Claim, ours: Rule, theirs: Rule) -> Verdict:
    """Return the verdict on rules of which one chooses, or both."""
    found = pairs(ours, theirs)
    if isinstance(found, str):
        return undecided(found)
    _check_named(claim, [pair.ours for pair in found], [pair.theirs for pair in found])
    verdicts = []
    for pair in found:
        own = _of_case(claim, pair.ours, pair.theirs)
        us, constant, fixed = _our_side(own, pair.ours)
        other = rule_side(own, pair.theirs)
        mapping = _mapping(own, other, us)
        _check_free(own, other, us, mapping)
        verdicts.append((pair, remembered(us, other.system, constant, mapping, fixed)))
    return together(verdicts)


def _of_case(claim: syntax.Claim, ours: System, theirs: System) -> syntax.Claim:
    """Return what a claim says of one case: not all of them have every name."""
    mine = _hyperparameters_of(ours)
    known = {*kinds_of(theirs), *(h.name for h in theirs.hyperparameters)}
    return replace(
        claim,
        when=tuple(when for when in claim.when if when.name in mine),
        constant=tuple(name for name in claim.constant if name in mine),
        where=tuple(w for w in claim.where if w.latex or w.symbol in known),
    )


def _check_named(claim: syntax.Claim, ours: list[System], theirs: list[System]) -> None:
    """A name that no case has is a mistake."""
    mine = set().union(*(_hyperparameters_of(system) for system in ours))
    named = [*claim.constant, *(when.name for when in claim.when)]
    for name in named:
        if name not in mine:
            message = f"`{name}` is a hyperparameter of no case"
            hint = did_you_mean(name, mine)
            raise DiagnosticError(Diagnostic("claim-name", message, claim.span, hint))
    known = set().union(*({*kinds_of(s), *(h.name for h in s.hyperparameters)} for s in theirs))
    for where in claim.where:
        if not where.latex and where.symbol not in known:
            message = f"`{where.symbol}` occurs in no case of the other rule"
            hint = did_you_mean(where.symbol, known)
            raise DiagnosticError(Diagnostic("claim-symbol", message, claim.span, hint))


def _hyperparameters_of(system: System) -> set[str]:
    return {name for h in system.hyperparameters for name in (h.name, h.local_name)}


def _verdict(claim: syntax.Claim, ours: System, lookup: Lookup) -> Verdict:
    if claim.verb == "unreadable":
        other_side(claim, _our_side(claim, ours)[0], lookup)
        return Verdict("agrees", "the lines can be read")
    asked, other = question_of(claim, ours, lookup)
    verdict = remembered(asked.ours, asked.theirs, asked.constant, asked.mapping, asked.fixed)
    return replace(verdict, starts=other.starts)


def question_of(claim: syntax.Claim, ours: System, lookup: Lookup) -> tuple[Question, Other]:
    """Return what a claim asks, and the other side that it speaks of.

    Raises:
        NotUnderstood: where a document's lines cannot be read.
        DiagnosticError: where the claim names what is not there.
    """
    ours, constant, fixed = _our_side(claim, ours)
    other = other_side(claim, ours, lookup)
    mapping = _mapping(claim, other, ours)
    _check_free(claim, other, ours, mapping)
    return Question(ours, other.system, constant, mapping, fixed), other


def _our_side(
    claim: syntax.Claim, ours: System
) -> tuple[System, frozenset[str], dict[str, Expression]]:
    """Return what of ours a claim speaks of, and which hyperparameters it holds still or fixes."""
    fixed = _fixed(claim, ours)
    constant = frozenset(_hyperparameter(name, claim, ours) for name in claim.constant)
    if claim.gives is not None:
        if claim.gives not in kinds_of(ours):
            hint = did_you_mean(claim.gives, kinds_of(ours))
            message = f"{ours.name} has no `{claim.gives}`"
            raise DiagnosticError(Diagnostic("claim-name", message, claim.span, hint))
        ours = giving(ours, (claim.gives,))
    return ours, constant, fixed


def _fixed(claim: syntax.Claim, ours: System) -> dict[str, Expression]:
    fixed = {}
    for when in claim.when:
        name = _hyperparameter(when.name, claim, ours)
        value = translate(when.value, ours)
        domain = ours.hyperparameter(name).domain
        if isinstance(value, Number) and domain is not None and value.value not in domain:
            message = f"{value.text} is outside the domain of `{name}`, {domain}"
            raise DiagnosticError(Diagnostic("claim-domain", message, when.span or claim.span))
        hypers = {hyper.name for hyper in ours.hyperparameters}
        if isinstance(value, Value) and value.name not in hypers:
            message = "`when` fixes a hyperparameter to what hyperparameters and t give"
            raise DiagnosticError(Diagnostic("claim-expression", message, when.span or claim.span))
        fixed[name] = value
    return fixed


def _hyperparameter(name: str, claim: syntax.Claim, ours: System) -> str:
    """Return the full name of a hyperparameter of ours."""
    for hyper in ours.hyperparameters:
        if hyper.name == name:
            return name
    local = [hyper.name for hyper in ours.hyperparameters if hyper.local_name == name]
    if len(local) == 1:
        return local[0]
    hint = did_you_mean(name, [hyper.name for hyper in ours.hyperparameters])
    message = f"`{name}` is no hyperparameter of {ours.name}"
    raise DiagnosticError(Diagnostic("claim-name", message, claim.span, hint))


def _mapping(claim: syntax.Claim, other: Other, ours: System) -> dict[str, Expression]:
    theirs = {*kinds_of(other.system), *(h.name for h in other.system.hyperparameters)}
    mapping = {}
    for name, where in other.symbols.items():
        if name not in theirs:
            hint = did_you_mean(name, theirs) or f"it has {', '.join(sorted(theirs))}"
            message = f"`{name}` does not occur in {other.system.name}"
            raise DiagnosticError(
                Diagnostic("claim-symbol", message, where.span or claim.span, hint)
            )
        mapping[name] = translate(where.value, ours)
    unsaid = {h.name for h in other.system.hyperparameters} - set(mapping)
    for fed in ours.fed:
        name = fed.hyperparameter.name
        if name in unsaid:
            mapping[name] = translate(syntax.Name(name), ours)
    return mapping


def _check_free(
    claim: syntax.Claim, other: Other, ours: System, mapping: Mapping[str, Expression]
) -> None:
    """A symbol that theirs uses and never defines must be ours, or be said to be something."""
    known = {*mapping, *(hyper.name for hyper in ours.hyperparameters)}
    strangers = [h.name for h in other.system.hyperparameters if h.name not in known]
    if strangers:
        names = ", ".join(f"`{name}`" for name in strangers)
        message = f"{names} of {other.system.name}: nothing says what it is in our names"
        raise DiagnosticError(
            Diagnostic(
                "undeclared-symbol", message, claim.span, suggestion(strangers[0], ours, claim)
            )
        )
