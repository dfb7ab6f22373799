"""Libraries compiled ahead of time, as the runtime calls them: no compiler is needed here."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from optdsl.codegen.support.jobs import VERSION, Helpers, Job

if TYPE_CHECKING:
    from optdsl.codegen.support.words import Run

#: The levels of instructions by name, in the order of their numbers.
LEVELS = ("baseline", "avx2", "avx512")
#: The arrays of a frame that a kernel of a library reads, in their order.
KERNEL_ARGUMENTS = (
    "take", "addresses", "counts", "columns", "rows", "cohort", "scalars", "tensor", "everything",
    "partials", "begins",
)  # fmt: skip
#: What the names of functions end with, by the type of the zero that tells a format.
ENDINGS: dict[type[Any], str] = {np.float32: "f32", np.float64: "f64", np.uint16: "bf16"}
#: What tells a library to use other instructions than the best that the processor has.
VARIABLE = "OPTDSL_INSTRUCTIONS"


class LibraryKernel:
    """One pass over a table of chunks: used as `words.Kernel` is.

    `functions` has one for each format of parameters, by the type of a zero of the array number
    `telling`. Calls release the GIL.
    """

    arguments = KERNEL_ARGUMENTS

    def __init__(self, helpers: Helpers, functions: dict[type[Any], int], telling: int) -> None:
        self._helpers, self._functions, self._telling = helpers, functions, telling

    def compiled(self, formats: tuple[Any, ...]) -> Run:
        """Return what makes of a frame's address a job, for arrays like these zeros."""
        function = self._functions[type(formats[self._telling])]
        return lambda frame: Job(self._helpers, function, (frame, 0, 0), mask=0)


class SharedLibrary:
    """The library beside a module that `optdsl compile --target library` wrote.

    Args:
        module: the file of the module.
        prefix: what the names in the library begin with.
        fingerprint: what tells the library from any other.

    Raises:
        ImportError: there is no library beside the module, or it is another's.
    """

    def __init__(self, module: str, prefix: str, fingerprint: str) -> None:
        folder = os.path.dirname(os.path.realpath(module))
        path = os.path.join(folder, library_name(prefix))
        if not os.path.exists(path):
            command = " ".join(link_command(prefix))
            raise ImportError(f"{path} is missing. In {folder}, run: {command}")
        self._prefix = prefix
        self._library = ctypes.CDLL(path)
        other = ImportError(
            f"{path} does not belong to {module}, or to this version of optdsl: compile both again "
            "with `optdsl compile --target library`"
        )
        try:
            found = ctypes.c_char_p(ctypes.addressof(self._symbol(ctypes.c_char, "fingerprint")))
        except ValueError:
            found = ctypes.c_char_p(b"")
        if found.value != fingerprint.encode():
            raise other
        self._use(os.environ.get(VARIABLE, ""))
        try:
            self._helpers = Helpers(lambda name: self._address(f"kernel_v{VERSION}_{name}"))
        except AttributeError:
            raise other from None

    def _address(self, name: str) -> int:
        function = self._library[f"{self._prefix}_{name}"]
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    def _symbol(self, kind: Any, name: str) -> Any:
        return kind.in_dll(self._library, f"{self._prefix}_{name}")

    def _use(self, wanted: str) -> None:
        if not wanted:
            return
        if wanted not in LEVELS:
            raise ImportError(f"{VARIABLE} is {wanted!r}: set it to {', '.join(LEVELS)}")
        if self._library[f"{self._prefix}_use_instructions"](LEVELS.index(wanted)) != 0:
            raise ImportError(f"{VARIABLE} is {wanted}, which this processor or library lacks")

    @property
    def instructions(self) -> str:
        """The instructions in use: "baseline", "avx2" or "avx512"."""
        return LEVELS[self._library[f"{self._prefix}_instructions"]()]

    def kernel(self, number: int, telling: int) -> LibraryKernel:
        """Return what runs a pass; array number `telling` shows the format of parameters."""
        functions: dict[type[Any], int] = {}
        for kind, ending in ENDINGS.items():
            name = f"kernel_{number}_{ending}"
            if hasattr(self._library, f"{self._prefix}_{name}"):
                functions[kind] = self._address(name)
        # beside parameters of 16 bits, what only the rule sees is float32
        if np.uint16 in functions:
            functions.setdefault(np.float32, functions[np.uint16])
        return LibraryKernel(self._helpers, functions, telling)


def library_name(prefix: str) -> str:
    """Return the name of the file of a shared library on this system."""
    if sys.platform == "win32":
        return f"{prefix}.dll"
    return f"lib{prefix}.dylib" if sys.platform == "darwin" else f"lib{prefix}.so"


def link_command(prefix: str, compiler: str = "cc") -> list[str]:
    """Return the command that makes a shared library of an object file beside it."""
    name = library_name(prefix)
    options = ["-shared"]
    if sys.platform == "darwin":
        options = ["-dynamiclib", "-install_name", f"@rpath/{name}"]
    elif sys.platform != "win32":
        options.append(f"-Wl,-soname,{name}")
    return [compiler, *options, "-o", name, f"{prefix}.o", "-lm"]
