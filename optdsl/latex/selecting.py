"""Which equations of a file belong to one update: those that what it sets rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.declared import Declared
from optdsl.latex.definition import parameter_of
from optdsl.latex.drafting import no_update
from optdsl.latex.equations import SourceEquation
from optdsl.latex.manuscripts import Manuscript
from optdsl.latex.problems import refuse

CHOOSE = "say with --eq which belong to the rule"


@dataclass(frozen=True)
class _Parts:
    """What each name rests on: where it is set and started, and by which equations."""

    setters: Mapping[str, list[SourceEquation]]
    starts: Mapping[str, list[SourceEquation]]


def select(
    manuscript: Manuscript,
    declared: Declared = (),
    *,
    parameter: str | None = None,
    gives: Iterable[str] = (),
) -> tuple[str, ...]:
    """Return the names of all displays that belong to the one update of a file.

    These are the display that moves the parameter, or sets what is to be given, and those that
    set what it reads. Raises DiagnosticError where there is none or more than one, and where
    a display cannot be read: it might belong.
    """
    units = manuscript.units
    if not units:
        raise manuscript.none_displayed()
    if len(units) == 1:
        return units
    equations = _read(manuscript, declared)
    parts = _sorted(equations)
    roots = tuple(gives) or (_root(equations, parts, parameter),)
    needed: dict[str, None] = {}
    waiting = list(roots)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        setter = _one_setter(name, parts, update=name in roots)
        tags = [setter] if setter else []
        tags += [one.tag for one in parts.starts.get(name, ()) if one.tag]
        for tag in tags:
            needed[tag] = None
            waiting += [
                read.name
                for one in equations
                if one.tag == tag
                for read, _ in trees.names_in(one.value)
            ]
    return tuple(tag for tag in units if tag in needed)


def setters_among(
    manuscript: Manuscript, tags: Iterable[str], name: str, declared: Declared = ()
) -> list[str]:
    """Return which of these displays set a name; those that cannot be read alone do not count."""
    found = []
    for tag in tags:
        with suppress(DiagnosticError):
            equations = manuscript.equations([tag], declared)
            if any(target.name == name for one in equations for target in one.targets):
                found.append(tag)
    return found


def _read(manuscript: Manuscript, declared: Declared) -> list[SourceEquation]:
    """Read a file together, or display by display where letters mean other things in each."""
    units = manuscript.units
    try:
        return list(manuscript.equations(units, declared))
    except DiagnosticError:
        pass
    found: list[SourceEquation] = []
    problems: list[Diagnostic] = []
    for tag in units:
        try:
            found += manuscript.equations([tag], declared)
        except DiagnosticError as error:
            problems += error.diagnostics
    if problems:
        raise DiagnosticError([*problems[:-1], _with_hint(problems[-1], CHOOSE)])
    return found


def _with_hint(problem: Diagnostic, hint: str) -> Diagnostic:
    both = hint if problem.hint is None else f"{problem.hint}; or {hint}"
    return Diagnostic(problem.code, problem.message, problem.span, both, problem.severity)


def _sorted(equations: Iterable[SourceEquation]) -> _Parts:
    setters: dict[str, list[SourceEquation]] = {}
    starts: dict[str, list[SourceEquation]] = {}
    for one in equations:
        for target in one.targets:
            if target == syntax.Name("t"):
                continue
            begins = one.initial or trees.number_of(target) is not None
            (starts if begins else setters).setdefault(target.name, []).append(one)
    return _Parts(setters, starts)


def _root(equations: list[SourceEquation], parts: _Parts, parameter: str | None) -> str:
    found = parameter or parameter_of(equations)
    if found not in parts.setters:
        place = equations[0].span
        assert place is not None
        raise no_update(place, parts.setters)
    return found


def _one_setter(name: str, parts: _Parts, *, update: bool) -> str | None:
    """Return which display sets a name; two that say the same are one."""
    setters = parts.setters.get(name, [])
    places = {one.tag: one for one in setters if one.tag}
    values = {(one.targets, repr(one.value)) for one in setters}
    if len(places) > 1 and (update or len(values) > 1):
        *_, last = places.values()
        tags = ", ".join(f"`{tag}`" for tag in places)
        what = "updates of the parameter" if update else f"equations for `{name}`"
        assert last.span is not None
        raise refuse("several-updates", f"{len(places)} {what}: {tags}", last.span, CHOOSE)
    return next(iter(places), None)
