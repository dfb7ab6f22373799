"""What a value says, as data that can be hashed; and which packages are installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version

#: What a system holds that no verdict depends on.
_IGNORED = frozenset({"span", "doc", "definition", "source"})


def plain(value: object) -> object:
    """Return what a value says, as data without the places it stands at.

    >>> from optdsl.model.expressions import number
    >>> plain(number(2))
    ['Number', '2', '2']
    """
    if is_dataclass(value) and not isinstance(value, type):
        parts = [plain(getattr(value, f.name)) for f in fields(value) if f.name not in _IGNORED]
        return [type(value).__name__, *parts]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    return value if isinstance(value, bool | int | None) else str(value)


def installed(*packages: str) -> str:
    """Return the versions of packages, without the time that loading them takes."""
    return " ".join(map(_version, packages))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"
