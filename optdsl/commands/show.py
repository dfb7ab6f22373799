"""`optdsl show`: a rule at any stage between its equations and the machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from optdsl.commands.compile_cuda import built
from optdsl.commands.naming import snake_case
from optdsl.commands.rules import check_target, find_rule, find_whole
from optdsl.commands.terminal import Misuse, print_text

if TYPE_CHECKING:
    from optdsl.model import Rule


class Stage(StrEnum):
    """What of a rule is to be shown."""

    EQUATIONS = "equations"
    LATEX = "latex"
    PROGRAM = "program"
    SOURCE = "source"
    ASSEMBLY = "assembly"
    JAX = "jax"
    PTX = "ptx"
    SASS = "sass"


def show(
    rule: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="A path (mine.opt or mine.opt:Mine), a rule, or a composition."
        ),
    ],
    stage: Annotated[Stage, typer.Option("--as", help="The stage to show.")] = Stage.EQUATIONS,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", "-t", help="For source: numba-cpu (if not said), cuda, reference or jax."
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option("--arch", help="For ptx and sass: an architecture, sm_90 if not said."),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype", help="For ptx and sass: what parameters hold, float32 if not said."
        ),
    ] = None,
) -> None:
    """Print a rule as equations, LaTeX, program, source, functions of JAX or machine code."""
    _refuse_unread(stage, target, {"--arch": arch, "--dtype": dtype})
    target, arch, dtype = check_target(target or "numba-cpu"), arch or "sm_90", dtype or "float32"
    writers: dict[Stage, Callable[[], str]] = {
        Stage.EQUATIONS: lambda: _equations(rule),
        Stage.LATEX: lambda: _latex(rule),
        Stage.PROGRAM: lambda: _program(find_whole(rule)),
        Stage.SOURCE: lambda: _source(find_whole(rule), target),
        Stage.ASSEMBLY: lambda: _assembly(find_whole(rule)),
        Stage.JAX: lambda: _source(find_whole(rule), "jax"),
        Stage.PTX: lambda: _ptx(find_whole(rule), arch, dtype),
        Stage.SASS: lambda: _sass(find_whole(rule), arch, dtype),
    }
    print_text(writers[stage]())


#: The one target that a stage is of; equations and programs are of none, sources of any.
_OF_TARGET = {
    Stage.ASSEMBLY: "numba-cpu", Stage.JAX: "jax", Stage.PTX: "numba-cuda",
    Stage.SASS: "numba-cuda",
}  # fmt: skip


def _refuse_unread(stage: Stage, target: str | None, for_cuda: dict[str, str | None]) -> None:
    """Refuse options that this stage does not read.

    Raises:
        Misuse: there is one.
    """
    given = [option for option, value in for_cuda.items() if value is not None]
    if given and stage not in (Stage.PTX, Stage.SASS):
        raise Misuse(f"{', '.join(given)}: only --as ptx and --as sass take this")
    own = stage is Stage.SOURCE or target is None or check_target(target) == _OF_TARGET.get(stage)
    if not own:
        raise Misuse(f"--target {target}: only --as source takes this, not --as {stage}")


def _equations(rule: str) -> str:
    from optdsl.commands.equations import equation_lines, parts

    shown = [(p.title, equation_lines(p.definition)) for p in parts(*find_rule(rule))]
    if len(shown) == 1:
        return "\n".join(shown[0][1])
    return "\n\n".join("\n".join([f"# {name}", *lines]) for name, lines in shown)


def _latex(rule: str) -> str:
    from optdsl.commands.equations import parts
    from optdsl.latex import write_equations

    shown = []
    for part in parts(*find_rule(rule)):
        head = f"% {part.title}\n" if part.when else ""
        shown.append(head + write_equations(part.definition))
    return "\n\n".join(shown)


def _program(rule: Rule) -> str:
    from optdsl.model import System
    from optdsl.program import lower, render
    from optdsl.program.cases import lower_cases
    from optdsl.program.render import render_cases

    if isinstance(rule, System):
        program = lower(rule, "ready") or lower(rule, "function")
        assert program is not None
        return render(program)
    cases = lower_cases(rule, "ready") or lower_cases(rule, "function")
    assert cases is not None
    return render_cases(cases)


def _source(rule: Rule, target: str) -> str:
    from optdsl.codegen import emit

    return emit(rule, target)


def _assembly(rule: Rule) -> str:
    from optdsl.codegen import assembly

    if rule.family == "schedule":
        raise Misuse(f"{rule.name} is a schedule: it is computed on the host, not in a kernel")
    # Numba shows only what it has just compiled, so nothing may come from the cache.
    with _empty_cache():
        return assembly(rule)


def _ptx(rule: Rule, arch: str, dtype: str) -> str:
    made = built(rule, snake_case(rule.name), arch, dtype)
    return "\n".join(each.ptx for each in made.by_architecture)


def _sass(rule: Rule, arch: str, dtype: str) -> str:
    from optdsl.codegen.toolkit.assembling import assemble
    from optdsl.codegen.toolkit.disassembling import sass_text

    made = built(rule, snake_case(rule.name), arch, dtype)
    assembled = (
        each.assembled or assemble(each.ptx, each.architecture) for each in made.by_architecture
    )
    return "\n".join(sass_text(each.cubin) for each in assembled)


@contextmanager
def _empty_cache() -> Iterator[None]:
    before = os.environ.get("OPTDSL_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OPTDSL_CACHE_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["OPTDSL_CACHE_DIR"]
            if before is not None:
                os.environ["OPTDSL_CACHE_DIR"] = before
