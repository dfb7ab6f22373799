"""The shape in which parameters were given: a list, a dict, or groups of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optdsl.diagnostics import did_you_mean
from optdsl.runtime.errors import GradientError, GradientTypeError, ParameterTypeError


class Bundle:
    """One list or dict of tensors within the structure."""

    def __init__(self, names: tuple[str, ...] | None, count: int, label: str) -> None:
        self.names = names
        self.count = count
        self.label = label  # " of group 1", or nothing

    @classmethod
    def of(cls, given: Any, label: str = "") -> tuple[Bundle, list[Any]]:
        """Return the shape of `given` and its entries in order.

        Raises:
            ParameterTypeError: it is neither a list nor a dict with text for keys.
        """
        if isinstance(given, Mapping):
            for name in given:
                if not isinstance(name, str):
                    raise ParameterTypeError(
                        f"a parameter{label} has the key {name!r}: names must be strings"
                    )
            return cls(tuple(given), len(given), label), list(given.values())
        if isinstance(given, Sequence) and not isinstance(given, str | bytes):
            return cls(None, len(given), label), list(given)
        hint = ": put a single array in a list" if hasattr(given, "shape") else ""
        raise ParameterTypeError(
            f"parameters{label} are of type {type(given).__name__}, neither a list nor a dict{hint}"
        )

    def tensor_label(self, index: int) -> str:
        """Return how errors call tensor number `index` of this bundle."""
        if self.names is not None:
            return f"`{self.names[index]}`{self.label}"
        return f"number {index}{self.label}"

    def flatten(self, given: Any) -> list[Any]:
        """Return what `given` holds for each tensor, in order.

        Raises:
            GradientError: an entry too many or too few, or a list for a dict.
        """
        if self.names is None:
            return self._flatten_list(given)
        if not isinstance(given, Mapping):
            raise GradientTypeError(
                f"gradients{self.label} are of type {type(given).__name__}, "
                "but the parameters are a dict: give a dict with the same names"
            )
        try:
            result = [given[name] for name in self.names]
        except KeyError as error:
            name = error.args[0]
            raise GradientError(
                f"there is no gradient for `{name}`{self.label}: give one, "
                "or None if it takes no step"
            ) from None
        if len(given) != self.count:
            self._refuse_extra(given)
        return result

    def _flatten_list(self, given: Any) -> list[Any]:
        if not isinstance(given, list | tuple):
            raise GradientTypeError(
                f"gradients{self.label} are of type {type(given).__name__}, "
                "but the parameters are a list: give a list in the same order"
            )
        if len(given) != self.count:
            raise GradientError(
                f"there are {len(given)} gradients{self.label} for {self.count} parameters: "
                "give one each, or None for a parameter that takes no step"
            )
        return list(given)

    def _refuse_extra(self, given: Mapping[Any, Any]) -> None:
        names = self.names or ()
        extra = next(name for name in given if name not in names)
        hint = did_you_mean(str(extra), names) or "leave it out"
        raise GradientError(
            f"there is a gradient for {extra!r}{self.label}, but no such parameter: {hint}"
        )

    def unflatten(self, items: Sequence[Any]) -> Any:
        """Return `items` as a list or dict like the one given."""
        if self.names is None:
            return list(items)
        return dict(zip(self.names, items, strict=True))


class Structure:
    """All the tensors: one bundle, or one a group."""

    def __init__(self, bundles: Iterable[Bundle] = (), nested: bool = False) -> None:
        self.bundles = list(bundles)
        self.nested = nested
        self._index()

    def _index(self) -> None:
        self.count = sum(bundle.count for bundle in self.bundles)
        self.labels = [
            bundle.tensor_label(index) for bundle in self.bundles for index in range(bundle.count)
        ]
        self.names = [
            bundle.names[index] if bundle.names is not None else str(index)
            for bundle in self.bundles
            for index in range(bundle.count)
        ]
        names = [name for bundle in self.bundles for name in bundle.names or ()]
        named = all(bundle.names is not None for bundle in self.bundles)
        distinct = len(set(names)) == len(names)
        listed = all(bundle.names is None for bundle in self.bundles)
        self._flat: Bundle | None = None
        if self.nested and named and distinct:
            self._flat = Bundle(tuple(names), self.count, "")
        elif self.nested and listed:
            self._flat = Bundle(None, self.count, "")

    def with_bundle(self, bundle: Bundle) -> Structure:
        """Return the structure with one more group."""
        bundles = [
            Bundle(each.names, each.count, f" of group {number}")
            for number, each in enumerate([*self.bundles, bundle])
        ]
        return Structure(bundles, nested=True)

    def flatten(self, given: Any) -> list[Any]:
        """Return what `given` holds for each tensor, in order.

        With groups, `given` is a list with one entry a group, or one dict of all names or
        one list of all tensors.

        Raises:
            GradientError: `given` does not have this structure.
        """
        if not self.nested:
            return self.bundles[0].flatten(given)
        flat = self._flat
        if isinstance(given, Mapping) and flat is not None and flat.names is not None:
            return flat.flatten(given)
        if not isinstance(given, list | tuple):
            raise GradientTypeError(
                f"gradients are of type {type(given).__name__}, but there are "
                f"{len(self.bundles)} groups: give a list with one list or dict a group"
            )
        by_group = all(isinstance(item, list | tuple | Mapping) for item in given)
        if flat is not None and flat.names is None and not by_group:
            return flat.flatten(given)
        if len(given) != len(self.bundles):
            raise GradientError(
                f"there are gradients for {len(given)} of {len(self.bundles)} groups"
            )
        pairs = zip(self.bundles, given, strict=True)
        return [item for bundle, each in pairs for item in bundle.flatten(each)]

    def unflatten(self, items: Sequence[Any]) -> Any:
        """Return `items`, one a tensor, in the structure the parameters were given in."""
        if not self.nested:
            return self.bundles[0].unflatten(items)
        result, start = [], 0
        for bundle in self.bundles:
            result.append(bundle.unflatten(items[start : start + bundle.count]))
            start += bundle.count
        return result
