"""Steps of a rule over every length and every misalignment at once: kernels for CUDA, and the CPU.

All tensors are in one table, so that a single step does all. The arrays of a stream lie in one
stretch of memory, with gaps, which are compared too: nobody may write there.
"""

from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np

from optdsl.codegen import compile_system
from optdsl.codegen.support import compiling
from optdsl.codegen.support.cuda.emulation import without_contraction
from optdsl.runtime import layout as stages
from tests.codegen.cuda.launching import EmulatedDriver
from tests.codegen.driving import Driver

LENGTHS = range(71)
LONG = 1_000_003
#: The bytes of the longest access.
_BORDER = 16
_NOISE = {}


class Places:
    """Where the arrays of each stream begin, in entries behind a border of 16 bytes.

    Each length has tensors whose arrays all begin on a border; of which one begins behind it, by
    each number; all by the same; and all by numbers that differ. The longest tensors are few.
    """

    def __init__(self, streams, dtype, lengths=LENGTHS, long=LONG):
        self.streams, self.dtype = streams, np.dtype(dtype)
        moved = range(1, 2 if dtype == "float64" else 4)
        count = len(streams)
        even = [[0] * count]
        apart = [[(i + by) % (len(moved) + 1) for i in range(count)] for by in moved]
        alone = [[by * (i == j) for i in range(count)] for j in range(count) for by in moved]
        alike = [[by] * count for by in moved]
        each = [(n, shifts) for shifts in even + apart + alone + alike for n in lengths]
        each += [(long, shifts) for shifts in even + apart if long]
        self.lengths = [n for n, _ in each]
        self.sizes = np.array(self.lengths)
        self.shifts = np.array([shifts for _, shifts in each])
        rooms = -(-(self.sizes + _BORDER) // _BORDER) * _BORDER
        self.begins = np.cumsum([0, *rooms])
        self.total = int(self.begins[-1])

    def pool(self, dtype):
        """Return room for all arrays of a stream."""
        dtype = np.dtype(dtype)
        room = np.zeros(self.total + _BORDER, dtype)
        skipped = -room.ctypes.data % _BORDER // dtype.itemsize
        return room[skipped : skipped + self.total]

    def views(self, pool, stream):
        """Return the arrays of a stream."""
        begins = self.begins[:-1] + self.shifts[:, self.streams.index(stream)]
        pairs = zip(begins.tolist(), self.lengths, strict=True)
        return [pool[begin : begin + length] for begin, length in pairs]

    def shift(self, tensors, stream):
        """Return how far behind a border the arrays of a stream begin, for some tensors."""
        return self.shifts[tensors, self.streams.index(stream)]

    def noise(self, seed):
        """Return random numbers, from a row of them that is made once."""
        known = _NOISE.get(self.dtype)
        if known is None or len(known) < self.total + 64:
            random = np.random.default_rng(3)
            known = random.standard_normal(self.total + 64, np.float32).astype(self.dtype)
            _NOISE[self.dtype] = known
        return known[seed : seed + self.total]


def streams_of(layout):
    """Return the names of all arrays that a rule has, gradients too."""
    asked = [stage.gradient for stage in layout.function if isinstance(stage, stages.Ask)]
    states = [state.name for state in layout.states if state.kind == "entry"]
    return list(dict.fromkeys(["theta", *(asked or ["g"]), *states, *layout.buffers]))


class Pooled:
    """A driver whose arrays lie where `places` says."""

    def settle(self, places):
        """Let all streams lie in stretches of memory, with the values that they have."""
        self.places, self.pools = places, {}
        for name in places.streams:
            old = self.streams.get(name)
            dtype = old[0].dtype if old else places.dtype
            pool = self.pools[name] = places.pool(dtype)
            views = places.views(pool, name)
            for view, values in zip(views, old or [], strict=bool(old)):
                view[...] = values
            self.streams[name] = views
        self.thetas = self.streams["theta"]

    def take(self, mode, t):
        """Take step number t."""

        def gradient(name, points):
            self.pools[name][...] = self.places.noise(7 * t + len(name))
            return self.streams[name]

        return self.step(gradient, mode)


class Leading(Pooled, Driver):
    """Steps on the CPU, which note the numbers of tensors as they come to be known."""

    def run(self, program, gradient, moves=True):
        self.noted = []
        return super().run([self._noting(stage) for stage in program], gradient, moves)

    def _noting(self, stage):
        if not isinstance(stage, stages.Combine):
            return stage

        def combine(*given):
            stage.function(*given)
            self.noted.append((self.tensor.copy(), self.everything.copy()))

        return replace(stage, function=combine)


class Following(Pooled, EmulatedDriver):
    """Steps of kernels for CUDA. Numbers of tensors are compared, and then taken from the CPU.

    Sums have an order of their own there; what comes of them must not. With an `audit`, each pass
    runs with contraction too, from where it begins.
    """

    leader, audit = None, None

    def run(self, program, gradient, moves=True):
        self._coming = iter(self.leader.noted)
        return super().run(program, gradient, moves)

    def _finish(self, finish, behind):
        super()._finish(finish, behind)
        for mine, theirs in zip((self.tensor, self.everything), next(self._coming), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9)
            mine[...] = theirs

    def _pass(self, stage):
        if self.audit is None:
            return super()._pass(stage)
        before = {name: self.pools[name].copy() for name in stage.streams}
        self.contract = True
        super()._pass(stage)
        self.contract = False
        fused = {name: self.pools[name].copy() for name in stage.writes}
        sums = self.partials
        self._restore(before)
        here = self.audit.on_cpu(self, stage)
        self._restore(before)
        super()._pass(stage)
        self.audit.compare(self, stage, before, fused, here)
        self.audit.compare_sums(sums, self.partials)

    def _restore(self, before):
        for name, pool in before.items():
            self.pools[name][...] = pool


def compiled_once(monkeypatch, folder):
    """Let kernels be compiled for the CPU once, for steps with contraction and without.

    Return what compiles a rule: `cpu(rule, contract)`.
    """
    made, compile_kernel = {}, compiling.compile_kernel
    how = {"contract": True}

    def known(kernel, formats):
        source = Path(kernel.function.__code__.co_filename).read_bytes()
        key = source, kernel.function.__name__, tuple(zero.dtype.name for zero in formats)
        if key not in made:
            made[key] = compile_kernel(kernel, formats)
        code = made[key]
        return code if how["contract"] else replace(code, text=without_contraction(code.text))

    def cpu(of, contract=False):
        how["contract"] = contract
        monkeypatch.setenv("OPTDSL_CACHE_DIR", str(folder / f"contract {contract}"))
        return compile_system(of, "numba-cpu")

    monkeypatch.setattr(compiling, "compile_kernel", known)
    return cpu


def driver_of(kind, layout, places):
    """Return a driver whose arrays lie where `places` says."""
    slots = layout.hyperparameters
    given = {slot.local_name: 0.5 for slot in slots if slot.default is None}
    driver = kind(layout, places.views(places.noise(0).copy(), "theta"), lambda t: given)
    driver.settle(places)
    return driver


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, name))
