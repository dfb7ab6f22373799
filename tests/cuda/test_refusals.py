"""What optimizers on a card refuse, and what they say where there is no card."""

import inspect
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import optdsl
from optdsl.cuda import driver, streams
from optdsl.cuda.arrays import DeviceArray, adopted
from optdsl.runtime import (
    GradientError,
    GradientTypeError,
    ParameterError,
    ParameterTypeError,
    StepError,
)
from optdsl.runtime.errors import DeviceError
from optdsl.runtime.formats import dtype_named
from tests.cuda.fake_driver import CardArray, DLPackArray, FakeDriver


@pytest.fixture(scope="module")
def adam():
    return optdsl.load("Adam", target="cuda")


# ---------------------------------------------------------------------- no card


def test_without_a_driver_it_says_so(adam, monkeypatch):
    monkeypatch.setattr(driver, "_DEVICES", {})
    with pytest.raises(DeviceError, match=r"no driver of CUDA|cuda-bindings is missing"):
        adam([CardArray(np.ones(3))])


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(DeviceError, match=r"cuda-bindings is missing.*optdsl\[cuda\]"):
        driver.driver_module()


def test_what_the_driver_says_is_told(monkeypatch):
    status = SimpleNamespace(name="CUDA_ERROR_NO_DEVICE")
    fake = SimpleNamespace(cuInit=lambda flags: (status,), CUresult=SimpleNamespace(CUDA_SUCCESS=0))
    bindings = SimpleNamespace(driver=fake)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(bindings=bindings))
    monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    with pytest.raises(DeviceError, match="CUDA_ERROR_NO_DEVICE"):
        driver.driver_module()


def test_a_call_that_the_driver_refuses_is_an_error(card, adam):
    optimizer = adam([CardArray(np.ones(3))])
    card.cuMemAlloc = lambda size: (card.CUresult.CUDA_ERROR_INVALID_VALUE, None)
    with pytest.raises(DeviceError, match="refused cuMemAlloc"):
        optimizer.step([CardArray(np.ones(3))])


@pytest.mark.parametrize(
    ("call", "status", "advice"),
    [
        ("cuMemAlloc", "OUT_OF_MEMORY", "empty_cache"),
        ("cuModuleLoadData", "UNSUPPORTED_PTX_VERSION", "update the driver"),
        ("cuLaunchKernel", "ILLEGAL_ADDRESS", "compute-sanitizer"),
        ("cuStreamIsCapturing", "STREAM_CAPTURE_IMPLICIT", "a graph is being recorded"),
    ],
)
def test_errors_of_the_driver_say_what_to_do(card, adam, call, status, advice):
    optimizer = adam([CardArray(np.ones(3))])
    refused = SimpleNamespace(name=f"CUDA_ERROR_{status}")
    setattr(card, call, lambda *arguments: (refused, None))
    with pytest.raises(DeviceError, match=f"refused {call}: CUDA_ERROR_{status}: .*{advice}"):
        optimizer.step([CardArray(np.ones(3))])
    assert not card.contexts


def test_loading_needs_neither_a_driver_nor_the_packages_of_cuda():
    code = """
import sys
import optdsl
optdsl.load("Adam", target="cuda")
assert "numba.cuda" not in sys.modules and "cuda" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_bindings_have_what_the_simulated_driver_has():
    bindings = pytest.importorskip("cuda.bindings.driver")
    names = [name for name in dir(FakeDriver) if name.startswith("cu") and name[2].isupper()]
    assert len(names) > 20
    for name in names:
        described = getattr(bindings, name).__doc__.strip().splitlines()[0]  # "cuInit(... Flags)"
        given = re.sub(r"\[[^()]*\]", "", described.partition("(")[2].removesuffix(")"))
        taken = list(inspect.signature(getattr(FakeDriver, name)).parameters)[1:]
        assert len([each for each in given.split(",") if each]) == len(taken), described
    attributes = ("MAJOR", "MINOR")
    known = bindings.CUdevice_attribute
    assert all(hasattr(known, f"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{a}") for a in attributes)
    assert hasattr(bindings.CUpointer_attribute, "CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL")
    assert hasattr(bindings.CUstreamCaptureStatus, "CU_STREAM_CAPTURE_STATUS_NONE")


# ------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones(3, np.float32), "memory of the host"),
        (torch.ones(3), "memory of the host"),
        ([1.0, 2.0], "of type list"),
        (CardArray(np.ones((3, 4))), None),
    ],
    ids=["numpy", "torch", "list", "good"],
)
def test_what_is_no_array_on_a_card(card, adam, given, message):
    if message is None:
        adam([given])
        return
    with pytest.raises(ParameterTypeError, match=message):
        adam([given])


def test_a_card_of_another_maker_is_none(card, adam):
    array = DLPackArray(np.ones(3))
    array.device = (10, 0)  # ROCm, as DLPack says it
    with pytest.raises(ParameterTypeError, match="which is none of NVIDIA's"):
        adam([array])


def test_arrays_that_cannot_be_stepped(card, adam):
    with pytest.raises(ParameterTypeError, match="holds int32"):
        adam([CardArray(np.ones(3), "int32")])
    with pytest.raises(ParameterTypeError, match="holds int16"):
        adam([DeviceArray(4096, (3,), np.dtype(np.int16), None, 0)])
    askew = CardArray(np.ones((3, 4)))
    askew.values = askew.values.T
    with pytest.raises(ParameterError, match="not contiguous"):
        adam([askew])
    with pytest.raises(ParameterTypeError, match="use one optimizer for each"):
        adam([CardArray(np.ones(3)), CardArray(np.ones(3), "float64")])
    whole = CardArray(np.ones(8))
    part = CardArray(np.ones(2))
    part.values = whole.values[3:5]
    with pytest.raises(ParameterError, match="share memory"):
        adam([whole, part])


def test_cards_are_not_mixed(card, adam):
    first, second = DLPackArray(np.ones(3)), DLPackArray(np.ones(3))
    second.device = (2, 1)
    with pytest.raises(ParameterError, match="on 2 cards"):
        adam([first, second])
    optimizer = adam([first])
    with pytest.raises(GradientError, match="lies on card 1, and the parameter on card 0"):
        optimizer.step([second])
    with pytest.raises(ParameterError, match="lie on card 1, and its states on card 0"):
        optimizer.rebind([second])
    decay = optdsl.load("WeightDecay", "cuda")()
    with pytest.raises(GradientError, match="lies on card 1, and the gradients on card 0"):
        decay.update([first], [second])
    assert not card.launches


def test_arrays_of_other_cards_are_handed_on_in_a_context_of_theirs(card, adam):
    class Tensor(DLPackArray):
        """As one of PyTorch, which exports those of the current card alone."""

        def __dlpack__(self, *, stream=None):
            if not card.contexts:
                raise BufferError("Can't export tensors on a different CUDA device index")
            return super().__dlpack__(stream=stream)

    array = Tensor(np.ones(3))
    adam([array]).step([Tensor(np.ones(3))])
    assert not np.array_equal(array.values, np.ones(3))
    assert not card.contexts


def test_what_cannot_be_handed_on_is_refused(card, adam):
    class Sparse(DLPackArray):
        def __dlpack__(self, *, stream=None):
            raise BufferError("Can't export tensors with layout other than torch.strided")

    with pytest.raises(ParameterTypeError, match=r"parameter number 0 .*torch\.strided"):
        adam([Sparse(np.ones(3))])
    with pytest.raises(GradientTypeError, match=r"torch\.strided"):
        adam([CardArray(np.ones(3))]).step([Sparse(np.ones(3))])
    assert not card.contexts


def test_a_tensor_that_requires_a_gradient_is_taken_without_its_history():
    whole = DLPackArray(np.ones(3))
    tensor = SimpleNamespace(requires_grad=True, detach=lambda: whole)
    found = adopted(tensor, "a tensor")
    assert (found.address, found.shape) == (whole.values.ctypes.data, (3,))
    assert found.owner is whole


# -------------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (CardArray(np.ones(4)), GradientError, "has shape"),
        (CardArray(np.ones(3), "float64"), GradientTypeError, "holds float64"),
        (np.ones(3, np.float32), GradientTypeError, "memory of the host"),
    ],
    ids=["shape", "dtype", "host"],
)
def test_gradients_that_do_not_fit(card, adam, gradient, error, message):
    array = CardArray(np.ones(3))
    optimizer = adam([array])
    with pytest.raises(error, match=message):
        optimizer.step([gradient])
    assert not card.launches
    np.testing.assert_array_equal(array.values, 1)


def test_gradients_may_be_read_only(card, adam):
    class ReadOnly(CardArray):
        @property
        def __cuda_array_interface__(self):
            said = super().__cuda_array_interface__
            return {**said, "data": (said["data"][0], True)}

    adam([CardArray(np.ones(3))]).step([ReadOnly(np.ones(3))])
    with pytest.raises(ParameterError, match="read-only"):
        adam([ReadOnly(np.ones(3))])


# ------------------------------------------------------------ what is not there yet


def test_what_is_not_there_yet_is_said(card, adam):
    with pytest.raises(StepError, match="asks for 2 gradients in a step"):
        optdsl.load("SharpnessAwareSGD", "cuda")([CardArray(np.ones(3))]).step([CardArray(1.0)])


def test_a_schedule_is_computed_on_the_host():
    assert optdsl.load("Cosine", target="cuda")(eta_max=1.0, T=10).start().at(1) <= 1


# ---------------------------------------------------------------------- streams


def test_streams_of_libraries_are_understood():
    assert streams.handle_of(SimpleNamespace(cuda_stream=5)) == 5  # PyTorch
    assert streams.handle_of(SimpleNamespace(ptr=6)) == 6  # CuPy
    assert streams.handle_of(SimpleNamespace(handle=SimpleNamespace(value=7))) == 7  # Numba
    assert streams.handle_of(SimpleNamespace(__cuda_stream__=lambda: (0, 8))) == 8  # CUDA Python
    with pytest.raises(TypeError, match="is no stream"):
        streams.handle_of("main")


def test_the_current_stream_is_that_of_the_library_of_the_arrays(monkeypatch):
    current = SimpleNamespace(current_stream=lambda device: SimpleNamespace(cuda_stream=41))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=current))
    kind = type("Tensor", (), {"__module__": "torch", "device": SimpleNamespace(type="cuda")})
    tensor, parameter = kind(), type("Own", (kind,), {})()
    assert streams.current_stream([object(), tensor]) == 41
    assert streams.current_stream([parameter]) == 41, "a class of the caller's own"
    assert streams.current_stream([np.ones(1)]) == 0
    tensor.device = SimpleNamespace(type="cpu")  # which PyTorch knows no stream of
    assert streams.current_stream([tensor]) == 0


def test_other_libraries_can_read_what_is_given_back():
    array = DeviceArray(4096, (2, 3), np.dtype(np.float32), None)
    said = array.__cuda_array_interface__
    assert (said["data"], said["shape"], said["typestr"]) == ((4096, False), (2, 3), "<f4")
    narrow = DeviceArray(4096, (2, 3), dtype_named("bfloat16"), None)
    said = narrow.view("int16").__cuda_array_interface__
    assert (said["data"], said["shape"], said["typestr"]) == ((4096, False), (2, 3), "<i2")
    assert narrow.view("int16").owner is narrow, "which keeps its memory"
    with pytest.raises(TypeError, match="another width"):
        narrow.view("float32")
