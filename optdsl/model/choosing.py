"""Rules chosen tensor by tensor, and rules one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import product

from optdsl.diagnostics import Span
from optdsl.model.alternatives import Alternatives, Case, Rule, Window, systems_of
from optdsl.model.expressions import Expression, Kind, Reduce, Value
from optdsl.model.feeding import feed
from optdsl.model.merging import begun_late, names_of, pipe, rename
from optdsl.model.numbering import with_named_numbers
from optdsl.model.predicates import all_of, negated
from optdsl.model.problems import Problems
from optdsl.model.system import Equation, System
from optdsl.model.wrapping import hand_in


def choose(
    condition: Expression,
    labels: tuple[str, str],
    first: Rule,
    second: Rule,
    span: Span | None,
    problems: Problems,
) -> Alternatives:
    """Return the rule that is `first` for tensors of which `condition` holds, else `second`.

    `labels` say in words which tensors these are.
    """
    second = apart(second, _names(first))
    cases = [
        *(_where(case, condition, labels[0]) for case in _cases(first)),
        *(_where(case, negated(condition), labels[1]) for case in _cases(second)),
    ]
    return _alternatives(cases, _shared(first) | _shared(second), span, problems)


def follow(
    first: Rule, steps: int, second: Rule, span: Span | None, problems: Problems
) -> Alternatives:
    """Return the rule that is `first` for a number of steps, and `second` from then on.

    `second` counts its own steps from 1 when it begins, and its states begin then.
    """
    second = apart(second, _names(first))
    cases = [_until(case, steps) for case in _cases(first)]
    cases += [_after(case, steps) for case in _cases(second)]
    for case in cases:
        if _never(case):
            problems.error(
                "never-reached",
                f"`{case.system.name}` never takes a step here",
                span,
                "an earlier rule takes every step that it is given",
            )
    return _alternatives(cases, _shared(first) | _shared(second), span, problems)


def pipe_rules(first: Rule, second: Rule, span: Span | None, problems: Problems) -> Rule:
    """Return the rule in which the gradients of `second` pass through the transform `first`.

    Both may choose: then every case of the one meets every case of the other. What stands on
    the side that does not choose is the same in every case.
    """
    if isinstance(first, System) and isinstance(second, System):
        return pipe(first, second)
    if isinstance(first, Alternatives) and first.timed and any(s.skips for s in first.systems):
        problems.error(
            "skips-in-turns",
            f"`{first.name}` changes after some steps and skips some, so what stands to its right "
            "would not know which steps are its own",
            span,
            "put the transform that skips before the brackets",
        )
        problems.raise_if_any()
    first, second = _named(first), _named(second)
    first = apart(first, _names(second))
    shared = _shared(first) | _shared(second)
    shared |= _names(second) if isinstance(first, Alternatives) else frozenset()
    shared |= _names(first) if isinstance(second, Alternatives) else frozenset()
    cases = []
    for left, right in product(_cases(first), _cases(second)):
        behind = len(left.system.skips)
        windows = tuple(replace(w, part=w.part + behind) for w in right.windows)
        case = Case(
            pipe(left.system, right.system),
            all_of(left.condition, right.condition),
            (*left.windows, *windows),
            _joined(left.label, right.label),
        )
        if not _never(case):
            cases.append(case)
    return _alternatives(cases, shared, span, problems)


def hand_in_rules(
    system: System, rules: Mapping[str, Rule], span: Span | None, problems: Problems
) -> Rule:
    """Return `system` with the rules handed to it written out, in every case of theirs."""
    plain = {name: rule for name, rule in rules.items() if isinstance(rule, System)}
    if len(plain) == len(rules):
        return hand_in(system, plain, span, problems)
    system = with_named_numbers(system)
    taken = names_of(system)
    given: dict[str, Rule] = {}
    for name, rule in rules.items():
        given[name] = apart(_named(rule), taken)
        taken = taken | _names(given[name])
    shared = frozenset(names_of(system)).union(*map(_shared, given.values()))
    cases = []
    for chosen in product(*(_cases(rule) for rule in given.values())):
        handed = {name: case.system for name, case in zip(given, chosen, strict=True)}
        cases.append(
            Case(
                hand_in(system, handed, span, problems),
                all_of(*(case.condition for case in chosen)),
                tuple(window for case in chosen for window in case.windows),
                _joined(*(case.label for case in chosen)),
            )
        )
    problems.raise_if_any()
    return _alternatives(cases, shared, span, problems)


def feed_rule(
    rule: Rule, name: str, schedule: System, problems: Problems, span: Span | None
) -> Rule:
    """Return `rule` with what `schedule` gives in place of the hyperparameter `name`."""
    if isinstance(rule, System):
        return feed(rule, name, schedule, problems, span)
    before = _names(rule)
    apart_schedule = apart(schedule, before)
    assert isinstance(apart_schedule, System)
    cases = tuple(
        replace(case, system=feed(case.system, name, apart_schedule, problems, span))
        if any(h.name == name for h in case.system.hyperparameters)
        else case
        for case in rule.cases
    )
    fed = replace(rule, cases=cases)
    new = _names(fed) - before if name in rule.shared else frozenset()
    return replace(fed, shared=rule.shared | new)


def each_system(rule: Rule, change: Callable[[System], System]) -> Rule:
    """Return `rule` with `change` made to every system of it."""
    if isinstance(rule, System):
        return change(rule)
    cases = (replace(case, system=change(case.system)) for case in rule.cases)
    return replace(rule, cases=tuple(cases))


# ----------------------------------------------------------------------- cases


def _cases(rule: Rule) -> tuple[Case, ...]:
    return rule.cases if isinstance(rule, Alternatives) else (Case(rule),)


def _shared(rule: Rule) -> frozenset[str]:
    return rule.shared if isinstance(rule, Alternatives) else frozenset()


def _names(rule: Rule) -> frozenset[str]:
    return frozenset().union(*(names_of(system) for system in systems_of(rule)))


def _named(rule: Rule) -> Rule:
    return each_system(rule, with_named_numbers)


def _joined(*labels: str) -> str:
    return ", ".join(label for label in labels if label)


def _where(case: Case, condition: Expression, label: str) -> Case:
    return replace(
        case,
        condition=all_of(condition, case.condition),
        label=_joined(label, case.label),
    )


def _until(case: Case, steps: int) -> Case:
    windows = _narrowed(case.windows, Window(0, 0, steps))
    return replace(case, windows=windows)


def _after(case: Case, steps: int) -> Case:
    windows = tuple(
        replace(w, after=w.after + steps, until=None if w.until is None else w.until + steps)
        if w.part == 0
        else w
        for w in case.windows
    )
    return replace(
        case,
        system=begun_late(case.system, steps),
        windows=_narrowed(windows, Window(0, steps)),
    )


def _narrowed(windows: tuple[Window, ...], own: Window) -> tuple[Window, ...]:
    """Return the windows with those of the part of `own` and itself made one, where they stand."""
    after, until = own.after, own.until
    for window in windows:
        if window.part == own.part:
            after = max(after, window.after)
            ends = [end for end in (until, window.until) if end is not None]
            until = min(ends, default=None)
    others = tuple(window for window in windows if window.part != own.part)
    return (Window(own.part, after, until), *others)


def _never(case: Case) -> bool:
    for part in {window.part for window in case.windows}:
        (whole, *_) = _narrowed(case.windows, Window(part))
        if whole.until is not None and whole.after >= whole.until:
            return True
    return False


# ----------------------------------------------------------------------- names


def apart(rule: Rule, taken: Iterable[str]) -> Rule:
    """Return `rule` with every name that is taken replaced, gradients and outputs excepted.

    These have the same names in every case, and get them when the cases are put together.
    """
    taken = set(taken)
    used = taken | _names(rule)
    changes: dict[str, str] = {}
    for system in systems_of(rule):
        kept = {"theta", *system.outputs, *_asked_names(system)}
        for name in sorted(names_of(system) & taken - kept - set(changes)):
            new = f"{system.name}_{name}"
            while new in used:
                new += "_"
            used.add(new)
            changes[name] = new
    renamed = each_system(rule, lambda system: rename(system, changes)) if changes else rule
    if isinstance(renamed, Alternatives):
        shared = frozenset(changes.get(name, name) for name in renamed.shared)
        return replace(renamed, shared=shared)
    return renamed


def _alternatives(
    cases: list[Case], shared: frozenset[str], span: Span | None, problems: Problems
) -> Alternatives:
    """Put cases together: gradients, outputs and nothing else that is not shared agree in name."""
    cases = _same_outputs(_same_gradients(_own_apart(cases, shared)))
    first = cases[0].system
    rule = Alternatives(
        name=first.name,
        family=first.family,
        doc=first.doc,
        cases=tuple(cases),
        shared=shared,
        definition=first.definition,
        source="\n\n".join(dict.fromkeys(case.system.source for case in cases)),
    )
    _check_shared(rule, span, problems)
    return rule


def _own_apart(cases: list[Case], shared: frozenset[str]) -> list[Case]:
    """Rename what several cases call the same without having it in common."""
    separate: list[Case] = []
    taken: set[str] = set()
    for case in cases:
        system = apart(case.system, taken - shared)
        assert isinstance(system, System)
        separate.append(replace(case, system=system))
        taken |= names_of(system)
    return separate


def _same_gradients(cases: list[Case]) -> list[Case]:
    """Give the first gradient of every case one name, the second another, and so on.

    So it is with the losses at their points.
    """
    taken = set().union(*(names_of(c.system) - _asked_names(c.system) for c in cases))
    longest = max((case.system for case in cases), key=lambda system: len(system.gradients))
    names: list[tuple[str, str]] = []
    for number, asked in enumerate(longest.gradients):
        pair = []
        for wish in (asked.name, f"loss_{asked.name}" if number else "loss"):
            while wish in taken:
                wish += "_"
            taken.add(wish)
            pair.append(wish)
        names.append((pair[0], pair[1]))
    return [replace(case, system=_asking(case.system, names)) for case in cases]


def _asking(system: System, names: list[tuple[str, str]]) -> System:
    changes = {}
    for asked, (name, loss) in zip(system.gradients, names, strict=False):
        changes[asked.name] = name
        if asked.loss is not None:
            changes[asked.loss] = loss
    aside = {old: f"{old} (aside)" for old in changes}
    return rename(rename(system, aside), {aside[old]: new for old, new in changes.items()})


def _asked_names(system: System) -> set[str]:
    return {asked.name for asked in system.gradients} | set(system.losses)


def _same_outputs(cases: list[Case]) -> list[Case]:
    first = cases[0].system
    if first.family == "optimizer":
        return cases
    output = first.outputs[0]
    names = [names_of(case.system) - {case.system.outputs[0]} for case in cases]
    remembered = {state.name for case in cases for state in case.system.states}
    while output in set().union(*names) | remembered:
        output += "_"
    return [replace(case, system=_giving(case.system, output)) for case in cases]


def _giving(system: System, output: str) -> System:
    old = system.outputs[0]
    if old == output:
        return system
    if old not in {state.name for state in system.states} | _asked_names(system):
        return rename(system, {old: output})
    given = Equation(output, Value(old, Kind.ENTRY), system.parts - 1)
    return replace(system, equations=(*system.equations, given), outputs=(output,))


# ---------------------------------------------------------------------- checks


def _check_shared(rule: Alternatives, span: Span | None, problems: Problems) -> None:
    """What the cases have in common must be one thing."""
    families = {system.family for system in rule.systems}
    if len(families) > 1:
        return
    for name in sorted(rule.shared - {"theta"}):
        equations = [e for system in rule.systems for e in system.equations if e.name == name]
        if not equations:
            continue
        if len({e.kind for e in equations}) > 1:
            _refuse(name, "is of several kinds", span, problems)
        elif rule.timed and len({e.part for e in equations}) > 1:
            _refuse(name, "stands behind different skips", span, problems)
        elif equations[0].kind is Kind.ALL and len({_sense(e.value) for e in equations}) > 1:
            _refuse(name, "is one number for all tensors, and reads what differs", span, problems)


def _sense(value: Expression) -> Expression | str:
    """Return what must be the same in each case: of a reduction, only how it is made."""
    return value.operator if isinstance(value, Reduce) else value


def _refuse(name: str, what: str, span: Span | None, problems: Problems) -> None:
    problems.error(
        "differs-between-rules",
        f"`{name}` {what} between the rules that are chosen from",
        span,
        "let it read what they have in common, or write a rule for each case",
    )
