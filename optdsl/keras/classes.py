"""A rule becomes a subclass of `keras.optimizers.Optimizer`, with a signature and a docstring."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from optdsl.codegen import compile_system
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.doors import require_optimizer
from optdsl.keras.arguments import BASE, of_the_base, rate_name
from optdsl.keras.compiled import CompiledOptimizer
from optdsl.library import load_rule
from optdsl.runtime import Optimizer, from_layout
from optdsl.runtime.layout import Layout


def class_of(what: str, target: str) -> type[CompiledOptimizer]:
    """Compile `what` for `target` and return its class, registered with Keras under its name.

    Raises:
        DiagnosticError: with every error of the spec, or why Keras cannot run it.
        OSError: a file cannot be read.
    """
    layout = compile_system(load_rule(what), target)
    _refuse_rule(layout, what)
    made = from_layout(layout)
    assert issubclass(made, Optimizer)
    body: dict[str, Any] = {
        "rule": made,
        "recipe": (what, target),
        "__doc__": _docstring(made),
        "__signature__": _signature(made),
        "__module__": CompiledOptimizer.__module__,
    }
    own = type(made.__name__, (CompiledOptimizer,), body)
    registered: type[CompiledOptimizer] = keras.saving.register_keras_serializable("optdsl")(own)
    return registered


def _refuse_rule(layout: Layout, what: str) -> None:
    require_optimizer(layout, what)
    if layout.ready is None:
        raise DiagnosticError(
            Diagnostic(
                "several-gradients",
                f"{layout.name} asks for gradients at points of its own, "
                "and Keras hands in one a step",
                hint="optdsl.torch takes a closure, and optdsl.load a function of gradients",
            )
        )


def _signature(made: type[Optimizer]) -> inspect.Signature:
    """Return the rule's signature, its rate as `learning_rate`, with what the base class takes."""
    _, *others = made.__signature__.parameters.values()
    kind = inspect.Parameter.KEYWORD_ONLY
    rate = rate_name(made.names)
    parameters = [
        inspect.Parameter("learning_rate", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
    ]
    parameters += [each for each in others if each.name not in (rate, "hyperparameters")]
    parameters += [
        inspect.Parameter(name, kind, default=default)
        for name, default in of_the_base(made.names).items()
    ]
    rest = inspect.Parameter("hyperparameters", inspect.Parameter.VAR_KEYWORD)
    return inspect.Signature([*parameters, rest])


def _docstring(made: type[Optimizer]) -> str:
    lines = inspect.cleandoc(made.__doc__ or "").splitlines()[:-1]
    rate = rate_name(made.names)
    if rate is not None:
        lines += [f"    learning_rate: `{rate}`, as a number or a schedule of Keras"]
    kept = ", ".join(name for name in BASE if name in of_the_base(made.names))
    lines += [f"    {kept}: as for every optimizer of Keras", ""]
    lines += [f"See `{CompiledOptimizer.__name__}` for how it is used."]
    return "\n".join(lines)
