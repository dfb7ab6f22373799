"""How a kernel takes its chunks, in Numba: by an atomic counter, with tiny numbers flushed.

While a kernel runs, numbers below the least normal one count as zero, those it reads and those it
makes. Averages that decay would otherwise reach them after some hundred steps without a
gradient, and processors take many times longer for each.
"""

from __future__ import annotations

from typing import Any

from numba.core import types as numba_types
from numba.extending import intrinsic
from numba.np import arrayobj

from optdsl.codegen.support import registers
from optdsl.codegen.support.pieces import piece

# Numba is not typed: these names keep that in one place.
types: Any = numba_types
_arrays: Any = arrayobj

_MACHINE = registers.this_machine()


@intrinsic
def flush_tiny(typing: Any) -> Any:
    """Let numbers below the least normal one count as zero; return what `restore` wants."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return registers.flush_tiny(builder, _MACHINE)

    return types.int64(), build


@intrinsic
def restore(typing: Any, before: Any) -> Any:
    """Let tiny numbers count as they did before `flush_tiny`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        registers.restore(builder, _MACHINE, arguments[0])
        return context.get_dummy_value()

    return types.void(types.int64), build


def _fetch_and_add(typing: Any, array: Any, amount: Any) -> Any:
    """Add to the first number of `array`, whoever else does; return what it was."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _arrays.make_array(array)(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", place, arguments[1], "monotonic")

    return types.int64(array, types.int64), build


_taken: Any = intrinsic(_fetch_and_add)


@piece
def next_chunks(take: Any) -> Any:
    """Take some chunks: return the first, and the one behind the last."""
    some, count = take[1], take[2]
    first = _taken(take, some)
    return first, min(first + some, count)
