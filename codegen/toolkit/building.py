"""A rule compiled for CUDA: PTX and cubins by architecture, and what its kernels take and move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optdsl.codegen import compile_system
from optdsl.codegen.cases import prepare_cases
from optdsl.codegen.support.cuda.launching import Finish, Launch
from optdsl.codegen.support.cuda.words import THREADS, TURNS, Kernel
from optdsl.codegen.toolkit.architectures import Architecture
from optdsl.codegen.toolkit.assembling import Assembled, Resources, assemble, assembler_at_hand
from optdsl.codegen.toolkit.compiling import ptx_of
from optdsl.codegen.toolkit.modules import one_module
from optdsl.codegen.toolkit.occupancy import Occupancy, occupancy
from optdsl.codegen.unit import Unit, prepare
from optdsl.model.alternatives import Alternatives, Rule
from optdsl.program import timing
from optdsl.runtime.formats import dtype_named
from optdsl.runtime.layout import Combine, Layout, Pass, Stage
from optdsl.runtime.tensors import Tensors


@dataclass(frozen=True)
class BuiltKernel:
    """A kernel of a rule, for one dtype of parameters.

    `entry` is its name in PTX; `streams` are what the columns of `addresses` hold, in order, and
    `formats` their dtypes. It reads and writes so many bytes a parameter; a block of `threads`
    works on `chunk` parameters, of which each thread has `at_once` under way.
    """

    entry: str
    kernel: Kernel
    streams: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    read: float = 0
    written: float = 0
    reductions: int = 0

    @property
    def threads(self) -> int:
        """Threads a block."""
        return THREADS

    @property
    def is_pass(self) -> bool:
        """Does it go through the entries of tensors?"""
        return bool(self.streams)

    @property
    def chunk(self) -> int:
        """Parameters a block works on."""
        return self.kernel.chunk(self.formats) if self.is_pass else 0

    @property
    def at_once(self) -> int:
        """Parameters that a thread works on at once."""
        turns = TURNS if self.reductions else 1
        return self.chunk // (THREADS * turns)


@dataclass(frozen=True)
class BuiltFor:
    """The kernels of a rule for one architecture: one PTX module, and a cubin where one was made.

    `taken` and `held` say by entry what each kernel takes, and the occupancy that follows.
    """

    architecture: Architecture
    ptx: str
    assembled: Assembled | None

    def taken(self, built: BuiltKernel) -> Resources | None:
        """Return what a kernel takes, None where there is no assembler to say it."""
        return None if self.assembled is None else self.assembled.kernels[built.entry]

    def held(self, built: BuiltKernel) -> Occupancy | None:
        """Return the occupancy of a kernel, None where it is not known."""
        taken = self.taken(built)
        if taken is None:
            return None
        return occupancy(self.architecture, built.threads, taken.registers, taken.shared)

    def launch(self, built: BuiltKernel) -> timing.Launch:
        """Return a kernel as the model of the time of a step sees it."""
        held = self.held(built)
        resident = None if held is None else held.blocks * built.threads * built.at_once
        return timing.Launch(built.read, built.written, resident)


@dataclass(frozen=True)
class Build:
    """A rule compiled for CUDA. `kernels` are all of them, `step` those of one step in order."""

    rule: Rule
    layout: Layout
    units: tuple[Unit, ...]
    dtype: str
    kernels: tuple[BuiltKernel, ...]
    step: tuple[BuiltKernel, ...]
    by_architecture: tuple[BuiltFor, ...]

    @property
    def bytes_per_parameter(self) -> float:
        """Bytes that a step reads and writes a parameter."""
        return sum(each.read + each.written for each in self.step)


def build(
    rule: Rule,
    name: str,
    targets: Sequence[Architecture],
    dtype: str = "float32",
    approximate: bool = False,
) -> Build:
    """Compile a rule for CUDA; `name` begins the names of its kernels.

    With `approximate`, roots and divisions of float32 are those of the hardware.

    Raises:
        DiagnosticError: the target does not run the rule, or a part of the toolkit is missing.
    """
    layout = compile_system(rule, "numba-cuda")
    units = prepare_cases(rule).units if isinstance(rule, Alternatives) else (prepare(rule),)
    found = _Kernels(layout, units, dtype, name)
    kernels = tuple(found.by_kernel.values())
    return Build(
        rule, layout, units, dtype, kernels, tuple(found.of_step()),
        tuple(_built_for(target, kernels, approximate) for target in targets),
    )  # fmt: skip


def _built_for(target: Architecture, kernels: Sequence[BuiltKernel], approximate: bool) -> BuiltFor:
    texts = [
        ptx_of(each.kernel, each.formats, target.capability, each.entry, approximate)
        for each in kernels
    ]
    if not texts:
        return BuiltFor(target, "", None)
    module = one_module(texts)
    return BuiltFor(target, module, assemble(module, target) if assembler_at_hand() else None)


class _Kernels:
    """The kernels of a layout, each once, with what programs say of the passes."""

    def __init__(self, layout: Layout, units: Sequence[Unit], dtype: str, name: str) -> None:
        self.layout = layout
        self.units = units
        self.name = name
        self.tensors = Tensors(layout)
        self.tensors.dtype = dtype_named(dtype)
        self.by_kernel: dict[int, BuiltKernel] = {}
        for mode in ("ready", "function", "iterate", "evaluate"):
            stages = getattr(layout, mode)
            if stages is not None and not (mode == "function" and layout.ready is not None):
                self._walk(stages, mode)

    def of_step(self) -> Iterator[BuiltKernel]:
        """Yield the kernels that a step launches, in order."""
        for stage in self.layout.ready or self.layout.function:
            for kernel in _kernels(stage):
                yield self.by_kernel[id(kernel)]

    def _walk(self, stages: Sequence[Stage], mode: str) -> None:
        passes = {
            case: iter(program.passes)
            for case, unit in enumerate(self.units)
            if (program := getattr(unit, mode)) is not None
        }
        for stage in stages:
            said: Any = next(passes[stage.case]) if isinstance(stage, Pass) else None
            for kernel in _kernels(stage):
                if id(kernel) in self.by_kernel:
                    continue
                entry = f"{self.name}_{kernel.name}"
                built = BuiltKernel(entry, kernel)
                if isinstance(stage, Pass):
                    built = self._pass(stage, said, entry, kernel)
                self.by_kernel[id(kernel)] = built

    def _pass(self, stage: Pass, said: Any, entry: str, kernel: Kernel) -> BuiltKernel:
        formats = tuple(self._format(name) for name in stage.streams)
        widths = {
            name: dtype_named(each).itemsize
            for name, each in zip(stage.streams, formats, strict=True)
        }
        read = sum(widths[load.stream] for load in said.loads)
        written = sum(widths[store.stream] for store in said.stores)
        return BuiltKernel(entry, kernel, stage.streams, formats, read, written, stage.reductions)

    def _format(self, stream: str) -> str:
        """Return the dtype of a stream, as the runtime allocates it."""
        tensors = self.tensors
        states = {slot.name: slot for slot in tensors.entry_states}
        if stream in states:
            return tensors.state_dtype(states[stream]).name
        if stream in tensors.forms:
            return np.dtype(np.float64).name
        if stream in self.layout.buffers:
            return str(tensors.buffer_dtype(stream))
        return str(tensors.dtype)


def _kernels(stage: Stage) -> list[Kernel]:
    """Return the kernels that a stage launches, in order."""
    if isinstance(stage, Pass):
        function: Any = stage.function
        assert isinstance(function, Launch)
        return [function.kernel]
    if isinstance(stage, Combine):
        finish: Any = stage.function
        assert isinstance(finish, Finish)
        return [each for each in (finish.of_all, finish.of_tensor) if each is not None]
    return []
