"""Cubins of PTX, by ptxas or nvJitLink, and what each kernel takes: registers, spills, memory."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from optdsl.codegen.toolkit.architectures import Architecture
from optdsl.codegen.toolkit.finding import find_program, has_module, missing
from optdsl.diagnostics import Diagnostic, DiagnosticError

_KERNEL = re.compile(r"Compiling entry function '(\w+)'")
_PROPERTIES = re.compile(r"Function properties for '?(\w+)")
_SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True, slots=True)
class Resources:
    """What a thread of a kernel takes, and a block: `shared` bytes of shared memory.

    `stack` is the local memory of a thread in bytes, `spill_stores` and `spill_loads` what of it
    is there because registers did not suffice.
    """

    registers: int
    spill_stores: int = 0
    spill_loads: int = 0
    stack: int = 0
    shared: int = 0


@dataclass(frozen=True)
class Assembled:
    """A cubin, the assembler that made it, and what its kernels take, by name."""

    cubin: bytes
    assembler: str
    kernels: dict[str, Resources]


_Assembler = Callable[[str, Architecture], tuple[bytes, str]]


def assembler_at_hand() -> str | None:
    """Return the name and version of the assembler that `assemble` uses, None where none is."""
    return next(iter(assemblers()), None)


def assemble(ptx: str, architecture: Architecture) -> Assembled:
    """Return the cubin of a PTX module: by ptxas, or else by nvJitLink.

    Raises:
        DiagnosticError: there is no assembler, or it refuses the module.
    """
    if assembler_at_hand() is None:
        raise missing("an assembler", "ptxas or nvJitLink makes cubins of PTX")
    name, run = next(iter(assemblers().items()))
    cubin, log = run(ptx, architecture)
    return Assembled(cubin, name, resources(log))


def resources(log: str) -> dict[str, Resources]:
    """Return what each kernel takes, from what `ptxas -v` or nvJitLink prints.

    >>> resources('''ptxas info    : Compiling entry function 'adam' for 'sm_90'
    ... ptxas info    : Function properties for adam
    ...     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
    ... ptxas info    : Used 32 registers, used 1 barriers, 2048 bytes smem''')["adam"]
    Resources(registers=32, spill_stores=0, spill_loads=0, stack=0, shared=2048)
    """
    found = {}
    for piece in log.split("Compiling entry function ")[1:]:
        name = piece.split("'")[1]
        spills = next(iter(_SPILLS.findall(_own(piece, name))), (0, 0, 0))
        used = _USED.search(piece)
        if used is None:
            continue
        line = piece[used.start() :].split("\n", 1)[0]
        shared = _SHARED.search(line)
        stack, stores, loads = map(int, spills)
        found[name] = Resources(int(used[1]), stores, loads, stack, int(shared[1]) if shared else 0)
    return found


def _own(piece: str, name: str) -> str:
    """Return what is said of the kernel itself, and not of functions that it calls."""
    parts = _PROPERTIES.split(piece)
    return next(
        (text for own, text in zip(parts[1::2], parts[2::2], strict=True) if own == name), piece
    )


@cache
def assemblers() -> dict[str, _Assembler]:
    """Return the assemblers that there are, by name and version, the one to prefer first."""
    found: dict[str, _Assembler] = {}
    program = find_program("ptxas")
    if program is not None:
        found[_ptxas_version(program)] = partial(_by_ptxas, program)
    if has_module("cuda.bindings.nvjitlink") and _loads_nvjitlink():
        found[f"nvJitLink {_version('nvidia-nvjitlink')}".strip()] = _by_nvjitlink
    return found


def _loads_nvjitlink() -> bool:
    """Is the library there, and not only its bindings?"""
    from cuda.bindings import nvjitlink

    try:
        nvjitlink.version()
    except Exception:  # its loader has an error of its own, which older bindings do not have
        return False
    return True


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _ptxas_version(program: Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"V([\d.]+)", said.stdout)
    return f"ptxas {found[1]}" if found else "ptxas"


def _by_ptxas(program: Path, ptx: str, architecture: Architecture) -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "module.ptx"), Path(folder, "module.cubin")
        source.write_text(ptx, encoding="utf-8")
        command = [str(program), "-v", f"-arch={architecture.name}", str(source), "-o", str(made)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise _refused("ptxas", architecture, ran.stderr)
        return made.read_bytes(), ran.stderr


def _by_nvjitlink(ptx: str, architecture: Architecture) -> tuple[bytes, str]:
    from cuda.bindings import nvjitlink

    options = [f"-arch={architecture.name}", "-verbose"]
    linker = nvjitlink.create(len(options), options)
    try:
        data = ptx.encode()
        try:
            nvjitlink.add_data(linker, nvjitlink.InputType.PTX, data, len(data), "module")
            nvjitlink.complete(linker)
        except nvjitlink.nvJitLinkError as error:
            log = bytearray(nvjitlink.get_error_log_size(linker))
            nvjitlink.get_error_log(linker, log)
            raise _refused("nvJitLink", architecture, log.decode() or str(error)) from error
        cubin = bytearray(nvjitlink.get_linked_cubin_size(linker))
        nvjitlink.get_linked_cubin(linker, cubin)
        log = bytearray(nvjitlink.get_info_log_size(linker))
        nvjitlink.get_info_log(linker, log)
    finally:
        nvjitlink.destroy(linker)
    return bytes(cubin), log.decode()


def _refused(assembler: str, architecture: Architecture, said: str) -> DiagnosticError:
    lines = [line for line in said.strip("\0\n").splitlines() if line.strip()]
    message = "\n".join([f"{assembler} refuses the PTX for {architecture.name}", *lines[:6]])
    return DiagnosticError(
        Diagnostic(
            "not-assembled",
            message,
            hint="libNVVM and the assembler must be of one release: a newer libNVVM writes PTX "
            "that an older assembler cannot read",
        )
    )
