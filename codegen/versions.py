"""All that compiled code depends on besides the rule itself."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from optdsl.codegen.support.processor import processor


def compiler_version() -> str:
    """Return the version of optdsl, or "unknown" in a bare checkout."""
    return _version("optdsl")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


@cache
def compiler_fingerprint() -> str:
    """Return a hash of the sources that turn a system into a module and run it."""
    import optdsl.codegen
    import optdsl.diagnostics
    import optdsl.model.expressions
    import optdsl.program

    digest = hashlib.sha256()
    packages = (optdsl.codegen, optdsl.program)
    files = [f for p in packages for f in Path(p.__path__[0]).rglob("*.py")]
    files += [Path(optdsl.model.expressions.__file__)]
    for file in sorted(files):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def environment(target: str) -> tuple[str, ...]:
    """Return what compiled code depends on in this environment: versions and the processor."""
    facts = [f"optdsl {compiler_version()}", compiler_fingerprint(), target]
    facts += [f"{package} {_version(package)}" for package in ("numpy", "numba", "llvmlite")]
    return (*facts, *(processor() if target == "numba-cpu" else ()))
