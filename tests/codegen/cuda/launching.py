"""Launch kernels for CUDA on the CPU, with the tables that a runtime would make for a device."""

from dataclasses import replace

import numpy as np

from optdsl.codegen.support.cuda.emulation import Emulated
from optdsl.codegen.support.cuda.tables import Entries, blocks, matrix_shapes
from optdsl.codegen.support.cuda.words import TURNS, real_of
from optdsl.runtime import layout as stages
from tests.codegen.driving import Driver

_RUNS = {}


def kernels_of(layout):
    """Return the kernels of a layout, each with its pass, or None where it finishes one."""
    found = {}
    for mode in (layout.ready, layout.function, layout.iterate, layout.evaluate):
        for stage in mode or ():
            if isinstance(stage, stages.Pass):
                found.setdefault(stage.function.kernel, stage)
            elif isinstance(stage, stages.Matrices):
                for each in stage.function.stages:
                    kernel = getattr(each, "kernel", None)
                    found |= {kernel: stage} if kernel else _finishing(each)
            elif isinstance(stage, stages.Scalars) and hasattr(stage.function, "kernel"):
                found[stage.function.kernel] = None
            elif isinstance(stage, stages.Combine):
                found |= _finishing(stage.function)
    return list(found.items())


def _finishing(finish):
    return {each: None for each in (finish.of_all, finish.of_tensor) if each}


def run_of(kernel, formats, contract=False):
    """Return what runs a kernel, compiled once."""
    found = _RUNS.get((kernel, formats))
    if found is None:
        found = _RUNS[kernel, formats] = Emulated(kernel, formats)
    return found.contracted if contract else found.plain


class Table:
    """Tensors whose streams share their formats: one launch."""

    def __init__(self, kernel, arrays, rows):
        self.formats = tuple(stream[0].dtype.name for stream in arrays)
        self.sizes = np.array([array.size for array in arrays[0]], np.int64)
        self.rows = np.array(rows, np.int64)
        self.addresses = np.array([[a.ctypes.data for a in stream] for stream in arrays]).T.copy()
        cut = Entries(TURNS if kernel.kind == "reduction" else 1)
        pieces = cut.pieces(matrix_shapes([array.shape for array in arrays[0]]), self.formats)
        self.owners, self.chunks, self.firsts = blocks(pieces)


class Unbound:
    """What stands for a table where kernels make their own."""

    chunks = 0


class EmulatedDriver(Driver):
    """Takes steps with emulated kernels, as a runtime does with a device.

    Tensors of several dtypes are several launches, whose partial sums lie one behind the other.
    """

    contract = False

    def run(self, program, gradient, moves=True):
        self.tables, self.partials = None, np.zeros((0, 0))
        return super().run(self._launching(program), gradient, moves)

    def bind(self, stage):
        return Unbound

    def _launching(self, program):
        """Yield the stages, with functions that launch kernels."""
        found = []
        for place, stage in enumerate(program):
            if isinstance(stage, stages.Pass):
                stage = replace(stage, function=lambda *_, own=stage: self._pass(own))
            elif isinstance(stage, stages.Combine):
                later = (s for s in program[place:] if isinstance(s, stages.Pass))
                behind = next(later, None)
                finish = stage.function
                stage = replace(stage, function=lambda *_, f=finish, b=behind: self._finish(f, b))
            found.append(stage)
        return found

    def _bound(self, stage):
        by_format = {}
        for index in range(len(self.thetas)):
            names = tuple(self.streams[stream][index].dtype for stream in stage.streams)
            by_format.setdefault(names, []).append(index)
        return [
            Table(
                stage.function.kernel,
                [[self.streams[stream][i] for i in members] for stream in stage.streams],
                members,
            )
            for members in by_format.values()
        ]

    def _numbers(self, real):
        """Return the addresses of numbers; they are kept until the next launch."""
        cohort, scalars, tensor, everything = self.numbers()
        self._kept = [cohort, scalars.astype(real), scalars.copy(), tensor, everything]
        return [array.ctypes.data for array in self._kept]

    def _pass(self, stage):
        self.tables = self._bound(stage)
        total = sum(len(table.owners) for table in self.tables)
        self.partials = np.full((total, stage.reductions), np.nan)
        begin = 0
        for table in self.tables:
            count = len(table.owners)
            partials = self.partials[begin : begin + count]
            tables = (table.owners, table.chunks, table.sizes, table.addresses, table.rows)
            run_of(stage.function.kernel, table.formats, self.contract)(
                count,
                *(each.ctypes.data for each in tables),
                *self._numbers(real_of(table.formats)),
                partials.ctypes.data,
            )
            begin += count

    def _finish(self, finish, behind):
        tables = self._bound(behind) if self.tables is None else self.tables
        begins = np.cumsum([0, *(len(table.owners) for table in tables)])
        moved = [table.firsts[:-1] + begin for table, begin in zip(tables, begins, strict=False)]
        firsts = np.concatenate([*moved, begins[-1:]])
        sizes, rows = (
            np.concatenate([getattr(table, name) for table in tables]) for name in ("sizes", "rows")
        )
        cohort, _, *numbers = self._numbers(np.float64)
        for kernel, count in ((finish.of_all, 1), (finish.of_tensor, len(sizes))):
            if kernel is not None:
                run_of(kernel, (), self.contract)(
                    count,
                    firsts.ctypes.data,
                    sizes.ctypes.data,
                    len(sizes),
                    int(sizes.sum()),
                    rows.ctypes.data,
                    cohort,
                    *numbers,
                    self.partials.ctypes.data,
                )
