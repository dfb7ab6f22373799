"""One step of rules that are chosen between, for all tensors together.

Each case has a program of its own, for its own tensors. They run in step where something
is common to all: a number for the tensors of several cases is made of the partial sums of
each, and a gradient is asked for once, at the points of all cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.alternatives import Alternatives
from optdsl.model.system import System
from optdsl.program.lowering import live_names, lower
from optdsl.program.program import Ask, Combine, Mode, Pass, Program, Stage
from optdsl.program.streams import names_needed


@dataclass(frozen=True, slots=True)
class InCase:
    """A stage for the tensors of one case."""

    case: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class Together:
    """Numbers for the tensors of several cases: the same ones, as each case computes them.

    `columns` say which reductions of the pass before it they fold, in each case.
    """

    stages: tuple[tuple[int, Combine], ...]
    columns: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class AskTogether:
    """Ask for a gradient at the points of the cases that want it."""

    gradient: str
    points: tuple[tuple[int, str], ...]


Turn: TypeAlias = InCase | Together | AskTogether


@dataclass(frozen=True, slots=True)
class CasesProgram:
    """What is done in one step; `programs` has None for a case with nothing to do."""

    rule: Alternatives
    mode: Mode
    programs: tuple[Program | None, ...]
    turns: tuple[Turn, ...]


def lower_cases(rule: Alternatives, mode: Mode) -> CasesProgram | None:
    """Return the program of one step of `rule`; None where a case has none in this mode.

    In modes that move nothing it is None where no case has one.

    Raises:
        DiagnosticError: for what is understood but not compiled yet, or cannot run in step.
    """
    numbers = rule.shared_numbers
    moves = mode in ("ready", "function")
    used: frozenset[str] = frozenset()
    if moves:
        used = used.union(*(live_names(system) & numbers for system in rule.systems))
    if mode in ("ready", "iterate") and not _ends_at_theta(rule):
        return None
    programs = tuple(lower(system, mode, kept=_known(system, used)) for system in rule.systems)
    missing = [program is None for program in programs]
    if any(missing) if moves else all(missing):
        return None
    tracks = [_Track(i, p, numbers) for i, p in enumerate(programs) if p is not None]
    return CasesProgram(rule, mode, programs, tuple(_joined(_merged(tracks, rule))))


def _ends_at_theta(rule: Alternatives) -> bool:
    """Can arrays that hold the point of a gradient hold theta where one rule follows another?

    The next rule begins at theta. It would not if its point depended on what goes on.
    """
    going_on = rule.shared & {state.name for state in rule.states}
    return not rule.timed or not any(
        going_on & names_needed(system, asked.point)
        for system in rule.systems
        for asked in system.gradients
        if asked.point is not None
    )


def _known(system: System, names: frozenset[str]) -> frozenset[str]:
    return names & {equation.name for equation in system.equations}


#: What several cases do together: a number is folded, or a gradient is asked for.
_Meeting: TypeAlias = tuple[str, str]


class _Track:
    """What one case does, with the points at which it meets the others."""

    def __init__(self, case: int, program: Program, numbers: frozenset[str]) -> None:
        self.case = case
        self.items: list[tuple[_Meeting | None, Turn]] = []
        reductions: tuple[str, ...] = ()
        for stage in program.by_part():
            match stage:
                case Ask(gradient, point):
                    turn = AskTogether(gradient, ((case, point),))
                    self.items.append((("ask", gradient), turn))
                case Combine():
                    self._combine(stage, reductions, numbers)
                case _:
                    self.items.append((None, InCase(case, stage)))
            if isinstance(stage, Pass):
                reductions = tuple(e.name for e in stage.reductions if e.kind.is_number)

    def _combine(
        self, stage: Combine, reductions: tuple[str, ...], numbers: frozenset[str]
    ) -> None:
        for each in stage.reductions:
            if each.name in numbers:
                alone = replace(stage, reductions=(each,), assignments=())
                self._meet(each.name, alone, (reductions.index(each.name),))
        for assignment in stage.assignments:
            if assignment.name in numbers:
                alone = replace(stage, reductions=(), assignments=(assignment,))
                self._meet(assignment.name, alone, ())
        kept = tuple(each for each in stage.reductions if each.name not in numbers)
        own = replace(
            stage,
            reductions=kept,
            columns=tuple(reductions.index(each.name) for each in kept),
            width=len(reductions),
            assignments=tuple(each for each in stage.assignments if each.name not in numbers),
        )
        if own.reductions or own.assignments:
            self.items.append((None, InCase(self.case, own)))

    def _meet(self, name: str, stage: Combine, columns: tuple[int, ...]) -> None:
        self.items.append((("fold", name), Together(((self.case, stage),), (columns,))))

    @property
    def meetings(self) -> list[_Meeting]:
        """The meetings that are still to come."""
        return [meeting for meeting, _ in self.items if meeting is not None]

    def until(self, meeting: _Meeting) -> Iterator[Turn]:
        """Yield what comes before a meeting."""
        while self.items[0][0] != meeting:
            yield self.items.pop(0)[1]

    def rest(self) -> Iterator[Turn]:
        """Yield what comes behind the last meeting."""
        return (turn for _, turn in self.items)

    def meet(self) -> Turn:
        """Return this case's share in the meeting that is next."""
        return self.items.pop(0)[1]


def _merged(tracks: Sequence[_Track], rule: Alternatives) -> Iterator[Turn]:
    """Yield the turns of all cases: whoever is not needed for a meeting waits."""
    while any(track.meetings for track in tracks):
        meeting = _next_meeting(tracks)
        if meeting is None:
            raise DiagnosticError(_out_of_step(rule))
        present = [track for track in tracks if meeting in track.meetings]
        for track in present:
            early = list(track.until(meeting))
            asks_later = any(kind == "ask" for other in tracks for kind, _ in other.meetings)
            own_asks = any(kind == "ask" for kind, _ in track.meetings)
            if asks_later and not own_asks and any(_moves_theta(turn) for turn in early):
                raise DiagnosticError(_out_of_step(rule))
            yield from early
        yield _together([track.meet() for track in present])
    for track in tracks:
        yield from track.rest()


def _next_meeting(tracks: Sequence[_Track]) -> _Meeting | None:
    """Return a meeting that no case has another before; folds come before gradients."""
    waiting = [track.meetings for track in tracks if track.meetings]
    heads = sorted({meetings[0] for meetings in waiting}, key=lambda meeting: meeting[0] == "ask")
    for head in heads:
        if all(head not in meetings[1:] for meetings in waiting):
            return head
    return None


def _moves_theta(turn: Turn) -> bool:
    return (
        isinstance(turn, InCase)
        and isinstance(turn.stage, Pass)
        and any(store.stream == "theta" for store in turn.stage.stores)
    )


def _together(turns: list[Turn]) -> Turn:
    """Return the shares of several cases as one."""
    first = turns[0]
    if isinstance(first, AskTogether):
        asks = [turn for turn in turns if isinstance(turn, AskTogether)]
        return AskTogether(first.gradient, tuple(p for ask in asks for p in ask.points))
    folds = [turn for turn in turns if isinstance(turn, Together)]
    return Together(
        tuple(stage for fold in folds for stage in fold.stages),
        tuple(columns for fold in folds for columns in fold.columns),
    )


def _joined(turns: Iterator[Turn]) -> Iterator[Turn]:
    """Make one of numbers of the same cases that are computed one behind the other."""
    last: Turn | None = None
    for turn in turns:
        if isinstance(last, Together) and isinstance(turn, Together) and _alike(last, turn):
            last = _both(last, turn)
            continue
        if last is not None:
            yield last
        last = turn
    if last is not None:
        yield last


def _alike(first: Together, second: Together) -> bool:
    """Are they of the same cases, and does the first leave the folds of the second alone?"""
    cases = [case for case, _ in first.stages] == [case for case, _ in second.stages]
    folding = bool(first.stages[0][1].assignments) and bool(second.stages[0][1].reductions)
    return cases and not folding


def _both(first: Together, second: Together) -> Together:
    pairs = zip(first.stages, second.stages, strict=True)
    stages = tuple(
        (
            case,
            replace(
                one,
                reductions=(*one.reductions, *two.reductions),
                assignments=(*one.assignments, *two.assignments),
            ),
        )
        for (case, one), (_, two) in pairs
    )
    columns = zip(first.columns, second.columns, strict=True)
    return Together(stages, tuple((*one, *two) for one, two in columns))


def _out_of_step(rule: Alternatives) -> Diagnostic:
    span = None if rule.definition is None else rule.definition.span
    return Diagnostic(
        "out-of-step",
        f"the rules that `{rule.name}` chooses from cannot run in step: one asks for a gradient "
        "where another has to have moved on",
        span,
        "choose between rules that ask for gradients alike",
    )
