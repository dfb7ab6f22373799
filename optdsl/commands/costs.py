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
    from collections.abc import Sequence

    from optdsl.model import Rule
    from optdsl.model.system import Hyperparameter
    from optdsl.program import Program

_TABLE = re.compile(r"\\begin\{tabular\}.*?\n(.*?)\\end\{tabular\}", re.DOTALL)
_ROW = re.compile(r"^(.+?) & \$\\?(?:sim )?(\d+)n?\$ & (\d+) \\\\ % (\w+)", re.MULTILINE)


#: What times are predicted for: the card of this architecture, and so many parameters.
_CARD, PARAMETERS = "sm_90", 100_000_000


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


def predicted(programs: Sequence[Program]) -> dict[str, Any] | None:
    """Return the time of a step as the model of costs predicts it, the longest of these programs.

    None where there is no program, or one that computes with whole matrices.
    """
    from optdsl.codegen.toolkit.cards import CARDS
    from optdsl.program.timing import launches, predicted_seconds

    card = CARDS[_CARD]
    found = [launches(program) for program in programs]
    known = [each for each in found if each is not None]
    if not known or len(known) < len(found):
        return None
    seconds = max(predicted_seconds(each, PARAMETERS, card.machine) for each in known)
    return {"card": card.name, "parameters": PARAMETERS, "milliseconds": round(seconds * 1e3, 4)}


def predicted_words(found: dict[str, Any]) -> str:
    """Return a prediction in words."""
    millions = found["parameters"] // 1_000_000
    return (
        f"{found['milliseconds']:.3g} ms for {millions} million parameters on an "
        f"{found['card']}, if memory is all that it waits for"
    )


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


def _card_name() -> str:
    from optdsl.codegen.toolkit.cards import CARDS

    return CARDS[_CARD].name


def print_table(rules: list[dict[str, Any]]) -> None:
    """Print one line a rule, and below the table what documents say otherwise."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("optimizer")
    for heading in ("state bytes", "tunable", "all", "passes", "bytes moved", "ms"):
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
            "" if rule["predicted"] is None else f"{rule['predicted']['milliseconds']:.3g}",
        )
    write(table)
    console = out()
    console.print()
    console.print(
        Text(
            "bytes a parameter, in float32; tunable: hyperparameters without epsilon; "
            "wrappers stand around SGD; "
            f"ms: predicted for {PARAMETERS // 1_000_000} million parameters on an "
            f"{_card_name()}",
            "dim",
        )
    )
    for note in notes:
        console.print(Text(f"* {note}"), soft_wrap=True)
