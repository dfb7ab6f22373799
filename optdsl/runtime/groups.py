"""Groups: parameters that share hyperparameters, which may be changed between steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optdsl.runtime.errors import HyperparameterError, ParameterTypeError
from optdsl.runtime.hyperparameters import Settings


class Group(Mapping[str, Any]):
    """One group: `group["lr"]` reads, `group["lr"] = 1e-4` changes from the next step on.

    Every name of a hyperparameter works, aliases too. `group["params"]` are the arrays.
    A value that the last step has read ahead still holds for the next one.
    """

    def __init__(self, settings: Settings, parameters: Any) -> None:
        self.settings = settings
        self._parameters = parameters

    def __getitem__(self, name: str) -> Any:
        if name == "params":
            return self._parameters
        return self.settings[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "params":
            raise HyperparameterError(
                "the parameters of a group cannot be replaced: write into the arrays, "
                "or add a group with `add_group`"
            )
        self.settings[name] = value

    def __iter__(self) -> Iterator[str]:
        yield "params"
        yield from self.settings.names.preferred()

    def __len__(self) -> int:
        return 1 + len(self.settings.names.preferred())

    def __contains__(self, name: object) -> bool:
        return name == "params" or name in self.settings.names.known()

    def __repr__(self) -> str:
        return f"Group({len(self._parameters)} parameters, {self.settings.text()})"


def as_groups(parameters: Any) -> list[Mapping[str, Any]] | None:
    """Return the groups if `parameters` is a list of groups, None if it is one list or dict.

    Raises:
        ParameterTypeError: some entries are groups and others are not.
    """
    if not isinstance(parameters, list | tuple) or not parameters:
        return None
    are_groups = [isinstance(item, Mapping) for item in parameters]
    if not any(are_groups):
        return None
    for number, item in enumerate(parameters):
        check_group(item, f"group {number}")
    return list(parameters)


def check_group(group: Any, label: str) -> None:
    """Refuse what is not a group.

    Raises:
        ParameterTypeError: not a dict, or one without "params".
    """
    if not isinstance(group, Mapping):
        raise ParameterTypeError(
            f"{label} is of type {type(group).__name__}: give either arrays or groups, "
            'each a dict such as {"params": [...], "lr": 0.1}'
        )
    if "params" not in group:
        raise ParameterTypeError(f'{label} has no "params": put its arrays there')
