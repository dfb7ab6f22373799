"""A rule becomes a subclass of `torch.optim.Optimizer`, with a signature and a docstring."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from optdsl.codegen import ALIASES
from optdsl.library import load_rule
from optdsl.runtime import Optimizer
from optdsl.storage import require_texts
from optdsl.torch.compiled import CompiledOptimizer
from optdsl.torch.rules import Rules


def class_of(what: str, target: str, storage: Mapping[str, str] | None) -> type[CompiledOptimizer]:
    """Compile `what` for `target`, with states kept as `storage` says, and return its class.

    Raises:
        DiagnosticError: with every error of the spec, or it is no optimizer.
        OSError: a file cannot be read.
    """
    target = ALIASES.get(str(target), str(target))
    require_texts(storage)
    rules = Rules(load_rule(what), what, target, storage or {})
    made = rules.first
    body: dict[str, Any] = {
        "rules": rules,
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
    capturable = maximize.replace(name="capturable")
    return inspect.Signature([params, *others[:-1], maximize, capturable, others[-1]])


def _docstring(made: type[Optimizer]) -> str:
    text = inspect.cleandoc(made.__doc__ or "")
    lines = text.splitlines()[:-1]
    lines += [
        "    maximize: step uphill (default False)",
        "    capturable: let steps on cards be recorded in CUDA graphs (default False)",
        "",
        f"See `{CompiledOptimizer.__name__}` for how it is used.",
    ]
    return "\n".join(lines)
