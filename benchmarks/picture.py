"""Time against size, on logarithmic axes, with the roofline drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw(sizes: list[dict[str, float]], about: dict[str, Any], path: Path) -> bool:
    """Draw the picture; return whether there is a library to draw with."""
    try:
        import matplotlib
    except ImportError:
        print("not installed, so nothing is drawn: matplotlib")
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    entries = [each["size"] for each in sizes]
    for key, label, style in (
        ("moved", "roofline: the same arrays merely moved", "k--"),
        ("step", "a step of Adam", "o-"),
    ):
        axes.loglog(entries, [1e3 * each[key] for each in sizes], style, label=label, markersize=4)
    axes.set(xlabel="entries, float32", ylabel="milliseconds")
    axes.set_title(f"Adam on {about['threads']} threads, {about['processor']}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return True
