"""The tensors of a call, one after the other, and which of them a function works on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from optdsl.codegen.library.interface import Interface
from optdsl.codegen.support.emitting import counted, load, place, word


def tensor_at(builder: Any, interface: Interface, tensors: Any, number: Any) -> Any:
    """Return the record of one of the tensors in a row."""
    return place(builder, tensors, builder.mul(number, word(interface.tensor.words)))


@contextmanager
def each_tensor(
    builder: Any, interface: Interface, tensors: Any, count: Any
) -> Iterator[tuple[Any, Any]]:
    """Do what stands within for each tensor of a call, of any case: its number, its record."""
    with counted(builder, word(0), count) as number:
        yield number, tensor_at(builder, interface, tensors, number)


@contextmanager
def each_of_case(builder: Any, interface: Interface, tensors: Any, count: Any) -> Iterator[Any]:
    """Do what stands within for each tensor of the case of an interface: its record."""
    with (
        each_tensor(builder, interface, tensors, count) as (_, tensor),
        in_case(builder, interface, tensor),
    ):
        yield tensor


@contextmanager
def in_case(builder: Any, interface: Interface, tensor: Any) -> Iterator[None]:
    """Do what stands within for a tensor of the case of an interface; all have that of one rule."""
    if interface.choice is None:
        yield
        return
    with in_cases(builder, interface, tensor, [interface.choice.case]):
        yield


@contextmanager
def in_cases(
    builder: Any, interface: Interface, tensor: Any, cases: Iterable[int]
) -> Iterator[None]:
    """Do what stands within for a tensor of one of these cases."""
    which = load(builder, tensor, interface.tensor.offset("which"))
    held = [builder.icmp_signed("==", which, word(case)) for case in cases]
    found = held[0]
    for each in held[1:]:
        found = builder.or_(found, each)
    with builder.if_then(found):
        yield
