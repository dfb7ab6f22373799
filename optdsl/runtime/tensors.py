"""The arrays that an engine works on: parameters, gradients, states and buffers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from optdsl.runtime.arrays import Array, Extents
from optdsl.runtime.cases import begins, belongs
from optdsl.runtime.facts import Facts
from optdsl.runtime.formats import store, stored_dtype, stored_shape, without_chance
from optdsl.runtime.layout import EVALUATED, Ask, Layout, Numbers, StateSlot
from optdsl.runtime.shapes import STATE_FORMS, kept_shape, seen_shape
from optdsl.storage import known_storage

#: The shape and the dtype of a parameter.
Form: TypeAlias = tuple[tuple[int, ...], np.dtype[Any]]


class Tensors:
    """One list a stream, with one array a tensor; None where there is none yet.

    States that are arrays live in `streams` beside "theta", the gradients and the buffers;
    those that are numbers in the rows of `tensor` and `everything`.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._seen = points_of(layout)
        self.entry_states = tuple(s for s in layout.states if s.kind in STATE_FORMS)
        self.forms = dict(layout.shaped)
        self.tensor_states = tuple(s for s in layout.states if s.kind == "tensor")
        self.all_states = tuple(s for s in layout.states if s.kind == "all")
        self.shapes: list[tuple[int, ...]] = []
        self.labels: list[str] = []
        self.names: list[str] = []
        self.extents: Extents | None = None
        self.dtypes: list[np.dtype[Any]] = []  # of the parameters
        self.streams: dict[str, list[Array | None]] = {}
        self.tensor: Numbers = np.zeros((0, layout.tensor))
        self.everything: Numbers = np.zeros(layout.everything)
        self.seed = 0
        self._buffer_extents: dict[str, Extents] = {}
        self.started: list[int] = []  # 0, or one more than the case of the last step
        self.all_started = 0  # one bit a state of kind "all"

    def sow(self, seed: int) -> None:
        """Let random numbers come from `seed`, which has 64 bits."""
        self.seed = seed
        if self.layout.seed is not None:
            words = (seed % 2**32, seed // 2**32)
            self.everything[self.layout.seed : self.layout.seed + 2] = words

    def add(self, forms: Sequence[Form]) -> None:
        """Make room for more tensors."""
        shapes = [shape for shape, _ in forms]
        self.dtypes.extend(dtype for _, dtype in forms)
        self._buffer_extents.clear()
        self.shapes.extend(shapes)
        self.started.extend(0 for _ in shapes)
        for stream in self.streams.values():
            stream.extend(None for _ in shapes)
        self.tensor = np.vstack([self.tensor, np.zeros((len(shapes), self.layout.tensor))])

    @property
    def theta_forms(self) -> list[Form]:
        """The shape and the dtype of each parameter."""
        return list(zip(self.shapes, self.dtypes, strict=True))

    def stream(self, name: str) -> list[Array | None]:
        """Return the arrays of stream `name`."""
        found = self.streams.get(name)
        if found is None:
            found = self.streams[name] = [None] * len(self.shapes)
        return found

    def put(self, name: str, arrays: Iterable[Array | None]) -> None:
        """Make `arrays` the stream `name`."""
        self.streams[name] = list(arrays)

    def state_dtype(self, slot: StateSlot, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype in which a state beside a parameter of this dtype is stored."""
        if slot.storage is None:
            return working_dtype(dtype)
        return stored_dtype(known_storage(slot.storage))

    def state_shape(self, slot: StateSlot, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the array of a state, for a tensor of this shape."""
        kept = kept_shape(slot.kind, shape)
        return kept if slot.storage is None else stored_shape(known_storage(slot.storage), kept)

    def start(self, index: int, hyper: Numbers, case: int = 0) -> None:
        """Give the states of tensor `index` the values they have before its first step.

        They are those that begin with this case.
        """
        started = self.started[index]
        for slot in self.entry_states:
            if begins(slot, case, started):
                self.begin(slot, index, hyper)
        if self.tensor_states:
            facts = Facts(self.shapes[index], self.names[index])
            for column, slot in enumerate(self.tensor_states):
                if begins(slot, case, started):
                    self.tensor[index, column] = slot.start(facts, hyper)
        self.started[index] = case + 1

    def begin(self, slot: StateSlot, index: int, hyper: Numbers) -> None:
        """Give a state that has an array the values it has before the first step of a tensor."""
        shape, stream = self.shapes[index], self.stream(slot.name)
        array = stream[index]
        if array is None:  # one that is there already may stand in a table: it stays
            dtype = self.state_dtype(slot, self.dtypes[index])
            array = np.empty(self.state_shape(slot, shape), dtype=dtype)
        fill_with_start(array, slot, self.stream("theta")[index], shape, hyper)
        stream[index] = array

    def start_everything(self, hyper: Numbers, case: int = 0) -> None:
        """Give the numbers for all tensors of a case the values they have before the first step."""
        for column, slot in enumerate(self.all_states):
            if belongs(slot, case) and not self.all_started >> column & 1:
                self.everything[column] = slot.start(None, hyper)
                self.all_started |= 1 << column

    def leave(self, index: int, case: int) -> None:
        """Let go of the states of tensor `index` that its new case does not have."""
        for slot in self.entry_states:
            if not belongs(slot, case):
                self.stream(slot.name)[index] = None

    def holds(self, slot: StateSlot, index: int) -> bool:
        """Has this state of tensor `index` begun, and is it still kept?"""
        started = self.started[index]
        present = self.stream(slot.name)[index] is not None
        return present and started > 0 and belongs(slot, started - 1)

    def buffer(self, name: str, indices: Iterable[int]) -> None:
        """See that the buffer `name` has an array for each of `indices`."""
        stream = self.stream(name)
        for index in indices:
            if stream[index] is None:
                form = self.forms.get(name)
                dtype = self.buffer_dtype(name, self.dtypes[index])
                stream[index] = np.empty(kept_shape(form or "entry", self.shapes[index]), dtype)
                self._buffer_extents.pop(name, None)

    def buffer_dtype(self, name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype of a buffer beside a parameter of this dtype.

        What users see is as their parameters are, what only kernels see as they compute.
        """
        if name in self.forms:
            return np.dtype(np.float64)
        return dtype if name in self._seen else working_dtype(dtype)

    def point_extents(self, name: str) -> Extents:
        """Return the stretches of memory that the stream `name` takes."""
        if name == "theta" and self.extents is not None:
            return self.extents
        found = self._buffer_extents.get(name)
        if found is None:
            pairs = [
                (array, label)
                for array, label in zip(self.stream(name), self.labels, strict=True)
                if array is not None
            ]
            found = Extents([array for array, _ in pairs], [label for _, label in pairs])
            self._buffer_extents[name] = found
        return found

    def gather(self, names: Sequence[str], indices: Sequence[int]) -> list[list[Array]]:
        """Return the arrays of `names` for `indices`, as `bind` wants them."""
        gathered = []
        for name in names:
            stream = self.stream(name)
            arrays = [stream[index] for index in indices]
            assert all(array is not None for array in arrays), f"no arrays for stream {name}"
            gathered.append(arrays)
        return gathered  # type: ignore[return-value]


def fill_with_start(
    array: Array, slot: StateSlot, theta: Array | None, shape: tuple[int, ...], hyper: Numbers
) -> None:
    """Write to the array of a state the values before the first step, for a tensor of a shape."""
    if slot.kind == "entry" and slot.storage is not None:
        begun = np.broadcast_to(slot.start(theta, hyper), shape)
        store(without_chance(slot.storage), array, begun)
    elif slot.kind == "entry":
        array[...] = slot.start(theta, hyper)
    else:
        seen: Array = np.empty(shape) if theta is None else theta
        matrix = seen.reshape(seen_shape("entry", shape))
        array.reshape(seen_shape(slot.kind, shape))[...] = slot.start(matrix, hyper)


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which parameters of this one are computed: 16 bits in float32.

    >>> working_dtype(np.dtype(np.float16)).name
    'float32'
    """
    return np.dtype(np.float32) if dtype.itemsize < 4 else dtype


def points_of(layout: Layout) -> frozenset[str]:
    """Return the buffers that users are shown: points of gradients, outputs and iterates."""
    found = {"iterate", EVALUATED, layout.output}
    for stages in (layout.ready, layout.function, layout.iterate, layout.evaluate):
        asks = [stage for stage in stages or () if isinstance(stage, Ask)]
        found |= {point for ask in asks for point in (ask.point, *ask.points)}
    return frozenset(name for name in found if name is not None)
