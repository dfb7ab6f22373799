"""From systems to programs: passes, loads and stores, phases, buffers."""

import pytest

from optdsl.library import load_system, single_rules
from optdsl.model.expressions import Kind, Value, number
from optdsl.model.system import Equation, State
from optdsl.program import (
    bytes_per_parameter,
    lower,
    render,
    state_bytes,
    traffic,
    verify,
)
from optdsl.program.program import Ask, Combine, Guard, Pass, Scalars
from tests.program.systems import NAMES, by_hand, entry, system

MODES = ("ready", "function", "iterate")


def kinds(program):
    return [type(stage) for stage in program.stages]


def streams(stage):
    loads = {load.stream for load in stage.loads}
    return loads, {store.stream for store in stage.stores}


@pytest.mark.parametrize("name", [*NAMES, *single_rules()])
def test_every_program_is_sound_and_can_be_shown(name):
    of = system(name) if name in NAMES else load_system(name)
    for program in (lower(of, mode) for mode in MODES):
        if program is not None:
            verify(program)
            assert of.name in render(program)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rprop", "anchored", "sgd_power"])
def test_rules_entry_by_entry_take_one_pass(name):
    (only,) = lower(system(name), "ready").passes
    states = {state.name for state in system(name).states}
    loads, stores = streams(only)
    assert loads == {"theta", "g"} | states
    assert stores == {"theta"} | (states - {"start_theta"})


def test_a_reduction_costs_a_pass_and_what_is_known_is_stored_at_once():
    first, second = lower(system("lamb"), "ready").passes
    assert streams(first) == ({"theta", "g", "m", "v"}, {"m", "v"})
    assert streams(second) == ({"theta", "m", "v"}, {"theta"})
    assert {load.value for load in second.loads} >= {entry("m"), entry("v")}


def test_only_what_a_reduction_reads_is_loaded_for_it():
    first, second = lower(system("clipped"), "ready").passes
    assert streams(first) == ({"g"}, set())
    assert streams(second) == ({"theta", "g", "m", "v"}, {"theta", "m", "v"})


def test_a_state_waits_for_the_pass_that_reads_its_old_value():
    first, second = lower(system("late"), "ready").passes
    assert streams(first) == ({"g", "v"}, set())
    assert streams(second) == ({"theta", "g", "v"}, {"theta", "v"})


def test_a_value_dear_to_compute_waits_in_a_buffer():
    a, b, c, g = (entry(name, -1) if name != "g" else entry(name) for name in "abcg")
    from optdsl.model.expressions import Reduce, apply

    total = apply("add", apply("add", a, b), apply("add", c, g))
    new = {name: apply("mul", entry(name, -1), number(2)) for name in "abc"}
    of = by_hand(
        "Dear",
        [State(name, Kind.ENTRY, number(0)) for name in "abc"],
        [
            Equation("u", total),
            Equation("n", Reduce("norm", entry("u"), Kind.TENSOR)),
            *(Equation(name, value) for name, value in new.items()),
            Equation(
                "theta",
                apply("sub", entry("theta", -1), apply("mul", Value("n", Kind.TENSOR), entry("u"))),
            ),
        ],
    )
    program = lower(of, "ready")
    first, second = program.passes
    assert program.buffers == ("u",)
    assert streams(first) == ({"g", "a", "b", "c"}, {"a", "b", "c", "u"})
    assert streams(second) == ({"theta", "u"}, {"theta"})


def test_states_that_never_change_are_not_stored():
    (only,) = lower(system("anchored"), "ready").passes
    assert "start_theta" in streams(only)[0]
    assert "start_theta" not in streams(only)[1]


def test_gradients_that_nothing_reads_are_not_asked_for():
    of = by_hand("Still", [], [Equation("theta", entry("theta", -1))])
    program = lower(of, "function")
    assert not any(isinstance(stage, Ask) for stage in program.stages)


def test_a_gradient_at_another_point_is_asked_for_where_the_point_is_written():
    program = lower(system("nesterov"), "function")
    assert kinds(program) == [Pass, Ask, Pass]
    assert streams(program.passes[0]) == ({"theta", "v"}, {"point_g"})
    assert program.stages[1] == Ask("g", "point_g")
    assert program.buffers == ("point_g",)


def test_phases_follow_one_another():
    program = lower(system("extragradient"), "function")
    assert kinds(program) == [Ask, Pass, Combine, Pass, Ask, Pass]
    assert program.stages[0] == Ask("g", "theta")
    assert program.stages[4] == Ask("s", "point_s")


def test_rules_with_several_gradients_cannot_take_them_ready_made():
    assert lower(system("extragradient"), "ready") is None
    assert lower(system("extragradient"), "iterate") is None


def test_a_stored_look_ahead_point_takes_one_pass():
    program = lower(system("nesterov"), "ready")
    assert streams(program.passes[0]) == ({"theta", "g", "v"}, {"theta", "v"})
    assert len(program.passes) == 1
    assert lower(system("adam"), "iterate") is None


def test_no_pass_crosses_a_skip():
    program = lower(system("guarded"), "ready")
    guard = kinds(program).index(Guard)
    first, second = program.passes
    assert program.stages.index(first) < guard < program.stages.index(second)
    assert (first.part, second.part) == (0, 1)
    assert not first.stores


def test_a_schedule_is_one_stage():
    program = lower(system("cooling"))
    assert kinds(program) == [Scalars]
    assert program.passes == ()


def test_a_transform_writes_its_output():
    program = lower(system("clip"), "ready")
    assert program.buffers == ("u",)
    assert streams(program.passes[-1]) == ({"g"}, {"u"})


def test_an_output_that_is_a_state_has_a_buffer_of_its_own():
    from optdsl.model.expressions import apply

    of = by_hand(
        "Sum",
        [State("a", Kind.ENTRY, number(0))],
        [Equation("a", apply("add", entry("a", -1), entry("g")))],
        "transform",
        ("a",),
    )
    program = lower(of, "ready")
    assert program.buffers == ("given_a",)
    assert streams(program.passes[0]) == ({"g", "a"}, {"a", "given_a"})


def test_old_numbers_are_kept_until_they_have_been_read():
    combine = next(s for s in lower(system("trust"), "ready").stages if isinstance(s, Combine))
    names = [each.name for each in combine.assignments]
    assert names.index("last_n") < names.index("n")


def test_bytes_are_counted():
    adam = lower(system("adam"), "ready")
    assert bytes_per_parameter(adam) == 28
    assert [(each.read, each.written) for each in traffic(adam)] == [(16, 12)]
    assert bytes_per_parameter(adam, width=8) == 56
    assert state_bytes(system("adam")) == 8
    assert state_bytes(system("sgd")) == 0


@pytest.mark.parametrize("name", ["adam", "lamb", "nesterov", "guarded", "cooling"])
def test_programs_read_well(name, golden, golden_folder):
    found = [lower(system(name), mode) for mode in MODES]
    text = "\n\n".join(render(program) for program in found if program is not None)
    golden(text + "\n", golden_folder / f"{name}.program")
