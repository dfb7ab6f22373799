"""One PTX module of several kernels that were compiled one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEAD = re.compile(r"^\.version .*\n\.target .*\n\.address_size .*\n", re.MULTILINE)


def one_module(texts: Sequence[str]) -> str:
    """Return one PTX module with the kernels of all `texts`, which are for one architecture.

    Raises:
        ValueError: one of them is no PTX module.

    >>> head = ".version 9.0\\n.target sm_90\\n.address_size 64\\n"
    >>> one_module([head + ".entry a\\n", head + ".entry b\\n"]).count(".target sm_90")
    1
    """
    heads = [_HEAD.search(text) for text in texts]
    bodies = []
    for text, head in zip(texts, heads, strict=True):
        if head is None:
            raise ValueError("this is no PTX module: it has no .version, .target, .address_size")
        bodies.append(text[head.end() :].strip("\n"))
    first = heads[0]
    assert first is not None
    return "\n\n".join([texts[0][: first.end()].strip("\n"), *bodies]) + "\n"
