"""From what a user calls an implementation to the thing itself.

`torch.optim.NAdam`, `mine:step`, `mine.py:step`; arguments may follow, as literals:
`torch.optim.SGD(momentum=0.9, nesterov=True)`. Nothing is imported but what is named.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optdsl.checks.implementations.of_functions import is_step, of_function
from optdsl.checks.implementations.of_optax import may_be_optax, of_optax
from optdsl.checks.implementations.of_torch import is_torch, of_torch
from optdsl.checks.implementations.running import failure
from optdsl.checks.implementations.subject import Subject
from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean

_NAME = re.compile(r"(?P<path>[^\s():]+\.py:\w+|\w+(?:\.\w+)*:\w+(?:\.\w+)*|\w+(?:\.\w+)+)"
                   r"\s*(?P<given>\(.*\))?", re.DOTALL)  # fmt: skip

#: Which package has a module that may be missing.
_PACKAGES = {"torch": "torch", "optax": "optax", "jax": "jax"}


def names_implementation(text: str) -> bool:
    """Is it written as an implementation is?

    >>> [names_implementation(x) for x in ("torch.optim.Adam", "a:b", "Adam", "a.opt", "a.opt:B")]
    [True, True, False, False, False]
    """
    match = _NAME.fullmatch(text.strip())
    return match is not None and not re.search(r"\.(opt|tex)(:|$)", match["path"])


def find_implementation(text: str) -> Subject:
    """Import what a text names, and return it as a subject.

    Raises:
        DiagnosticError: it is not there, is not installed, or is no optimizer.
        NotRun: its arguments cannot be told.
    """
    match = _NAME.fullmatch(text.strip())
    assert match is not None
    path = match["path"]
    given = _arguments(text, match["given"]) if match["given"] else {}
    found = _import(path)
    name = path + (f"({', '.join(f'{k}={v!r}' for k, v in given.items())})" if given else "")
    if inspect.isclass(found) and is_torch(found):
        return of_torch(name, found, given)
    if is_step(found):
        return of_function(name, found, given)
    if may_be_optax(found):
        return of_optax(name, found, given)
    raise DiagnosticError(
        Diagnostic(
            "no-implementation",
            f"`{path}` is nothing that takes steps",
            hint="name an optimizer class of PyTorch, a function that returns a transformation of "
            "Optax, or a function `step(theta, g, state, ...)` that returns theta and the state",
        )
    )


def _arguments(text: str, given: str) -> dict[str, Any]:
    """Return keyword arguments that are literals. Nothing is evaluated."""
    try:
        call = ast.parse(f"f{given}", mode="eval").body
        assert isinstance(call, ast.Call)
        if call.args or any(each.arg is None for each in call.keywords):
            raise ValueError
        return {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    except (SyntaxError, ValueError, AssertionError):
        message = f"the arguments of `{text}` are not names with numbers or other literals"
        hint = "write them as in `torch.optim.SGD(momentum=0.9, nesterov=True)`"
        raise DiagnosticError(Diagnostic("bad-arguments", message, hint=hint)) from None


# -------------------------------------------------------------------- imports


def _import(path: str) -> Any:
    before, colon, name = path.partition(":")
    with _beside():
        if colon and before.endswith(".py"):
            return _attribute(_file(Path(before)), name, path)
        if colon:
            return _attribute(_module(before, path), name, path)
        parts = path.split(".")
        module = _longest(parts, path)
        rest = parts[len(module.__name__.split(".")) :]
        return _attribute(module, ".".join(rest), path)


@contextmanager
def _beside() -> Iterator[None]:
    """Find modules in the working folder, as Python itself does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _longest(parts: list[str], path: str) -> Any:
    """Return the module that the longest part of a dotted name is."""
    module = _module(parts[0], path)
    for length in range(2, len(parts)):
        name = ".".join(parts[:length])
        if hasattr(module, parts[length - 1]) and not inspect.ismodule(
            getattr(module, parts[length - 1])
        ):
            return module
        module = _module(name, path)
    return module


def _module(name: str, path: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise DiagnosticError(_missing(error.name or name, path)) from None
    except Exception as error:
        raise DiagnosticError(
            Diagnostic("no-implementation", failure(f"importing {name}", error))
        ) from error


def _missing(name: str, path: str) -> Diagnostic:
    top = name.partition(".")[0]
    message = f"`{path}` cannot be imported: there is no module `{name}`"
    hint = f"`pip install {_PACKAGES.get(top, top)}`, if that is its package"
    if top in _PACKAGES:
        hint = f"`pip install {_PACKAGES[top]}`"
    return Diagnostic("not-installed", message, hint=hint)


def _file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.exists():
        raise DiagnosticError(Diagnostic("no-implementation", f"there is no file {path}"))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DiagnosticError(
            Diagnostic("no-implementation", failure(f"importing {path}", error))
        ) from error
    return module


def _attribute(module: Any, name: str, path: str) -> Any:
    found = module
    for part in filter(None, name.split(".")):
        if not hasattr(found, part):
            known = [each for each in dir(found) if not each.startswith("_")]
            message = f"`{path}` is not there: {module.__name__} has no `{part}`"
            raise DiagnosticError(
                Diagnostic("no-implementation", message, hint=did_you_mean(part, known))
            )
        found = getattr(found, part)
    return found
