"""What a pass does to some entries, in words that every CPU target shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from optdsl.codegen.forms import partial_form
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, condition, python
from optdsl.codegen.storing import Access, stored
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Clock, Draw, Expression, Kind, Value
from optdsl.model.storing import REST
from optdsl.program.program import Accumulate, Assignment, Pass
from optdsl.runtime.shapes import Form


def _slot(array: str, slot: int) -> str:
    return f"numbers[{slot}]" if array == "exactly" else f"{array}[{slot}]"


class Loop:
    """The names and the lines of one pass.

    `real` wraps the text of a number so that it has the type of the entries;
    `prefix` stands before the names of functions; `place` is the first argument of a random
    number, the array itself where a target computes on arrays; `slot` gives the text of a
    number in an array of them, "exactly" being the numbers of a step that nobody rounded;
    `taken` are names that the target uses; `divides` says that it has a function for quotients
    by numbers that all entries share.
    """

    def __init__(
        self,
        unit: Unit,
        stage: Pass,
        real: Callable[[str], str],
        prefix: str,
        place: str | None = None,
        slot: Callable[[str, int], str] = _slot,
        taken: Iterable[str] = (),
        divides: bool = False,
    ) -> None:
        self.unit = unit
        self.stage = stage
        self.real = real
        self.slot = slot
        self.names = Identifiers(unit.indexed | set(unit.buffers), taken)
        self.kept = stored(unit.system)
        self.streams = pass_streams(unit, stage)
        self.arrays = {stream: self.names.stream(stream) for stream in self.streams}
        self.place = self.arrays[self.streams[0]] if place is None else place
        self.partials = {each.name: self.names.stream(each.partial) for each in stage.reductions
                         if not each.kind.is_number}  # fmt: skip
        self.vectors = {load.value: self.names.stream(load.stream) for load in stage.vectors}
        self.entries = {load.value for load in (*stage.loads, *stage.vectors)}
        self.entries |= {Value(each.name, Kind.ENTRY) for each in stage.body}
        self.dialect = Dialect(
            self._value, self._clock, real, unit.predicates, prefix=prefix, draw=self._draw,
            divides=divides,
        )  # fmt: skip
        self._heads: dict[str, str] = {}
        self.draws = False
        self.body = [self._assigned(each) for each in stage.body]

    @property
    def shared(self) -> list[str]:
        """The arrays of numbers that the entries read or that a reduction writes."""
        places = " ".join(self._heads.values())
        read = [name for name in ("numbers", "tensor", "everything") if f"{name}[" in places]
        read += ["begin", "identity"] if self.draws else []
        return [*read, "partials"] if len(self.partials) < len(self.stage.reductions) else read

    @property
    def block(self) -> int:
        """The entries that are worked on at once, because they share a scale; 0 if none do."""
        return max((self.kept.block(stream) or 0 for stream in self.streams), default=0)

    @property
    def head(self) -> list[str]:
        """One line for each number that the entries share."""
        return [f"{name} = {place}" for name, place in self._heads.items()]

    def loaded(self, access: Access) -> list[str]:
        """Return the lines that read each stream."""
        lines = []
        for each in self.stage.loads:
            storage = self.kept.formats.get(each.stream)
            text = access.load(self.arrays[each.stream], storage)
            narrow = storage is not None and storage.format != "float64"
            if narrow and each.stream != "theta":
                text = self.real(text)
            if each.stream == "theta" and self.kept.compensated:
                text += f" + {self.real(access.load(self.arrays[REST], self.kept.formats[REST]))}"
            if each.value.name in self.unit.predicates:
                text = f"{text} != {self.real('0.0')}"
            lines.append(f"{self.names.value(each.value)} = {text}")
        return lines

    def read_vectors(self, load: Callable[[str, Kind], str]) -> list[str]:
        """Return the lines that read values a row and a column; `load` gives the text for one."""
        return [
            f"{self.names.value(value)} = {load(array, value.kind)}"
            for value, array in self.vectors.items()
        ]

    def computed(self) -> list[str]:
        """Return the lines of the body, each below the equation it came from."""
        lines = []
        for each, (name, text) in zip(self.stage.body, self.body, strict=True):
            lines += [f"# {comment(described(each))}", f"{name} = {text}"]
        return lines

    def stored(self, access: Access) -> list[str]:
        """Return the lines that write each stream."""
        lines = []
        for each in self.stage.stores:
            array, storage = self.arrays[each.stream], self.kept.formats.get(each.stream)
            by_chance = storage is not None and storage.stochastic
            words = partial(self._words, access, each.stream) if by_chance else None
            name = self.names.value(each.value)
            lines.append(access.store(array, storage, name, words))
            if each.stream == "theta" and self.kept.compensated:
                lost = access.lost(name, array)
                lines.append(access.store(self.arrays[REST], self.kept.formats[REST], lost, None))
        return lines

    @property
    def rounding_step(self) -> int:
        """The place in `scalars` of the step that roundings by chance depend on."""
        return self.unit.slots.scalars[Clock(self.stage.part)]

    def _words(self, access: Access, stream: str) -> str:
        """Return the text of the random words of a rounding."""
        step = self._exactly(Clock(self.stage.part))
        code = self.kept.code(stream)
        return access.words(f"begin, identity, {step}, {code}, seed_low, seed_high")

    def _exactly(self, step: Value | Clock) -> str:
        """Return the name of a number that is never rounded; note the seed, which goes with it."""
        seed = self.unit.slots.seed
        assert seed is not None
        self.draws = True
        called = step.name if isinstance(step, Value) else "t"
        name = self.names.value(Value(f"{called} exactly", Kind.STEP))
        self._heads[name] = self.slot("exactly", self.unit.slots.scalars[step])
        self._heads["seed_low"] = self.slot("everything", seed)
        self._heads["seed_high"] = self.slot("everything", seed + 1)
        return name

    def write(self, expression: Expression) -> str:
        """Return the text of an expression of this pass."""
        return python(expression, self.dialect)

    def condition(self, expression: Expression) -> str:
        """Return the text of an expression that is true or false."""
        return condition(expression, self.dialect)

    def _assigned(self, assignment: Assignment) -> tuple[str, str]:
        text = self.write(assignment.expression)
        return self.names.value(Value(assignment.name, Kind.ENTRY)), text

    def _value(self, value: Value) -> str:
        if value in self.entries:
            return self.names.value(value)
        boolean = value.name in self.unit.predicates
        row, slot = self.unit.slots.place(value)
        arrays = {"step": "exactly" if boolean else "numbers", "all": "everything"}
        place = self.slot(arrays.get(row, row), slot)
        name = self.names.value(value)
        self._heads[name] = f"{place} != 0.0" if boolean else self.real(place)
        return name

    def _clock(self, clock: Clock) -> str:
        self._heads["t"] = self.real(self.slot("numbers", self.unit.slots.scalars[clock]))
        return "t"

    def _draw(self, draw: Draw) -> str:
        """Return the text of a random number; the counter of its entry is exact, never rounded."""
        assert isinstance(draw.step, Value)
        name = self._exactly(draw.step)
        counter = f"begin, identity, {name}, {draw.number}, seed_low, seed_high"
        return f"standard_{draw.distribution}({self.place}, {counter})"


def described(item: Assignment | Accumulate) -> str:
    """Return the equation that an assignment or a reduction came from."""
    return item.comment if " = " in item.comment else f"{item.name} = {item.comment}"


def all_streams(unit: Unit, stage: Pass) -> dict[str, Form]:
    """Return the streams of a pass and their forms: entries, vectors, then partial results."""
    forms: dict[str, Form] = dict.fromkeys(pass_streams(unit, stage), "entry")
    for load in stage.vectors:
        forms[load.stream] = "row" if load.value.kind is Kind.ROW else "column"
    for each in stage.reductions:
        if not each.kind.is_number:
            forms[each.partial] = partial_form(each)
    return forms


def pass_streams(unit: Unit, stage: Pass) -> tuple[str, ...]:
    """Return the streams of a value an entry: what it loads, then what it only stores."""
    streams = [load.stream for load in stage.loads]
    streams += [store.stream for store in stage.stores if store.stream not in streams]
    gradients = [gradient.name for gradient in unit.system.gradients]
    first = "theta" if unit.system.family == "optimizer" else [*gradients, *streams][0]
    if not streams:  # a reduction of what no entry tells apart still counts the entries
        streams = [first]
    return tuple(dict.fromkeys(stored(unit.system).in_order(streams, first)))
