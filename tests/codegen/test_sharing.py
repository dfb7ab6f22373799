"""Threads that share a kernel: who may call it from where, and what it does to tiny numbers."""

import ctypes
import hashlib
import multiprocessing
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numba
import numpy as np
import pytest
from llvmlite import binding

import optdsl
from optdsl.codegen.support import kernels, machine_code, registers, threads
from optdsl.codegen.support.attending import helpers_code
from optdsl.codegen.support.jobs import Helpers, Job
from optdsl.codegen.support.processor import target_machine

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
def test_no_helper_looks_for_work_when_the_process_ends():
    code = (
        "import atexit, numpy as np\n"
        "def tell():\n"
        "    print(*threads._CREW._boxes[:1, 0])\n"
        "atexit.register(tell)  # runs after what is registered later\n"
        "import optdsl\n"
        "from optdsl.codegen.support import threads\n"
        "w = np.zeros(200_003); optdsl.load('Momentum')([w], gamma=0.9).step([np.ones(200_003)])"
    )
    run = [sys.executable, "-c", code]
    ended = subprocess.run(run, check=True, timeout=120, capture_output=True, text=True)
    assert ended.stdout.strip() == str(int(threads.State.ASLEEP))


@pytest.fixture(scope="module")
def job_of():
    """Return what makes a job of a function that returns 0, or another number if it fails."""
    engine = binding.create_mcjit_compiler(
        binding.parse_assembly(helpers_code(registers.this_machine(), "test_")), target_machine()
    )
    helpers = Helpers(lambda name: engine.get_function_address(f"test_{name}"))
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    kept = (
        machine_code._ENGINES
    )  # as for kernels: helpers may use the code for as long as they live
    kept.append(engine)

    def make(function, mask=-1):
        kept.append(kind(lambda *_: function()))
        place = ctypes.cast(kept[-1], ctypes.c_void_p).value
        return Job(helpers, place, (0, 0, 0), mask)

    return make


@pytest.fixture
def two():
    before = numba.get_num_threads()
    numba.set_num_threads(2)
    yield
    numba.set_num_threads(before)


@two_threads
@pytest.mark.parametrize("failing", ["helper", "owner", None])
def test_helpers_take_their_share_and_an_error_is_told(two, job_of, failing):
    seen = set()
    both = threading.Barrier(2)

    def kernel():
        both.wait(10)
        who = threading.current_thread() is threading.main_thread()
        seen.add(who)
        return who is {"helper": False, "owner": True}.get(failing)

    job = job_of(kernel)
    for _ in range(3):  # a helper that failed serves on
        seen.clear()
        if failing is None:
            threads.share(job, np.zeros(3), 100, False)
        else:
            with pytest.raises(RuntimeError, match="kernel failed"):
                threads.share(job, np.zeros(3), 100, False)
        assert seen == {True, False}


def test_an_error_of_one_who_works_alone_is_told(job_of):
    with pytest.raises(RuntimeError, match="kernel failed"):
        threads.share(job_of(lambda: 1), np.zeros(3), 1, False)
    threads.share(job_of(lambda: 1, mask=0), np.zeros(3), 1, False)


@two_threads
def test_nobody_returns_while_a_helper_works(two, job_of):
    both, over = threading.Barrier(2), []

    def kernel():
        both.wait(10)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.1)  # longer than its owner looks out for the end
            over.append(1)
        return 0

    threads.share(job_of(kernel), np.zeros(3), 100, False)
    assert over == [1]


@two_threads
@pytest.mark.parametrize("pause", [0.0, 0.02])  # helpers still look, or have gone to sleep
def test_a_helper_that_comes_late_keeps_nobody_waiting(two, job_of, pause):
    crew = threads._CREW
    threads.share(job_of(lambda: 0), np.zeros(3), 100, False)
    time.sleep(pause)
    worked = []
    wakes, held = crew.wakes[0], SimpleQueue()
    crew.wakes[0] = held  # as if nobody woke
    try:
        for _ in range(3):
            threads.share(job_of(lambda: worked.append(1) or 0), np.zeros(3), 100, False)
    finally:
        crew.wakes[0] = wakes
        while not held.empty():
            wakes.put(held.get())
    assert len(worked) in ({3} if pause else range(3, 7))
    both = threading.Barrier(2)
    threads.share(job_of(lambda: both.wait(10) * 0), np.zeros(3), 100, False)  # it is back


class _Interrupted:
    """Wakes a helper, but for the first time."""

    def __init__(self, wakes):
        self.wakes, self.interrupted = wakes, False

    def put(self, _):
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        self.wakes.put(None)


@two_threads
def test_a_helper_is_not_forgotten_after_an_interrupt(two, job_of):
    crew = threads._CREW
    threads.share(job_of(lambda: 0), np.zeros(3), 100, False)
    time.sleep(0.05)  # until it sleeps
    wakes = crew.wakes[0]
    crew.wakes[0] = _Interrupted(wakes)
    try:
        with pytest.raises(KeyboardInterrupt):
            threads.share(job_of(lambda: 0), np.zeros(3), 100, False)
    finally:
        crew.wakes[0] = wakes
    both = threading.Barrier(2)
    threads.share(job_of(lambda: both.wait(10) * 0), np.zeros(3), 100, False)
    crew.rest()
    assert crew._boxes[0, threads.STATE] == threads.State.ASLEEP


@two_threads
def test_an_interrupt_while_a_helper_works_waits_for_its_end(two, job_of, monkeypatch):
    begun, may_end, ended, naps = threading.Event(), threading.Event(), [], [0]

    def kernel():
        if threading.current_thread() is threading.main_thread():
            assert begun.wait(10)
        else:
            begun.set()
            assert may_end.wait(10)
            ended.append(1)
        return 0

    def nap(seconds):
        naps[0] += 1
        if naps[0] == 1:
            raise KeyboardInterrupt
        may_end.set()
        time.sleep(seconds)

    monkeypatch.setattr(threads, "sleep", nap)
    monkeypatch.setattr(threads, "_LOOKS", 0)
    with pytest.raises(KeyboardInterrupt):
        threads.share(job_of(kernel), np.zeros(3), 100, False)
    assert ended
    assert threads._CREW._boxes[0, threads.STATE] != threads.State.TAKEN


def test_a_piece_of_compiled_code_refuses_python():
    with pytest.raises(TypeError, match="`fill` is called from compiled code alone"):
        kernels.fill(np.zeros(3), 1.0)


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
