"""More entries than 32 bits can count, in little memory: one file, mapped again and again."""

import ctypes
import mmap
import os
import sys

import numba
import numpy as np
import pytest

import optdsl

ENTRIES = 2**31 + 3 * 4096 + 5
FILE = 2**24  # bytes
FIXED, NORESERVE = 0x10, 0x4000  # as Linux numbers them

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="maps a file as Linux does")


@pytest.fixture
def mapped():
    """Return what maps so many float32, all zero; with a file, its entries come again and again."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    length = -(-4 * ENTRIES // FILE) * FILE
    places = []

    def make(file):
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
        begin = library.mmap(None, length, writable, flags, -1, 0)
        if begin == ctypes.c_void_p(-1).value:
            pytest.skip("so much cannot be mapped here")
        places.append(begin)
        for offset in range(0, length, FILE) if file is not None else ():
            library.mmap(begin + offset, FILE, writable, mmap.MAP_SHARED | FIXED, file, 0)
        return np.frombuffer((ctypes.c_char * (4 * ENTRIES)).from_address(begin), np.float32)

    yield make
    for place in places:
        library.munmap(place, length)


@linux
@pytest.mark.slow
def test_entries_beyond_32_bits_are_reached(mapped, tmp_path):
    file = os.open(tmp_path / "theta", os.O_RDWR | os.O_CREAT)
    os.truncate(file, FILE)
    theta, g = mapped(file), mapped(None)
    place = ENTRIES - 2
    g[place] = 3.0
    before = numba.get_num_threads()
    numba.set_num_threads(1)  # an entry of theta has many places, which threads would overwrite
    try:
        optdsl.load("ClipByGlobalNorm(c=1) | SGD")([theta], lr=0.5).step([g])
    finally:
        numba.set_num_threads(before)
        os.close(file)
    assert theta[place] == -0.5
    assert np.flatnonzero(theta[: FILE // 4]).tolist() == [place % (FILE // 4)]
