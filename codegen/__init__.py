"""Targets, one module each, behind one protocol.

Generated modules import `optdsl.codegen.support`, so nothing heavy is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optdsl.codegen.protocol import FunctionalTarget, Target
    from optdsl.model.alternatives import Rule
    from optdsl.runtime.functional import Functions
    from optdsl.runtime.layout import Layout

#: The targets there are, by the name that users call them.
TARGETS = {"reference": "reference", "numba-cpu": "numba_cpu"}
#: Those in which a step is a function of values.
FUNCTIONAL = {"jax": "jax"}
#: Those whose kernels run on a device of their own.
ON_DEVICES = {"numba-cuda": "numba_cuda"}
#: Shorter names of targets.
ALIASES = {"cuda": "numba-cuda"}

__all__ = [
    "ALIASES",
    "FUNCTIONAL",
    "ON_DEVICES",
    "TARGETS",
    "assembly",
    "compile_functions",
    "compile_system",
    "emit",
]


def emit(rule: Rule, target: str = "numba-cpu", remarks: Iterable[str] = ()) -> str:
    """Return the source text of the module that runs `rule` on `target`.

    `remarks` are lines for its header, of at most 97 characters.

    Raises:
        DiagnosticError: for an unknown target, or what is not compiled yet.

    >>> from optdsl.library import load_system
    >>> "theta_t = theta_prev - eta * g_t" in emit(load_system("SGD"), "reference")
    True
    """
    if target in FUNCTIONAL:
        return _emit_functions(rule, target, remarks)
    from optdsl.codegen.cases import cases_text, prepare_cases
    from optdsl.codegen.module import module_text
    from optdsl.codegen.unit import prepare
    from optdsl.codegen.versions import imprint
    from optdsl.model.alternatives import Alternatives

    if isinstance(rule, Alternatives):
        return cases_text(prepare_cases(rule), find_target(target), imprint(remarks))
    return module_text(prepare(rule), find_target(target), imprint(remarks))


def _emit_functions(rule: Rule, target: str, remarks: Iterable[str]) -> str:
    from optdsl.codegen.functional.module import functions_text
    from optdsl.codegen.versions import imprint

    return functions_text(rule, find_functional_target(target), imprint(remarks))


def compile_functions(rule: Rule, target: str = "jax") -> Functions:
    """Return the functions of `rule`, from the cache where it has them.

    Raises:
        DiagnosticError: for what cannot be a function of values.
    """
    from optdsl.codegen.cache import imported

    find_functional_target(target)
    functions: Functions = imported(rule, target, lambda: emit(rule, target)).FUNCTIONS
    return functions


def compile_system(rule: Rule, target: str = "numba-cpu") -> Layout:
    """Return the layout of `rule` compiled for `target`, from the cache where it has it.

    Raises:
        DiagnosticError: for an unknown target, or what is not compiled yet.
    """
    from optdsl.codegen.cache import load

    name = find_target(target).NAME
    return load(rule, name, lambda: emit(rule, name))


def assembly(rule: Rule, dtype: str = "float32") -> str:
    """Return the assembly of the kernels of `rule` for entries of `dtype`."""
    from optdsl.codegen.inspection import assembly_text

    return assembly_text(compile_system(rule, "numba-cpu"), dtype)


def find_target(name: str) -> Target:
    """Return the module of the target called `name`; a DiagnosticError where there is none."""
    target: Target = _module(name, TARGETS | ON_DEVICES)
    return target


def find_functional_target(name: str) -> FunctionalTarget:
    """Return the module of the target called `name`; a DiagnosticError where there is none."""
    target: FunctionalTarget = _module(name, FUNCTIONAL)
    return target


def _module(name: str, known: dict[str, str]) -> Any:
    from importlib import import_module

    from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean

    name = ALIASES.get(name, name)
    if name in FUNCTIONAL and known is not FUNCTIONAL:
        problem = f"the target `{name}` makes functions of values, and steps no arrays in place"
        hint = "optdsl.optax.transformation runs them; `optdsl show RULE --as jax` prints them"
        raise DiagnosticError(Diagnostic("functions-only", problem, None, hint))
    if name not in known:
        hint = did_you_mean(name, known) or f"the targets are {', '.join(known)}"
        raise DiagnosticError(
            Diagnostic("unknown-target", f"there is no target `{name}`", None, hint)
        )
    return import_module(f"optdsl.codegen.{known[name]}")
