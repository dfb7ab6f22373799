"""Code of others: what it raises is said in a sentence, what it warns of is not said."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from optdsl.checks.implementations.subject import NotRun


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """Turn what an implementation raises into `NotRun`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except NotRun:
            raise
        except Exception as error:
            raise NotRun(failure(name, error)) from error


def failure(name: str, error: Exception) -> str:
    """Return a sentence on what was raised.

    >>> failure("f", ValueError("no good"))
    'f raised ValueError: no good'
    """
    said = " ".join(str(error).split())
    return f"{name} raised {type(error).__name__}" + (f": {said[:200]}" if said else "")
