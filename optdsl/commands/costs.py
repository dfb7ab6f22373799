"""What rules cost: memory and hyperparameters, beside what documents say of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from optdsl.commands.terminal import out, write

if TYPE_CHECKING:
    from optdsl.model import Rule
    from optdsl.model.system import Hyperparameter

_TABLE = re.compile(r"\\begin\{tabular\}.*?\n(.*?)\\end\{tabular\}", re.DOTALL)
_ROW = re.compile(r"^(.+?) & \$\\?(?:sim )?(\d+)n?\$ & (\d+) \\\\ % (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Said:
    """What a document prints of a rule: bytes a parameter, and tunable hyperparameters."""

    document: str
    rule: str
    bytes: int
    hyperparameters: int


@cache
def said_in_documents() -> dict[str, tuple[Said, ...]]:
    """Return what the tables of documents say, by the name of the spec they speak of."""
    found: dict[str, tuple[Said, ...]] = {}
    folder = resources.files("optdsl.specs") / "sources"
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".tex"):
            continue
        for table in _TABLE.findall(file.read_text(encoding="utf-8")):
            for called, size, count, spec in _ROW.findall(table):
                said = Said(file.name.removesuffix(".tex"), called, int(size), int(count))
                found[spec] = (*found.get(spec, ()), said)
    return found


def costs(rule: Rule) -> dict[str, Any]:
    """Return the memory and the hyperparameters of a rule, and what documents say of them.

    A document's number is compared with the hyperparameters other than epsilon: that keeps a
    division finite, and tables do not count it.
    """
    from optdsl.program import state_bytes

    size, tunable = state_bytes(rule), len(tunable_hyperparameters(rule))
    return {
        "state_bytes_per_parameter": size,
        "hyperparameter_count": len(rule.hyperparameters),
        "tunable_hyperparameter_count": tunable,
        "said": [
            {
                "document": said.document,
                "rule": said.rule,
                "state_bytes_per_parameter": said.bytes,
                "tunable_hyperparameter_count": said.hyperparameters,
                "agrees": (said.bytes, said.hyperparameters) == (size, tunable),
            }
            for said in said_in_documents().get(rule.name, ())
        ],
    }


def tunable_hyperparameters(rule: Rule) -> list[Hyperparameter]:
    """Return the hyperparameters of a rule without those that only keep a division finite."""
    return [each for each in rule.hyperparameters if not _is_epsilon(each)]


def _is_epsilon(hyper: Hyperparameter) -> bool:
    alias = None if hyper.alias is None else hyper.alias.name
    return alias == "eps" or (alias is None and hyper.local_name.startswith("epsilon"))


def disagreement(data: dict[str, Any], said: dict[str, Any]) -> str:
    """Return in words what a document says of a rule and the equations contradict, or ""."""
    parts = []
    for key, unit in (
        ("state_bytes_per_parameter", "bytes a parameter"),
        ("tunable_hyperparameter_count", "tunable hyperparameters"),
    ):
        if said[key] != data[key]:
            parts.append(f"{said[key]} {unit}, where the equations have {data[key]}")
    return f"{said['document']} gives {said['rule']} " + " and ".join(parts) if parts else ""


def print_table(rules: list[dict[str, Any]]) -> None:
    """Print one line a rule, and below the table what documents say otherwise."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("optimizer")
    for heading in ("state bytes", "tunable", "all", "passes", "bytes moved"):
        table.add_column(heading, justify="right")
    notes: list[str] = []
    for rule in rules:
        words = [text for said in rule["said"] if (text := disagreement(rule, said))]
        mark = "*" * bool(words)
        notes += [f"{rule['name']}: {text}" for text in words]
        table.add_row(
            Text(rule["name"] + mark),
            str(rule["state_bytes_per_parameter"]),
            str(rule["tunable_hyperparameter_count"]),
            str(rule["hyperparameter_count"]),
            str(rule["passes"]),
            str(rule["bytes_moved_per_parameter"]),
        )
    write(table)
    console = out()
    console.print()
    console.print(
        Text(
            "bytes a parameter, in float32; tunable: hyperparameters without epsilon; "
            "wrappers stand around SGD",
            "dim",
        )
    )
    for note in notes:
        console.print(Text(f"* {note}"), soft_wrap=True)
