"""What `optdsl compile --target library` writes: an object file, a header, a library, a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optdsl.commands.terminal import out
from optdsl.files import write_bytes, write_text

if TYPE_CHECKING:
    from optdsl.model import Rule

LIBRARY = "library"


def write_libraries(
    rules: Mapping[str, Rule], directory: Path, remarks: Mapping[str, Sequence[str]]
) -> None:
    """Write the library of each rule, known by the name of its module; none unless all compile."""
    from optdsl.codegen.library import build_library

    built = {
        module: (rule, build_library(rule, module, remarks[module]))
        for module, rule in rules.items()
    }
    directory.mkdir(parents=True, exist_ok=True)
    for module, (rule, library) in built.items():
        header, code = directory / f"{library.prefix}.h", directory / f"{library.prefix}.o"
        write_bytes(code, library.code)
        written = f"{code}"
        if library.header is not None:
            write_text(header, library.header)
            written = f"{header} and {code}"
        tell(f"Wrote {written} ({rule.family} {rule.name}, target {LIBRARY})")
        if library.shared is not None:
            shared = directory / library.shared_name
            write_bytes(shared, library.shared, executable=True)
            tell(f"Wrote {shared}, linked by {library.compiler}")
        path = directory / f"{module}.py"
        write_text(path, library.module)
        tell(f"Wrote {path}, which calls it")
        tell_import(path, rule.name)
        if library.refused is not None:
            hint = f" ({library.refused.hint})" if library.refused.hint else ""
            tell(f"There is no header, for C cannot step it: {library.refused.message}{hint}")
        if library.shared is None:
            tell(f"There is no C compiler here. To link, run in {directory}: {library.command}")


def tell_import(path: Path, name: str) -> None:
    """Tell how a module is imported, where its path can be written with dots."""
    parts = path.with_suffix("").parts
    if not path.is_absolute() and all(part.isidentifier() for part in parts):
        tell(f"  from {'.'.join(parts)} import {name}")


def tell(text: str) -> None:
    """Print a line, however long it is."""
    out().print(text, soft_wrap=True)
