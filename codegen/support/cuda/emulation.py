"""CUDA kernels on the CPU, block by block and thread by thread: what they compute, checked.

The source is the one that a device runs, and so is the code of its loads, stores and functions.
Where a thread is comes from memory instead of registers. Threads of a block run one after the
other, the last first: thread 0 finds what the others have put together.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import llvmlite.ir as ir
import numpy as np
from llvmlite import binding
from numba.core import types as numba_types
from numba.extending import intrinsic

from optdsl.codegen.support import chances, kernel_draws, kernels
from optdsl.codegen.support.compiling import Code, compile_function
from optdsl.codegen.support.cuda import memory
from optdsl.codegen.support.cuda.device import shared_words
from optdsl.codegen.support.cuda.words import THREADS, WARP, WARPS, Kernel
from optdsl.codegen.support.pieces import piece
from optdsl.codegen.support.processor import target_machine

read_changing: Any = memory.read_changing
write: Any = memory.write
# Numba and llvmlite are not typed: these names keep that in one place.
types: Any = numba_types
_llvm: Any = ir
_binding: Any = binding

#: Launches a kernel: `run(blocks, *given)`. What is given are addresses of arrays on the host.
Run = Callable[..., None]

#: How many reductions a kernel may have, and how often a thread may fold numbers of its warp.
_MOST, _MOST_FOLDS = 256, 8192
#: The block and the thread that run, and how often that thread has folded numbers of its warp.
_PLACE = np.zeros(3, np.int64)
#: What the threads of a block share, and those of a warp.
_SHARED = np.zeros((_MOST, THREADS))
_FOLDED = np.zeros((_MOST_FOLDS, THREADS))
_WORD = _llvm.IntType(64)
_NAME = "emulated_launch"
#: What has been loaded stays: running code must not go away.
_ENGINES: list[Any] = []


class Emulated:
    """A kernel for streams of given formats, compiled once for the CPU.

    >>> import numpy as np
    >>> from optdsl.codegen.support.cuda.words import kernel
    >>> from optdsl.codegen.support.cuda import words
    >>> def noted(places):
    ...     words.write("int64", places, words.block_index(), words.thread_index())
    >>> places = np.full(3, 7)
    >>> Emulated(kernel("all")(noted)).plain(2, places.ctypes.data)
    >>> places.tolist()
    [0, 0, 7]
    """

    def __init__(self, kernel: Kernel, formats: tuple[str, ...] = ()) -> None:
        self._function = kernel.function(formats, _words)

    @cached_property
    def _code(self) -> Code:
        count = self._function.__code__.co_argcount
        contract = frozenset({"contract"})
        return compile_function(self._function, (types.int64,) * count, contract)

    @cached_property
    def plain(self) -> Run:
        """Launches it where every product is rounded."""
        return self._loaded(without_contraction(self._code.text))

    @cached_property
    def contracted(self) -> Run:
        """Launches it where a product and a sum may be rounded once, as on a device."""
        return self._loaded(self._code.text)

    def _loaded(self, text: str) -> Run:
        count = self._function.__code__.co_argcount
        module = _binding.parse_assembly(text)
        module.link_in(_binding.parse_assembly(_launching(self._code.name, count)))
        engine = _binding.create_mcjit_compiler(_binding.parse_assembly(""), target_machine())
        engine.add_object_file(
            _binding.ObjectFileRef.from_data(target_machine().emit_object(module))
        )
        engine.finalize_object()
        _ENGINES.append(engine)
        kind = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_int64] * (count + 1))
        launch = kind(engine.get_function_address(_NAME))

        def run(*given: int) -> None:
            if launch(*given):
                raise RuntimeError("a kernel raised an error in emulation")

        return run


def without_contraction(text: str) -> str:
    """Return LLVM code that has no leave to round a product and a sum once.

    >>> without_contraction("%x = fadd contract float %a, %b")
    '%x = fadd float %a, %b'
    """
    return text.replace(" contract ", " ")


def _launching(name: str, count: int) -> str:
    """Return the LLVM code of a function that runs a kernel for every thread of some blocks."""
    module = _llvm.Module()
    module.triple = _binding.get_process_triple()
    address = _WORD.as_pointer()
    nowhere = _llvm.IntType(8).as_pointer()
    status = _llvm.IntType(32)
    thread_type = _llvm.FunctionType(status, [nowhere, nowhere, *[_WORD] * count])
    thread = _llvm.Function(module, thread_type, name)
    kind = _llvm.FunctionType(status, [_WORD] * (count + 1))
    launch = _llvm.Function(module, kind, _NAME)
    builder = _llvm.IRBuilder(launch.append_basic_block())
    spare = [builder.bitcast(builder.alloca(_WORD), nowhere) for _ in range(2)]
    failed = builder.alloca(status)
    builder.store(status(0), failed)
    block, index, folds = (
        builder.inttoptr(_WORD(_PLACE.ctypes.data + 8 * number), address) for number in range(3)
    )
    blocks, *given = launch.args

    def counted(place: Any, begin: Any, end: Any, by: int, inside: Callable[[], None]) -> None:
        builder.store(begin, place)
        head, body, after = (builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        going = builder.icmp_signed("!=", builder.load(place), end)
        builder.cbranch(going, body, after)
        builder.position_at_end(body)
        inside()
        builder.store(builder.add(builder.load(place), _WORD(by)), place)
        builder.branch(head)
        builder.position_at_end(after)

    def run() -> None:
        builder.store(_WORD(0), folds)
        found = builder.call(thread, [*spare, *given])
        builder.store(builder.or_(builder.load(failed), found), failed)

    def threads() -> None:
        counted(index, _WORD(THREADS - 1), _WORD(-1), -1, run)

    counted(block, _WORD(0), blocks, 1, threads)
    builder.ret(builder.load(failed))
    return str(module)


# ------------------------------------------------------------------------ words


def _place(number: int) -> Any:
    """Return what reads where the thread is, within a kernel."""

    def typed(typing: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            address = _WORD(_PLACE.ctypes.data + 8 * number)
            return builder.load(builder.inttoptr(address, _WORD.as_pointer()))

        return types.int64(), build

    return intrinsic(typed)


@cache
def _words(real: Any) -> dict[str, Any]:
    """Return what the words of kernels mean here."""
    block_index, thread_index = _place(0), _place(1)

    @piece
    def warp_index() -> Any:
        return thread_index() // WARP

    @piece
    def thread_of_warp() -> Any:
        return thread_index() % WARP

    return shared_words() | {
        "block_index": block_index,
        "thread_index": thread_index,
        "warp_index": warp_index,
        "thread_of_warp": thread_of_warp,
        "bfloat16_by_chance": chances.bfloat16_by_chance,
        "float16_by_chance": chances.float16_by_chance,
        "standard_normal": kernel_draws.standard_normal,
        "standard_uniform": kernel_draws.standard_uniform,
        "sum_of_block": _folding(thread_index, kernels.plus),
        "least_of_block": _folding(thread_index, kernels.minimum),
        "greatest_of_block": _folding(thread_index, kernels.maximum),
        "sum_of_warp": _folding_warps(thread_index, kernels.plus),
        "least_of_warp": _folding_warps(thread_index, kernels.minimum),
        "greatest_of_warp": _folding_warps(thread_index, kernels.maximum),
    }


def _folding(thread_index: Any, combined: Any) -> Any:
    """Return what folds a number a thread; thread 0, the last to come, gets the result.

    As on a device, the first thread of a warp folds that, and thread 0 what warps come to.
    """
    shared, halve = _SHARED.ctypes.data, _halving(_SHARED.ctypes.data, combined)

    @piece
    def of_block(place: Any, x: Any) -> Any:
        if place >= _MOST:
            raise IndexError("a kernel has too many reductions to be emulated")
        thread, first = thread_index(), place * THREADS
        write("float64", shared, first + thread, x)
        if thread % WARP == 0:
            halve(first + thread, WARP // 2, 1)
        if thread == 0:
            halve(first, WARPS // 2, WARP)
        return read_changing("float64", shared, first)

    return of_block


def _halving(numbers: int, combined: Any) -> Any:
    """Return what folds numbers `apart` from each other into the first, by halves."""

    @piece
    def halve(first: Any, width: Any, apart: Any) -> Any:
        while width > 0:
            for lower in range(first, first + width * apart, apart):
                left = read_changing("float64", numbers, lower)
                right = read_changing("float64", numbers, lower + width * apart)
                write("float64", numbers, lower, combined(left, right))
            width //= 2

    return halve


def _folding_warps(thread_index: Any, combined: Any) -> Any:
    """Return what folds a number a thread of a warp; its first thread gets the result.

    Threads of a warp call it equally often, so that calls with one count belong together.
    """
    place, folded = _PLACE.ctypes.data, _FOLDED.ctypes.data
    halve = _halving(folded, combined)

    @piece
    def of_warp(x: Any) -> Any:
        count = read_changing("int64", place, 2)
        if count >= _MOST_FOLDS:
            raise IndexError("a thread folds numbers of its warp too often to be emulated")
        write("int64", place, 2, count + 1)
        first = count * THREADS + thread_index()
        write("float64", folded, first, x)
        if thread_index() % WARP == 0:
            halve(first, WARP // 2, 1)
        return read_changing("float64", folded, first)

    return of_warp
