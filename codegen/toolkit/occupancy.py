"""Occupancy: how many threads of a kernel one multiprocessor holds at a time."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.codegen.toolkit.architectures import WARP, Architecture

#: Registers are given out to a warp in pieces of this many; warps, four at a time, one to each
#: quarter of a multiprocessor; shared memory in pieces of so many bytes.
_REGISTERS_AT_ONCE, _WARPS_AT_ONCE, _SHARED_AT_ONCE = 256, 4, 128


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Blocks and warps that a multiprocessor holds; `share` of its warps; what the `limit` is."""

    blocks: int
    warps: int
    share: float
    limit: str


def occupancy(
    architecture: Architecture, threads: int, registers: int, shared: int = 0
) -> Occupancy:
    """Return the occupancy of blocks of `threads`, with `registers` a thread.

    blocks = min(what threads, registers, shared memory and the limit of blocks allow)

    Args:
        architecture: the limits.
        threads: threads a block, 1 to 1024.
        registers: 32-bit registers a thread, 1 to 255.
        shared: bytes of shared memory a block.

    >>> from optdsl.codegen.toolkit.architectures import ARCHITECTURES
    >>> occupancy(ARCHITECTURES["sm_90"], threads=256, registers=38)
    Occupancy(blocks=6, warps=48, share=0.75, limit='registers')

    Source: the calculator of the CUDA toolkit, `cuda_occupancy.h`, to which it is held in tests.
    """
    warps = -(-threads // WARP)
    a_warp = _rounded_up(max(registers, 1) * WARP, _REGISTERS_AT_ONCE)
    by_registers = architecture.registers // a_warp // _WARPS_AT_ONCE * _WARPS_AT_ONCE
    allowed = {
        "threads": architecture.warps // warps,
        "registers": by_registers // warps,
        "blocks": architecture.blocks,
    }
    if shared:
        a_block = _rounded_up(shared + architecture.reserved, _SHARED_AT_ONCE)
        allowed["shared memory"] = architecture.shared // a_block
    limit = min(allowed, key=lambda name: allowed[name])
    blocks = allowed[limit]
    return Occupancy(blocks, blocks * warps, blocks * warps / architecture.warps, limit)


def _rounded_up(number: int, step: int) -> int:
    return -(-number // step) * step
