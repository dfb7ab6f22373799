"""What a generated module declares of a rule: its hyperparameters, schedules, inputs, and dtypes.

What is as it usually is goes without saying: these are arguments with defaults, see
`runtime/layout.py`.
"""

from __future__ import annotations

import dataclasses

from optdsl.codegen.forms import FORMS
from optdsl.codegen.protocol import Target
from optdsl.codegen.source import wrapped
from optdsl.model.expressions import Constant, Kind, Number
from optdsl.model.guards import unguarded_inputs
from optdsl.model.overriding import Feed
from optdsl.model.system import Domain, Hyperparameter, Input, System
from optdsl.runtime.layout import HyperparameterSlot, InputSlot
from optdsl.storage import known_storage

#: How the runtime calls the kinds of states.
STATE_KINDS = {Kind.STEP: "step", Kind.ALL: "all", Kind.TENSOR: "tensor", **FORMS}
#: How deep what is declared stands: an item of a tuple of `LAYOUT`.
MARGIN = 8


def hyper_text(
    hyper: Hyperparameter, default: str | None, ahead: bool, cases: tuple[int, ...] = ()
) -> list[str]:
    """Return the slot of a hyperparameter whose default has this text."""
    alias = hyper.alias
    given = {
        "alias": alias.name if alias else None,
        "alias_position": alias.position if alias else None,
        **_bounds(hyper.domain),
        "doc": hyper.doc or "",
        "part": hyper.part,
        "ahead": ahead,
        "begins": hyper.begins,
        "cases": cases,
    }
    names = [repr(hyper.name), repr(hyper.owner), repr(hyper.local_name)]
    defaults = [] if default is None else [f"default={default}"]
    items = [*names, *defaults, *_unusual(HyperparameterSlot, given)]
    return wrapped("layout.HyperparameterSlot(", items, "),", MARGIN)


def plain_default(hyper: Hyperparameter) -> str | None:
    """Return the text of a default that is a number, else None."""
    match hyper.default:
        case Number(value):
            return _plain(float(value))
        case Constant("true" | "false" as name):
            return "1.0" if name == "true" else "0.0"
        case Constant("inf"):
            return "np.inf"
    return None


def feed_text(feed: Feed, function: str, starts: list[str]) -> str:
    """Return the schedule that gives a hyperparameter; `function` and `starts` are texts."""
    rest = ""
    if feed.states:
        states = tuple(state.name for state in feed.states)
        rest += f", states={states!r}, starts=({', '.join(starts)},)"
    rest += f", needs={tuple(sorted(feed.needs))!r}" if feed.needs else ""
    rest += f", own={tuple(sorted(feed.own))!r}" if feed.own else ""
    return f"layout.Feed({function}, {feed.text!r}{rest})"


def input_text(system: System, given: Input, cases: tuple[int, ...] = ()) -> list[str]:
    """Return the slot of an input of `system`."""
    needed = given.name in unguarded_inputs(system)
    rest = {"part": given.part, "needed": needed, "doc": given.doc or "", "cases": cases}
    names = [repr(given.name), repr(given.known_as)]
    return wrapped("layout.InputSlot(", [*names, *_unusual(InputSlot, rest)], "),", MARGIN)


def dtypes_text(target: Target, *systems: System) -> str | None:
    """Return the dtypes that parameters may have, where a rule or a target takes but some."""
    for system in systems:
        if system.parameters is not None:
            return repr((known_storage(system.parameters).format,))
    return repr(target.DTYPES) if target.DTYPES else None


def _bounds(domain: Domain | None) -> dict[str, object]:
    if domain is None:
        return {}
    bounds: dict[str, object] = {}
    if domain.low != -float("inf"):
        bounds |= {"low": float(domain.low), "low_open": domain.low_open}
    if domain.high != float("inf"):
        bounds |= {"high": float(domain.high), "high_open": domain.high_open}
    return bounds | {"whole": domain.whole}


def _unusual(slot: type[HyperparameterSlot | InputSlot], given: dict[str, object]) -> list[str]:
    """Return the arguments of a slot that are not what they are by default."""
    usual = {each.name: each.default for each in dataclasses.fields(slot)}
    return [f"{name}={_plain(value)}" for name, value in given.items() if value != usual[name]]


def _plain(value: object) -> str:
    if isinstance(value, float) and value in (float("inf"), -float("inf")):
        return "np.inf" if value > 0 else "-np.inf"
    return repr(value)
