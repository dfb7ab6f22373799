"""Which tensors of a call a function works on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from optdsl.codegen.library.interface import Interface
from optdsl.codegen.support.emitting import load, word


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
