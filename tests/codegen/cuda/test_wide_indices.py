"""Tensors of more than 2^32 entries: what a block far behind works on, without what lies before.

Arrays are said to begin far before the memory that there is, and the one block that runs is one
that reaches just that.
"""

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.support.cuda.tables import Tiles
from optdsl.codegen.support.cuda.words import THREADS, WARP, WARPS
from optdsl.library import load_rule
from tests.codegen.cuda.launching import kernels_of, run_of

LANES = 4


def launch(kernel, layout, arrays, chunk, extent):
    """Run one block; `arrays` are addresses."""
    numbers = [np.full((1, max(1, n)), 0.5) for n in (layout.scalars, layout.tensor)]
    tables = [np.array(each, np.int64) for each in ([0], [chunk], extent, arrays, [0], [0])]
    given = [*tables, numbers[0].astype(np.float32), *numbers, np.zeros(8), np.zeros(8)]
    run_of(kernel, ("float32",) * len(arrays))(1, *(each.ctypes.data for each in given))


@pytest.mark.parametrize("rule", ["SGD", "SGLD"])
def test_entries_beyond_32_bits(rule):
    layout = compile_system(load_rule(rule), "numba-cuda")
    [kernel] = [kernel for kernel, stage in kernels_of(layout) if stage is not None]
    found = []
    for chunk in (0, 2**32 // (LANES * THREADS)):
        begin = chunk * LANES * THREADS
        arrays = [np.ones(37, np.float32) for _ in range(2)]
        far = [array.ctypes.data - 4 * begin for array in arrays]
        launch(kernel, layout, far, chunk, [begin + 37])
        found.append(arrays[0])
    assert not np.array_equal(found[0], np.ones(37))
    assert np.array_equal(*found) == (rule == "SGD"), "every entry has draws of its own"


def test_rows_beyond_32_bits():
    layout = compile_system(load_rule("Adafactor"), "numba-cuda")
    *_, (kernel, stage) = [each for each in kernels_of(layout) if each[0].kind == "tiles"]
    tall, width = stage.bind.height, 65_544
    assert stage.bind == Tiles(tall)
    strips = -(-width // (WARP * LANES))
    found = []
    for first in (0, 65_536):
        chunk = first // tall * strips // WARPS
        before = {"theta": first * width, "g": first * width, "R": first, "C": 0}
        arrays = {name: np.ones(2 * tall * width, np.float32) for name in before}
        far = [arrays[s].ctypes.data - 4 * before[s] for s in stage.streams]
        launch(kernel, layout, far, chunk, [first + 2 * tall, width, tall])
        found.append(arrays["theta"])
    assert not np.array_equal(found[0], np.ones_like(found[0]))
    assert np.array_equal(*found)
