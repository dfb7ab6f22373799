"""Numba's compiler for functions that are called from compiled code alone.

For each function Numba makes two wrappers, for Python and for C, and machine code, ready to be
called. A kernel is made of several functions; only the last, which takes a frame, is called from
outside, and its machine code is made by `machine_code.py`. So a piece is left as LLVM code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import _dynfunc, njit  # type: ignore[attr-defined]
from numba.core import codegen, compiler, typed_passes, untyped_passes
from numba.core.compiler_machinery import PassManager, register_pass

# Numba is not typed: these names keep that in one place.
_njit: Any = njit
_Library: Any = codegen.JITCodeLibrary
_Compiler: Any = compiler.Compiler
_Lowering: Any = typed_passes.NativeLowering
_Manager: Any = PassManager
_register: Any = register_pass
_Result: Any = compiler._LowerResult
_function: Any = _dynfunc.make_function


class Piece(_Library):  # type: ignore[misc]
    """LLVM code to be linked into other code: optimised, and never made into machine code."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


@_register(mutates_CFG=True, analysis_only=False)
class _LowerPiece(_Lowering):  # type: ignore[misc]
    """Lowers a function to a piece, which other functions may call."""

    _name = "lowering of a piece"

    def run_pass(self, state: Any) -> bool:
        flags, context = state.flags, state.targetctx
        state.library = Piece(context.codegen(), state.func_id.func_qualname)
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        super().run_pass(state)
        made = state["cr"]
        # What stands for the function where another calls it; its address is nowhere.
        described = made.fndesc
        name = described.qualname.rpartition(".")[2]
        known = _function(described.lookup_module(), name, "", 0, made.env, (state.library,))
        context.insert_user_function(known, described, [state.library])
        state["cr"] = _Result(described, made.call_helper, cfunc=known, env=made.env)
        return True


#: The passes of a piece, with what each does. Numba's others are for what none has: closures,
#: contexts, exceptions, arguments that are constants, expressions of whole arrays. Functions are
#: not inlined before LLVM does. After most passes Numba looks for the last use of each variable.
_PASSES: tuple[tuple[Any, str], ...] = (
    (untyped_passes.TranslateByteCode, "analyse the bytecode"),
    (untyped_passes.FixupArgs, "name the arguments"),
    (untyped_passes.IRProcessing, "follow the variables"),
    (untyped_passes.GenericRewrites, "find indices that are constants"),
    (untyped_passes.ReconstructSSA, "assign once"),
    (typed_passes.NopythonTypeInference, "find the types"),
    (typed_passes.PreLowerStripPhis, "assign where branches meet"),
    (typed_passes.NoPythonSupportedFeatureValidation, "what is supported"),
    (typed_passes.IRLegalization, "what is legal"),
    (_LowerPiece, "lower to a piece"),
    (typed_passes.NoPythonBackend, "describe the result"),
)


class Pieces(_Compiler):  # type: ignore[misc]
    """Compiles functions to pieces."""

    def define_pipelines(self) -> list[Any]:
        """Return the passes that a function goes through."""
        manager = _Manager("pieces")
        for each, what in _PASSES:
            manager.add_pass(each, what)
        manager.finalize()
        return [manager]


def piece(function: Callable[..., Any], pipeline: type = Pieces, **options: Any) -> Any:
    """Compile what other compiled functions call. From Python it raises TypeError."""

    def refuse(*_: Any, **__: Any) -> None:
        raise TypeError(f"`{function.__name__}` is called from compiled code alone")

    made = _njit(pipeline_class=pipeline, **options)(function)
    # Python would find what was compiled, and call its address, which is nowhere.
    made._insert = lambda *_, **__: None
    made._compile_for_args = refuse
    return made


class PiecesWithoutAliases(Pieces):
    """Compiles functions whose arrays never overlap, so that their loops can be vectorised."""

    def define_pipelines(self) -> list[Any]:
        """Return the passes that a function goes through."""
        self.state.flags.noalias = True
        return super().define_pipelines()
