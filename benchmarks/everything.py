"""Compile shipped rules from nothing, kernels included: `python -m benchmarks.everything 0 2`.

The arguments are which part of them, of how many; each part may be a process of its own.
"""

from __future__ import annotations

import sys

import optdsl
from optdsl.codegen.inspection import compile_kernels
from optdsl.library import shipped


def compile_part(part: int, parts: int) -> None:
    """Compile every one of so many shipped rules, for float32."""
    for name in list(shipped())[part::parts]:
        compile_kernels(optdsl.load(name).layout, "float32")


if __name__ == "__main__":
    compile_part(int(sys.argv[1]), int(sys.argv[2]))
