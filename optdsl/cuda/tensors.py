"""The arrays and numbers of an optimizer on a card."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.cuda.arrays import DeviceArray
from optdsl.cuda.queue import Queue
from optdsl.runtime.layout import Layout, Numbers, StateSlot
from optdsl.runtime.shapes import kept_shape, seen_shape
from optdsl.runtime.tensors import Tensors, fill_with_start, working_dtype


class DeviceTensors(Tensors):
    """Streams of arrays on a card, and `tensor` and `everything` there too.

    The host's own `tensor` and `everything` are what has been given to the card: it does not know
    what kernels made of them since. `rows` and `all_numbers` are where they lie on the card.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.queue: Queue | None = None
        self._rows: DeviceArray | None = None
        self._numbers: DeviceArray | None = None
        self._pushed: Numbers = np.zeros(0)
        self._waiting: list[int] = []  # tensors whose numbers the card does not have yet

    @property
    def on(self) -> Queue:
        """The queue, which there is once there are parameters."""
        assert self.queue is not None
        return self.queue

    @property
    def dtype(self) -> np.dtype[Any]:
        """What all parameters hold."""
        return self.dtypes[0]

    @property
    def working(self) -> np.dtype[Any]:
        """What entries are computed in."""
        return working_dtype(self.dtype)

    # ------------------------------------------------------------------ arrays

    def begin(self, slot: StateSlot, index: int, hyper: Numbers) -> None:
        """Give a state that has an array the values it has before the first step of a tensor."""
        shape, stream = self.shapes[index], self.stream(slot.name)
        array: Any = stream[index]
        if array is None:
            made = self.state_shape(slot, shape), self.state_dtype(slot, self.dtype)
            array = stream[index] = DeviceArray.new(self.on, *made)  # type: ignore[call-overload]
        if _is_zero(slot, shape, hyper):
            self.on.zero(array.address, array.nbytes)
            return
        values = np.empty(array.shape, array.dtype)
        fill_with_start(values, slot, self._theta(slot, index, hyper), shape, hyper)
        array[...] = values

    def _theta(self, slot: StateSlot, index: int, hyper: Numbers) -> npt.NDArray[Any]:
        """Return the values of a parameter, before its first step, for a state made of them.

        Where only its shape matters they are not fetched, and their places hold zeros.
        """
        theta: Any = self.stream("theta")[index]
        values = np.zeros(theta.shape, theta.dtype)
        if not _needs_only_the_shape(slot, theta.shape, hyper):
            self.on.download(values, theta.address)
        return values.astype(self.working, copy=False)

    def buffer(self, name: str, indices: Iterable[int]) -> None:
        """See that the buffer `name` has an array for each of `indices`."""
        stream: list[Any] = self.stream(name)
        for index in indices:
            if stream[index] is None:
                form = self.forms.get(name)
                dtype = self.buffer_dtype(name, self.dtype)
                shape = kept_shape(form or "entry", self.shapes[index])
                stream[index] = DeviceArray.new(self.on, shape, dtype)

    # ----------------------------------------------------------------- numbers

    def start(self, index: int, hyper: Numbers, case: int = 0) -> None:
        """Give the states of a tensor the values they have before its first step."""
        super().start(index, hyper, case)
        if self.tensor_states:
            self._waiting.append(index)

    def push(self) -> None:
        """Give the card what it does not have yet of `tensor` and `everything`."""
        if self._rows is None or self._rows.shape != self.tensor.shape:
            self._grow()
        rows, numbers = self.rows, self.numbers
        width = len(self.tensor_states)
        for index in self._waiting:
            place = rows.address + index * self.tensor.shape[1] * 8
            self.on.upload(place, self.tensor[index, :width])
        self._waiting.clear()
        if self._pushed.tobytes() != self.everything.tobytes():
            different = self._pushed.view(np.int64) != self.everything.view(np.int64)
            for first, last in _runs(different):
                self.on.upload(numbers.address + 8 * first, self.everything[first:last])
            self._pushed = self.everything.copy()

    def push_again(self) -> None:
        """Give the card all of `tensor` and `everything` as the host has them."""
        self.rows[...], self.numbers[...] = self.tensor, self.everything
        self._pushed = self.everything.copy()
        self._waiting.clear()

    def _grow(self) -> None:
        """Make room on the card for more tensors; what it knows of the others stays."""
        old = self._rows
        new = DeviceArray.new(self.on, self.tensor.shape, self.tensor.dtype)
        new[...] = self.tensor
        if old is not None:
            self.on.copy(new.address, old.address, old.nbytes)
        self._rows = new
        if self._numbers is None:
            self._numbers = DeviceArray.new(self.on, self.everything.shape, np.dtype(np.float64))
            self._numbers[...] = self.everything
            self._pushed = self.everything.copy()

    @property
    def rows(self) -> DeviceArray:
        """Where `tensor` lies on the card."""
        assert self._rows is not None
        return self._rows

    @property
    def numbers(self) -> DeviceArray:
        """Where `everything` lies on the card."""
        assert self._numbers is not None
        return self._numbers

    def pull(self) -> tuple[Numbers, Numbers]:
        """Return `tensor` and `everything` as the card has them; this waits for it."""
        self.push()
        return self.rows.copy_to_host(), self.numbers.copy_to_host()


class _Untouched(np.ndarray[Any, Any]):
    """Stands for a parameter whose values have not been looked at."""

    def __array_finalize__(self, source: Any) -> None:
        if source is not None:
            raise _Touched

    def __array_ufunc__(self, *arguments: Any, **keywords: Any) -> Any:
        raise _Touched

    def __array_function__(self, *arguments: Any, **keywords: Any) -> Any:
        raise _Touched

    def __getitem__(self, place: Any) -> Any:
        raise _Touched


class _Touched(Exception):
    pass


def _started_by_shape(slot: StateSlot, shape: tuple[int, ...], hyper: Numbers) -> Any:
    """Return what a state starts as, None where that needs the values of the parameter."""
    seen = shape if slot.kind == "entry" else seen_shape("entry", shape)
    untouched: Any = _Untouched(seen, np.int8)
    try:
        begun = slot.start(untouched, hyper)
    except _Touched:
        return None
    return None if begun is untouched else begun


def _needs_only_the_shape(slot: StateSlot, shape: tuple[int, ...], hyper: Numbers) -> bool:
    return _started_by_shape(slot, shape, hyper) is not None


def _is_zero(slot: StateSlot, shape: tuple[int, ...], hyper: Numbers) -> bool:
    """Does a state start as zeros? In every format these are bytes of zero."""
    begun = _started_by_shape(slot, shape, hyper)
    return begun is not None and np.ndim(begun) == 0 and begun == 0 and not np.signbit(begun)


def _runs(chosen: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last places, the last excluded, of neighbours that are chosen.

    >>> _runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
