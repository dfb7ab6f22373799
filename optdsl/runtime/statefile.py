"""A state in one file: arrays as safetensors, the rest as JSON in its header."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optdsl.files import write_bytes
from optdsl.runtime.arrays import Array
from optdsl.runtime.errors import CheckpointError
from optdsl.runtime.formats import dtype_named

PLAIN_DTYPES = frozenset({"float16", "float32", "float64", "int64"})


def write(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write `state` under a temporary name beside `path`, then move it there.

    Raises:
        OSError: the file cannot be written; an old one is untouched then.
    """
    import safetensors.numpy

    arrays: dict[str, Array] = {}
    text = json.dumps(_without_arrays(state, "", arrays))
    metadata = {"optdsl": text, "checksum": _checksum(text, arrays)}
    write_bytes(Path(path), safetensors.numpy.save(arrays, metadata), durable=True)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state in a file.

    Raises:
        CheckpointError: the file is damaged, cut off, or not one that `write` made.
        OSError: it cannot be read.
    """
    import safetensors

    with open(path, "rb"):  # a missing file is an OSError with its usual text
        pass
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{os.fspath(path)} is damaged or no state file: {error}") from error
    if "optdsl" not in metadata or "checksum" not in metadata:
        raise CheckpointError(f"{os.fspath(path)} is a safetensors file, but holds no state")
    text = metadata["optdsl"]
    if _checksum(text, arrays) != metadata["checksum"]:
        raise CheckpointError(f"{os.fspath(path)} is damaged: its checksum does not fit")
    state: dict[str, Any] = _with_arrays(json.loads(text), arrays)
    return state


def _checksum(text: str, arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _without_arrays(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}{path}"
        plain = str(value.dtype) in PLAIN_DTYPES
        arrays[name] = value if plain else value.view(f"u{value.dtype.itemsize}")
        return {"$array": name} if plain else {"$array": name, "$dtype": str(value.dtype)}
    if isinstance(value, Mapping):
        return {key: _without_arrays(item, f"{path}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_arrays(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
    return value


def _with_arrays(value: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(value, dict):
        if "$array" in value:
            array = arrays[value["$array"]]
            return array.view(dtype_named(value["$dtype"])) if "$dtype" in value else array
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    return value
