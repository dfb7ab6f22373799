"""Numerics: where a rule leaves the numbers that a format can hold.

First in exact arithmetic, over the declared domains: is every value defined, whatever the gradients
are? That is proved, refuted by an example, or left open. Then gradients that are known to hurt,
zero, tiny or huge ones, are handed to the compiled reference target, where theta and the states
are rounded to a format between steps. Only what is seen to happen there is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from optdsl.checks.defined import first_open, proved_defined
from optdsl.checks.formats import BFLOAT16, FLOAT16, FLOAT32, Format
from optdsl.checks.runs import plain_trials, with_hypers
from optdsl.checks.stored import Bench, Moment
from optdsl.checks.undefined import first_undefined
from optdsl.model.expressions import Draw, walk
from optdsl.model.system import Hyperparameter, System

What = Literal["undefined", "overflow", "underflow", "lost", "stuck"]

_FEW, _MANY = 3, 50
#: Powers of ten that are tried: where squares, and averages of them, leave a format.
_LARGE = {"float32": (9, 18, 19, 20, 21, 25, 30, 38), "float16": (1, 2, 3, 4)}
_SMALL = {"float32": (9, 18, 19, 20, 21, 22, 25, 30), "float16": (1, 2, 3, 4)}
_ZEROS: tuple[tuple[float, ...], ...] = ((0.0,) * 8, (1.0, *(0.0,) * 7))
_NOTHING = 1e-12  # a step that theta, about 1, hardly shows
_MUCH = 2.0  # how many times too long a step must be to be told


@dataclass(frozen=True)
class Trouble:
    """What the reference target was seen to do.

    Args:
        what: in a word.
        format: what theta and the states were rounded to.
        message: what happened.
        inputs: the gradient, and hyperparameters that were not at their defaults.
        at_default: did the defaults suffice?
    """

    what: What
    format: str
    message: str
    inputs: Mapping[str, str]
    at_default: bool = True


@dataclass(frozen=True)
class Numerics:
    """What may go wrong in arithmetic.

    Args:
        defined: "proved" (every value is defined for all gradients, see `provided`), "refuted" (not
            even where hyperparameters have their defaults, see `troubles`), "not decided", or "not
            asked" of a rule that is not run.
        provided: what the proof needs of hyperparameters.
        troubles: what was seen.
        unproved: where it is not decided, a value that is not shown to be defined.
    """

    defined: Literal["proved", "refuted", "not decided", "not asked"]
    provided: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = field(default=())
    unproved: str | None = None


def find_troubles(system: System) -> Numerics:
    """Say where values may be undefined, and show what goes wrong in narrow formats.

    >>> from optdsl.library import load_system
    >>> [t.what for t in find_troubles(load_system("AdaMax")).troubles if t.format == "float32"]
    ['undefined']
    """
    if system.family != "optimizer":
        return Numerics("not asked")
    provided = proved_defined(system)
    bench = Bench(system)
    troubles = tuple(_troubles(bench, provided is not None))
    if provided is not None:
        return Numerics("proved", provided, troubles)
    refuted = any(trouble.what == "undefined" and trouble.at_default for trouble in troubles)
    if refuted:
        return Numerics("refuted", (), troubles)
    return Numerics("not decided", (), troubles, first_open(system))


def _troubles(bench: Bench, proved: bool) -> Iterator[Trouble]:
    yield from _undefined(bench, proved)
    for format_ in (FLOAT32, FLOAT16):  # bfloat16 has the range of float32
        yield from _overflow(bench, format_)
    if any(isinstance(n, Draw) for e in bench.system.equations for n in walk(e.value)):
        return  # two runs of a rule that draws have nothing that could be compared
    for format_ in (FLOAT32, FLOAT16):
        yield from _underflow(bench, format_)
    yield from _lost(bench, FLOAT16)
    yield from _stuck(bench, BFLOAT16)


# ------------------------------------------------------------------ undefined


def _undefined(bench: Bench, proved: bool) -> Iterator[Trouble]:
    """Zero gradients, a tensor of zeros, and hyperparameters at the ends of their domains."""
    for gradients in _ZEROS:
        if _breaks(bench.run(gradients, FLOAT32)):
            yield _undefined_at(bench, gradients, {})
            return
    if not proved and _breaks(bench.run(_ZEROS[0], FLOAT32, theta=0.0)):
        yield _undefined_at(bench, _ZEROS[0], {}, theta=0)
    for name, value in _ends(bench.system):
        for gradients in (*_ZEROS, (1.0, -1.0, 2.0)):
            if bench.default(name) != value and _breaks(
                bench.run(gradients, FLOAT32, {name: value})
            ):
                yield _undefined_at(bench, gradients, {name: value})
                break


def _breaks(moments: list[Moment]) -> bool:
    return not moments[-1].finite


def _ends(system: System) -> Iterator[tuple[str, float]]:
    """Yield the ends that belong to the domains of hyperparameters."""
    for hyper in system.hyperparameters:
        domain = hyper.domain
        if domain is None or domain.whole:
            continue
        for end in (domain.low, domain.high):
            if isinstance(end, Fraction) and end in domain:
                yield hyper.name, float(end)


def _undefined_at(
    bench: Bench,
    gradients: tuple[float, ...],
    hypers: Mapping[str, float],
    theta: int | None = None,
) -> Trouble:
    pattern = tuple(Fraction(g) for g in gradients)
    *_, trial = plain_trials(bench.system, (pattern,))
    even = tuple((Fraction(g),) * len(trial.theta) for g in gradients)
    start = trial.theta if theta is None else (Fraction(theta),) * len(trial.theta)
    trial = type(trial)(
        trial.hypers,
        start,
        tuple((entries,) * len(asks) for entries, asks in zip(even, trial.gradients, strict=True)),
        trial.losses,
    )
    exact = with_hypers(trial, {name: Fraction(value) for name, value in hypers.items()})
    told = first_undefined(bench.system, exact) or "a step gives what is not finite"
    inputs = _inputs(gradients, hypers) | ({} if theta is None else {"theta[0]": str(theta)})
    return Trouble("undefined", "float32", told, inputs, not hypers)


# ------------------------------------------------------------ narrow formats


def _overflow(bench: Bench, format_: Format) -> Iterator[Trouble]:
    """Look for a power of ten that is too large a gradient."""
    for exponent in _LARGE[format_.name]:
        size = 10.0**exponent
        if size > format_.largest:
            return
        gradients = (size,) * _FEW
        moments = bench.run(gradients, format_)
        if _breaks(moments):
            names = [name for name, each in moments[-1].states.items() if not _finite(each)]
            what = " and ".join(names) or "theta"
            plural = "" if len(names) > 1 else "s"
            message = f"{what} overflow{plural} in step {len(moments)}"
            yield Trouble("overflow", format_.name, message, _inputs((size,), {}))
            return


def _underflow(bench: Bench, format_: Format) -> Iterator[Trouble]:
    """Look for a power of ten that is so small a gradient that steps grow too long."""
    for exponent in _SMALL[format_.name]:
        size = 10.0**-exponent
        if size < format_.smallest:
            return
        gradients = (size,) * _MANY
        exact = bench.run(gradients, None)
        if _breaks(exact) or _last_step(exact) < _NOTHING:
            return
        narrow = bench.run(gradients, format_, round_theta=False)
        if _breaks(narrow):
            return
        times = _last_step(narrow) / _last_step(exact)
        if times > _MUCH:
            zero = [
                name
                for name, each in narrow[-1].states.items()
                if not each.any() and exact[-1].states[name].any()
            ]
            if zero:
                verb = "underflow" if len(zero) > 1 else "underflows"
                message = (
                    f"{' and '.join(zero)} {verb} to 0, so step {_MANY} is {times:.1f} times too "
                    "long"
                )
                yield Trouble("underflow", format_.name, message, _inputs((size,), {}))
                return


def _last_step(moments: list[Moment]) -> float:
    return float(abs(moments[-1].theta[0] - moments[-2].theta[0]))


def _lost(bench: Bench, format_: Format) -> Iterator[Trouble]:
    """A hyperparameter that rounds to 0 protects from nothing."""
    for hyper in bench.system.hyperparameters:
        default = bench.default(hyper.name)
        if not default or float(format_.rounded(default)) or not _may_be_zero(hyper):
            continue
        for gradients in _ZEROS:
            if _breaks(bench.run(gradients, format_, {hyper.name: 0.0})):
                value = f"{default:g}".replace("e-0", "e-")
                message = (
                    f"{hyper.name} = {value} is 0 in {format_.name}: where it is stored so, "
                    "too, zero gradients give NaN"
                )
                inputs = _inputs(gradients, {hyper.name: 0.0})
                yield Trouble("lost", format_.name, message, inputs)
                break


def _may_be_zero(hyper: Hyperparameter) -> bool:
    return hyper.domain is None or 0 in hyper.domain


def _stuck(bench: Bench, format_: Format) -> Iterator[Trouble]:
    """A state that should fall under zero gradients, and is rounded back in every step."""
    gradients = (1.0, *(0.0,) * _MANY)
    exact, narrow = bench.run(gradients, None), bench.run(gradients, format_)
    if _breaks(exact) or _breaks(narrow):
        return
    for name, last in narrow[-1].states.items():
        value, wanted = float(last.flat[0]), float(exact[-1].states[name].flat[0])
        if value == float(narrow[0].states[name].flat[0]) and abs(wanted - value) > 0.02 * abs(
            value
        ):
            message = (
                f"{name} stays at {value:.3g} for {_MANY} steps of zero gradients, where it should "
                f"fall to {wanted:.3g}: each step is rounded away"
            )
            yield Trouble("stuck", format_.name, message, _inputs((1.0, 0.0), {}))


def _finite(array: Any) -> bool:
    import numpy as np

    return bool(np.isfinite(array).all())


def _inputs(gradients: tuple[float, ...], hypers: Mapping[str, float]) -> dict[str, str]:
    told = {name: f"{value:g}" for name, value in hypers.items()}
    if len(set(gradients)) == 1:
        return {**told, "g": f"{gradients[0]:g}"}
    if not any(gradients[1:]):
        return {**told, "g": f"{gradients[0]:g}, then 0"}
    return {**told, "g": ", ".join(f"{g:g}" for g in gradients)}
