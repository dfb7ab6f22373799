"""The processor that kernels are compiled for, as LLVM knows it."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def processor() -> tuple[str, str]:
    """Return its name and its features; NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say otherwise."""
    from llvmlite import binding

    name = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name == "generic" else binding.get_host_cpu_features().flatten()
    return name, features


@cache
def target_machine() -> Any:
    """Return what makes machine code for this process."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    name, features = processor()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=name, features=features, opt=3, codemodel="jitdefault", jit=True
    )
