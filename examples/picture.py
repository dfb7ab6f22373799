"""The loss curves in one picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

INK, QUIET, PAPER = "#22252b", "#8a9099", "#ffffff"
# Okabe and Ito's palette, which the colour-blind can tell apart; its yellow, too pale, is darkened.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b59a00", "#56b4e9", "#e69f00", "#22252b")
STYLES = ("-", "--", ":", "-.")


def draw(losses: Mapping[str, Sequence[float]], window: int, path: Path) -> None:
    """Draw one curve an optimizer, each the mean loss of the last `window` steps, into `path`."""
    with plt.rc_context({"font.family": "DejaVu Sans", "font.size": 11, "text.color": INK}):
        # The names stand below one another, so that many curves need a higher picture.
        height = max(6.0, 1.5 + 0.2 * len(losses))
        figure, axes = plt.subplots(figsize=(10, height), dpi=160, facecolor=PAPER)
        curves = {name: _smooth(values, window) for name, values in losses.items()}
        for number, (name, (steps, values)) in enumerate(curves.items()):
            round_, place = divmod(number, len(COLOURS))
            style = STYLES[round_ % len(STYLES)]
            axes.plot(steps, values, style, color=COLOURS[place], linewidth=1.8, label=name)
        _frame(axes, window, max(len(values) for values in losses.values()))
        _label_ends(axes, curves, apart=0.25 / height)
        figure.tight_layout()
        _save(path)
        plt.close(figure)


def _smooth(values: Sequence[float], window: int) -> tuple[npt.NDArray[np.float64], ...]:
    window = min(window, len(values))
    sums = np.cumsum(np.concatenate([[0.0], np.asarray(values, float)]))
    return np.arange(window, len(values) + 1.0), (sums[window:] - sums[:-window]) / window


def _frame(axes: Axes, window: int, steps: int) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(0, steps)
    axes.set_xlabel("step", color=INK)
    axes.set_title(
        "Training loss on handwritten digits",
        loc="left", fontsize=15, fontweight="bold", color=INK, pad=26,
    )  # fmt: skip
    axes.annotate(
        f"cross-entropy, mean of the last {window} steps; a 64-64-10 network",
        xy=(0, 1), xytext=(0, 8), xycoords="axes fraction", textcoords="offset points",
        color=QUIET,
    )  # fmt: skip
    axes.grid(axis="y", which="major", color="#e4e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, which="both", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c9ccd2")


def _label_ends(
    axes: Axes, curves: Mapping[str, tuple[npt.NDArray[np.float64], ...]], apart: float
) -> None:
    """Write each name at the end of its curve, pushed apart where ends lie close."""
    low, high = np.log(axes.get_ylim())
    ends = {name: (np.log(values[-1]) - low) / (high - low) for name, (_, values) in curves.items()}
    names = sorted(ends, key=ends.__getitem__)
    places = _spread([ends[name] for name in names], apart)
    colours = {line.get_label(): line.get_color() for line in axes.get_lines()}
    for name, place in zip(names, places, strict=True):
        axes.annotate(
            name,
            xy=(1, ends[name]), xytext=(1.035, place),
            xycoords="axes fraction", textcoords="axes fraction",
            color=colours[name], fontweight="bold", va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colours[name], "linewidth": 0.9,
                        "shrinkA": 2, "shrinkB": 1, "relpos": (0, 0.5)},
        )  # fmt: skip


def _spread(wanted: Sequence[float], apart: float) -> list[float]:
    """Move the sorted places as little as it takes for each to lie `apart` from the next."""
    groups: list[list[float]] = []  # of each: the wanted places, which end up evenly spaced
    for place in wanted:
        groups.append([place])
        while len(groups) > 1 and _top(groups[-2], apart) + apart > _bottom(groups[-1], apart):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_bottom(group, apart) + apart * rank for group in groups for rank in range(len(group))]


def _bottom(group: Sequence[float], apart: float) -> float:
    length = apart * (len(group) - 1)
    return max(0.0, min(1 - length, float(np.mean(group)) - length / 2))


def _top(group: Sequence[float], apart: float) -> float:
    return _bottom(group, apart) + apart * (len(group) - 1)


def _save(path: Path) -> None:
    unfinished = path.with_name(f".{path.stem}.unfinished.png")
    plt.savefig(unfinished)
    os.replace(unfinished, path)
