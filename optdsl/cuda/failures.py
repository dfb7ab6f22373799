"""What the driver's errors mean, and what to do about them."""

from __future__ import annotations

_LOST = (
    "a kernel has failed, of this step or of what was put on the card before it, and the card is "
    "lost to this process; start again with CUDA_LAUNCH_BLOCKING=1, or under compute-sanitizer, to "
    "see which"
)
_RECORDING = (
    "a graph is being recorded, in this thread or another, which does not allow that; record steps "
    "with capturable=True, after one plain step, and nothing else of an optimizer"
)
_PTX = (
    "it cannot compile the kernels; `optdsl compile RULE --target cuda --arch sm_XX -o DIR` lets "
    "an assembler say why"
)
_ADVICE = {
    "OUT_OF_MEMORY": "the card has no room for it; PyTorch and CuPy keep what they have freed, "
    "which torch.cuda.empty_cache() gives back",
    "UNSUPPORTED_PTX_VERSION": "the driver is older than the architecture of the card that the "
    "kernels are made for; update the driver",
    "INVALID_PTX": _PTX,
    "NO_BINARY_FOR_GPU": _PTX,
    "JIT_COMPILER_NOT_FOUND": "the driver is installed without its compiler of PTX",
    "ILLEGAL_ADDRESS": _LOST,
    "MISALIGNED_ADDRESS": _LOST,
    "LAUNCH_FAILED": _LOST,
    "LAUNCH_TIMEOUT": _LOST,
    "ASSERT": _LOST,
    "ECC_UNCORRECTABLE": "the memory of the card is damaged",
    "INVALID_HANDLE": "a stream, or something of another card or of a context that is gone",
    "CONTEXT_IS_DESTROYED": "somebody has reset the card",
    "NOT_INITIALIZED": "a process that was forked cannot use the card of its parent; spawn it",
    "STREAM_CAPTURE_ISOLATION": "a gradient is still written on a stream that is not recorded",
}


def told(call: str, status: str) -> str:
    """Return what to say of a call of the driver that failed with this status.

    >>> told("cuMemAlloc", "CUDA_ERROR_UNKNOWN")
    'the driver of CUDA refused cuMemAlloc: CUDA_ERROR_UNKNOWN'
    """
    short = status.removeprefix("CUDA_ERROR_")
    advice = _ADVICE.get(short) or (_RECORDING if short.startswith("STREAM_CAPTURE") else None)
    said = f"the driver of CUDA refused {call}: {status}"
    return f"{said}: {advice}" if advice else said
