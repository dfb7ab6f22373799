"""Stages of a layout, with what each needs resolved once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from optdsl.runtime.layout import (
    Ask,
    Bind,
    Combine,
    Guard,
    Layout,
    Matrices,
    Pass,
    Scalars,
    Stage,
    Together,
)
from optdsl.runtime.shapes import STATE_FORMS


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A `Pass`, a `Combine` or `Matrices`: a function on the table of `streams`.

    One is equal to itself alone, so that it is found quickly.
    """

    part: int
    function: Callable[..., None]
    streams: tuple[str, ...]
    reductions: int
    case: int = 0
    bind: Bind | None = None


@dataclass(frozen=True, slots=True)
class CommonWork:
    """A `Together`: for each case that has a share in it, its work and the columns to fold."""

    works: tuple[Work, ...]
    columns: tuple[tuple[int, ...], ...]


Step: TypeAlias = Scalars | Work | CommonWork | Ask | Guard


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Stages in order.

    `gradients` are the streams that come from outside; `buffers` those of one step's length,
    for each case.
    `kept` are gradients that a pass reads after another was asked for, `exposed` the
    states (and "theta") that are written while a gradient is still to be asked for.
    """

    steps: tuple[Step, ...]
    gradients: frozenset[str]
    buffers: tuple[tuple[str, ...], ...]
    kept: frozenset[str]
    exposed: tuple[str, ...]


def make_plan(layout: Layout, stages: tuple[Stage, ...], given: tuple[str, ...] = ()) -> Plan:
    """Return the plan of `stages`; the gradients `given` are there from the start."""
    gradients = {*given, *(stage.gradient for stage in stages if isinstance(stage, Ask))}
    entry_states = {state.name for state in layout.states if state.kind in STATE_FORMS}
    known = {"theta", *gradients, *entry_states}
    return Plan(
        tuple(_resolved(stages, index) for index in range(len(stages))),
        frozenset(gradients),
        tuple(_buffers(stages, case, known) for case in range(max(1, len(layout.cases)))),
        _kept(stages),
        _exposed(stages, entry_states | {"theta"}),
    )


def _buffers(stages: tuple[Stage, ...], case: int, known: set[str]) -> tuple[str, ...]:
    loops = [s for s in stages if isinstance(s, Pass | Matrices) and s.case == case]
    named = [name for stage in loops for name in stage.streams]
    named += [point_of(stage, case) or "theta" for stage in stages if isinstance(stage, Ask)]
    return tuple(dict.fromkeys(name for name in named if name not in known))


def point_of(ask: Ask, case: int) -> str | None:
    """Return the stream at which tensors of a case are asked for a gradient, None if nowhere."""
    return ask.points[case] if ask.points else ask.point


def _resolved(stages: tuple[Stage, ...], index: int) -> Step:
    stage = stages[index]
    if isinstance(stage, Pass):
        return Work(
            stage.part, stage.function, stage.streams, stage.reductions, stage.case, stage.bind
        )
    if isinstance(stage, Matrices):
        return Work(stage.part, stage.function, stage.streams, 0, stage.case, stage.bind)
    if isinstance(stage, Combine):
        return _over_pass(stages, index, stage.part, stage.function, stage.case)
    if isinstance(stage, Together):
        works = (
            _over_pass(stages, index, stage.part, share.function, share.case)
            for share in stage.shares
        )
        return CommonWork(tuple(works), tuple(share.columns for share in stage.shares))
    return stage


def _over_pass(
    stages: tuple[Stage, ...], index: int, part: int, function: Callable[..., None], case: int
) -> Work:
    """Return the work of folding what the pass before it left, or else on the pass behind."""
    before = [s for s in stages[:index] if isinstance(s, Pass) and s.case == case]
    behind = [s for s in stages[index:] if isinstance(s, Pass) and s.case == case]
    over = before[-1] if before else behind[0] if behind else None
    if over is None:
        return Work(part, function, (), 0, case)
    return Work(part, function, over.streams, over.reductions, case, over.bind)


def _kept(stages: tuple[Stage, ...]) -> frozenset[str]:
    asked: list[str] = []
    kept: set[str] = set()
    for stage in stages:
        if isinstance(stage, Ask):
            asked.append(stage.gradient)
        elif isinstance(stage, Pass | Matrices):
            kept.update(name for name in asked[:-1] if name in stage.streams)
    return frozenset(kept)


def _exposed(stages: tuple[Stage, ...], durable: set[str]) -> tuple[str, ...]:
    asks = [index for index, stage in enumerate(stages) if isinstance(stage, Ask)]
    head = stages[: asks[-1]] if asks else ()
    writes = [name for s in head if isinstance(s, Pass | Matrices) for name in s.writes]
    return tuple(dict.fromkeys(name for name in writes if name in durable))
