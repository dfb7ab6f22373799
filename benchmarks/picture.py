"""Time against size, on logarithmic axes, with the roofline drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Entries whose arrays no cache holds.
_BEYOND = 10_000_000


def draw(sizes: list[dict[str, float]], about: dict[str, Any], path: Path) -> bool:
    """Draw the picture; return whether there is a library to draw with.

    The roofline is a straight line, from sizes that are beyond every cache: steps on less may be
    below it.
    """
    try:
        import matplotlib
    except ImportError:
        print("not installed, so nothing is drawn: matplotlib")
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    entries = [each["size"] for each in sizes]
    steps = [1e3 * each["step"] for each in sizes]
    large = [each for each in sizes if each["size"] >= _BEYOND] or sizes[-1:]
    rate = min(1e3 * each["moved"] / each["size"] for each in large)
    axes.loglog(
        entries, [rate * size for size in entries], "k--",
        label="roofline: the same arrays merely moved, at the speed of memory",
    )  # fmt: skip
    axes.loglog(entries, steps, "o-", label="a step of Adam", markersize=4)
    axes.set(xlabel="entries, float32", ylabel="milliseconds")
    axes.set_title(f"Adam on {about['threads']} threads, {about['processor']}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return True
