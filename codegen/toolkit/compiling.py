"""PTX of kernels, with what to install where that cannot be made."""

from __future__ import annotations

import os
from typing import Any

from optdsl.codegen.support.cuda.words import Kernel
from optdsl.codegen.toolkit.finding import has_module, missing
from optdsl.diagnostics import Diagnostic, DiagnosticError


def ptx_of(
    kernel: Kernel,
    formats: tuple[str, ...],
    capability: tuple[int, int],
    entry: str = "",
    approximate: bool = False,
) -> str:
    """Return the PTX of a kernel for a compute capability, under the name `entry` if one is given.

    With `approximate`, roots and divisions of float32 are those of the hardware, within 2 units in
    the last place.

    Raises:
        DiagnosticError: numba-cuda or libNVVM is missing, or the simulator stands for them, or
            they know nothing of cards so old.
    """
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        hint = "unset it, and start again"
        message = "NUMBA_ENABLE_CUDASIM is set: the simulator of Numba makes no PTX"
        raise DiagnosticError(Diagnostic("simulated-cuda", message, hint=hint))
    if not has_module("numba_cuda"):
        raise missing("the package numba-cuda", "it compiles kernels for CUDA")
    from numba.cuda.cudadrv import error as errors

    from optdsl.codegen.support.cuda.compiling import ptx

    known: Any = errors
    try:
        made = ptx(kernel, formats, capability, approximate=approximate)
    except known.NvvmSupportError as error:
        raise missing("libNVVM", f"it makes PTX of kernels ({error})") from error
    except known.CCSupportError as error:
        major, minor = capability
        message = f"no kernels can be made for a card of compute capability {major}.{minor}"
        hint = f"the toolkit that is installed knows later ones alone ({error})"
        raise DiagnosticError(Diagnostic("unsupported-card", message, hint=hint)) from error
    return made.text.replace(made.entry, entry or made.entry)
