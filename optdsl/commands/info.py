"""`optdsl info`: what a rule is, what it takes, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from optdsl.commands.costs import costs, disagreement, print_table
from optdsl.commands.rules import find_rule, find_system
from optdsl.commands.terminal import out, print_json, write

if TYPE_CHECKING:
    from optdsl.model.system import Hyperparameter, System


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
    from optdsl.library import shipped

    names = [name for name, found in shipped().items() if found.family == "optimizer"]
    rules = [_cost(find_system(name)) for name in names]
    if json:
        print_json({"optimizers": rules})
    else:
        print_table(rules)


def _cost(system: System) -> dict[str, Any]:
    from optdsl.program import bytes_per_parameter, lower

    program = None
    if system.family != "schedule":
        program = lower(system, "ready") or lower(system, "function")
    return {
        "name": system.name,
        **costs(system),
        "passes": None if program is None else len(program.passes),
        "bytes_moved_per_parameter": None if program is None else bytes_per_parameter(program),
    }


def describe(what: str) -> dict[str, Any]:
    """Return what is to be said of a rule; docs/json.md explains each entry."""
    from optdsl.commands.equations import equation_lines, parts
    from optdsl.model import build

    definition, lookup = find_rule(what)
    system = build(definition, lookup)
    return {
        "name": system.name,
        "family": system.family,
        "doc": system.doc,
        "gives": list(system.outputs),
        "inputs": [each.known_as for each in system.handed_in],
        "parts": [
            {"name": part.name, "equations": equation_lines(part)}
            for part in parts(definition, lookup)
        ],
        "hyperparameters": [_hyperparameter(item, system) for item in system.hyperparameters],
        "states": [{"name": s.name, "per": s.kind.name.lower()} for s in system.memory],
        **_cost(system),
    }


def _hyperparameter(item: Hyperparameter, system: System) -> dict[str, Any]:

    shared = len({other.owner for other in system.hyperparameters}) > 1
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
            console.print(Text(part["name"], "dim"))
        for line in part["equations"]:
            console.print(Text(f"  {line}", "cyan"))
    if data["hyperparameters"]:
        console.print()
        write(_hyperparameter_table(data["hyperparameters"]))
    console.print()
    write(_cost_table(data))


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


def _cost_table(data: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    per = {"entry": "parameter", "tensor": "tensor", "all": "optimizer", "step": "step"}
    states = [
        f"{state['name']} (one a {per.get(state['per'], state['per'])})" for state in data["states"]
    ]
    count, tunable = data["hyperparameter_count"], data["tunable_hyperparameter_count"]
    more = "" if count == tunable else f", {tunable} without epsilon"
    table.add_row("hyperparameters", f"{count}{more}")
    table.add_row("states", ", ".join(states) or "none")
    if data["passes"] is not None:
        table.add_row("state memory", f"{data['state_bytes_per_parameter']} bytes a parameter")
        table.add_row("passes over memory", str(data["passes"]))
        table.add_row("bytes moved", f"{data['bytes_moved_per_parameter']} a parameter and step")
        table.add_row("", Text("in float32", "dim"))
    for said in data["said"]:
        words = disagreement(data, said)
        if words:
            table.add_row("contradicted", Text(words, "yellow"))
    return table
