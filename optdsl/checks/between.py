"""Two rules, two documents, or one of each: what a claim decides, without a spec that claims it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optdsl.checks.claims import check_claim, compare_rules
from optdsl.checks.equivalence import Verdict
from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span
from optdsl.language import parse_expression, syntax
from optdsl.latex import document_names, load_document, to_definition
from optdsl.latex.declared import Declared
from optdsl.latex.documents import expand
from optdsl.model import Rule, System, build, build_rule
from optdsl.model.inheritance import Lookup
from optdsl.model.system import Hyperparameter

_DOCUMENT = re.compile(r"(?P<path>[^:]+\.tex)(?::(?P<tags>.+))?", re.DOTALL)


@dataclass(frozen=True)
class Terms:
    """What both sides are compared under, as in claims.

    `where` says what symbols of the second are in names of the first, `constant` and `when` which
    hyperparameters of the first keep their value, and which have a given one.
    """

    where: tuple[syntax.Where, ...] = ()
    constant: tuple[str, ...] = ()
    when: tuple[syntax.When, ...] = ()


@dataclass(frozen=True)
class Between:
    """The verdict on two, and what else there is to say; `ours` and `theirs` as they were taken."""

    ours: str
    theirs: str
    verdict: Verdict
    diagnostics: tuple[Diagnostic, ...] = ()


def document_of(text: str) -> syntax.Document | None:
    """Return the lines of a LaTeX file that a text means, as `paper.tex:adam,bias`.

    A file that is not there, and has the name of a shipped document, is that one.
    """
    match = _DOCUMENT.fullmatch(text.strip())
    if match is None:
        return None
    tags = tuple(tag.strip() for tag in (match["tags"] or "").split(",") if tag.strip())
    path = Path(match["path"])
    shipped = not path.exists() and str(path) == path.name and path.stem in document_names()
    return syntax.Document(path.stem if shipped else str(path), expand(tags))


def read_terms(
    where: Sequence[str] = (), constant: Sequence[str] = (), when: Sequence[str] = ()
) -> Terms:
    """Return terms from texts such as `alpha = eta`, `$\beta$ = gamma`, `momentum = 0`.

    Raises:
        DiagnosticError: a text does not say what is what.
    """
    return Terms(
        tuple(_where(text) for text in where),
        tuple(name for text in constant for name in re.split(r"[,\s]+", text) if name),
        tuple(_when(text) for text in when),
    )


def _where(text: str) -> syntax.Where:
    span = Span(SourceText("--where", text), 0, len(text))
    match = re.fullmatch(r"\s*(\$[^$]+\$|\w+)\s*=(?!=)(.+)", text, re.DOTALL)
    if match is None:
        message = "this does not say what is what"
        raise DiagnosticError(Diagnostic("bad-terms", message, span, "write `theirs = ours`"))
    symbol = match[1].strip("$").strip()
    value = parse_expression(match[2].strip(), "--where")
    return syntax.Where(symbol, match[1].startswith("$"), value, span=span)


def _when(text: str) -> syntax.When:
    span = Span(SourceText("--when", text), 0, len(text))
    match = re.fullmatch(r"\s*(\w+)\s*=(?!=)(.+)", text, re.DOTALL)
    if match is None:
        message = "this gives no hyperparameter a value"
        raise DiagnosticError(Diagnostic("bad-terms", message, span, "write `name = value`"))
    return syntax.When(match[1], parse_expression(match[2].strip(), "--when"), span=span)


# -------------------------------------------------------------------- deciding

Side = syntax.Document | tuple[syntax.Definition, Lookup]


def compare_sides(ours: Side, theirs: Side, terms: Terms) -> Between:
    """Decide whether two rules, documents, or one of each, say the same.

    Where the first is a document and the second is not, they change places: names are ours.

    Raises:
        DiagnosticError: one of them means nothing, or the terms name what is not there.
    """
    if isinstance(ours, syntax.Document) and not isinstance(theirs, syntax.Document):
        ours, theirs = theirs, ours
    if isinstance(ours, syntax.Document):
        rule: Rule = document_rule(ours, terms)
        lookup = _nothing()
    else:
        rule, lookup = build_rule(*ours), ours[1]
    if isinstance(theirs, syntax.Document):
        claim = _claim(theirs, terms)
        finding = check_claim(claim, rule, lookup)
        problems = tuple(d for d in finding.diagnostics if d.code not in _ABOUT_CLAIMS)
        return Between(rule.name, _called(theirs), finding.verdict, problems)
    other = build_rule(*theirs)
    terms = _with_aliases(terms, rule, other)
    claim = _claim(syntax.Name(other.name), terms)
    return Between(rule.name, other.name, compare_rules(claim, rule, other))


_ABOUT_CLAIMS = frozenset({"broken-claim", "unproved-claim"})


def document_rule(document: syntax.Document, terms: Terms) -> System:
    """Return the optimizer that lines of a document are.

    Raises:
        DiagnosticError: they cannot be read, or are none.
    """
    names = [w.value.name for w in terms.where if isinstance(w.value, syntax.Name)]
    declared: Declared = [*names, *terms.constant, *(when.name for when in terms.when)]
    equations = load_document(document.name).equations(document.tags, declared)
    reading = to_definition(equations, declared, name=_identifier(document.name))
    return build(reading.definition, _nothing(), allow_unused=True)


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", Path(name).stem)


def _called(document: syntax.Document) -> str:
    return f"{document.name} eq {', '.join(document.tags)}" if document.tags else document.name


def _nothing() -> Lookup:
    return Lookup(lambda name: None, lambda: ())


def _claim(other: syntax.Document | syntax.Name, terms: Terms) -> syntax.Claim:
    verb = "source" if isinstance(other, syntax.Document) else "equals"
    return syntax.Claim(
        verb,  # type: ignore[arg-type]
        other,
        constant=terms.constant,
        where=terms.where,
        when=terms.when,
    )


def _with_aliases(terms: Terms, ours: Rule, theirs: Rule) -> Terms:
    """Return the terms with theirs of another name, but the same alias, as ours."""
    mine = {h.alias: h.name for h in _hyperparameters(ours) if h.alias is not None}
    known = {h.name for h in _hyperparameters(ours)} | {w.symbol for w in terms.where}
    found = list(terms.where)
    for hyper in _hyperparameters(theirs):
        if hyper.name not in known and hyper.alias in mine:
            found.append(syntax.Where(hyper.name, False, syntax.Name(mine[hyper.alias])))
    return Terms(tuple(found), terms.constant, terms.when)


def _hyperparameters(rule: Rule) -> list[Hyperparameter]:
    systems = [rule] if isinstance(rule, System) else [case.system for case in rule.cases]
    return [hyper for system in systems for hyper in system.hyperparameters]
