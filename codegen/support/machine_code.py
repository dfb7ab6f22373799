"""The machine code of kernels, kept beside their modules and run without Numba.

A file holds a hash of all that the code depends on, a hash of what follows, the name of its
function, and an object file as LLVM writes it. A file that is not as it should be is written
anew. Where nothing can be written, kernels are compiled in each process.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from optdsl.codegen.support.jobs import Helpers, Job
from optdsl.codegen.support.processor import processor, target_machine
from optdsl.codegen.support.words import Kernel, Run
from optdsl.files import write_bytes
from optdsl.runtime import formats as formats_of_states

_SUFFIX = ".machine"
_HASH = 32
#: What the names begin with of the functions by which threads share a kernel.
_PREFIX = "optdsl_"
#: What has been loaded stays: running code must not go away.
_ENGINES: list[Any] = []


def machine_code(kernel: Kernel, formats: tuple[Any, ...]) -> Run:
    """Return the machine code of a kernel for arrays like these zeros."""
    source = Path(kernel.function.__code__.co_filename)
    facts = _facts(source, kernel, formats)
    place = _place(source, kernel, formats)
    found = None if facts is None else _read(place, facts)
    if found is None:
        found, alone = _made(kernel, formats)
        if facts is not None and alone:
            _write(place, facts, *found)
    return _loaded(*found)


def _made(kernel: Kernel, formats: tuple[Any, ...]) -> tuple[tuple[str, bytes], bool]:
    """Compile a kernel; does its code run where Numba has not been imported?"""
    from llvmlite import binding

    from optdsl.codegen.support import registers
    from optdsl.codegen.support.attending import helpers_code
    from optdsl.codegen.support.compiling import compile_kernel

    code = compile_kernel(kernel, formats)
    module = binding.parse_assembly(code.text)
    module.link_in(binding.parse_assembly(helpers_code(registers.this_machine(), _PREFIX)))
    return (code.name, target_machine().emit_object(module)), not wanting(module)


def wanting(module: Any) -> list[str]:
    """Return the names that a module of LLVM code leaves for others to define."""
    items = (*module.functions, *module.global_variables)
    names = [item.name for item in items if item.is_declaration]
    return [name for name in names if not name.startswith("llvm.")]


def _loaded(name: str, code: bytes) -> Run:
    from llvmlite import binding

    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target_machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _ENGINES.append(engine)
    helpers = Helpers(lambda each: int(engine.get_function_address(f"{_PREFIX}{each}")))
    function = engine.get_function_address(name)
    return lambda frame: Job(helpers, function, (frame, 0, 0), mask=-1)


# ------------------------------------------------------------------ files


def _place(source: Path, kernel: Kernel, formats: tuple[Any, ...]) -> Path:
    """Return where the machine code lies; one file a kernel, its formats and processor."""
    which = repr((kernel.function.__name__, _names(formats), processor()))
    digest = hashlib.sha256(which.encode()).hexdigest()[:12]
    name = f"{source.stem}.{kernel.function.__name__}-{digest}{_SUFFIX}"
    return source.parent / "__pycache__" / name


def _facts(source: Path, kernel: Kernel, formats: tuple[Any, ...]) -> bytes | None:
    """Return the hash of all that machine code depends on; None where the source is not at hand."""
    try:
        text = source.read_bytes()
    except OSError:
        return None
    which = repr((kernel.function.__name__, _names(formats), processor(), _environment()))
    return hashlib.sha256(which.encode() + _support() + text).digest()


def _names(formats: tuple[Any, ...]) -> list[str]:
    return [zero.dtype.name for zero in formats]


@cache
def _support() -> bytes:
    """Return a hash of the sources that kernels are compiled of."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(formats_of_states.__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


@cache
def _environment() -> tuple[str, ...]:
    found = [f"{name}={value}" for name, value in sorted(os.environ.items())
             if name.startswith("NUMBA_") and name not in _OTHERWISE]  # fmt: skip
    for package in ("numba", "llvmlite", "numpy"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} of unknown version")
    return tuple(found)


#: Settings of Numba that say nothing of the code it makes.
_OTHERWISE = {"NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR", "NUMBA_THREADING_LAYER"}


def _read(place: Path, facts: bytes) -> tuple[str, bytes] | None:
    try:
        data = place.read_bytes()
    except OSError:
        return None
    body = data[2 * _HASH :]
    if data[:_HASH] != facts or hashlib.sha256(body).digest() != data[_HASH : 2 * _HASH]:
        return None
    name, _, code = body.partition(b"\n")
    return name.decode(), code


def _write(place: Path, facts: bytes, name: str, code: bytes) -> None:
    body = name.encode() + b"\n" + code
    with suppress(OSError):  # without it, the next process compiles once more
        place.parent.mkdir(exist_ok=True)
        write_bytes(place, facts + hashlib.sha256(body).digest() + body)
