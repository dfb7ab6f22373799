"""What `optdsl check` found as a page of its own, typeset by the browser, without a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from optdsl.commands.checking import CheckedFile, CheckedRule, counted
from optdsl.diagnostics import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from optdsl.checks.claims import Finding
    from optdsl.checks.equivalence.verdict import Counterexample, Verdict
    from optdsl.language import syntax

_VERBS = {
    "source": "follows",
    "equals": "equals",
    "differs": "differs from",
    "unreadable": "cannot read",
}
_FAMILIES = {"optimizer": "Optimizers", "schedule": "Schedules", "transform": "Transforms"}


def as_html(files: Sequence[CheckedFile]) -> str:
    """Return the page; it needs nothing but a browser that knows MathML."""
    rules = [(file, rule) for file in files for rule in file.rules]
    style = resources.files(__package__).joinpath("check_html.css").read_text(encoding="utf-8")
    script = resources.files(__package__).joinpath("check_html.js").read_text(encoding="utf-8")
    body = [
        f"<nav>{_contents([rule for _, rule in rules])}</nav>",
        "<main>",
        _head([rule for _, rule in rules]),
        *(_unreadable(file) for file in files if file.errors),
        *(_rule(file, rule) for file, rule in rules),
        "</main>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>optdsl check</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


# ------------------------------------------------------------------ the whole


def _head(rules: list[CheckedRule]) -> str:
    findings = [finding for rule in rules for finding in rule.findings]
    counts = {
        "proved": sum(f.passed and f.verdict.kind == "proved" for f in findings),
        "differs": sum(f.passed and f.verdict.kind == "differs" for f in findings),
        "unread": sum(f.passed and f.verdict.kind == "not understood" for f in findings),
        "agrees": sum(f.warning for f in findings),
        "broken": sum(not f.passed for f in findings) + sum(bool(rule.errors) for rule in rules),
    }
    words = {
        "proved": "proved",
        "differs": "shown to differ",
        "unread": "unreadable, as claimed",
        "agrees": "agree, without a proof",
        "broken": "not as expected",
    }
    tiles = "".join(
        f'<button class="tile {kind}" data-kind="{kind}"><b>{count}</b>{words[kind]}</button>'
        for kind, count in counts.items()
        if count
    )
    whole = f"{counted(len(findings), 'claim')} of {counted(len(rules), 'rule')}"
    return (
        f"<header><h1>What the specs say, and what their sources say</h1><p>{whole}</p>"
        f'<div class="tiles">{tiles}</div></header>'
    )


def _contents(rules: list[CheckedRule]) -> str:
    parts = ['<input type="search" placeholder="Find a rule" aria-label="Find a rule">']
    for family, title in _FAMILIES.items():
        inside = "".join(
            f'<li><a href="#{escape(rule.name)}"><i class="dot {_state(rule)}"></i>'
            f"{escape(rule.name)}</a></li>"
            for rule in rules
            if rule.family == family
        )
        if inside:
            parts.append(f"<h2>{title}</h2><ul>{inside}</ul>")
    return "".join(parts)


def _state(rule: CheckedRule) -> str:
    if not rule.good:
        return "broken"
    if not rule.findings:
        return "none"
    return "agrees" if any(finding.warning for finding in rule.findings) else "proved"


def _unreadable(file: CheckedFile) -> str:
    return f"<section><h2>{escape(file.name)}</h2>{_diagnostics(file.errors)}</section>"


# ----------------------------------------------------------------------- rules


def _rule(file: CheckedFile, rule: CheckedRule) -> str:
    name = escape(rule.name)
    doc = rule.definition.doc if rule.definition is not None else None
    about = f"<p>{escape(doc)}</p>" if doc else ""
    claims = "".join(_claim(finding, rule) for finding in rule.findings)
    return (
        f'<section id="{name}" data-name="{name.lower()}">'
        f"<h2>{name}<small>{escape(file.name)}</small></h2>{about}{_diagnostics(rule.errors)}"
        f'<div class="sides"><div class="spec"><h3>Spec</h3>{_spec(rule)}</div>'
        f'<div class="claims">{claims or "<p class=none>It claims nothing.</p>"}</div></div>'
        "</section>"
    )


def _spec(rule: CheckedRule) -> str:
    from optdsl.commands.equations import parts

    if rule.definition is None or rule.lookup is None or rule.errors:
        return ""
    found = list(parts(rule.definition, rule.lookup))
    return "".join(
        (f"<h4>{escape(part.title)}</h4>" if len(found) > 1 else "")
        + _equations(part.definition.statements)
        for part in found
    )


def _equations(statements: Iterable[syntax.Statement]) -> str:
    from optdsl.latex.mathml import math, write_sides

    sides = [pair for statement in statements if (pair := write_sides(statement)) is not None]
    cells = "".join(
        f'<div class="left">{math(left, block=True)}</div><div>{math(right, block=True)}</div>'
        for left, right in sides
    )
    return f'<div class="equations">{cells}</div>'


# ---------------------------------------------------------------------- claims


def _claim(finding: Finding, rule: CheckedRule) -> str:
    kind = _kind(finding)
    expected = "" if finding.passed else f", expected {finding.expected}"
    because = finding.claim.because
    parts = [
        f'<div class="line"><span class="badge {kind}">{finding.verdict.kind}{expected}</span>'
        f"<span>{_VERBS[finding.claim.verb]} {_other(finding.claim)}{_clauses(finding.claim)}"
        "</span></div>",
        f'<p class="because">{escape(because)}</p>' if because else "",
        _their_equations(finding, rule),
        _counterexample(finding.verdict.counterexample),
        _diagnostics(finding.diagnostics) if not finding.passed else "",
        _reason(finding),
        _basis(finding.verdict),
    ]
    return f'<article class="{kind}">{"".join(parts)}</article>'


def _kind(finding: Finding) -> str:
    if not finding.passed:
        return "broken"
    kinds = {"proved": "proved", "differs": "differs", "not understood": "unread"}
    return "agrees" if finding.warning else kinds.get(finding.verdict.kind, "agrees")


def _other(claim: syntax.Claim) -> str:
    from optdsl.language import format_expression
    from optdsl.language.syntax import Document

    if isinstance(claim.other, Document):
        tags = ", ".join(tag.replace("-", "–") if tag[:1].isdigit() else tag
                         for tag in claim.other.tags)  # fmt: skip
        return f"<b>{escape(claim.other.name)}</b> eq {escape(tags)}"
    return f"<b>{escape(format_expression(claim.other))}</b>"


def _clauses(claim: syntax.Claim) -> str:
    from optdsl.latex.mathml import math, write_mathml

    words = []
    if claim.gives is not None:
        words.append(f"giving {_formula(claim.gives)}")
    if claim.constant:
        words.append(f"for constant {', '.join(map(_formula, claim.constant))}")
    mapped = [
        f"{_their_symbol(where)} is {math(write_mathml(where.value))}" for where in claim.where
    ]
    if mapped:
        words.append(f"where {', '.join(mapped)}")
    if claim.when:
        fixed = (f"{_formula(w.name)} = {math(write_mathml(w.value))}" for w in claim.when)
        words.append(f"when {', '.join(fixed)}")
    return "".join(f", {word}" for word in words)


def _their_symbol(where: syntax.Where) -> str:
    from optdsl.latex import read_symbol
    from optdsl.latex.mathml import math, write_mathml

    if not where.latex:
        return _formula(where.symbol)
    try:
        return math(write_mathml(read_symbol(where.symbol)))
    except DiagnosticError:
        return f"<code>{escape(where.symbol)}</code>"


def _their_equations(finding: Finding, rule: CheckedRule) -> str:
    """Return what the other side says, typeset where it can be read, else as it stands."""
    from optdsl.language.syntax import Document, Name

    claim = finding.claim
    if isinstance(claim.other, Document):
        inside = _document(finding, rule)
    elif isinstance(claim.other, Name) and rule.lookup is not None:
        inside = _named_rule(claim.other.name, rule)
    else:
        return ""
    shown = finding.verdict.kind != "proved" or claim.verb == "source"
    opened = " open" if shown and inside else ""
    title = "Source" if isinstance(claim.other, Document) else "Other rule"
    return f"<details{opened}><summary>{title}</summary>{inside}</details>" if inside else ""


def _named_rule(name: str, rule: CheckedRule) -> str:
    from optdsl.commands.equations import parts

    other = rule.lookup(name) if rule.lookup is not None else None
    if other is None or rule.lookup is None:
        return ""
    return "".join(_equations(part.definition.statements) for part in parts(other, rule.lookup))


def _document(finding: Finding, rule: CheckedRule) -> str:
    from optdsl.checks.others import source_equations
    from optdsl.latex.documents import expand
    from optdsl.latex.finding import load_document
    from optdsl.model import build

    claim = finding.claim
    folder = None if rule.lookup is None else rule.lookup.folder
    try:
        ours = build(rule.definition, rule.lookup) if rule.definition and rule.lookup else None
        if ours is not None and finding.verdict.kind != "not understood":
            return _equations(e.statement for e in source_equations(claim, ours, folder))
    except DiagnosticError:
        pass  # then it is shown as it stands
    try:
        document = load_document(claim.other.name, folder)  # type: ignore[union-attr]
        displays = [document.display(tag) for tag in expand(claim.other.tags, document.tags)]  # type: ignore[union-attr]
    except DiagnosticError:
        return ""
    latex = "\n".join(dict.fromkeys(display.latex for display in displays))
    return f"<pre>{escape(latex)}</pre>"


def _reason(finding: Finding) -> str:
    reason = finding.verdict.reason
    if reason is None or not finding.passed:
        return ""
    return f'<p class="reason">{escape(reason)}</p>'


def _counterexample(found: Counterexample | None) -> str:
    if found is None:
        return ""
    inputs = "".join(
        f"<tr><th>{_formula(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in found.inputs.items()
    )
    lines = [
        f"<p>They part at <b>t = {found.step}</b>, in {_formula(found.what)}:</p>",
        f'<div class="values"><div><small>spec</small>{escape(found.ours)}</div>'
        f"<div><small>other</small>{escape(found.theirs)}</div></div>",
    ]
    if found.equation is not None:
        lines.append(f"<p>First equation that differs: {_formula(found.equation)}</p>")
    if found.cause is not None:
        lines.append(f"<p>Likely cause: {escape(found.cause)}.</p>")
    table = f'<table class="inputs"><caption>inputs</caption>{inputs}</table>' if inputs else ""
    return f'<div class="counterexample"><div>{"".join(lines)}</div>{table}</div>'


def _basis(verdict: Verdict) -> str:
    """Return what a verdict rests on that the claim does not say."""
    facts = {
        "domains": verdict.domains,
        "starts that no one states": verdict.starts,
        "map between the states": verdict.state_map,
        "ranges that were found": verdict.invariants,
        "holds for": (verdict.output_map,) if verdict.output_map else (),
        "computed": (
            (f"{verdict.points} inputs, {verdict.steps} steps, {verdict.digits} digits",)
            if verdict.points
            else ()
        ),
    }
    rows = "".join(
        f"<dt>{what}</dt><dd>{'<br>'.join(map(escape, said))}</dd>"
        for what, said in facts.items()
        if said
    )
    return f"<details><summary>It rests on</summary><dl>{rows}</dl></details>" if rows else ""


def _formula(text: str) -> str:
    """Return a text of the language as mathematics, where it is an expression or an equation."""
    from optdsl.language import parse_expression
    from optdsl.latex.mathml import math, write_mathml

    sides = text.split(" = ", 1)
    try:
        return math("<mo>=</mo>".join(write_mathml(parse_expression(s, "<text>")) for s in sides))
    except DiagnosticError:
        return escape(text)


def _diagnostics(found: Sequence[Diagnostic]) -> str:
    return "".join(f'<pre class="problem">{escape(str(problem))}</pre>' for problem in found)
