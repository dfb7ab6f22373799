"""A rule becomes a subclass of `torch.optim.Optimizer`, with a signature and a docstring."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from optdsl.codegen import compile_system
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.doors import require_optimizer
from optdsl.library import load_rule
from optdsl.model.storing import with_storage
from optdsl.runtime import Optimizer, from_layout
from optdsl.torch.compiled import CompiledOptimizer
from optdsl.torch.needs import needs_of, needs_of_storage
from optdsl.torch.sparse import Question

#: The targets whose kernels reach what `memory.py` hands out.
TARGETS = ("numba-cpu", "reference")


def class_of(what: str, target: str, storage: Mapping[str, str] | None) -> type[CompiledOptimizer]:
    """Compile `what` for `target`, with states kept as `storage` says, and return its class.

    Raises:
        DiagnosticError: with every error of the spec, or it is no optimizer.
        OSError: a file cannot be read.
    """
    if target not in TARGETS:
        raise DiagnosticError(
            Diagnostic(
                "not-in-this-door",
                f"the target {target} steps no tensors of PyTorch so far",
                hint="give " + " or ".join(f"`{each}`" for each in TARGETS),
            )
        )
    rule = load_rule(what)
    if storage:
        rule = with_storage(rule, storage)
    layout = compile_system(rule, target)
    require_optimizer(layout, str(what))
    made = from_layout(layout)
    assert issubclass(made, Optimizer)
    body: dict[str, Any] = {
        "rule": made,
        "needs": needs_of(rule) | needs_of_storage(layout),
        "laziness": Question(rule),
        "recipe": (what, target, dict(storage or {})),
        "__doc__": _docstring(made),
        "__signature__": _signature(made),
        "__module__": CompiledOptimizer.__module__,
    }
    return type(made.__name__, (CompiledOptimizer,), body)


def _signature(made: type[Optimizer]) -> inspect.Signature:
    """Return the rule's signature with what every optimizer of PyTorch has."""
    first, *others = made.__signature__.parameters.values()
    params = inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    maximize = inspect.Parameter("maximize", inspect.Parameter.KEYWORD_ONLY, default=False)
    assert first.name == "parameters"
    return inspect.Signature([params, *others[:-1], maximize, others[-1]])


def _docstring(made: type[Optimizer]) -> str:
    text = inspect.cleandoc(made.__doc__ or "")
    lines = text.splitlines()[:-1]
    lines += [
        "    maximize: step uphill (default False)",
        "",
        f"See `{CompiledOptimizer.__name__}` for how it is used.",
    ]
    return "\n".join(lines)
