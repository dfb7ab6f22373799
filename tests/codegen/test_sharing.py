"""Threads that share a kernel: who may call it from where, and what it does to tiny numbers."""

import hashlib
import multiprocessing
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

import optdsl
from optdsl.codegen.support import threads

SIZE = 200_003  # many chunks, more than one thread is given alone

two_threads = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")


def stepped(count=3, size=SIZE):
    """Return what Adam makes of some steps, from the same numbers each time."""
    random = np.random.default_rng(0)
    w, g = (random.normal(size=size).astype(np.float32) for _ in range(2))
    optimizer = optdsl.load("ClipByGlobalNorm | Adam")([w], c=1.0)
    for _ in range(count):
        optimizer.step([g])
    return w.tobytes()


def test_several_threads_step_at_once():
    expected = stepped()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: stepped(), range(12))) == {expected}


def test_a_step_within_a_parallel_region():
    expected = stepped()
    found = {}

    def step(place):
        found[place] = stepped()

    @numba.njit(parallel=True)
    def region(count):
        for place in numba.prange(count):
            with numba.objmode():
                step(place)

    region(4)
    assert [found[place] for place in range(4)] == [expected] * 4


def hash_of(data):
    return hashlib.sha256(data).hexdigest()


def _in_child(queue):
    queue.put(hash_of(stepped()))


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_step_after_a_fork():
    expected = stepped()  # helpers have been started, and are not in the child
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(queue,))
    with threads._CREW.busy:  # as if another thread stepped at that moment
        child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get() == hash_of(expected)


def test_the_process_ends_while_helpers_wait():
    code = (
        "import numpy as np, optdsl\n"
        "w = np.zeros(200_003); optdsl.load('Momentum')([w], gamma=0.9).step([np.ones(200_003)])"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@two_threads
def test_helpers_take_their_share_and_an_error_of_theirs_is_told():
    seen = set()

    both = threading.Barrier(2)

    def kernel():
        both.wait(10)
        seen.add(threading.get_ident())
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("of a helper")

    before = numba.get_num_threads()
    numba.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="of a helper"):
            threads.share(kernel, np.zeros(3), 100, False)
    finally:
        numba.set_num_threads(before)
    assert len(seen) == 2


@two_threads
def test_a_helper_that_comes_late_keeps_nobody_waiting():
    hold, held = threading.Event(), threading.Event()

    def slow():
        if threading.current_thread() is not threading.main_thread():
            held.set()
            hold.wait(10)

    queue = threads._CREW.wanted(1)[0]
    queue.put(threads._Task(slow))
    held.wait(10)
    worked = []
    threads.share(lambda: worked.append(1), np.zeros(3), 100, False)
    hold.set()
    assert worked == [1]


def test_the_interpreter_is_free_during_a_step():
    counted, over = [0], threading.Event()

    def count():
        while not over.is_set():
            counted[0] += 1
            time.sleep(0)

    w = np.zeros(20_000_000, np.float32)
    g = np.ones_like(w)
    optimizer = optdsl.load("Momentum")([w], gamma=0.9)
    optimizer.step([g])
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nobody gives the interpreter away but who lets go of it
    thread = threading.Thread(target=count)
    try:
        thread.start()
        before = counted[0]
        optimizer.step([g])
        during = counted[0] - before
    finally:
        over.set()
        sys.setswitchinterval(interval)
        thread.join()
    assert during > 0


# ------------------------------------------------------------------- tiny numbers

TINY = {np.float32: 1e-39, np.float64: 1e-310}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [5, SIZE])
def test_an_average_of_vanished_gradients_reaches_zero(dtype, size):
    w, g = np.zeros(size, dtype), np.ones(size, dtype)
    optimizer = optdsl.load("Momentum")([w], gamma=0.5, lr=1.0)
    optimizer.step([g])
    g[:] = 0
    least = np.finfo(dtype).tiny
    for _ in range(1100):
        optimizer.step([g])
        v = optimizer.state_dict()["entries"]["v"]["0"]
        assert not np.any((v != 0) & (np.abs(v) < least))
        if not v.any():
            break
    assert not v.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiny_numbers_count_as_zero_in_a_kernel_and_nowhere_else(dtype):
    w, g = np.full(SIZE, TINY[dtype], dtype), np.full(SIZE, TINY[dtype], dtype)
    optdsl.load("SGD")([w], lr=1.0).step([g])
    assert not w.any()
    assert np.all(g * dtype(1) == g)
    assert g.all()
