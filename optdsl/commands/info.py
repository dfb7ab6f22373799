"""`optdsl info`: what a rule is, what it takes, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from optdsl.commands.costs import (
    costs,
    disagreement,
    predicted,
    predicted_words,
    print_table,
)
from optdsl.commands.rules import find_rule, find_system
from optdsl.commands.terminal import out, print_json, write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optdsl.model import Rule
    from optdsl.model.system import Hyperparameter
    from optdsl.program import Program


def info(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A shipped rule, a path (mine.opt or mine.opt:Mine), or a composition. "
            "Without one: what every shipped optimizer costs."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> None:
    """Show the equations of a rule, its hyperparameters, and what a step costs."""
    if name is None:
        _all_costs(json)
        return
    data = describe(name)
    if json:
        print_json(data)
    else:
        _print(data)


def _all_costs(json: bool) -> None:
    from optdsl.library import shipped, single_rules

    names = [name for name in single_rules() if shipped()[name].family == "optimizer"]
    rules = [_cost(find_system(name)) for name in names]
    if json:
        print_json({"optimizers": rules})
    else:
        print_table(rules)


def _cost(rule: Rule) -> dict[str, Any]:
    """Return what a step costs a parameter; where rules are chosen between, the dearest of them."""
    return {"name": rule.name, **costs(rule), **_traffic(_programs(rule))}


def _traffic(programs: Iterable[Program | None]) -> dict[str, Any]:
    from optdsl.program import bytes_per_parameter

    there = [program for program in programs if program is not None]
    return {
        "passes": max((len(program.passes) for program in there), default=None),
        "bytes_moved_per_parameter": max(map(bytes_per_parameter, there), default=None),
        "predicted": predicted(there),
    }


def _programs(rule: Rule) -> tuple[Program | None, ...]:
    """Return the program of each case, one for a rule that does not choose."""
    from optdsl.model import System
    from optdsl.program import lower
    from optdsl.program.cases import lower_cases

    if rule.family == "schedule":
        return ()
    if isinstance(rule, System):
        return (lower(rule, "ready") or lower(rule, "function"),)
    lowered = lower_cases(rule, "ready") or lower_cases(rule, "function")
    assert lowered is not None
    return lowered.programs


def _cases(rule: Rule) -> list[dict[str, Any]]:
    """Return what each rule that is chosen from costs its own tensors."""
    from optdsl.model import System

    if isinstance(rule, System):
        return []
    return [
        {"name": case.title, **costs(case.system), **_states(case.system), **_traffic([program])}
        for case, program in zip(rule.cases, _programs(rule), strict=True)
    ]


def _states(rule: Rule) -> dict[str, Any]:
    return {
        "states": [
            {"name": s.name, "per": s.kind.name.lower(), "storage": s.storage} for s in rule.memory
        ]
    }


def describe(what: str) -> dict[str, Any]:
    """Return what is to be said of a rule; docs/json.md explains each entry."""
    from optdsl.commands.equations import equation_lines, parts
    from optdsl.model import build_rule

    definition, lookup = find_rule(what)
    rule = build_rule(definition, lookup)
    return {
        "name": rule.name,
        "family": rule.family,
        "doc": rule.doc,
        "gives": list(rule.outputs),
        "inputs": [each.known_as for each in rule.handed_in],
        "parts": [
            {
                "name": part.definition.name,
                "when": ", ".join(part.when) or None,
                "equations": equation_lines(part.definition),
            }
            for part in parts(definition, lookup)
        ],
        "hyperparameters": [*_fed(rule), *(_hyperparameter(h, rule) for h in rule.hyperparameters)],
        **_states(rule),
        **_cost(rule),
        "cases": _cases(rule),
    }


def _fed(rule: Rule) -> list[dict[str, Any]]:
    """Return the hyperparameters that schedules give, each once."""
    from optdsl.model.alternatives import systems_of

    fed = {f.hyperparameter.name: f for system in systems_of(rule) for f in system.fed}
    shown = ({**_hyperparameter(f.hyperparameter, rule), "default": f.text} for f in fed.values())
    return list(shown)


def _hyperparameter(item: Hyperparameter, rule: Rule) -> dict[str, Any]:
    shared = len({other.owner for other in rule.hyperparameters}) > 1
    alias = item.alias
    position = "" if alias is None or alias.position is None else f"[{alias.position}]"
    return {
        "name": f"{item.owner}.{item.local_name}" if shared else item.name,
        "alias": None if alias is None else alias.name + position,
        "default": _default(item),
        "domain": None if item.domain is None else str(item.domain),
        "doc": item.doc,
    }


def _default(item: Hyperparameter) -> float | str | None:
    """Return a number, the text of a formula, or None where a value must be given."""
    from optdsl.model.expressions import Constant, Number
    from optdsl.program.formulas import formula

    match item.default:
        case None:
            return None
        case Number(value):
            return float(value)
        case Constant() as constant:
            return constant.name
        case expression:
            return formula(expression)


def _print(data: dict[str, Any]) -> None:
    console = out()
    console.print(Text.assemble((data["name"], "bold"), (f"  {data['family']}", "dim")))
    if data["doc"]:
        console.print(Text(data["doc"]))
    for part in data["parts"]:
        console.print()
        if len(data["parts"]) > 1:
            title = part["name"] if part["when"] is None else f"{part['name']}, {part['when']}"
            console.print(Text(title, "dim"))
        for line in part["equations"]:
            console.print(Text(f"  {line}", "cyan"))
    if data["hyperparameters"]:
        console.print()
        write(_hyperparameter_table(data["hyperparameters"]))
    for cost in data["cases"] or [data]:
        console.print()
        if data["cases"]:
            console.print(Text(cost["name"], "dim"))
        write(_cost_table(cost))


def _hyperparameter_table(items: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("hyperparameter", "in Python", "default", "domain", ""):
        table.add_column(heading)
    for item in items:
        default = item["default"]
        shown = "must be given" if default is None else default
        shown = f"{shown:g}".replace("e-0", "e-") if isinstance(shown, float) else shown
        cells = (item["name"], item["alias"] or item["name"], shown, item["domain"] or "any number",
                 item["doc"] or "")  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    return table


_PER = {
    "entry": "parameter", "turned": "parameter", "tensor": "tensor", "all": "optimizer",
    "step": "step", "row": "row", "column": "column", "rows": "pair of rows",
    "columns": "pair of columns",
}  # fmt: skip


def _state_words(state: dict[str, Any]) -> str:
    storage = "" if state["storage"] is None else f", {state['storage']}"
    return f"{state['name']} (one a {_PER[state['per']]}{storage})"


def _state_memory(data: dict[str, Any]) -> str:
    """Return the memory of states that are arrays, by what they have a value of."""
    words = [f"{data['state_bytes_per_parameter']:.4g} bytes a parameter"]
    for kind in ("row", "column", "rows", "columns"):
        count = sum(state["per"] == kind for state in data["states"])
        words += [f"{4 * count} a {_PER[kind]}"] if count else []
    return ", ".join(words)


def _cost_table(data: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    states = [_state_words(state) for state in data["states"]]
    count, tunable = data["hyperparameter_count"], data["tunable_hyperparameter_count"]
    more = "" if count == tunable else f", {tunable} without epsilon"
    table.add_row("hyperparameters", f"{count}{more}")
    table.add_row("states", ", ".join(states) or "none")
    if data["passes"] is not None:
        table.add_row("state memory", _state_memory(data))
        table.add_row("passes over memory", str(data["passes"]))
        table.add_row(
            "bytes moved", f"{data['bytes_moved_per_parameter']:.4g} a parameter and step"
        )
        if data["predicted"] is not None:
            table.add_row("predicted time", predicted_words(data["predicted"]))
        table.add_row("", Text("in float32", "dim"))
    for said in data["said"]:
        words = disagreement(data, said)
        if words:
            table.add_row("contradicted", Text(words, "yellow"))
    return table
