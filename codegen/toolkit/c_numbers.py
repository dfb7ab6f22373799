"""The numbers of a step in C: what the host computes in float64, and kernels read."""

from __future__ import annotations

from optdsl.codegen.c_names import WORDS_OF_C
from optdsl.codegen.host import scalars_of
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.slots import exported
from optdsl.codegen.source import indent
from optdsl.codegen.step_numbers import Reads, clock_text
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Kind, Value
from optdsl.program.program import Program

#: Functions that the text of a number may call, beside those of <math.h>.
HELPERS = """\
static inline double optdsl_where(int test, double yes, double no) { return test ? yes : no; }
static inline double optdsl_square(double x) { return x * x; }
static inline double optdsl_cube(double x) { return x * x * x; }
static inline int optdsl_not(int test) { return !test; }
static inline int optdsl_finite(double x) { return x - x == 0.0; }
static inline double optdsl_sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x; }
static inline double optdsl_least(double x, double y) { return x != x || x < y ? x : y; }
static inline double optdsl_greatest(double x, double y) { return x != x || x > y ? x : y; }
static inline double optdsl_mod(double x, double y) {
    const double rest = fmod(x, y);
    return rest != 0.0 && (rest < 0.0) != (y < 0.0) ? rest + y : rest;
}
"""

#: What functions and constants are called in C.
_NAMES = {
    "where": "optdsl_where", "square": "optdsl_square", "cube": "optdsl_cube",
    "logical_not": "optdsl_not", "isfinite": "optdsl_finite", "sign": "optdsl_sign",
    "minimum": "optdsl_least", "maximum": "optdsl_greatest", "mod": "optdsl_mod",
    "power": "pow", "abs": "fabs",
    "pi": "3.141592653589793", "inf": "INFINITY", "True": "1", "False": "0",
}  # fmt: skip
#: Names that a local variable would hide.
_TAKEN = (
    "y0", "y1", "yn", "j0", "j1", "jn", "gamma", "exactly", "fabs", "fmod", "pow", "sin", "tan",
    "INFINITY", "NAN",
)  # fmt: skip


def numbers_function(unit: Unit, program: Program, part: int, name: str) -> list[str]:
    """Return the C function that computes what `Scalars` of a part do, or nothing without any.

    It reads `hyper` and `step_state`, writes `exactly`, and moves `step_state` on by one step.
    """
    assignments = scalars_of(program, part)
    given = exported(program, part)
    if not assignments and not given:
        return []
    names = Identifiers(taken=(*WORDS_OF_C, *_TAKEN))
    reads = _Reads(unit, names, {each.name for each in assignments})
    dialect = Dialect(reads.value, clock_text, predicates=unit.predicates, prefix="", names=_NAMES)
    body = []
    for each in assignments:
        text = python(each.expression, dialect)
        if " = " in each.comment:
            body.append(f"/* {comment(each.comment).replace('*/', '* /')} */")
        body.append(f"const double {names.value(Value(each.name, Kind.STEP))} = {text};")
    writes = [
        f"exactly[{unit.slots.scalars[number]}] = {python(number, dialect)};" for number in given
    ]
    for state, slot in unit.slots.step_state.items():
        if any(each.name == state for each in assignments):
            writes.append(f"step_state[{slot}] = {names.value(Value(state, Kind.STEP))};")
    unused = ["(void)t; (void)hyper; (void)step_state;"]
    return [
        f"static inline void {name}(double t, const double *hyper, double *step_state,",
        f"{' ' * (len(name) + 20)}double *exactly) {{",
        *indent([*unused, *reads.lines, *body, *writes]),
        "}",
    ]


class _Reads(Reads):
    """The same in C."""

    line = "const double {name} = {place};"
    given = "exactly"
    true = ""
