"""A layout becomes a class with a signature and a docstring."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from optdsl.runtime.hyperparameters import Names, is_keyword_argument
from optdsl.runtime.layout import Feed, HyperparameterSlot, Layout
from optdsl.runtime.optimizer import Optimizer
from optdsl.runtime.values import domain_text

if TYPE_CHECKING:
    from optdsl.runtime.schedule import Schedule
    from optdsl.runtime.transform import Transform


class _Formula:
    """Stands in a signature for a default that is a formula."""

    def __repr__(self) -> str:
        return "<formula>"


FORMULA = _Formula()


def from_layout(
    layout: Layout, base: type[Any] | None = None
) -> type[Optimizer] | type[Schedule] | type[Transform]:
    """Return the class of a compiled rule, made of `base` or of the usual one for its family.

    Its signature names each hyperparameter once, by its alias where it has one; its docstring
    lists names, aliases, defaults and domains.

    >>> from optdsl.codegen import compile_system
    >>> from optdsl.library import load_system
    >>> from_layout(compile_system(load_system("SGD")))
    <class 'optdsl.runtime.optimizer.SGD'>
    """
    base = base or _base(layout.family)
    names = Names(layout.name, layout.hyperparameters, layout.inputs)
    name = _class_name(layout.name)
    body = {
        "layout": layout,
        "names": names,
        "__doc__": _docstring(layout, names, base),
        "__signature__": _signature(layout, names),
        "__module__": base.__module__,
    }
    if layout.family == "optimizer":
        own = [known for known in names.known() if not hasattr(base, known)]
        body = {**{known: _InGroups(known) for known in own}, **body}
    made: type[Optimizer] | type[Schedule] | type[Transform] = type(name, (base,), body)
    return made


class _InGroups:
    """Says where a hyperparameter stands, to whom looks for it among the attributes.

    Else `opt.lr = 0.1` would be taken, and change nothing.
    """

    def __init__(self, name: str) -> None:
        self.message = f'hyperparameters stand in groups: write `opt.groups[0]["{name}"]`'

    def __get__(self, instance: object, owner: type) -> Any:
        raise AttributeError(self.message)

    def __set__(self, instance: object, value: object) -> None:
        raise AttributeError(self.message)


def _base(family: str) -> Any:
    """Return the class of all rules of a family; what is not asked for is not imported."""
    if family == "schedule":
        from optdsl.runtime.schedule import Schedule

        return Schedule
    if family == "transform":
        from optdsl.runtime.transform import Transform

        return Transform
    return Optimizer


def _class_name(name: str) -> str:
    """Return `name` as an identifier: `ClipByGlobalNorm(c=1) | Adam` has none of its own."""
    if name.isidentifier():
        return name
    return "_".join(re.findall(r"[A-Za-z]\w*", name)) or "Rule"


def _signature(layout: Layout, names: Names) -> inspect.Signature:
    parameters = []
    if layout.family == "optimizer":
        parameters.append(inspect.Parameter("parameters", inspect.Parameter.POSITIONAL_ONLY))
    for name in names.preferred():
        if is_keyword_argument(name):
            default = default_for(names, name)
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            )
    if layout.seed is not None:
        parameters.append(inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY, default=0))
    parameters.append(inspect.Parameter("hyperparameters", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def default_for(names: Names, name: str) -> Any:
    """Return the default of what a name stands for, as signatures show it."""
    slots = [names.slots[indices[0]] for indices in names.slots_of(name)]
    values = [_default_of(slot) for slot in slots]
    if names.is_tuple(name):
        return inspect.Parameter.empty if inspect.Parameter.empty in values else tuple(values)
    return values[0]


def _default_of(slot: HyperparameterSlot) -> Any:
    if slot.default is None:
        return inspect.Parameter.empty
    if isinstance(slot.default, Feed):
        return slot.default
    if callable(slot.default):
        return FORMULA
    return int(slot.default) if slot.whole else slot.default


def _docstring(layout: Layout, names: Names, base: type[Any]) -> str:
    article = "an" if layout.family == "optimizer" else "a"
    lines = [layout.doc.strip() or f"{layout.name}, {article} {layout.family}.", ""]
    if names.slots:
        lines.append("Hyperparameters:")
        owners = {slot.owner for slot in names.slots}
        lines += [_line(slot, len(owners) > 1) for slot in names.slots]
        lines.append("")
    if layout.seed is not None:
        lines += ["    seed: fixes the random numbers (default 0, in 0..2^64-1)", ""]
    if layout.inputs:
        lines.append("Inputs:")
        docs = {slot.known_as: slot.doc for slot in layout.inputs}
        lines += [f"    {name}: {doc}" if doc else f"    {name}" for name, doc in docs.items()]
        lines.append("")
    lines.append(f"See `{base.__name__}` for how it is used.")
    return "\n".join(lines)


def _line(slot: HyperparameterSlot, qualified: bool) -> str:
    name = f"{slot.owner}.{slot.local_name}" if qualified else slot.local_name
    alias = ""
    if slot.alias is not None:
        place = "" if slot.alias_position is None else f"[{slot.alias_position}]"
        alias = f", {slot.alias}{place}"
    default = _default_of(slot)
    given = "must be given" if default is inspect.Parameter.empty else f"default {default!r}"
    doc = f": {slot.doc}" if slot.doc else ""
    return f"    {name}{alias}{doc} ({given}, in {domain_text(slot)})"
