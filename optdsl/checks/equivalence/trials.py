"""Inputs at which two systems are run side by side.

Every number is rational. Hyperparameters are drawn from their domains, their
ends included; gradients are generic, zero, tiny, huge, alternating, shrinking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from random import Random

from optdsl.checks.equivalence.question import Question, reductions, speaks_of_rows
from optdsl.checks.equivalence.tensor_facts import facts_read, possible_facts
from optdsl.model.expressions import Constant
from optdsl.model.system import Domain, System

F = Fraction

#: Tensors that stand for all, where rules speak of their shapes: rows and columns of each.
_MATRICES = (((2, 3), (1, 1)), ((3, 2), (1, 1)), ((1, 5), (2, 1)))

_SHARES = [F(1, 2), F(9, 10), F(0), F(1, 3), F(1, 10), F(3, 4), F(999, 1000)]
_SIZES = [F(1), F(1, 2), F(0), F(1, 10), F(3), F(1, 1000), F(1, 10**8), F(7, 3)]
_SIGNED = [F(1), F(-1), F(0), F(1, 2), F(-3), F(2, 3)]
_WHOLE = [F(2), F(1), F(3), F(5), F(4)]
_GRADIENTS = [F(1), F(-1), F(2), F(1, 2), F(-3), F(5, 3), F(-2, 7), F(1, 10)]
_LOSSES = [F(1), F(2), F(1, 2), F(0), F(-1), F(1, 100), F(100)]
_TINY, _HUGE = F(1, 10**9), F(10**9)


@dataclass(frozen=True)
class Trial:
    """The inputs of one run.

    `hypers` gives each hyperparameter a value for every step, the first of them
    at step 0; so it does for inputs, and for the conditions that tell when these
    come. `gradients` has one for every step, request and entry, `losses` one for every
    step and request, if a side reads any; `theta` is the start. `tensors` are what the
    entries are cut into, by length or by rows and columns.
    """

    hypers: tuple[tuple[str, tuple[Fraction | bool, ...]], ...]
    theta: tuple[Fraction, ...]
    gradients: tuple[tuple[tuple[Fraction, ...], ...], ...]
    losses: tuple[tuple[Fraction, ...], ...] = ()
    tensors: tuple[int | tuple[int, int], ...] = ()

    @property
    def shapes(self) -> tuple[int | tuple[int, int], ...]:
        """The tensors, where nothing says what they are: the last entry is one of its own."""
        entries = len(self.theta)
        return self.tensors or ((entries - 1, 1) if entries > 1 else (1,))

    @property
    def steps(self) -> int:
        """How many steps it lasts."""
        return len(self.gradients)

    def shortened(self, steps: int) -> Trial:
        """Return the trial that stops after a number of steps; its last one may look ahead."""
        hypers = tuple((name, series[: steps + 2]) for name, series in self.hypers)
        gradients, losses = self.gradients[:steps], self.losses[:steps]
        return replace(self, hypers=hypers, gradients=gradients, losses=losses)


def tensors_needed(*systems: System) -> tuple[tuple[int | tuple[int, int], ...], ...]:
    """Return the tensors that trials have in turn.

    They show what reductions do, where the last is a tensor of its own, that one entry moves
    the gradients of others, and what shapes do.
    """
    reduces = any(reductions(system) for system in systems)
    shaped = any(speaks_of_rows(system) or reads_shape(system) for system in systems)
    if (shaped and reduces) or any(speaks_of_rows(system) for system in systems):
        return _MATRICES
    if reduces:
        return ((3, 1),)
    return ((1, 1),) if any(len(system.gradients) > 1 for system in systems) else ((1,),)


def entries_needed(*systems: System) -> int:
    """Return how many entries the first trial has."""
    return entries_in(tensors_needed(*systems)[0])


def entries_in(tensors: tuple[int | tuple[int, int], ...]) -> int:
    """Return how many entries some tensors have together."""
    return sum(each if isinstance(each, int) else each[0] * each[1] for each in tensors)


def reads_shape(system: System) -> bool:
    """Does a system read the rows, the columns or the size of a tensor?"""
    return any(name in ("rows", "columns", "size") for name in facts_read(system))


def trials(
    question: Question, steps: int, count: int, seed: int = 1, shapes: Sequence[str] | None = None
) -> Iterator[Trial]:
    """Yield trials; simple ones first. Their gradients have each of the `shapes` in turn."""
    random = Random(seed)
    asks = max(1, len(question.ours.gradients), len(question.theirs.gradients))
    facts = facts_read(question.ours) | facts_read(question.theirs)
    shapes = shapes or list(_SHAPES)
    known = possible_facts(facts)
    names = [*question.our_hypers, *_handed_in(question.ours)]
    choices = {name: choices_for(question, name) for name in names}
    still = {name for name in names if question.is_constant(name)}
    layouts = tensors_needed(question.ours, question.theirs)
    for number in range(count):
        shape = shapes[number % len(shapes)]
        told = known[number % len(known)]
        tensors = _of_ndim(told.get("ndim"), layouts[number % len(layouts)])
        entries = entries_in(tensors)
        hypers = {
            name: _series(choices[name], name in still, steps, random, number) for name in names
        }
        theta = tuple(random.choice(_SIGNED) for _ in range(entries))
        gradients = tuple(
            tuple(tuple(_SHAPES[shape](random, t) for _ in range(entries)) for _ in range(asks))
            for t in range(1, steps + 1)
        )
        yield Trial(
            hypers=(
                *hypers.items(),
                *((name, (value,) * (steps + 1)) for name, value in told.items()),
            ),
            theta=theta,
            gradients=_with_ties(gradients, hypers) if shape == "sparse" else gradients,
            losses=_losses(question, steps, asks, random),
            tensors=tensors,
        )


def _with_ties(
    gradients: tuple[tuple[tuple[Fraction, ...], ...], ...],
    hypers: Mapping[str, tuple[Fraction | bool, ...]],
) -> tuple[tuple[tuple[Fraction, ...], ...], ...]:
    """Return gradients of which every other has one entry: a hyperparameter, by itself or as -x.

    So a comparison with one, of an entry or of a norm, comes out as equal now and then.
    """
    found = list(gradients)
    for t in range(1, len(gradients) + 1, 2):
        ties = [s[t] for s in hypers.values() if s[t] and not isinstance(s[t], bool)]
        width = len(gradients[t - 1][0])
        if ties:
            tie = ties[t // 2 % len(ties)] * (-1) ** (t // 2)
            alone = tuple(Fraction(tie) if k == t // 2 % width else F(0) for k in range(width))
            found[t - 1] = (alone, *gradients[t - 1][1:])
    return tuple(found)


def _of_ndim(
    ndim: Fraction | None, tensors: tuple[int | tuple[int, int], ...]
) -> tuple[int | tuple[int, int], ...]:
    """Return the tensors; those without dimensions have one entry."""
    return (1,) * len(tensors) if ndim == 0 else tensors


def _losses(
    question: Question, steps: int, asks: int, random: Random
) -> tuple[tuple[Fraction, ...], ...]:
    if not (question.ours.losses or question.theirs.losses):
        return ((),) * steps
    return tuple(tuple(random.choice(_LOSSES) for _ in range(asks)) for _ in range(steps))


def _handed_in(system: System) -> list[str]:
    return [*system.inputs, *system.flags]


def _generic(random: Random, t: int) -> Fraction:
    return random.choice(_GRADIENTS)


_SHAPES: dict[str, Callable[[Random, int], Fraction]] = {
    "generic": _generic,
    "positive": lambda random, t: abs(_generic(random, t)),
    "shrinking": lambda random, t: _generic(random, t) / 4**t,
    "alternating": lambda random, t: abs(_generic(random, t)) * (-1) ** t,
    "sparse": lambda random, t: random.choice([F(0), _generic(random, t)]),
    "rarely zero": lambda random, t: random.choice([F(0), *(_generic(random, t) for _ in "123")]),
    "tiny": lambda random, t: _generic(random, t) * _TINY,
    "huge": lambda random, t: _generic(random, t) * _HUGE,
    "constant": lambda random, t: F(1),
    "mixed": lambda random, t: _generic(random, t) * random.choice([_TINY, F(1), _HUGE]),
    "growing": lambda random, t: _generic(random, t) * 3**t,
    "zero": lambda random, t: F(0),
}


#: How many trials give each shape of gradients once.
SHAPES = len(_SHAPES)


def _series(
    choices: list[Fraction | bool], still: bool, steps: int, random: Random, number: int
) -> tuple[Fraction | bool, ...]:
    inner = [c for c in choices if c not in (0, True, False)] or choices
    if number % 3 == 0:  # every third trial keeps away from the ends of domains
        choices = inner
    if still or number % 7 == 6:
        return (random.choice(choices),) * (steps + 1)
    return tuple(random.choice(choices) for _ in range(steps + 1))


def choices_for(question: Question, name: str) -> list[Fraction | bool]:
    """Return numbers of the domain of a hyperparameter, the simplest first."""
    if name in question.ours.inputs:
        return list(_SIGNED)
    if name in question.ours.flags:
        return [True, False]
    facts = facts_read(question.ours) | facts_read(question.theirs)
    if name in facts:
        return list(dict.fromkeys(each[name] for each in possible_facts(facts)))
    hyper = question.ours.hyperparameter(name)
    if isinstance(hyper.default, Constant) and hyper.default.name in ("true", "false"):
        return [True, False]
    return list(numbers_in(hyper.domain or Domain()))


@cache
def numbers_in(domain: Domain) -> tuple[Fraction, ...]:
    """Return some numbers of a domain."""
    pool = _WHOLE if domain.whole else [*_SHARES, *_SIZES, *_SIGNED]
    found = [x for x in dict.fromkeys(pool) if x in domain]
    low, high = domain.low, domain.high
    if isinstance(low, Fraction):
        found += [low + x for x in _WHOLE if low + x in domain]
        found += [low] if low in domain else []
    if isinstance(low, Fraction) and isinstance(high, Fraction) and not domain.whole:
        found += [low + (high - low) * x for x in _SHARES if low + (high - low) * x in domain]
    return tuple(dict.fromkeys(found)) or (F(high) if isinstance(high, Fraction) else F(0),)
