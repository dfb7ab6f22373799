"""Copies of optimizers: of the arrays, of the states, and of what stands in the groups."""

from __future__ import annotations

import copy
import math
from typing import Any, NoReturn

from optdsl.runtime.hyperparameters import Settings


class Copied:
    """What can be copied with its arrays, and is not pickled."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        held: Any = self
        held._aside.require_back()
        state = held.state_dict()
        settings = [group.settings for group in held.groups]
        parameters = [copy.deepcopy(group["params"], memo) for group in held.groups]
        pairs = zip(parameters, settings, strict=True)
        if held._structure.nested:
            groups = [{"params": each, **_given(own)} for each, own in pairs]
            new = type(held)(groups, **held._options())
        else:
            ((arrays, own),) = pairs
            new = type(held)(arrays, **held._options(), **_given(own))
        memo[id(self)] = new
        for group, own in zip(new.groups, settings, strict=True):
            group.settings.replace(list(own.sources))
        new._defaults = held._defaults.copy()
        new.load_state_dict(state)
        return new

    def _options(self) -> dict[str, Any]:
        """Return what the class is told besides parameters and hyperparameters."""
        held: Any = self
        return {} if held.layout.seed is None else {"seed": held.seed}

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} is not pickled, because a pickle runs what it holds: `save` "
            "writes the state to a file and `load` reads it; copy.deepcopy copies it with its "
            "arrays"
        )


def _given(settings: Settings) -> dict[str, Any]:
    """Return settings as they are given to a class; formulas of the spec stay its own."""
    return {
        settings.qualified(index): source
        for index, source in enumerate(settings.sources)
        if source is not None and not (isinstance(source, float) and math.isnan(source))
    }
