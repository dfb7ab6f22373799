"""`optdsl compile --target cuda`: PTX, cubins, a report, and a header, beside the module."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optdsl.commands.terminal import Misuse, out, print_text
from optdsl.files import write_bytes, write_text

if TYPE_CHECKING:
    from optdsl.codegen.toolkit.building import Build
    from optdsl.model import Rule

DTYPES = ("float32", "float64", "bfloat16", "float16")


def check_dtype(dtype: str) -> None:
    """Raise `Misuse` where parameters cannot be of this dtype."""
    if dtype not in DTYPES:
        raise Misuse(f"parameters cannot be {dtype}", f"the dtypes are {', '.join(DTYPES)}")


def built(rule: Rule, name: str, arch: str | None, dtype: str, approximate: bool = False) -> Build:
    """Compile a rule for the architectures that `arch` names, the usual ones where it is None.

    Raises:
        Misuse: it is a schedule, which has no kernels, or the dtype is none, or not its own.
        DiagnosticError: an unknown architecture, or a part of the toolkit is missing.
    """
    from optdsl.codegen.toolkit.architectures import USUAL, architectures
    from optdsl.codegen.toolkit.building import build
    from optdsl.model.alternatives import systems_of
    from optdsl.storage import known_storage

    check_dtype(dtype)
    if rule.family == "schedule":
        raise Misuse(f"{rule.name} is a schedule: it is computed on the host, not in a kernel")
    for said in (system.parameters for system in systems_of(rule)):
        if said is not None and known_storage(said).format != dtype:
            wanted = known_storage(said).format
            raise Misuse(f"{rule.name} keeps its parameters in {wanted}", f"add --dtype {wanted}")
    return build(rule, name, architectures(USUAL if arch is None else arch), dtype, approximate)


def write_build(made: Build, name: str, directory: Path, remarks: Sequence[str] = ()) -> None:
    """Write what was compiled, and say what was written and found."""
    from optdsl.codegen.toolkit.header import header_text
    from optdsl.codegen.toolkit.reporting import report, report_text
    from optdsl.codegen.versions import imprint

    found: dict[str, Any] = report(made)
    text = report_text(found)
    written = []
    for each in made.by_architecture:
        path = directory / f"{name}.{each.architecture.name}.ptx"
        write_text(path, each.ptx)
        written.append(path)
        if each.assembled is not None:
            path = path.with_suffix(".cubin")
            write_bytes(path, each.assembled.cubin)
            written.append(path)
    for ending, contents in (
        (".h", header_text(made, name, imprint(remarks))),
        (".report.txt", text),
        (".report.json", json.dumps(found, indent=2) + "\n"),
    ):
        path = directory / f"{name}{ending}"
        write_text(path, contents)
        written.append(path)
    for path in written:
        out().print(f"Wrote {path}", soft_wrap=True)
    print_text("\n" + text)
