"""What contraction changes in a pass, held to what it may."""

from functools import partial

import numpy as np

from optdsl.model.expressions import Kind
from optdsl.runtime import layout as stages
from tests.codegen.cuda.carrying import MOST, Carrying, drawn


class Audit:
    """Compares kernels with contraction to those without it, and to the CPU target with it.

    `changed` counts the entries that differ at all, `beyond` those that do by more than 2 units
    in the last place of what is stored; these are allowed what `Carrying` says, of which `used`
    is the largest part that was found. `doubted` hang on a comparison.
    """

    def __init__(self, unit, mode, device, cpu):
        self.unit = unit
        self.bind = cpu.bind
        passes = [[s for s in getattr(layout, mode) if isinstance(s, stages.Pass)]
                  for layout in (device, cpu)]  # fmt: skip
        rows = list(zip(getattr(unit, mode).passes, *passes, strict=True))
        self.planned = {there.function.kernel: plan for plan, there, _ in rows}
        self.twins = {there.function.kernel: here for _, there, here in rows}
        self.changed = self.beyond = self.doubted = 0
        self.used = 0.0

    def on_cpu(self, driver, stage):
        """Run a pass on the CPU target; return what it wrote."""
        twin = self.twins[stage.function.kernel]
        arrays = [driver.streams[stream] for stream in twin.streams]
        table = self.bind(arrays, range(len(driver.thetas)))
        twin.function(table, *driver.numbers(), np.zeros((table.chunks, twin.reductions)))
        return {name: driver.pools[name].copy() for name in stage.writes}

    @np.errstate(all="ignore")
    def compare(self, driver, stage, before, fused, here):
        """Look at all that a pass wrote: with contraction, on the CPU with it, and without."""
        for name in stage.writes:
            plain, there = driver.pools[name], fused[name]
            allowed = MOST * np.spacing(abs(plain))
            apart = np.fmax(abs(there - plain), abs(there - here[name]))
            self.changed += np.count_nonzero(apart)
            alike = np.isnan(plain) == np.isnan(there)
            far = np.flatnonzero(~((apart <= allowed) | np.isinf(plain) | np.isnan(plain)) | ~alike)
            self.beyond += len(far)
            if len(far):
                self._hold(apart[far], self._changes(driver, stage, before, name, far))

    def compare_sums(self, there, plain):
        """Hold sums over a block to those without contraction: each term changed by little."""
        scale = np.max(np.abs(plain), axis=0, initial=0)
        close = np.isclose(there, plain, rtol=1e-5, atol=1e-6 * np.where(scale < np.inf, scale, 0))
        assert np.all(close), "a sum is another with contraction"

    def _hold(self, apart, changes):
        known = np.isfinite(changes)
        self.doubted += np.count_nonzero(~known)
        used = np.where(known, apart / changes, 0.0)
        self.used = max(self.used, float(np.where(np.isnan(used), np.inf, used).max()))

    def _changes(self, driver, stage, before, name, far):
        """Return how much may have changed at some places of the stretch of memory of a stream."""
        places, slots, plan = driver.places, self.unit.slots, self.planned[stage.function.kernel]
        tensors = np.searchsorted(places.begins, far, side="right") - 1
        entries = far - places.begins[tensors] - places.shift(tensors, name)
        assert np.all((entries >= 0) & (entries < places.sizes[tensors])), "a gap was written to"
        loaded = {}
        for stream in {load.stream for load in plan.loads}:
            begins = places.begins[tensors] + places.shift(tensors, stream)
            loaded[stream] = before[stream][begins + entries].astype(float)

        def read(value):
            if value.kind is Kind.TENSOR:
                return driver.tensor[tensors, slots.tensor[value.name]]
            if value.kind is Kind.ALL:
                return driver.everything[slots.everything[value.name]]
            return driver.scalars[0, slots.scalars[value]]

        draw = partial(drawn, driver, self.unit, tensors=tensors, entries=entries)
        found = Carrying(places.dtype, loaded, read, draw).stored(plan)[name]
        return np.broadcast_to(found.by, far.shape)
