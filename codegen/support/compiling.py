"""Kernels through Numba to LLVM code, for arrays of given formats.

What comes out is one function that takes the address of a frame and calls nothing of Python or
of Numba, so that its machine code can be kept on disk and run where Numba is not even imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType
from typing import Any

import llvmlite.ir as ir
import numba
from numba.core import compiler, cpu_options, registry
from numba.core import types as numba_types
from numba.core.compiler_lock import global_compiler_lock
from numba.np import arrayobj

from optdsl.codegen.support.frames import SHAPES
from optdsl.codegen.support.kernels import FLAGS
from optdsl.codegen.support.kernels import entrywise as compiled_entrywise
from optdsl.codegen.support.pieces import Pieces
from optdsl.codegen.support.prefetching import prefetching
from optdsl.codegen.support.saying import what_is_said
from optdsl.codegen.support.words import Entrywise, Kernel, Word

# Numba is not typed: these names keep that in one place.
types: Any = numba_types
_numba: Any = numba
_arrays: Any = arrayobj
_compiler: Any = compiler
_registry: Any = registry
_options: Any = cpu_options
_lock: Any = global_compiler_lock


@dataclass(frozen=True)
class Code:
    """The LLVM code of a kernel, optimised, and the name of the function that runs a frame.

    That function takes the address of a frame, and returns zero.
    """

    name: str
    text: str


#: What this process has compiled. Rules often have a pass in common, as a norm of all gradients.
_COMPILED: dict[tuple[Any, ...], Code] = {}


def compile_kernel(kernel: Kernel, formats: tuple[Any, ...]) -> Code:
    """Compile a kernel for arrays like the zeros `formats`, once in a process.

    Kernels that say the same give the same code, under the name of the first.
    """
    says = what_is_said(kernel.function)
    if says is None:
        return _compiled(kernel, formats)
    key = (says, kernel.arguments, repr(FLAGS), *(zero.dtype.name for zero in formats))
    if key not in _COMPILED:
        _COMPILED[key] = _compiled(kernel, formats)
    return _COMPILED[key]


def _compiled(kernel: Kernel, formats: tuple[Any, ...]) -> Code:
    name = f"{kernel.function.__name__}_of_a_frame"
    with _lock:
        kinds = tuple(_kind(each, _numba.typeof(formats)) for each in kernel.arguments)
        made = _made(_found(kernel.function), kinds, FLAGS["fastmath"])
        made.library.add_ir_module(_entry(name, made, kinds))
        # Nobody else calls the kernel itself.
        made.library.get_function(made.fndesc.llvm_func_name).linkage = "linkonce_odr"
        made.library.finalize()
        return Code(name, prefetching(made.library.get_llvm_str()))


def compile_function(
    function: Any, arguments: tuple[Any, ...], fastmath: frozenset[str] = frozenset()
) -> Code:
    """Compile a function that returns nothing, for arguments of these types.

    It takes two addresses before its arguments, where Numba has functions leave what they return,
    and why they failed. Division by zero gives what IEEE 754 says; `fastmath` are the liberties
    that LLVM may take.
    """
    with _lock:
        made = _made(function, arguments, set(fastmath))
        made.library.finalize()
        return Code(made.fndesc.llvm_func_name, made.library.get_llvm_str())


def _made(function: Any, arguments: tuple[Any, ...], fastmath: Any) -> Any:
    """Return what Numba makes of a function that returns nothing, not optimised yet."""
    flags = _compiler.Flags()
    flags.nrt = False
    flags.error_model = "numpy"
    flags.fastmath = _options.FastMathOptions(fastmath)
    target = _registry.cpu_target
    target.typing_context.refresh()
    target.target_context.refresh()
    return _compiler.compile_extra(
        target.typing_context, target.target_context, function, arguments, types.none, flags, {},
        pipeline_class=Pieces,
    )  # fmt: skip


def _entry(name: str, made: Any, kinds: tuple[Any, ...]) -> Any:
    """Return the function that takes the address of a frame and calls a kernel."""
    context, described = made.target_context, made.fndesc
    module = context.create_module(name)
    whole = context.get_value_type(types.intp)
    function = ir.Function(module, ir.FunctionType(ir.IntType(32), [whole]), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    convention = context.call_conv
    kernel = ir.Function(
        module,
        convention.get_function_type(described.restype, described.argtypes),
        described.llvm_func_name,
    )
    numbers = _Numbers(context, builder, function.args[0])
    arguments = [numbers.next(kind) for kind in kinds]
    status, _ = convention.call_function(
        builder, kernel, described.restype, described.argtypes, arguments
    )
    builder.ret(status.code)
    return module


def _found(function: FunctionType) -> FunctionType:
    """Return a function like this one, with Numba's functions in place of words."""
    known = function.__globals__
    names = {name: _real(known[name]) for name in function.__code__.co_names if name in known}
    names["__name__"] = known.get("__name__")
    return FunctionType(function.__code__, names, function.__name__)


def _real(value: Any) -> Any:
    if isinstance(value, Word):
        return value.found()
    return compiled_entrywise(_found(value.function)) if isinstance(value, Entrywise) else value


def _kind(name: str, formats: Any) -> Any:
    if name == "formats":
        return formats
    dtype, axes = SHAPES[name]
    return types.Array(getattr(types, dtype), axes, "C")


class _Numbers:
    """Reads the numbers of a frame one behind the other."""

    def __init__(self, context: Any, builder: Any, frame: Any) -> None:
        self.context = context
        self.builder = builder
        self.begin = builder.inttoptr(frame, context.get_value_type(types.intp).as_pointer())
        self.place = 0

    def number(self) -> Any:
        place = self.context.get_constant(types.intp, self.place)
        self.place += 1
        return self.builder.load(self.builder.gep(self.begin, [place]))

    def next(self, kind: Any) -> Any:
        """Return the next array; of formats only the type counts."""
        if not isinstance(kind, types.Array):
            return self.context.get_constant_null(kind)
        item = self.context.get_data_type(kind.dtype)
        size = self.context.get_constant(types.intp, self.context.get_abi_sizeof(item))
        data = self.builder.inttoptr(self.number(), item.as_pointer())
        shape = [self.number() for _ in range(kind.ndim)]
        strides = [size]
        for length in reversed(shape[1:]):
            strides.insert(0, self.builder.mul(strides[0], length))
        array = _arrays.make_array(kind)(self.context, self.builder)
        _arrays.populate_array(
            array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None
        )
        return array._getvalue()
