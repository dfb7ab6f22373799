"""From a system to the program that a machine runs, a step a line."""

from __future__ import annotations

from optdsl.model.system import System
from optdsl.program.arranging import arrange
from optdsl.program.change_of_variables import (
    recover_iterate,
    store_gradient_point,
    stores_iterate,
)
from optdsl.program.evaluating import at_evaluation
from optdsl.program.hoisting import Named, name_numbers
from optdsl.program.program import Mode, Program
from optdsl.program.storing import refuse_storage
from optdsl.program.streams import drop_unused, name_output, name_points
from optdsl.program.verify import verify, verify_system


def lower(
    system: System, mode: Mode = "function", *, kept: frozenset[str] = frozenset()
) -> Program | None:
    """Return the program of one step of `system`, or None where `mode` has none.

    Args:
        system: what a definition means.
        mode: "ready" where gradients are handed in and the arrays hold the point at
            which they are taken; "function" where the program asks for them and
            the arrays hold theta; "iterate" for the theta of a stored point; "evaluate" for
            the point at which the model is evaluated, where the arrays hold theta.
        kept: names that are computed although nothing here may depend on them.

    Returns:
        The program, verified. None for "ready" where no change of variables makes
        the stored arrays the point of the only gradient, and for "iterate" where
        the arrays of "ready" hold theta already, and for "evaluate" where theta is that point.

    Raises:
        DiagnosticError: for what is understood but not compiled yet.

    >>> from optdsl.library import load_system
    >>> len(lower(load_system("Adam"), "ready").passes)
    1
    """
    named = with_named_numbers(system, mode, kept=kept)
    if named is None:
        return None
    program = arrange(system, named, mode)
    verify(program)
    refuse_storage(program)
    return program


def with_named_numbers(
    system: System, mode: Mode, *, kept: frozenset[str] = frozenset()
) -> Named | None:
    """Return the equations of one step, each number in them named; None where `mode` has none.

    This is what `lower` arranges into passes over memory. Functional code is written from it.
    Raises `DiagnosticError` for what is understood but not compiled yet.
    """
    written = _written_for(system, mode)
    if written is None:
        return None
    complete = _sound(name_output(name_points(written)))
    live = _sound(drop_unused(complete, numbers=mode in ("ready", "function"), kept=kept))
    named = name_numbers(live)
    _sound(named.system)
    return named


def live_names(system: System) -> frozenset[str]:
    """Return the equations of `system` that what a step gives or stores depends on."""
    live = drop_unused(name_output(name_points(system)))
    return frozenset(equation.name for equation in live.equations)


def _sound(system: System) -> System:
    verify_system(system)
    return system


def _written_for(system: System, mode: Mode) -> System | None:
    """Return the system whose theta is what the arrays hold in this mode."""
    if mode == "function":
        return system
    if mode == "evaluate":
        return at_evaluation(system)
    if stores_iterate(system):
        several = len(system.gradients) > 1
        return None if several or mode == "iterate" else system
    return store_gradient_point(system) if mode == "ready" else recover_iterate(system)
