"""Run the measurements: `python -m benchmarks --out build/benchmarks`.

Writes OUT.json, OUT.md (a table) and OUT.png (time against size, with the roofline). Every
ratio stands beside its bar; bars that were missed are marked, and peers that are not installed
are named. Nothing fails: a busy machine is no error.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import cases, predicted, starts
from benchmarks.cases import Row
from benchmarks.machine import machine
from benchmarks.peers import missing
from benchmarks.picture import draw

TABLES = {
    "adam": cases.adam, "without-fused": cases.without_fused, "two-passes": cases.two_passes,
    "narrow": cases.narrow, "mixed": cases.mixed, "overhead": cases.overhead,
    "start": starts.starts, "one-pass": cases.one_pass, "predicted": predicted.predictions,
}  # fmt: skip


def main() -> None:
    """Read the arguments, measure, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", default="build/benchmarks", help="where to write, no suffix")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender")
    parser.add_argument("--only", nargs="*", choices=[*TABLES, "sizes"], help="some tables only")
    parser.add_argument(
        "--sizes", nargs="*", type=lambda text: int(float(text)), metavar="ENTRIES",
        help="sizes of the picture, as in 1e8 1e9; else those for which half of the memory is free",
    )  # fmt: skip
    arguments = parser.parse_args()
    about = machine()
    print(f"{about['date']}, {about['processor']}, {about['threads']} threads")
    for peer in missing():
        print(f"not installed, so not compared with: {peer}")
    rows = [_shown(row) for row in _rows(arguments.only, arguments.rounds)]
    sizes = []
    if not arguments.only or "sizes" in arguments.only:
        sizes = [_told(each) for each in cases.sweep(arguments.rounds, arguments.sizes)]
    _write(Path(arguments.out), about, rows, sizes)


def _rows(only: list[str] | None, rounds: int) -> Iterator[Row]:
    for name, table in TABLES.items():
        if not only or name in only:
            yield from table(rounds)


def _shown(row: Row) -> Row:
    bar = "" if row.bar is None else f"bar {row.bar:g}"
    mark = {True: "met", False: "MISSED", None: ""}[row.met]
    print(
        f"{row.table:32} {row.what:38} {row.milliseconds:9.3f} ms  {row.ratio:6.2f}x "
        f"(fastest {row.least:5.2f}x) of {row.other}  {bar} {mark}  {row.note}",
        flush=True,
    )
    return row


def _told(found: dict[str, float]) -> dict[str, float]:
    size = found["size"]
    print(f"Adam, {size:,} entries: {1e9 * found['step'] / size:.3f} ns an entry, "
          f"{1e9 * found['moved'] / size:.3f} where they are merely moved", flush=True)  # fmt: skip
    return found


def _write(
    out: Path, about: dict[str, Any], rows: list[Row], sizes: list[dict[str, float]]
) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "machine": about,
        "missing": missing(),
        "rows": [row.as_json() for row in rows],
        "sizes": sizes,
    }
    out.with_suffix(".json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text("\n".join(_markdown(rows)) + "\n", encoding="utf-8")
    written = [".json", ".md"]
    if sizes and draw(sizes, about, out.with_suffix(".png")):
        written.append(".png")
    print("wrote " + ", ".join(f"{out}{suffix}" for suffix in written))


def _markdown(rows: list[Row]) -> list[str]:
    lines = ["| what | ms | beside | ms | ratio | bar |", "|---|--:|---|--:|--:|--:|"]
    for row in rows:
        bar = "" if row.bar is None else f"{row.bar:g}"
        bar += {True: " ✓", False: " ✗", None: ""}[row.met]
        what = row.what.replace("|", "\\|")
        ours, theirs = _digits(row.milliseconds), _digits(row.other_milliseconds)
        lines.append(f"| {what} | {ours} | {row.other} | {theirs} | {row.ratio:.2f} | {bar} |")
    return lines


def _digits(milliseconds: float) -> str:
    """Return three digits, or all before the point: 0.0118, 13.6, 26,526."""
    return f"{milliseconds:,.0f}" if milliseconds >= 1000 else f"{milliseconds:.3g}"


if __name__ == "__main__":
    main()
