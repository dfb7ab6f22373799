"""Run by test_simulated.py in a process of its own, with NUMBA_ENABLE_CUDASIM=1.

Numba's simulator runs every thread of a block as a thread of Python, with barriers and shared
memory. It knows no intrinsics: loads, stores and arithmetic are given as plain Python.
"""

import ctypes
import sys
import threading

import numpy as np

import optdsl
from optdsl.codegen import compile_system
from optdsl.codegen.support.cuda import threads
from optdsl.codegen.support.cuda.words import THREADS, WARP, WARPS
from optdsl.cuda import driver, programs
from optdsl.library import shipped
from tests.codegen.cuda import launching
from tests.codegen.interpreting import Interpreter
from tests.codegen.test_rules import compare, wavy
from tests.cuda import fake_driver
from tests.cuda.fake_driver import FakeDriver
from tests.program.systems import system

NUMBERS = {"float32": ctypes.c_float, "float64": ctypes.c_double, "int64": ctypes.c_int64}


def name_of(form):
    return form if isinstance(form, str) else np.dtype(form).name


def cell(form, address, index):
    kind = NUMBERS[name_of(form)]
    return kind.from_address(int(address) + int(index) * ctypes.sizeof(kind))


def read(form, address, index):
    return np.dtype(name_of(form)).type(cell(form, address, index).value)


def write(form, address, index, value):
    cell(form, address, index).value = value


def load_some(real, form, address, index, count):
    lanes = 16 // np.dtype(real).itemsize
    present = [real(read(form, address, index + lane)) for lane in range(min(lanes, count))]
    return present + [real(0)] * (lanes - len(present))


def load(real, form, address, index):
    return load_some(real, form, address, index, 16)


def store_some(form, address, index, count, values):
    for lane, value in enumerate(values[: int(count)]):
        write(form, address, index + lane, value)


def put(values, lane, value):
    return [*values[:lane], value, *values[lane + 1 :]]


def smaller(a, b):
    return a if a < b or a != a else b


def larger(a, b):
    return a if a > b or a != a else b


def passing(combined):
    """Return what folds a number a thread of a warp, by halves, in lists of what threads have."""
    thread_index = threads.cuda.jit(threads.thread_index, device=True)
    warps = [(threading.Barrier(WARP), [None] * WARP) for _ in range(WARPS)]

    def of_warp(x):
        here = int(thread_index())
        (barrier, given), place = warps[here // WARP], here % WARP
        width = WARP // 2
        while width > 0:
            given[place] = x
            barrier.wait()
            x = combined(x, given[(place + width) % WARP])
            barrier.wait()
            width //= 2
        return x

    return of_warp


def folding(name, combined):
    of_warp = passing(combined)
    of_block = threads.cuda.jit(threads.folding(combined, of_warp), device=True)
    return {f"{name}_of_warp": of_warp, f"{name}_of_block": of_block}


def words(real):
    return {
        "warp_index": threads.cuda.jit(threads.warp_index, device=True),
        "thread_of_warp": threads.cuda.jit(threads.thread_of_warp, device=True),
        **folding("sum", lambda a, b: a + b),
        **folding("least", smaller), **folding("greatest", larger),
        "repeated": lambda lanes, value: [value] * lanes,
        "block_index": threads.cuda.jit(threads.block_index, device=True),
        "thread_index": threads.cuda.jit(threads.thread_index, device=True),
        "read": read, "read_changing": read, "write": write, "load": load,
        "load_constant": load, "load_some": load_some, "store_some": store_some,
        "store": lambda form, address, index, values: store_some(form, address, index, 16, values),
        "is_aligned": lambda real, form, address: address % 16 == 0,
        "nothing": lambda real: [real(0)] * (16 // np.dtype(real).itemsize),
        "one_by_one": lambda lanes: lanes,
        "get": lambda values, lane: values[lane], "put": put,
        "sqrt": np.sqrt, "square": lambda x: x * x, "where": lambda c, a, b: a if c else b,
        "minimum": smaller, "maximum": larger, "isfinite": np.isfinite,
    }  # fmt: skip


def run_of(kernel, formats, contract=False):
    launch = threads.cuda.jit(kernel.function(formats, words))
    return lambda count, *given: launch[count, THREADS](*given)


def start():
    random = np.random.default_rng(2)
    return [random.normal(size=size).astype(np.float32) for size in (5, 0, 8_195)]


def step_rows(rule):
    """Step a rule of rows and columns by the runtime for cards, beside the reference."""
    fake = FakeDriver()
    driver.driver_module = lambda: fake
    programs.compiled = fake.compiled
    fake_driver._emulated = run_of
    random = np.random.default_rng(2)
    starts = [random.normal(size=shape).astype(np.float32) for shape in ((70, 131), (5,), (0,))]
    theirs, ours = [fake_driver.CardArray(each) for each in starts], [x.copy() for x in starts]
    on_card, on_cpu = optdsl.load(rule, "cuda")(theirs), optdsl.load(rule, "reference")(ours)
    for _ in range(2):
        gradients = [random.normal(size=x.shape).astype(np.float32) for x in starts]
        on_card.step([fake_driver.CardArray(each) for each in gradients])
        on_cpu.step(gradients)
    for card, host in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(card.values, host, rtol=1e-5, atol=1e-6)


def main(name):
    if name in shipped():
        step_rows(name)
        return
    launching.run_of = run_of
    of = system(name)
    driver = launching.EmulatedDriver(compile_system(of, "numba-cuda"), start())
    oracle = Interpreter(of, start())
    for _ in range(2):
        driver.step(wavy)
        oracle.step(wavy)
    compare(driver, oracle, np.float32)


if __name__ == "__main__":
    main(sys.argv[1])
