"""Where a document evaluates the model: at what the claim says is our evaluation point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from optdsl.checks.translate import translate
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.language import syntax
from optdsl.language.time import offset
from optdsl.model.system import System


def with_evaluation(
    theirs: syntax.Definition, ours: System, symbols: Mapping[str, syntax.Where]
) -> syntax.Definition:
    """Return what was read of a document with the evaluation point that `where` names.

    A document has no way to say it. Where ours is theta, so is theirs.

    Raises:
        DiagnosticError: ours is another point, and `where` does not say what they call it.
    """
    if ours.evaluation is None:
        return theirs
    for name, where in symbols.items():
        if translate(where.value, ours) == ours.evaluation:
            time = _time_of(theirs, name)
            point = syntax.Name(name, (time,), span=where.span)
            statements = (*theirs.statements, syntax.Evaluate(point, span=where.span))
            return replace(theirs, statements=statements)
    raise DiagnosticError(
        Diagnostic(
            "claim-evaluation",
            f"{ours.name} says where the model is evaluated, and the claim does not say "
            "what they call that point",
            theirs.span,
            "say so with `where`, as in `where $x_t$ = x`",
        )
    )


def _time_of(theirs: syntax.Definition, name: str) -> syntax.Expression:
    """Return the index at which they define a name: t, or t + 1."""
    for statement in theirs.statements:
        if isinstance(statement, syntax.Equation):
            for target in statement.targets:
                if target.name == name and target.indices and offset(target.indices[-1]) == 1:
                    return target.indices[-1]
    return syntax.Name("t")
