"""The gradients that a definition asks for, each with a name."""

from __future__ import annotations

from typing import TypeAlias

from optdsl.language import syntax
from optdsl.model.declarations import Declarations
from optdsl.model.reading import nodes

#: What `grad` is asked at; None is the gradient that comes without asking.
Point: TypeAlias = "syntax.Expression | syntax.Keyword | syntax.Scope | None"


def name_gradients(declared: Declarations) -> dict[Point, str]:
    """Return the points at which gradients are asked, with the name of each.

    An equation `s = grad(...)` names its gradient `s` and is taken out of the
    rules. One that stands within a larger expression is called `g` where that
    is free. Where `g` is read but never defined, it is the gradient at theta[t-1]; so it is
    where the loss is read, and no gradient is asked for.
    """
    names: dict[Point, str] = {}
    if declared.definition.family == "optimizer":
        _name_points(declared, names)
    if declared.definition.family != "schedule" and _wants_g(declared, names):
        names[None] = "g"
    return names


def _name_points(declared: Declarations, names: dict[Point, str]) -> None:
    for name, rule in list(declared.rules.items()):
        match rule.value:
            case syntax.Call("grad", (point,)) if point not in names:
                names[point] = name
                del declared.rules[name]
    for rule in declared.rules.values():
        for node in nodes(rule.value):
            match node:
                case syntax.Call("grad", (point,)):
                    names.setdefault(point, _free_name(names, declared))


def _free_name(names: dict[Point, str], declared: Declarations) -> str:
    taken = {*names.values(), *declared.known, *(["g"] if _mentions_g(declared) else [])}
    candidates = ["g", *(f"g_{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in candidates if name not in taken)


def loss_carrier(gradients: dict[Point, str]) -> str | None:
    """Return the gradient at whose point `loss[t]` is taken: `g`, or else the only one."""
    names = list(gradients.values())
    if "g" in names:
        return "g"
    return names[0] if len(names) == 1 else None


def _mentions(declared: Declarations, name: str) -> bool:
    statements = [s for s in declared.definition.statements if not isinstance(s, syntax.Claim)]
    return any(isinstance(n, syntax.Name) and n.name == name for n in nodes(tuple(statements)))


def _mentions_g(declared: Declarations) -> bool:
    definition = declared.definition
    return any(isinstance(n, syntax.Name) and n.name == "g" for n in nodes(definition.statements))


def _wants_g(declared: Declarations, names: dict[Point, str]) -> bool:
    if "g" in {*names.values(), *declared.known}:
        return False
    return _mentions_g(declared) or (not names and _mentions(declared, "loss"))
