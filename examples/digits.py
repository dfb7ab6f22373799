"""Train a small network on handwritten digits with the optimizers of the classical papers.

Run it with `make demo`. It checks the shipped specs against their sources, compiles these
optimizers, trains the same network from the same start on the same batches with each, and draws
the loss curves. Names after the script's choose other optimizers; `--all` takes every one that
is shipped, which is minutes of compiling.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from network import Digits, accuracy, batches, initial_parameters, load_digits, loss_and_gradients
from picture import draw
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from threadpoolctl import threadpool_limits

import optdsl
from optdsl.commands.checking import check_paths
from optdsl.commands.info import describe
from optdsl.library import shipped

EPOCHS = 25
BATCH = 32
PICTURE = Path("demo.png")

# What is trained unless names are given. These settings were found by trying a few, a factor of
# about three apart; the rest are the defaults of the specs. In Adadelta epsilon sets the pace.
SETTINGS: dict[str, dict[str, float]] = {
    "SGD": {"lr": 0.3},
    "Momentum": {"lr": 0.03},
    "Nesterov": {"lr": 0.03},
    "Adagrad": {"lr": 0.1},
    "Adadelta": {"eps": 1e-5},
    "RMSprop": {"lr": 0.003},
    "Adam": {"lr": 0.003},
    "AdamW": {"lr": 0.003},
}

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What came of training with one optimizer."""

    name: str
    losses: list[float]
    accuracy: float
    microseconds: float


def check_all(progress: Progress) -> dict[str, str]:
    """Hold every shipped rule to its claims; return one word for each."""
    verdicts = {}
    for name in follow(list(shipped()), "check", progress):
        checked = next(check_paths([name]))
        verdicts[name] = checked.rules[0].verdict
        if not checked.good:
            progress.console.print(f"[red]{name}: findings; `optdsl check {name}` shows them[/]")
    return verdicts


def compile_all(names: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Make a class of each rule; the first step of each, which makes machine code, counts here."""
    rules = {}
    for name in follow(names, "compile", progress):
        rules[name] = optdsl.load(name)
        microseconds_a_step(rules[name], steps=1)
    return rules


def microseconds_a_step(rule: Any, steps: int = 500) -> float:
    """Return the median time of a step for tensors of the network's shapes."""
    parameters = initial_parameters()
    optimizer = rule(parameters)
    gradients = {name: np.full_like(values, 1e-3) for name, values in parameters.items()}
    given = gradients if rule.layout.ready is not None else lambda point: gradients
    seconds = []
    for _ in range(steps):
        began = time.perf_counter()
        optimizer.step(given)
        seconds.append(time.perf_counter() - began)
    return 1e6 * float(np.median(seconds))


def train(name: str, rule: Any, digits: Digits, progress: Progress) -> Run:
    """Train a fresh network with `rule`."""
    parameters = initial_parameters()
    optimizer = rule(parameters, **SETTINGS.get(name, {}))
    losses = []
    for rows in follow(list(batches(digits, BATCH, EPOCHS)), f"train {name}", progress):
        images, labels = digits.train_images[rows], digits.train_labels[rows]

        def model(point: Any) -> Any:
            return loss_and_gradients(point, images, labels)  # noqa: B023

        if rule.layout.ready is None:  # it asks for several gradients a step
            losses.append(optimizer.step(model).loss)
        else:
            loss, gradients = model(parameters)
            optimizer.step(gradients)
            losses.append(loss)
    learnt = accuracy(optimizer.theta(), digits.test_images, digits.test_labels)
    return Run(name, losses, learnt, microseconds_a_step(rule))


def follow(items: Sequence[T], what: str, progress: Progress) -> Iterator[T]:
    """Yield `items` while a bar shows how far we are."""
    width = 14  # of "train Adadelta", so that the bars stand in a column
    yield from progress.track(items, description=f"{what:{width}}")


def summary(runs: list[Run], verdicts: dict[str, str]) -> Table:
    """Return the closing table, one row an optimizer."""
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    table.add_column("optimizer", style="bold")
    table.add_column("check")
    for heading in ("test accuracy", "µs a step", "state bytes\na parameter"):
        table.add_column(heading, justify="right")
    for run in runs:
        colour = "green" if verdicts[run.name] == "proved" else "yellow"
        table.add_row(
            run.name,
            f"[{colour}]{verdicts[run.name]}[/]",
            f"{run.accuracy:.1%}",
            f"{run.microseconds:.0f}",
            str(describe(run.name)["state_bytes_per_parameter"]),
        )
    return table


def main() -> int:
    """Check, compile, train, draw; 1 where a shipped rule does not hold what it claims."""
    console = Console(highlight=False)
    optimizers = [rule.name for rule in shipped().values() if rule.family == "optimizer"]
    asked = sys.argv[1:]
    names = optimizers if asked == ["--all"] else asked or list(SETTINGS)
    if unknown := [name for name in names if name not in optimizers]:
        console.print(f"there is no optimizer {', '.join(unknown)}; `optdsl list` shows them all")
        return 2
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        verdicts = check_all(progress)
        rules = compile_all(names, progress)
        digits = load_digits()
        # Matrices of this size are multiplied faster by one thread than by several.
        with threadpool_limits(1, user_api="blas"):
            runs = [train(name, rule, digits, progress) for name, rule in rules.items()]
    console.print(summary(runs, verdicts))
    steps_an_epoch = len(runs[0].losses) // EPOCHS
    draw({run.name: run.losses for run in runs}, steps_an_epoch, PICTURE)
    console.print(f"Loss curves: [bold]{PICTURE.resolve()}[/]", soft_wrap=True)
    return 1 if "findings" in verdicts.values() else 0


if __name__ == "__main__":
    sys.exit(main())
