"""What `optdsl check` found, as plain data; docs/json.md says what each field means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from optdsl.commands.checking import CheckedFile, CheckedRule
from optdsl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from optdsl.checks.claims import Finding


def as_json(files: Sequence[CheckedFile]) -> dict[str, Any]:
    """Return the document that `optdsl check --json` prints."""
    return {
        "good": all(file.good for file in files),
        "files": [
            {
                "file": file.name,
                "errors": [_diagnostic(error) for error in file.errors],
                "rules": [_rule(rule) for rule in file.rules],
            }
            for file in files
        ],
    }


def _rule(rule: CheckedRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "family": rule.family,
        "verdict": rule.verdict,
        "errors": [_diagnostic(error) for error in rule.errors],
        "claims": [_claim(finding) for finding in rule.findings],
    }


def _claim(finding: Finding) -> dict[str, Any]:
    from optdsl.checks.known import claim_text

    verdict = finding.verdict
    found = verdict.counterexample
    span = finding.claim.span
    return {
        "claim": claim_text(finding.claim),
        "line": None if span is None else span.source.position(span.start)[0],
        "expected": finding.expected,
        "verdict": verdict.kind,
        "passed": finding.passed,
        "warning": finding.warning,
        "reason": verdict.reason,
        "domains": list(verdict.domains),
        "starts": list(verdict.starts),
        "constant": list(verdict.constant),
        "counterexample": None
        if found is None
        else {
            "step": found.step,
            "what": found.what,
            "inputs": dict(found.inputs),
            "ours": found.ours,
            "theirs": found.theirs,
            "equation": found.equation,
            "cause": found.cause,
        },
        "diagnostics": [_diagnostic(problem) for problem in finding.diagnostics],
    }


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    span = found.span
    line, column = (None, None) if span is None else span.source.position(span.start)
    return {
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "line": line,
        "column": column,
        "hint": found.hint,
    }
