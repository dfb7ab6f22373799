"""Where the parts of the CUDA toolkit are, and what to say where one is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from optdsl.diagnostics import Diagnostic, DiagnosticError

INSTALL = 'pip install "optdsl[cuda]"'


def find_program(name: str) -> Path | None:
    """Return the path of a program of the toolkit, such as "ptxas"; None where it is not there.

    CUDA_HOME, PATH and the wheels of NVIDIA are looked through, in this order.
    """
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    folders = [Path(home) / "bin"] if home else []
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    return next((path for path in _in_wheels(name) if path.is_file()), None)


def _in_wheels(name: str) -> Iterator[Path]:
    """Yield the places where wheels put programs: nvidia/cu13/bin, nvidia/cuda_nvcc/bin, ..."""
    spec = importlib.util.find_spec("nvidia")
    for folder in [] if spec is None else spec.submodule_search_locations or ():
        yield from sorted(Path(folder).glob(f"*/bin/{name}"), reverse=True)


def has_module(name: str) -> bool:
    """Is a module installed? It is not imported, but the packages around it are."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def missing(part: str, purpose: str, hint: str | None = None) -> DiagnosticError:
    """Return the error that says which part of the toolkit is missing, and what installs it."""
    hint = hint or f"{INSTALL} brings what this needs, which is neither a card nor a driver"
    return DiagnosticError(
        Diagnostic("missing-toolkit", f"{part} is missing: {purpose}", hint=hint)
    )
