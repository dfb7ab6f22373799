"""What compiling for CUDA has found, as plain data and as text."""

from __future__ import annotations

from typing import Any

from optdsl.codegen.support.cuda.tables import Tiles
from optdsl.codegen.support.cuda.words import WARP
from optdsl.codegen.toolkit.building import Build, BuiltFor, BuiltKernel
from optdsl.codegen.toolkit.cards import CARDS
from optdsl.program.timing import predicted_seconds
from optdsl.runtime.shapes import LEAST_ROWS

#: Numbers of parameters that times are predicted for.
SIZES = (1_000_000, 100_000_000)


def report(build: Build) -> dict[str, Any]:
    """Return what `optdsl compile --target cuda` reports; docs/json.md explains each entry."""
    assemblers = [b.assembled.assembler for b in build.by_architecture if b.assembled is not None]
    return {
        "rule": build.rule.name,
        "dtype": build.dtype,
        "assembler": next(iter(assemblers), None),
        "kernels": [_kernel(each, build) for each in build.kernels],
        "step": {
            "launches": [each.entry for each in build.step],
            "bytes_per_parameter": build.bytes_per_parameter,
            "predicted": [_predicted(each, build) for each in build.by_architecture],
        },
    }


def _kernel(built: BuiltKernel, build: Build) -> dict[str, Any]:
    return {
        "entry": built.entry,
        "kind": built.kernel.kind,
        "streams": [
            {"name": name, "dtype": dtype}
            for name, dtype in zip(built.streams, built.formats, strict=True)
        ],
        "bytes_read_per_parameter": built.read,
        "bytes_written_per_parameter": built.written,
        "threads_a_block": built.threads,
        "parameters_a_block": built.chunk,
        "tile": _tile(built),
        "architectures": [_taken(each, built) for each in build.by_architecture],
    }


def _tile(built: BuiltKernel) -> dict[str, int | None] | None:
    """Return the columns and rows of what a warp works on; None for rows that depend on tensors."""
    if not isinstance(built.cut, Tiles):
        return None
    return {"columns": built.strip, "rows": built.cut.height or None}


def _taken(where: BuiltFor, built: BuiltKernel) -> dict[str, Any]:
    taken, held = where.taken(built), where.held(built)
    known: dict[str, Any] = {"architecture": where.architecture.name, "resources": None}
    if taken is not None and held is not None:
        known["resources"] = {
            "registers": taken.registers,
            "spill_store_bytes": taken.spill_stores,
            "spill_load_bytes": taken.spill_loads,
            "stack_bytes": taken.stack,
            "shared_bytes": taken.shared,
            "blocks_a_multiprocessor": held.blocks,
            "occupancy": round(held.share, 4),
            "limited_by": held.limit,
        }
    return known


def _predicted(where: BuiltFor, build: Build) -> dict[str, Any]:
    card = CARDS[where.architecture.name]
    launches = [where.launch(each) for each in build.step]
    return {
        "architecture": where.architecture.name,
        "card": card.name,
        "gigabytes_a_second": round(card.machine.bandwidth / 1e9, 1),
        "times": [
            {
                "parameters": size,
                "milliseconds": round(predicted_seconds(launches, size, card.machine) * 1e3, 4),
            }
            for size in SIZES
        ],
    }


def report_text(found: dict[str, Any]) -> str:
    """Return a report as text."""
    assembler = found["assembler"]
    by = f"assembled by {assembler}" if assembler else "not assembled: no ptxas, no nvJitLink"
    lines = [f"{found['rule']} for CUDA, {found['dtype']} parameters, {by}", ""]
    for kernel in found["kernels"]:
        lines += [*_kernel_lines(kernel), ""]
    step = found["step"]
    count = len(step["launches"])
    lines.append(
        f"A step: {count} launch{'es' * (count != 1)}, "
        f"{step['bytes_per_parameter']:g} bytes a parameter"
    )
    for each in step["predicted"]:
        times = ", ".join(
            f"{time['milliseconds']:.3g} ms for {time['parameters'] // 1_000_000} million"
            for time in each["times"]
        )
        lines.append(f"  {each['architecture']:7} {each['card']}: {times} parameters, predicted")
    return "\n".join(lines) + "\n"


def _kernel_lines(kernel: dict[str, Any]) -> list[str]:
    lines = [kernel["entry"]]
    if kernel["streams"]:
        names = ", ".join(
            each["name"] if each["dtype"] == kernel["streams"][0]["dtype"]
            else f"{each['name']} ({each['dtype']})"
            for each in kernel["streams"]
        )  # fmt: skip
        lines.append(
            f"  {names}: {kernel['bytes_read_per_parameter']:g} bytes a parameter read, "
            f"{kernel['bytes_written_per_parameter']:g} written"
        )
        lines.append(f"  {kernel['threads_a_block']} threads a block, {_work_words(kernel)}")
    else:
        words = {"all": "in one block", "tensor": "in a block for each tensor"}
        lines.append(f"  finishes reductions, {words[kernel['kind']]}")
    for each in kernel["architectures"]:
        lines.append(f"  {each['architecture']:7} {_resource_words(each['resources'])}")
    return lines


def _work_words(kernel: dict[str, Any]) -> str:
    """Return what a block works on."""
    tile = kernel["tile"]
    if kernel["kind"] == "lines":
        return "finishes sums of rows and columns"
    if tile is None:
        return f"{kernel['parameters_a_block']} parameters"
    rows = f"{tile['rows']} rows" if tile["rows"] else f"{LEAST_ROWS} rows or more"
    warps = kernel["threads_a_block"] // WARP
    return f"{warps} tiles of {tile['columns']} columns and {rows}"


def _resource_words(taken: dict[str, Any] | None) -> str:
    if taken is None:
        return "registers are not known without an assembler"
    spills = taken["spill_store_bytes"] + taken["spill_load_bytes"]
    spilled = f"{spills} bytes spilled" if spills else "no spills"
    shared = f", {taken['shared_bytes']} bytes of shared memory" if taken["shared_bytes"] else ""
    return (
        f"{taken['registers']:3} registers, {spilled}{shared}, occupancy "
        f"{taken['occupancy']:.0%} (limited by {taken['limited_by']})"
    )
