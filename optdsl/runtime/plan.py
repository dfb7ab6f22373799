"""Stages of a layout, with what each needs resolved once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optdsl.runtime.layout import Ask, Combine, Guard, Layout, Pass, Scalars, Stage


@dataclass(frozen=True, slots=True)
class Work:
    """A `Pass` or a `Combine`: a function on the table of `streams`."""

    part: int
    function: Callable[..., None]
    streams: tuple[str, ...]
    reductions: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages in order.

    `gradients` are the streams that come from outside; `buffers` those of one step's length.
    `kept` are gradients that a pass reads after another was asked for, `exposed` the
    states (and "theta") that are written while a gradient is still to be asked for.
    """

    steps: tuple[Scalars | Work | Ask | Guard, ...]
    gradients: frozenset[str]
    buffers: tuple[str, ...]
    kept: frozenset[str]
    exposed: tuple[str, ...]


def make_plan(layout: Layout, stages: tuple[Stage, ...], given: tuple[str, ...] = ()) -> Plan:
    """Return the plan of `stages`; the gradients `given` are there from the start."""
    gradients = {*given, *(stage.gradient for stage in stages if isinstance(stage, Ask))}
    entry_states = {state.name for state in layout.states if state.kind == "entry"}
    known = {"theta", *gradients, *entry_states}
    named = [name for s in stages if isinstance(s, Pass) for name in s.streams]
    named += [stage.point for stage in stages if isinstance(stage, Ask)]
    buffers = tuple(dict.fromkeys(name for name in named if name not in known))
    return Plan(
        tuple(_resolved(stages, index) for index in range(len(stages))),
        frozenset(gradients),
        buffers,
        _kept(stages),
        _exposed(stages, entry_states | {"theta"}),
    )


def _resolved(stages: tuple[Stage, ...], index: int) -> Scalars | Work | Ask | Guard:
    stage = stages[index]
    if isinstance(stage, Pass):
        return Work(stage.part, stage.function, stage.streams, stage.reductions)
    if isinstance(stage, Combine):
        before = [s for s in stages[:index] if isinstance(s, Pass)]
        behind = [s for s in stages[index:] if isinstance(s, Pass)]
        over = before[-1] if before else behind[0] if behind else None
        streams, reductions = (over.streams, over.reductions) if over else ((), 0)
        return Work(stage.part, stage.function, streams, reductions)
    return stage


def _kept(stages: tuple[Stage, ...]) -> frozenset[str]:
    asked: list[str] = []
    kept: set[str] = set()
    for stage in stages:
        if isinstance(stage, Ask):
            asked.append(stage.gradient)
        elif isinstance(stage, Pass):
            kept.update(name for name in asked[:-1] if name in stage.streams)
    return frozenset(kept)


def _exposed(stages: tuple[Stage, ...], durable: set[str]) -> tuple[str, ...]:
    asks = [index for index, stage in enumerate(stages) if isinstance(stage, Ask)]
    head = stages[: asks[-1]] if asks else ()
    writes = [name for stage in head if isinstance(stage, Pass) for name in stage.writes]
    return tuple(dict.fromkeys(name for name in writes if name in durable))
