"""All that compiled code depends on besides the rule itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from optdsl.codegen.support.processor import processor

#: The parts of this package that read a text, turn it into a module and run that.
_PACKAGES = ("codegen", "language", "model", "program", "runtime")
_FILES = ("diagnostics.py", "files.py", "library.py", "storage.py")


@dataclass(frozen=True)
class Imprint:
    """What a text says of its making: the version that wrote it, and remarks in lines.

    The remarks are handed in by who knows more of the rule than its equations, such as what was
    found of its claims; an empty tuple leaves them out.
    """

    version: str
    remarks: tuple[str, ...] = ()

    @property
    def paragraph(self) -> list[str]:
        """The remarks, and the empty line that parts them from what stands above."""
        return ["", *self.remarks] if self.remarks else []


def imprint(remarks: Iterable[str] = ()) -> Imprint:
    """Return the imprint of this version of optdsl, with `remarks`."""
    return Imprint(compiler_version(), tuple(remarks))


def compiler_version() -> str:
    """Return the version of optdsl, or "unknown" in a bare checkout."""
    return _version("optdsl")


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


@cache
def compiler_fingerprint() -> str:
    """Return a hash of the sources that turn a text into a module and run it."""
    package = _folders("optdsl")[0]
    files = [package / name for name in _FILES]
    for part in _PACKAGES:
        files += files_of(f"optdsl.{part}", (".py", ".lark"))
    return hash_of(files)


def hash_of(files: list[Path]) -> str:
    """Return a hash of the names and the bytes of some files."""
    digest = hashlib.sha256()
    for file in files:
        data = file.read_bytes()
        digest.update(f"{file.name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def files_of(package: str, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files of a package that end so, in order; the package is not imported."""
    return sorted(file for folder in _folders(package) for file in _below(folder, suffixes))


def _below(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in names if name.endswith(suffixes))


def _folders(package: str) -> list[Path]:
    spec = find_spec(package)
    assert spec is not None
    return [Path(folder) for folder in spec.submodule_search_locations or ()]


def environment(target: str) -> tuple[str, ...]:
    """Return what compiled code depends on in this environment: versions and the processor."""
    facts = [f"optdsl {compiler_version()}", compiler_fingerprint(), target]
    packages = ["numpy", "numba", "llvmlite"]
    if target == "numba-cuda":  # and libNVVM, of a release of CUDA 13, of CUDA 12, or installed
        packages += ["numba-cuda", "nvidia-nvvm", "nvidia-cuda-nvcc-cu12"]
        facts += [f"{name} {os.environ.get(name)}" for name in ("CUDA_HOME", "CUDA_PATH")]
    facts += [f"{package} {_version(package)}" for package in packages]
    return (*facts, *(processor() if target == "numba-cpu" else ()))
