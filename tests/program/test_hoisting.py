"""Numbers that get names: shared, readable, and the author's order kept."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optdsl.library import load_system, single_rules
from optdsl.model.expressions import Kind, Reduce, Value, apply, number, transform
from optdsl.model.system import Equation, Hyperparameter
from optdsl.program.hoisting import name_numbers
from optdsl.program.naming import LONGEST
from optdsl.program.streams import name_output, name_points
from tests.program.systems import NAMES, by_hand, entry, system

STEP = [Value(name, Kind.STEP) for name in ("a", "b")]
TENSOR = Value("n", Kind.TENSOR)


def meanings(of, seen):
    """Number what every name stands for, all names of the step put in; `seen` numbers expressions.

    Written out, rules that iterate are too long to be compared.
    """
    values = {each.name: each.value for each in of.equations}

    @cache
    def leaf(node):
        if isinstance(node, Value) and node.offset == 0 and node.name in values:
            return leaf(values[node.name])
        flat = transform(node, lambda part: None if part is node else leaf(part))
        return Value(f"#{seen.setdefault(flat, len(seen))}", node.kind)

    return {name: leaf(value) for name, value in values.items()}


def same_meaning(named, of):
    seen = {}
    found = meanings(named, seen)
    return all(found[name] == value for name, value in meanings(of, seen).items())


@pytest.mark.parametrize("name", [*NAMES, *single_rules()])
def test_the_authors_order_of_operations_is_kept(name):
    of = name_output(name_points(system(name) if name in NAMES else load_system(name)))
    assert same_meaning(name_numbers(of).system, of)


def test_another_order_of_operations_is_seen():
    g, a, b = entry("g"), *STEP
    first, second = (
        by_hand("Any", [], [Equation("theta", value)], hypers=[])
        for value in (
            apply("add", apply("add", g, a), b),
            apply("add", g, apply("add", a, b)),
        )
    )
    assert not same_meaning(first, second)


def numbers_of(kind):
    plain = st.sampled_from([*STEP, number(1), number(3)])
    leaves = {Kind.STEP: plain, Kind.TENSOR: plain | st.just(TENSOR)}.get(
        kind, plain | st.sampled_from([TENSOR, entry("g"), entry("theta", -1)])
    )

    def grow(inner):
        two = st.builds(apply, st.sampled_from(["add", "sub", "mul", "div", "pow"]), inner, inner)
        one = st.builds(apply, st.sampled_from(["neg", "sqrt"]), inner)
        norm = st.builds(lambda x: Reduce("norm", x, Kind.TENSOR), inner)
        return two | one | norm if kind is not Kind.STEP else two | one

    return st.recursive(leaves, grow, max_leaves=12)


@given(numbers_of(Kind.ENTRY))
def test_any_expression_is_kept_and_only_entries_stay_in_loops(expression):
    hypers = [Hyperparameter(each.name, "Any", each.name) for each in STEP]
    of = by_hand(
        "Any",
        [],
        [
            Equation("n", Reduce("norm", entry("g"), Kind.TENSOR)),
            Equation("theta", apply("sub", entry("theta", -1), expression)),
        ],
        hypers=hypers,
    )
    named = name_numbers(of).system
    assert same_meaning(named, of)
    for equation in named.equations:
        for part in _parts(equation.value):
            if part.kind is not Kind.ENTRY and equation.value.kind is Kind.ENTRY:
                assert not isinstance(part, Reduce)
                assert not _computes(part)


def _parts(expression):
    from optdsl.model.expressions import children

    for child in children(expression):
        yield child
        if child.kind is Kind.ENTRY:
            yield from _parts(child)


def _computes(node):
    from optdsl.model.expressions import Apply, Number

    match node:
        case Apply("neg", (Number(),)):
            return False
        case Apply():
            return True
    return False


def test_equal_numbers_are_computed_once():
    named = name_numbers(system("adam")).system
    (only,) = [each for each in named.equations if each.name.startswith("one_minus_beta1")][:1]
    assert sum(each.value == only.value for each in named.equations) == 1


def test_names_say_what_they_stand_for():
    names = {each.name for each in name_numbers(system("adam")).system.equations}
    assert {"one_minus_beta1", "one_minus_beta2_t"} <= names
    assert all(len(name) <= LONGEST for name in names)


def test_a_name_that_is_taken_is_not_used_twice():
    one = apply("sub", number(1), STEP[0])
    of = by_hand(
        "Taken",
        [],
        [
            Equation("one_minus_a", entry("g")),
            Equation("theta", apply("mul", one, entry("one_minus_a"))),
        ],
        hypers=[Hyperparameter("a", "Taken", "a")],
    )
    named = name_numbers(of).system
    assert [each.name for each in named.equations] == ["one_minus_a", "one_minus_a_2", "theta"]
