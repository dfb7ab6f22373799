"""A program broken in any of these ways is caught."""

from dataclasses import replace

import pytest

from optdsl.model.expressions import Clock, Kind, Reduce, Value, apply, number
from optdsl.program import InvalidProgramError, lower, verify
from optdsl.program.program import Ask, Assignment, Combine, Guard, Load, Pass, Scalars, Store
from optdsl.program.verify import verify_system
from tests.program.systems import entry, system


def program(name, mode="ready"):
    return lower(system(name), mode)


def swapped(of, old, *new):
    stages = []
    for stage in of.stages:
        stages += new if stage is old else [stage]
    return replace(of, stages=tuple(stages))


def first(of, kind):
    return next(stage for stage in of.stages if isinstance(stage, kind))


def last(of, kind):
    return [stage for stage in of.stages if isinstance(stage, kind)][-1]


def load_missing():
    of = program("adam")
    only = first(of, Pass)
    return swapped(of, only, replace(only, loads=only.loads[1:]))


def load_of_a_value_already_overwritten():
    of = program("lamb")
    again = last(of, Pass)
    loads = tuple(replace(x, value=replace(x.value, offset=-1)) for x in again.loads)
    return swapped(of, again, replace(again, loads=loads))


def load_of_no_stream():
    of = program("sgd")
    only = first(of, Pass)
    return swapped(of, only, replace(only, loads=(*only.loads, Load("w", entry("w")))))


def load_twice():
    of = program("sgd")
    only = first(of, Pass)
    return swapped(of, only, replace(only, loads=(*only.loads, only.loads[0])))


def store_missing():
    of = program("adam")
    only = first(of, Pass)
    return swapped(of, only, replace(only, stores=only.stores[:-1]))


def store_twice():
    of = program("lamb")
    again = last(of, Pass)
    more = (*again.stores, Store("m", entry("m")))
    return swapped(of, again, replace(again, stores=more))


def store_of_another_value():
    of = program("adam")
    only = first(of, Pass)
    stores = tuple(replace(x, value=entry("m")) for x in only.stores)
    return swapped(of, only, replace(only, stores=stores))


def store_of_the_gradient():
    of = program("sgd")
    only = first(of, Pass)
    return swapped(of, only, replace(only, stores=(*only.stores, Store("g", entry("g")))))


def body_out_of_order():
    of = program("adam")
    only = first(of, Pass)
    return swapped(of, only, replace(only, body=only.body[::-1]))


def scalars_missing():
    of = program("adam")
    return swapped(of, first(of, Scalars))


def scalars_too_late():
    of = program("adam")
    return replace(of, stages=of.stages[::-1])


def entry_among_scalars():
    of = program("adam")
    stage = first(of, Scalars)
    wrong = Assignment("wrong", apply("mul", entry("g"), number(2)))
    return swapped(of, stage, replace(stage, assignments=(*stage.assignments, wrong)))


def entry_among_numbers_of_a_tensor():
    of = program("lamb")
    stage = first(of, Combine)
    wrong = Assignment("wrong", apply("mul", entry("g"), number(2)))
    return swapped(of, stage, replace(stage, assignments=(*stage.assignments, wrong)))


def reduction_never_combined():
    of = program("lamb")
    return swapped(of, first(of, Combine))


def reduction_combined_in_part():
    of = program("lamb")
    stage = first(of, Combine)
    return swapped(of, stage, replace(stage, reductions=stage.reductions[:1]))


def reduction_inside_an_expression():
    of = program("sgd")
    only = first(of, Pass)
    norm = Reduce("norm", entry("g"), Kind.TENSOR)
    body = (*only.body, Assignment("wrong", apply("mul", norm, entry("g"))))
    return swapped(of, only, replace(only, body=body))


def reduction_read_in_its_own_pass():
    of = program("lamb")
    start = first(of, Pass)
    ratio = Value("ratio", Kind.TENSOR)
    body = (*start.body, Assignment("wrong", apply("mul", ratio, entry("g"))))
    return swapped(of, start, replace(start, body=body))


def clock_of_another_part():
    of = program("accumulated")
    stage = first(of, Scalars)
    wrong = Assignment("wrong", apply("mul", Clock(1), number(2)))
    return swapped(of, stage, replace(stage, assignments=(wrong, *stage.assignments)))


def computed_twice():
    of = program("adam")
    stage = first(of, Scalars)
    return swapped(of, stage, replace(stage, assignments=stage.assignments * 2))


def asked_before_the_point_is_written():
    of = program("nesterov", "function")
    ask = first(of, Ask)
    others = [stage for stage in of.stages if stage is not ask]
    return replace(of, stages=(ask, *others))


def asked_twice():
    of = program("sgd", "function")
    return replace(of, stages=(of.stages[0], *of.stages))


def never_asked():
    of = program("sgd", "function")
    return swapped(of, first(of, Ask))


def asked_at_a_theta_that_has_moved():
    of = program("sgd", "function")
    silent = swapped(of, first(of, Ask))
    return replace(silent, stages=(*silent.stages, Ask("g", "theta")))


def guard_missing():
    of = program("guarded")
    return swapped(of, first(of, Guard))


def guard_without_condition():
    of = program("guarded")
    guard = first(of, Guard)
    return swapped(of, guard, replace(guard, condition=Value("other", Kind.ALL)))


def parts_in_the_wrong_order():
    of = program("guarded")
    stages = sorted(of.stages, key=lambda stage: -stage.part)
    return replace(of, stages=tuple(stages))


def passes_wrongly_numbered():
    of = program("sgd")
    only = first(of, Pass)
    return swapped(of, only, replace(only, number=2))


def undeclared_buffer():
    return replace(program("nesterov", "function"), buffers=())


def number_state_left_behind():
    of = program("trust")
    stage = first(of, Combine)
    kept = tuple(each for each in stage.assignments if each.name != "n")
    return swapped(of, stage, replace(stage, assignments=kept))


def old_number_read_after_it_moved():
    of = program("trust")
    stage = first(of, Combine)
    late = Assignment("late", apply("neg", Value("n", Kind.TENSOR, -1)))
    return swapped(of, stage, replace(stage, assignments=(*stage.assignments, late)))


BROKEN = [
    load_missing, load_of_a_value_already_overwritten, load_of_no_stream, load_twice,
    store_missing, store_twice, store_of_another_value, store_of_the_gradient, body_out_of_order,
    scalars_missing, scalars_too_late, entry_among_scalars, entry_among_numbers_of_a_tensor,
    reduction_never_combined, reduction_combined_in_part, reduction_inside_an_expression,
    reduction_read_in_its_own_pass, clock_of_another_part, computed_twice,
    asked_before_the_point_is_written, asked_twice, never_asked, asked_at_a_theta_that_has_moved,
    guard_missing, guard_without_condition, parts_in_the_wrong_order, passes_wrongly_numbered,
    undeclared_buffer, number_state_left_behind, old_number_read_after_it_moved,
]  # fmt: skip


def without(of, name):
    return replace(of, equations=tuple(each for each in of.equations if each.name != name))


@pytest.mark.parametrize(
    "broken",
    [
        without(system("adam"), "mhat"),
        replace(system("adam"), equations=system("adam").equations[::-1]),
        replace(system("adam"), equations=system("adam").equations * 2),
        replace(system("adam"), states=()),
        replace(system("adam"), hyperparameters=()),
        replace(system("adam"), gradients=()),
        replace(
            system("guarded"),
            equations=tuple(replace(e, part=-e.part) for e in system("guarded").equations),
        ),
    ],
)
def test_a_broken_system_is_caught(broken):
    with pytest.raises(InvalidProgramError):
        verify_system(broken)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_program_is_caught(broken):
    with pytest.raises(InvalidProgramError) as caught:
        verify(broken())
    assert ", mode " in str(caught.value)
