"""Storage formats, number by number: kernels, the reference, and ml_dtypes agree."""

import re

import ml_dtypes
import numpy as np
import pytest
from numba import njit, types, vectorize
from numba.extending import intrinsic

from optdsl.codegen import compile_system, emit
from optdsl.codegen.inspection import is_vectorized, llvm_text, runs_on_vectors
from optdsl.codegen.support import blocks, formats
from optdsl.codegen.support.blocks import close_blocks, open_blocks, room
from optdsl.codegen.support.draws import entry_words
from optdsl.codegen.support.kernels import view
from optdsl.library import load_rule
from optdsl.model.storing import with_storage
from optdsl.runtime.formats import bits_of, load, store, stored_shape
from optdsl.storage import known_storage

BFLOAT16, FLOAT16 = np.dtype(ml_dtypes.bfloat16), np.dtype(np.float16)
ZEROS = {BFLOAT16: np.uint16(0), FLOAT16: np.int16(0)}
NARROW = pytest.mark.parametrize("dtype", [BFLOAT16, FLOAT16], ids=str)
PATTERNS = np.arange(2**16, dtype=np.uint32).astype(np.uint16)


@njit
def copied(source, zero, target, like, count):
    numbers, copies = view(source, count, zero), view(target, count, like)
    for i in range(count):
        copies[i] = numbers[i]


def widened(array, dtype=np.float32):
    """Return 16-bit numbers as a kernel reads them."""
    found = np.zeros(array.size, dtype)
    copied(
        array.ctypes.data, ZEROS[array.dtype], found.ctypes.data, found.dtype.type(0), array.size
    )
    return found


def rounded(numbers, dtype):
    """Return numbers as a kernel writes them in 16 bits."""
    numbers = np.ascontiguousarray(numbers)
    found = np.zeros(numbers.size, dtype)
    zero = numbers.dtype.type(0)
    copied(numbers.ctypes.data, zero, found.ctypes.data, ZEROS[dtype], numbers.size)
    return found


def dense():
    """Return numbers of float32 of every exponent and both signs, ties and their neighbours."""
    high = np.arange(0, 2**16, 7, dtype=np.uint32) << np.uint32(16)
    low = [0, 1, 0x0FFF, 0x1000, 0x1001, 0x3000, 0x7FFF, 0x8000, 0x8001, 0xFFFF]
    bits = (high[:, None] + np.array(low, np.uint32)).reshape(-1)
    drawn = np.random.default_rng(5).integers(0, 2**32, 500_000, dtype=np.uint32)
    halves = (np.arange(1 << 11, dtype=np.float32) + np.float32(0.5)) * np.float32(2.0**-24)
    edges = np.array([65504, 65519.996, 65520, 3.3895314e38, 3.3961776e38, np.inf], np.float32)
    every = [bits.view(np.float32), drawn.view(np.float32), halves, -halves, edges, -edges]
    return np.concatenate(every)


def assert_alike(found, expected):
    """Both are the same bit for bit, but for what kind of NaN there is."""
    lost = np.isnan(expected.astype(np.float32))
    np.testing.assert_array_equal(np.isnan(found.astype(np.float32)), lost)
    np.testing.assert_array_equal(found.view(np.uint16)[~lost], expected.view(np.uint16)[~lost])


@NARROW
def test_every_pattern_is_read_as_it_is_and_written_back(dtype):
    numbers = PATTERNS.view(dtype)
    wide = widened(numbers)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(wide, numbers.astype(np.float32))
    assert_alike(rounded(wide, dtype), numbers)


def in_whole_numbers(kind):
    """Return what widens and what rounds without the instructions that processors may have."""

    @intrinsic
    def wide(typing, half):
        def build(context, builder, signature, arguments):
            return formats.WIDENED[kind](builder, arguments[0])

        return types.float32(types.uint16), build

    @intrinsic
    def narrow(typing, number):
        def build(context, builder, signature, arguments):
            return formats.ROUNDED[kind](builder, arguments[0])

        return types.uint16(number), build

    return vectorize(["float32(uint16)"])(lambda half: wide(half)), vectorize(
        ["uint16(float32)", "uint16(float64)"]
    )(lambda number: narrow(number))


@NARROW
def test_no_instruction_is_needed(dtype):
    wide, narrow = in_whole_numbers(str(dtype))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wide(PATTERNS), PATTERNS.view(dtype).astype(np.float32))
        assert_alike(narrow(dense()).view(dtype), dense().astype(dtype))


@NARROW
def test_every_pattern_survives_the_reference(dtype):
    numbers = PATTERNS.view(dtype)
    with np.errstate(invalid="ignore"):
        wide = load(str(dtype), numbers, numbers.shape)
        kept = np.zeros_like(numbers)
        store(str(dtype), kept, wide)
    assert_alike(kept, numbers)


@NARROW
def test_rounding_is_that_of_ml_dtypes(dtype):
    numbers = dense()
    with np.errstate(all="ignore"):
        expected = numbers.astype(dtype)
    assert_alike(rounded(numbers, dtype), expected)
    with np.errstate(all="ignore"):
        reference = bits_of(str(dtype), numbers.astype(np.float64)).view(dtype)
    assert_alike(reference, expected)


@pytest.mark.parametrize(
    ("dtype", "number", "expected"),
    [
        (BFLOAT16, 1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-7),
        (BFLOAT16, 1 + 3 * 2.0**-8 - 2.0**-40, 1 + 2.0**-7),
        (BFLOAT16, 1e300, np.inf),
        (FLOAT16, 1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-10),
        (FLOAT16, -(1 + 3 * 2.0**-11 - 2.0**-40), -(1 + 2.0**-10)),
        (FLOAT16, 2.0**-25 + 2.0**-60, 2.0**-24),
        (FLOAT16, 2.0**-25, 0.0),
    ],
)
def test_a_float64_is_rounded_once(dtype, number, expected):
    numbers = np.array([number])
    assert rounded(numbers, dtype).astype(np.float64) == expected
    assert bits_of(str(dtype), numbers).view(dtype).astype(np.float64) == expected


# ------------------------------------------------------------------------------- chance


def test_noise_is_even_and_independent():
    """Each bit, neighbours, states, tensors and steps: within five deviations of a fair coin."""
    like = np.empty(1 << 16)
    places = [(0, 0, 1.0, 0), (0, 0, 1.0, 1), (0, 0, 1.0, 2), (0, 1, 1.0, 0), (0, 0, 2.0, 0),
              (1 << 32, 0, 1.0, 0)]  # fmt: skip
    drawn = [entry_words(like, *place, 7.0, 0.0) for place in places]
    others = [drawn[0] ^ each for each in drawn[1:]]
    others += [drawn[0][1:] ^ drawn[0][:-1], drawn[0][256:] ^ drawn[0][:-256], *drawn]
    for each in others:
        assert each.max() < 2**32
        for bit in range(32):
            share = ((each >> np.uint64(bit)) & np.uint64(1)).mean()
            assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(each.size)


def test_noise_goes_on_where_a_chunk_begins():
    place = (5, 3.0, 1, 7.0, 0.0)
    whole = entry_words(np.empty(100), 0, *place)
    np.testing.assert_array_equal(entry_words(np.empty(60), 40, *place), whole[40:])


# ------------------------------------------------------------------------------ blocks


@njit
def opened(records, block, count, target):
    some = room()
    for begin in range(0, count, 4096):
        length = min(4096, count - begin)
        numbers = open_blocks(records + begin // block * (block + 4), block, length, some)
        for i in range(length):
            target[begin + i] = numbers[i]


def read_in_kernel(array, block, count):
    found = np.zeros(count, np.float32)
    opened(array.ctypes.data, block, count, found)
    return found


@njit
def closed(numbers, records, block):
    close_blocks(numbers, records, block)


def written_in_kernel(numbers, block):
    shape = stored_shape(known_storage(f"int8 blockwise({block})"), numbers.shape)
    found = np.zeros(shape, np.uint8)
    closed(numbers, found.ctypes.data, block)
    return found


def written_in_reference(numbers, block):
    text = f"int8 blockwise({block})"
    found = np.zeros(stored_shape(known_storage(text), numbers.shape), np.uint8)
    store(text, found, numbers.astype(np.float64))
    return found


def blocks_of_all_kinds():
    """Return numbers whose blocks of 32 span all exponents, with and without negative ones."""
    random = np.random.default_rng(8)
    sizes = np.exp2(random.uniform(-40, 3, (600, 32))) * np.exp2(random.uniform(-80, 90, (600, 1)))
    numbers = sizes * random.choice([-1, 1], (600, 32))
    numbers[::2] = np.abs(numbers[::2])
    numbers[random.random(numbers.shape) < 0.1] = 0
    numbers[5], numbers[7, 3], numbers[8, 1], numbers[9, 0] = 0, np.nan, np.inf, -0.0
    eighths = np.arange(32) / 16 + 1  # every tie between two codes of the largest exponent
    return np.concatenate([numbers.reshape(-1), eighths, -eighths]).astype(np.float32)


@pytest.mark.parametrize("block", [32, 256, 4096])
def test_kernels_and_reference_store_the_same_blocks(block):
    numbers = blocks_of_all_kinds()[: 4096 * 4]
    kernel, reference = written_in_kernel(numbers, block), written_in_reference(numbers, block)
    lost = np.isnan(np.ascontiguousarray(reference[:, :4]).view(np.float32))[:, 0]
    np.testing.assert_array_equal(kernel[~lost], reference[~lost])
    text = f"int8 blockwise({block})"
    wide = load(text, reference, numbers.shape).astype(np.float32)
    np.testing.assert_array_equal(read_in_kernel(kernel, block, numbers.size), wide)


@pytest.mark.parametrize("scale", [1.0, 2.0**-90, 2.0**100])
@pytest.mark.parametrize("signed", [True, False])
def test_every_code_is_read_as_documented_and_written_back(signed, scale):
    codes = np.arange(256, dtype=np.uint8)
    record = np.zeros((1, 260), np.uint8)
    record[0, :4] = np.array([scale if signed else -scale], np.float32).view(np.uint8)
    record[0, 4:] = codes
    numbers = read_in_kernel(record, 256, 256)
    size, bias = (codes & 0x7F, 15) if signed else (codes, 31)
    exponent, mantissa = size >> 3, (size & 7) / 8.0
    expected = np.where(exponent, (1 + mantissa) * 2.0 ** (exponent - float(bias)),
                        mantissa * 2.0 ** (1 - bias)) * scale  # fmt: skip
    expected = np.where(codes > size, -expected, expected)
    np.testing.assert_array_equal(numbers, expected.astype(np.float32))
    np.testing.assert_array_equal(load("int8 blockwise(256)", record, (256,)), expected)
    again = written_in_kernel(numbers, 256)
    np.testing.assert_array_equal(again, record)


def test_the_error_of_a_block_is_bounded():
    random = np.random.default_rng(2)
    numbers = (random.normal(size=65536) * 10).astype(np.float32)
    for values, floor in ((numbers, 2.0**-17), (numbers**2, 2.0**-33)):
        kept = read_in_kernel(written_in_kernel(values, 256), 256, values.size)
        largest = np.abs(values.reshape(-1, 256)).max(axis=1).repeat(256)
        allowed = np.maximum(np.abs(values) / 16, largest * floor)
        assert np.all(np.abs(kept - values) <= allowed)
    assert np.all(kept[values > 0] > 0)


def test_what_is_no_number_takes_its_block_along_and_no_other():
    numbers = np.ones(512, np.float32)
    numbers[3] = np.inf
    kept = read_in_kernel(written_in_kernel(numbers, 256), 256, 512)
    assert np.isnan(kept[:256]).all()
    np.testing.assert_array_equal(kept[256:], 1)


# ----------------------------------------------------------------------------- vectors


@pytest.mark.parametrize(
    ("said", "dtype"),
    [
        ({}, "bfloat16"),
        ({"m": "bfloat16", "v": "float16"}, "float32"),
        ({"m": "bfloat16", "v": "float16"}, "float64"),
        ({"m": "bfloat16 stochastic"}, "float32"),
        ({"m": "float16 stochastic"}, "float32"),
        ({"theta": "bfloat16 compensated"}, "bfloat16"),
    ],
    ids=str,
)
def test_loops_stay_on_vectors(said, dtype):
    rule = with_storage(load_rule("Adam"), said)
    assert is_vectorized(compile_system(rule), dtype)


def test_the_loop_over_a_block_widens_and_rounds_on_vectors():
    rule = with_storage(load_rule("Adam"), dict.fromkeys("mv", "int8 blockwise(256)"))
    (text,) = llvm_text(compile_system(rule), "float32")
    (loop,) = [each for each in text.split("\ndefine ") if "llvm.sqrt.v" in each]
    assert runs_on_vectors(loop)
    assert re.search(r"sext <\d+ x i8>", loop)
    assert re.search(r"trunc <\d+ x i32> .* to <\d+ x i8>", loop)


@pytest.mark.parametrize(
    "loop", [blocks._widened, blocks.rounded, blocks._rounded_by_chance, blocks._largest]
)
def test_loops_over_blocks_run_on_vectors(loop):
    numbers, codes = np.zeros(256, np.float32), np.zeros(256, np.uint8)
    one, bits = np.float32(1), np.uint32(127)
    arguments = {
        "_widened": (codes, numbers, one, bits, one, bits),
        "rounded": (codes, numbers, one, bits, one, bits),
        "_rounded_by_chance": (codes, numbers, one, bits, one, bits, 0, 0, 1.0, 0, 0.0, 0.0),
        "_largest": (numbers,),
    }
    njit(lambda *given: loop(*given))(*arguments[loop.py_func.__name__])
    text = loop.inspect_llvm(loop.signatures[0])
    assert re.search(r"<\d+ x (?:float|i32)>", text)


def test_generated_code_shows_what_is_stored_how():
    said = {"m": "bfloat16 stochastic", "v": "int8 blockwise(256)"}
    text = emit(with_storage(load_rule("Adam"), said), "numba-cpu")
    assert "m[i] = bfloat16_by_chance(m_t, i, begin, identity" in text
    assert "v = next_block(v, addresses[chunk, 3] + begin//256*260, count)" in text
    assert "storage='int8 blockwise(256)'" in text
