"""Launch kernels for CUDA on the CPU, with the tables that a runtime would make for a device."""

import numpy as np

from optdsl.codegen.support.cuda.emulation import emulated
from optdsl.codegen.support.cuda.tables import blocks
from optdsl.codegen.support.cuda.words import real_of
from optdsl.runtime import layout as stages
from tests.codegen.driving import Driver

_RUNS = {}


def run_of(kernel, formats, contract=False):
    """Return what runs a kernel; those of the same kernel share it."""
    key = (kernel, formats, contract)
    if key not in _RUNS:
        _RUNS[key] = emulated(kernel, formats, contract)
    return _RUNS[key]


class Table:
    """Tensors whose streams share their formats: one launch."""

    def __init__(self, kernel, arrays, rows):
        self.formats = tuple(stream[0].dtype.name for stream in arrays)
        self.sizes = np.array([array.size for array in arrays[0]], np.int64)
        self.rows = np.array(rows, np.int64)
        self.addresses = np.array([[a.ctypes.data for a in stream] for stream in arrays]).T.copy()
        self.owners, self.chunks, self.firsts = blocks(self.sizes, kernel.chunk(self.formats))


class EmulatedDriver(Driver):
    """Takes steps with emulated kernels, as a runtime does with a device.

    Tensors of several dtypes are several launches, whose partial sums lie one behind the other.
    """

    contract = False

    def run(self, program, gradient, moves=True):
        self.tables, self.partials = None, None
        wrapped = [self._wrapped(stage, program, place) for place, stage in enumerate(program)]
        return super().run(wrapped, gradient, moves)

    def bind(self, stage):
        class Nothing:
            chunks = 0

        return Nothing()

    def _wrapped(self, stage, program, place):
        if isinstance(stage, stages.Pass):
            def function(*_):
                self._pass(stage)
        elif isinstance(stage, stages.Combine):
            def function(*_):
                self._finish(stage, next((s for s in program[place:] if isinstance(s, stages.Pass)), None))
        else:
            return stage
        from dataclasses import replace
        return replace(stage, function=function)

    def _bound(self, stage):
        kernel = stage.function.kernel
        by_format = {}
        for index in range(len(self.thetas)):
            names = tuple(self.streams[stream][index].dtype for stream in stage.streams)
            by_format.setdefault(names, []).append(index)
        return [
            Table(kernel, [[self.streams[s][i] for i in members] for s in stage.streams], members)
            for members in by_format.values()
        ]

    def _numbers(self, formats):
        cohort, scalars, tensor, everything = self.numbers()
        self.kept = [cohort, scalars.astype(real_of(formats)), scalars.copy()]
        return [array.ctypes.data for array in (*self.kept, tensor, everything)]

    def _pass(self, stage):
        self.tables = self._bound(stage)
        total = sum(len(table.owners) for table in self.tables)
        self.partials = np.full((total, stage.reductions), np.nan)
        begin = 0
        for table in self.tables:
            count = len(table.owners)
            partials = self.partials[begin : begin + count]
            run = run_of(stage.function.kernel, table.formats, self.contract)
            given = [table.owners, table.chunks, table.sizes, table.addresses, table.rows]
            run(count, *(each.ctypes.data for each in given), *self._numbers(table.formats),
                partials.ctypes.data)
            begin += count

    def _finish(self, stage, behind):
        tables = self.tables if self.tables is not None else self._bound(behind)
        partials = self.partials if self.partials is not None else np.zeros((0, 0))
        begins = np.cumsum([0, *(len(table.owners) for table in tables)])
        firsts = np.concatenate([t.firsts[:-1] + b for t, b in zip(tables, begins[:-1])] + [begins[-1:]])
        sizes = np.concatenate([table.sizes for table in tables])
        rows = np.concatenate([table.rows for table in tables])
        cohort, _, exactly, tensor, everything = self._numbers(("float64",))
        finish = stage.function
        for kernel, count in ((finish.of_all, 1), (finish.of_tensor, len(sizes))):
            if kernel is not None:
                run_of(kernel, (), self.contract)(
                    count, firsts.ctypes.data, sizes.ctypes.data, len(sizes), int(sizes.sum()),
                    rows.ctypes.data, cohort, exactly, tensor, everything, partials.ctypes.data)
