"""Functions of values: what they read, their lines, and what they return.

Where a target works on arrays as values, a step needs no passes: its equations stand in one
function in the author's order, one a line. Values are known to the runtime by keys: `m` is that
of this step, `m[t-1]` the one before, `eta[t+1]` the one after, `t2` the clock of the second
part, and `exact eta` a number that has not been rounded to the type of the entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.source import WIDTH, Functions, in_tuple, indent, speaks_of, wrapped
from optdsl.model.expressions import Clock, Draw, Expression, Kind, Reduce, Value
from optdsl.model.system import Equation

#: Values of these kinds are computed in float64, whatever the type of the entries.
WIDE = (Kind.STEP, Kind.ALL, Kind.TENSOR, Kind.ROW, Kind.COLUMN)

#: How deep a call stands in the case of a rule, with the name of its argument before it.
_MARGIN = 24


def key_of(value: Value) -> str:
    """Return the key of a value."""
    return value.name + {-1: "[t-1]", 0: "", 1: "[t+1]"}[value.offset]


def clock_key(part: int) -> str:
    """Return the key of the clock of a part."""
    return "t" if part == 0 else f"t{part + 1}"


class Body:
    """The lines of one function under construction.

    `once` says that it computes numbers once a step, so that all is exact; else it works on
    one tensor, whose entries may be rounded.
    """

    def __init__(
        self, prefix: str, indexed: Iterable[str], predicates: frozenset[str], once: bool
    ) -> None:
        self.names = Identifiers(indexed, taken=("rounded", "draws", "meet_all", "gradient_at"))
        self.predicates = predicates
        self.once = once
        self.lines: list[str] = []
        self._local: set[Value] = set()
        self._arrays: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._entry = ""  # an array of a value an entry
        dialect = partial(
            Dialect, predicates=predicates, prefix=prefix, matrices=True, draw=self._draw
        )
        self._exact = dialect(self._read, self._clock)
        self._entries = dialect(self._rounded, self._entry_clock)

    @property
    def reads(self) -> tuple[str, ...]:
        """The keys of what the function reads: arrays first."""
        return (*self._arrays, *self._numbers)

    def array(self, value: Value) -> str:
        """Return the name of an array that is read, whoever reads it."""
        return self._read(value)

    def assign(self, name: str, value: Expression, kind: Kind, text: str = "") -> None:
        """Add `name = value` below the equation `text` that it came from."""
        target = Value(name, kind)
        written = self.write(value, kind)
        if " = " in text:
            self.lines.append(f"# {comment(text)}")
        self._local.add(target)
        self.lines.append(f"{self.names.value(target)} = {written}")

    def write(self, value: Expression, kind: Kind) -> str:
        """Return the text of what is to be of this kind."""
        if isinstance(value, Reduce):
            return self._reduction(value)
        return python(value, self._exact if kind in WIDE else self._entries)

    def local(self, value: Value) -> str:
        """Return the name of what this function has computed, or reads."""
        return self._read(value)

    def know(self, value: Value) -> str:
        """Name a value that a line of one's own computes."""
        self._local.add(value)
        return self.names.value(value)

    # --------------------------------------------------------------- reductions

    def _reduction(self, value: Reduce) -> str:
        texts = [python(each, self._dialect_of(each)) for each in value.arguments]
        if value.kind is Kind.ALL:
            return f'yield meet_all("{value.operator}", {", ".join(texts)})'
        if value.kind.is_number:
            return f'number_of("{value.operator}", {", ".join(texts)})'
        texts.insert(1, "1" if value.kind is Kind.ROW else "0")
        return f'over_axis("{value.operator}", {", ".join(texts)})'

    def _dialect_of(self, value: Expression) -> Dialect:
        return self._exact if value.kind in WIDE else self._entries

    # ------------------------------------------------------------------- values

    def _read(self, value: Value) -> str:
        name = self.names.value(value)
        if value not in self._local:
            exact = value.kind is Kind.STEP and not self.once
            key = key_of(value)
            if exact and value.name not in self.predicates:
                key, name = f"exact {key}", f"{name}_exact"
            places = self._numbers if value.kind.is_number else self._arrays
            places[key] = name
            if value.kind is Kind.ENTRY:
                self._entry = self._entry or name
        return name

    def _rounded(self, value: Value) -> str:
        """Return the text of a value among entries: numbers take their type."""
        if value.kind is Kind.STEP and value not in self._local:
            name = self.names.value(value)
            self._numbers[key_of(value)] = name
            return name
        name = self._read(value)
        if value.kind in WIDE and value.name not in self.predicates:
            return f"rounded({name}, real)"
        return name

    def _clock(self, clock: Clock) -> str:
        key = clock_key(clock.part)
        name = key if self.once else f"{key}_exact"
        self._numbers[key if self.once else f"exact {key}"] = name
        if clock.offset == 0:
            return name
        return f"{name} {'+' if clock.offset > 0 else '-'} {abs(clock.offset)}"

    def _entry_clock(self, clock: Clock) -> str:
        key = clock_key(clock.part)
        self._numbers[key] = key
        return key

    def _draw(self, draw: Draw) -> str:
        self._numbers["draws"] = "draws"
        return f"draws.{draw.distribution}({draw.number}, {python(draw.step, self._exact)})"

    # --------------------------------------------------------------------- text

    def function(self, functions: Functions, stem: str, returns: list[str], doc: str = "") -> str:
        """Add the function to a module and return its name."""
        given = wrapped("return (", in_tuple(returns), margin=4)
        lines = [*self._heads(returns), *self.lines, *given]
        if doc:
            lines.insert(0, f'"""{doc}"""')
        parameters = [*self._arrays.values(), *self._numbers.values()]
        header = wrapped("def NAME(", parameters, "):")
        return functions.add(stem, [*header, *indent(lines)], number=False)

    def _heads(self, returns: list[str]) -> list[str]:
        lines = [*self.lines, *returns]
        found = [
            f"{name} = {name} != 0.0"
            for key, name in (self._arrays | self._numbers).items()
            if key.removesuffix("[t-1]") in self.predicates and key.endswith("[t-1]")
        ]
        first = self._entry or "theta"
        if speaks_of(lines, "real"):
            found.insert(0, f"real = {first}.dtype")
        if speaks_of(lines, "rows", "columns"):
            found.insert(0, f"rows, columns = {first}.shape")
        return found


def call_text(function: str, reads: tuple[str, ...], writes: list[str]) -> str:
    """Return what a module says of a function: the keys of what it reads and returns."""
    line = f"functional.Call({function}, {reads!r}, {tuple(writes)!r})"
    if len(line) + _MARGIN <= WIDTH:
        return line
    tuples = (in_tuple(map(repr, keys)) for keys in (reads, writes))
    keys = [line for keys in tuples for line in wrapped("(", keys, "),", _MARGIN)]
    return "\n".join(["functional.Call(", *indent([f"{function},", *keys]), ")"])


def kind_of(equation: Equation, entries: set[str]) -> Kind:
    """Return the kind of an equation; what is stored has a value an entry."""
    return Kind.ENTRY if equation.name in entries else equation.value.kind
