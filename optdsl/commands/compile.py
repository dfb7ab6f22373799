"""`optdsl compile`: write a rule as a Python module that can be imported, or as a library for C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optdsl.commands.compile_claims import claim_lines, claims_hold
from optdsl.commands.compile_cuda import built, write_build
from optdsl.commands.compile_library import LIBRARY, tell, tell_import, write_libraries
from optdsl.commands.rules import check_target, definitions_by_module, renamed, stored_as
from optdsl.commands.terminal import Misuse
from optdsl.files import write_text

if TYPE_CHECKING:
    from optdsl.codegen.toolkit.building import Build
    from optdsl.model import Rule


def compile_(
    rule: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A spec file (mine.opt, or mine.opt:Mine for one of several definitions), "
            "a shipped rule, or a composition.",
        ),
    ],
    directory: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the modules.")
    ],
    target: Annotated[
        str,
        typer.Option(
            "--target",
            "-t",
            help="numba-cpu, cuda, reference, jax, or library: for C, with a header.",
        ),
    ] = "numba-cpu",
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="What files, class and functions of C are called, such as clipped_adamw: for a "
            "composition, or one of your own definitions.",
        ),
    ] = None,
    storage: Annotated[
        list[str] | None,
        typer.Option(
            "--storage",
            metavar="STATE=FORMAT",
            help='How a state is kept, such as m=bfloat16, v="int8 blockwise(256) stochastic", or '
            "theta=bfloat16 for the parameters. May be given several times.",
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch",
            metavar="NAMES",
            help="For cuda: architectures, such as sm_80,sm_90,sm_100 (these by default).",
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            help="For cuda: what parameters hold: float32 (if not said), float64, bfloat16 or "
            "float16.",
        ),
    ] = None,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate",
            help="For cuda: roots and divisions of the hardware, within 2 units in the last place.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Decide all claims first, as `optdsl check` does, and write nothing where one "
            "comes out other than expected.",
        ),
    ] = False,
) -> int:
    """Write an importable Python module for each definition of a spec.

    At its head stand the claims of the definition, each with the verdict that an earlier check
    found.

    For the target library, also an object file, a C header and a shared library: see
    docs/library.md.

    For the target cuda, also its kernels as PTX for each architecture (and as cubins, where ptxas
    or nvJitLink is installed), a C header to launch them, and a report of what they take.
    """
    from optdsl.model import build_rule

    target = check_target(target, LIBRARY)
    for_cuda = {"--arch": arch, "--dtype": dtype, "--approximate": approximate or None}
    given = [option for option, value in for_cuda.items() if value is not None]
    if target != "numba-cuda" and given:
        hint = "parameters of 16 bits are --storage theta=bfloat16" if dtype else None
        raise Misuse(f"{', '.join(given)}: only --target cuda takes this", hint)
    found = definitions_by_module(rule)
    plain = {module: build_rule(*each) for module, each in found.items()}
    if check and not claims_hold(found.values()):
        return 1
    rules = stored_as(renamed(plain, rule, name), storage or [])
    remarks = dict(zip(rules, map(claim_lines, found.values(), plain.values()), strict=True))
    if target == LIBRARY:
        write_libraries(rules, directory, remarks)
        return 0
    kernels = {
        module: built(each, module, arch, dtype or "float32", approximate)
        for module, each in rules.items()
        if target == "numba-cuda" and each.family != "schedule"
    }
    _write_modules(rules, target, directory, remarks, kernels)
    return 0


def _write_modules(
    rules: Mapping[str, Rule],
    target: str,
    directory: Path,
    remarks: Mapping[str, Sequence[str]],
    kernels: Mapping[str, Build],
) -> None:
    """Write the module of each rule, and its kernels where it has any for a card."""
    from optdsl.codegen import emit

    texts = {module: (each, emit(each, target, remarks[module])) for module, each in rules.items()}
    directory.mkdir(parents=True, exist_ok=True)
    for module, (each, text) in texts.items():
        path = directory / f"{module}.py"
        write_text(path, text)
        tell(f"Wrote {path} ({each.family} {each.name}, target {target})")
        tell_import(path, each.name)
        if module in kernels:
            write_build(kernels[module], module, directory, remarks[module])
