"""A rule compiled for CUDA: PTX and cubins by architecture, and what its kernels take and move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optdsl.codegen import compile_system
from optdsl.codegen.cases import prepare_cases
from optdsl.codegen.support.cuda.launching import Finish, InTurn, Launch
from optdsl.codegen.support.cuda.tables import Cut, Entries, Tiles
from optdsl.codegen.support.cuda.words import (
    OVER_STREAMS,
    THREADS,
    TURNS,
    WARP,
    WARPS,
    Kernel,
    lanes_of,
    real_of,
)
from optdsl.codegen.toolkit.architectures import Architecture
from optdsl.codegen.toolkit.assembling import Assembled, Resources, assemble, assembler_at_hand
from optdsl.codegen.toolkit.compiling import ptx_of
from optdsl.codegen.toolkit.modules import one_module
from optdsl.codegen.toolkit.occupancy import Occupancy, occupancy
from optdsl.codegen.unit import Unit, prepare
from optdsl.model.alternatives import Alternatives, Rule
from optdsl.program import program, timing
from optdsl.program.lines import bytes_left
from optdsl.runtime.formats import dtype_named
from optdsl.runtime.layout import Combine, Layout, Matrices, Pass, Stage
from optdsl.runtime.shapes import LEAST_ROWS
from optdsl.runtime.tensors import Tensors


@dataclass(frozen=True)
class BuiltKernel:
    """A kernel of a rule, for one dtype of parameters.

    `entry` is its name in PTX; `streams` are what the columns of `addresses` hold, in order, and
    `formats` their dtypes; `cut` is how tensors become pieces, one a block of `threads`. It reads
    and writes so many bytes a parameter. One that is `by_shape` is told the rows and columns of
    tensors instead of their sizes.
    """

    entry: str
    kernel: Kernel
    streams: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    read: float = 0
    written: float = 0
    reductions: int = 0
    cut: Cut | None = None
    by_shape: bool = False

    @property
    def threads(self) -> int:
        """Threads a block."""
        return THREADS

    @property
    def has_table(self) -> bool:
        """Does it go through tensors piece by piece, so that it has a table of its own?"""
        return bool(self.streams)

    @property
    def strip(self) -> int:
        """Columns of a tile of a warp."""
        return WARP * lanes_of(self.formats)

    @property
    def turns(self) -> int:
        """How many pieces of the parameters a thread works on, 0 for one that has none of them."""
        match self.cut:
            case Entries(turns):
                return turns
            case Tiles(height):
                return height or LEAST_ROWS
        return 0

    @property
    def chunk(self) -> int | None:
        """Parameters a block works on, None where that depends on the shapes of tensors."""
        if isinstance(self.cut, Entries):
            return self.cut.chunk(self.formats)
        if isinstance(self.cut, Tiles) and self.cut.height:
            return WARPS * self.strip * self.cut.height
        return None if self.has_table else 0


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
        held, resident = self.held(built), None
        if held is not None and built.turns:
            resident = held.blocks * built.threads * lanes_of(built.formats)
        return timing.Launch(built.read, built.written, resident, built.turns or 1)


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
        self.dtype = dtype_named(dtype)
        self.by_kernel: dict[int, BuiltKernel] = {}
        for mode in ("ready", "function", "iterate", "evaluate"):
            stages = getattr(layout, mode)
            if stages is not None and not (mode == "function" and layout.ready is not None):
                self._walk(stages, mode)

    def of_step(self) -> Iterator[BuiltKernel]:
        """Yield the kernels that a step launches, in order."""
        for stage in self.layout.ready or self.layout.function:
            for kernel, _ in _kernels(stage):
                yield self.by_kernel[id(kernel)]

    def _walk(self, stages: Sequence[Stage], mode: str) -> None:
        told = (program.Pass, program.Matrices)
        said = {
            case: iter([each for each in found.stages if isinstance(each, told)])
            for case, unit in enumerate(self.units)
            if (found := getattr(unit, mode)) is not None
        }
        for stage in stages:
            of: Any = next(said[stage.case]) if isinstance(stage, Pass | Matrices) else None
            for kernel, by_shape in _kernels(stage):
                if id(kernel) in self.by_kernel:
                    continue
                built = BuiltKernel(f"{self.name}_{kernel.name}", kernel, by_shape=by_shape)
                if isinstance(stage, Pass | Matrices) and kernel.kind in OVER_STREAMS:
                    built = self._over_streams(built, stage, of)
                self.by_kernel[id(kernel)] = built

    def _over_streams(self, built: BuiltKernel, stage: Pass | Matrices, of: Any) -> BuiltKernel:
        formats = tuple(self._format(name) for name in stage.streams)
        widths = {
            name: dtype_named(each).itemsize
            for name, each in zip(stage.streams, formats, strict=True)
        }
        built = replace(built, streams=stage.streams, formats=formats)
        cut: Any = stage.bind
        width = np.dtype(real_of(formats)).itemsize
        if isinstance(stage, Matrices):
            left = sum(bytes_left(each, width) for each in of.folds)
            turns: Any = stage.function
            return replace(built, cut=cut, read=left, reductions=turns.reductions)
        return replace(
            built,
            cut=cut or Entries(TURNS if stage.reductions else 1),
            read=sum(widths[load.stream] for load in of.loads),
            written=sum(widths[store.stream] for store in of.stores)
            + sum(bytes_left(each, width) for each in of.reductions),
            reductions=stage.reductions,
        )

    def _format(self, stream: str) -> str:
        """Return the dtype of a stream, as the runtime allocates it."""
        tensors = self.tensors
        states = {slot.name: slot for slot in tensors.entry_states}
        if stream in states:
            return tensors.state_dtype(states[stream], self.dtype).name
        if stream in tensors.forms or stream in self.layout.buffers:
            return str(tensors.buffer_dtype(stream, self.dtype))
        return str(self.dtype)


def _kernels(stage: Stage) -> list[tuple[Kernel, bool]]:
    """Return the kernels that a stage launches, in order, and which are told shapes."""
    if isinstance(stage, Pass):
        return _of(stage.function, stage.bind is not None)
    if isinstance(stage, Matrices):
        turns: Any = stage.function
        assert isinstance(turns, InTurn)
        return [pair for each in turns.stages for pair in _of(each, True)]
    return _of(stage.function, False) if isinstance(stage, Combine) else []


def _of(function: Any, by_shape: bool) -> list[tuple[Kernel, bool]]:
    if isinstance(function, Launch):
        return [(function.kernel, by_shape)]
    assert isinstance(function, Finish)
    found = (function.of_all, function.of_tensor)
    return [(each, by_shape) for each in found if each is not None]
