"""What a library looks like from C: records, the names in them, and where each number lies.

Every field takes eight bytes, so that a record is a row of words and no compiler pads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optdsl.codegen.c_names import c_name
from optdsl.codegen.forms import FORMS
from optdsl.codegen.library.matrices.plans import is_of_vectors
from optdsl.codegen.library.storing import C_TYPES, NARROW, WIDE, Precision
from optdsl.codegen.loops import all_streams
from optdsl.codegen.matrices import matrices_streams
from optdsl.codegen.storing import Stored, stored
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Fact, Kind, Value
from optdsl.model.overriding import Feed
from optdsl.model.storing import REST
from optdsl.model.system import Hyperparameter
from optdsl.program.describing import equations_text
from optdsl.program.program import Ask, Guard, Matrices, Pass, Program
from optdsl.program.streams import output_buffer
from optdsl.runtime.layout import EVALUATED
from optdsl.runtime.shapes import Form
from optdsl.storage import Storage


@dataclass(frozen=True)
class Field:
    """A field of a record: "*" is an array, whose type depends on the format of a step; `count`
    numbers stand in a row.
    """

    name: str
    type: str
    doc: str = ""
    count: int = 1


class Record:
    """The fields of a record in order, each known by a key of its own."""

    def __init__(self) -> None:
        self.fields: dict[str, Field] = {}
        self._names: set[str] = set()
        self.words = 0
        self._offsets: dict[str, int] = {}

    def add(self, key: str, wish: str, kind: str, doc: str = "", count: int = 1) -> None:
        """Add a field; its name is what is wished for, or one like it that is not taken."""
        name, number = c_name(wish), 1
        while name in self._names:
            number += 1
            name = f"{c_name(wish)}_{number}"
        self._names.add(name)
        self.fields[key] = Field(name, kind, doc, count)
        self._offsets[key] = self.words
        self.words += count

    def offset(self, key: str) -> int:
        """Return the word at which a field begins."""
        return self._offsets[key]


@dataclass(frozen=True)
class Choice:
    """A case of a rule that chooses: its number, and the interface that all cases share.

    `carry` says where in the numbers for all tensors a reduction over several cases goes on
    from one to the next; this case begins those that are `fresh`.
    """

    case: int
    whole: Interface
    carry: dict[str, int]
    fresh: frozenset[str]


@dataclass(frozen=True)
class Interface:
    """A rule as C sees it. `prefix` begins every name; `first_pass` numbers its passes.

    `choice` says of which case it is, and `carried` how many reductions go on from case to case.
    """

    unit: Unit
    prefix: str
    first_pass: int = 1
    choice: Choice | None = None
    carried: int = 0

    @property
    def tag(self) -> str:
        """What tells the functions of one case from those of others."""
        return "" if self.choice is None else f"_case{self.choice.case}"

    @property
    def equations(self) -> list[str]:
        """The equations, a line each."""
        return equations_text(self.unit.system)

    def holders(self, stream: str) -> str:
        """Return in words which tensors alone have an array; nothing where all have."""
        return ""

    @property
    def now(self) -> int:
        """How many words of a run say which of several rules is taken now."""
        return 0

    def taken(self, builder: Any, now: Any, hyper: Hyperparameter) -> Any:
        """Return whether a rule with a hyperparameter is taken now; None where one always is."""
        return None

    @property
    def parts(self) -> int:
        """How many parts the rule has that may count steps of their own."""
        return self.unit.system.parts

    @property
    def clocks(self) -> int:
        """How many counts of steps a run keeps: one for each part of the rule."""
        return self.parts

    def clock(self, part: int) -> int:
        """Return which of them counts the steps of a part."""
        return part if self.choice is None else self.choice.whole.clock_in(self.choice.case, part)

    def clock_in(self, case: int, part: int) -> int:
        """Return which count is that of a part of one case."""
        return part

    def clock_of(self, hyper: Hyperparameter) -> int:
        """Return which count a formula or a schedule of a hyperparameter reads."""
        return hyper.part

    @cached_property
    def step(self) -> Program:
        """The program of a step: gradients handed in where that can be, else asked for."""
        program = self.unit.ready if self.is_given else self.unit.function
        assert program is not None
        return program

    @cached_property
    def looks(self) -> dict[str, Program]:
        """The programs that look at what the last step left, by the name of their function."""
        found = {"iterate": self.unit.iterate, "evaluate": self.unit.evaluate}
        return {name: program for name, program in found.items() if program is not None}

    @cached_property
    def programs(self) -> list[Program]:
        """All programs that C can run."""
        return [self.step, *self.looks.values()]

    @cached_property
    def passes(self) -> dict[Pass, int]:
        """Every loop over entries, and its number."""
        stages = [stage for program in self.unit.programs for stage in program.passes]
        return {
            stage: number for number, stage in enumerate(dict.fromkeys(stages), self.first_pass)
        }

    @property
    def programs_have_passes(self) -> bool:
        """Does C run any loop over entries?"""
        return any(program.passes for program in self.programs)

    @cached_property
    def asked(self) -> list[tuple[str, dict[int | None, str]]]:
        """The gradients that a step asks for, and the point of each; none where they are given.

        Where the rule chooses, the points are those of the cases that ask.
        """
        asks = [stage for stage in self.step.stages if isinstance(stage, Ask)]
        alone = self.choice is None and not self.is_given
        return [(ask.gradient, {None: ask.point}) for ask in asks if alone]

    @property
    def is_given(self) -> bool:
        """Are gradients handed in ready-made?"""
        if self.choice is not None:
            return self.choice.whole.is_given
        return self.unit.ready is not None

    @cached_property
    def streams(self) -> list[str]:
        """The arrays of a tensor."""
        named = ["theta"] if self.unit.system.family == "optimizer" else []
        for gradient, points in self.asked:
            named += [*points.values(), gradient]
        for program in self.programs:
            for stage in program.passes:
                named += all_streams(self.unit, stage)
            for shaped in shaped_stages(program):
                named += matrices_streams(self.unit, shaped)
        kept = [s.name for s in self.unit.system.states if s.kind in FORMS]
        known = ["theta", *(each.name for each in self.unit.system.gradients), *kept]
        present = dict.fromkeys([*named, *kept])
        return [name for name in known if name in present] + [n for n in present if n not in known]

    @cached_property
    def steps_alone(self) -> bool:
        """May some tensors of a step rest? Then each has a run of its own."""
        stages = [stage for program in self.programs for stage in program.stages]
        return any(isinstance(s, Guard) and s.condition.kind is Kind.TENSOR for s in stages)

    @property
    def needs_room(self) -> bool:
        """Is there work that threads can share?"""
        return self.programs_have_passes or self.has_matrices

    @property
    def has_matrices(self) -> bool:
        """Do its functions need room to compute with whole matrices?"""
        return any(whole_stages(program) for program in self.programs)

    @property
    def has_shapes(self) -> bool:
        """Must a tensor tell its rows and columns?"""
        stages = [stage for program in self.unit.programs for stage in program.stages]
        return any(isinstance(s, Matrices) or (isinstance(s, Pass) and s.by_rows) for s in stages)

    def form(self, stream: str) -> Form:
        """Return how many numbers an array has: one an entry, a row or a column."""
        kinds = {state.name: state.kind for state in self.unit.system.states}
        return self.unit.shaped.get(stream) or FORMS[kinds.get(stream, Kind.ENTRY)]

    @cached_property
    def kept(self) -> Stored:
        """What the rule says of how its arrays are stored."""
        return stored(self.unit.system)

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The formats of parameters that the library steps."""
        return WIDE if self.unit.system.parameters is None else (NARROW,)

    @cached_property
    def seen(self) -> set[str]:
        """The arrays that a caller reads or writes: they are stored as the parameters are."""
        system = self.unit.system
        asks = [stage for program in self.unit.programs for stage in program.stages
                if isinstance(stage, Ask)]  # fmt: skip
        named = {"theta", "iterate", EVALUATED, output_buffer(system)}
        named |= {each.name for each in system.gradients} | {ask.point for ask in asks}
        return {name for name in named if name is not None}

    def storage(self, stream: str, precision: Precision) -> Storage:
        """Return how an array is stored."""
        if stream in self.unit.shaped:
            return Storage("float64")
        said = self.kept.formats.get(stream)
        return said or (precision.seen if stream in self.seen else precision.working)

    def c_type(self, stream: str, precision: Precision) -> str:
        """Return what C calls the numbers of an array."""
        return C_TYPES[self.storage(stream, precision).format]

    @cached_property
    def written(self) -> set[str]:
        """The arrays that are written."""
        stages = [stage for program in self.programs for stage in program.stages]
        loops = [stage for stage in stages if isinstance(stage, Pass | Matrices)]
        stores = [store.stream for stage in loops for store in stage.stores]
        asked = [gradient for gradient, _ in self.asked]
        return {*stores, *self.unit.shaped, *asked, *([REST] if self.kept.compensated else [])}

    @cached_property
    def hyper(self) -> Record:
        """The hyperparameters, in the order of their slots; then those ahead, then inputs."""
        if self.choice is not None:
            return self.choice.whole.hyper
        record = Record()
        docs = {each.name: each for each in self.unit.system.hyperparameters}
        inputs = {name: each for each in self.unit.system.handed_in
                  for name in (each.name, each.flag)}  # fmt: skip
        for value in self.unit.slots.hyper:
            key = hyper_key(value)
            if value.name in docs:
                ending = "_next" if value.offset else ""
                record.add(key, docs[value.name].name + ending, "double")
            else:
                given = inputs[value.name]
                flag = value.name == given.flag
                record.add(key, f"{given.known_as}_given" if flag else given.known_as, "double")
        return record

    @cached_property
    def run(self) -> Record:
        """What outlives a step besides the arrays: clocks, and the numbers for all tensors."""
        if self.choice is not None:
            return self.choice.whole.run
        record, unit = Record(), self.unit
        record.add("t", "t", "int64_t", count=self.clocks)
        if self.now:
            record.add("now", "now", "int64_t", count=self.now)
        if unit.slots.seed is not None:
            record.add("seed", "seed", "uint64_t")
        for name in unit.slots.step_state:
            record.add(f"step {name}", name, "double")
        more = 2 * (unit.slots.seed is not None) + self.carried
        self._numbers(record, "all", unit.slots.everything, more)
        for feed in unit.feeds:
            for state in feed.states:
                record.add(feed_key(feed, state.name), state.name, "double")
        return record

    @cached_property
    def tensor(self) -> Record:
        """One tensor: its arrays and its own numbers."""
        if self.choice is not None:
            return self.choice.whole.tensor
        return self._tensor_fields(Record())

    def _tensor_fields(self, record: Record) -> Record:
        unit = self.unit
        record.add("size", "size", "int64_t")
        if self.has_shapes:
            record.add("rows", "rows", "int64_t")
            record.add("columns", "columns", "int64_t")
        for name in self.streams:
            wish = "lost" if name == REST else name
            record.add(f"stream {name}", wish, "*" if name in self.written else "const *")
        self._numbers(record, "tensor", unit.slots.tensor)
        if unit.slots.seed is not None:
            record.add("identity", "identity", "int64_t")
        return record

    def _numbers(self, record: Record, row: str, slots: dict[str, int], more: int = 0) -> None:
        """Add the numbers of a row: those with a meaning by name, the rest as one array."""
        named = [name for name in slots if name in self.named]
        for name in named:
            record.add(f"{row} {name}", name, "double")
        rest = len(slots) - len(named) + more
        if rest:
            record.add(f"{row} work", "work", "double", count=rest)

    @cached_property
    def named(self) -> set[str]:
        """The numbers for all tensors, or of each, that mean something to a caller."""
        states = {s.name for s in self.unit.system.states if s.kind in (Kind.ALL, Kind.TENSOR)}
        return states | set(self.unit.system.losses)

    @cached_property
    def facts(self) -> dict[str, Fact]:
        """The numbers of a tensor that its owner sets: facts that the library cannot know."""
        states = self.unit.system.states
        starts = {s.name: s.start for s in states if isinstance(s.start, Fact)}
        told = {"size", "rows", "columns"} if self.has_shapes else {"size"}
        return {name: fact for name, fact in starts.items() if fact.name not in told}

    def first(self, record: Record, row: str) -> int:
        """Return the word of a record at which the numbers of a row begin."""
        offsets = [record.offset(key) for key in record.fields if key.startswith(f"{row} ")]
        return min(offsets, default=0)


def hyper_key(value: Value) -> str:
    """Return the key of a hyperparameter in its record."""
    return f"{value.name}{'+1' if value.offset else ''}"


def feed_key(feed: Feed, state: str) -> str:
    """Return the key of a schedule's state in the record of a run."""
    return f"feed {feed.hyperparameter.name} {state}"


def shaped_stages(program: Program) -> list[Matrices]:
    """Return what is done to values a row and a column between passes."""
    return [stage for stage in program.stages if isinstance(stage, Matrices)]


def whole_stages(program: Program) -> list[Matrices]:
    """Return the stages that compute with whole matrices."""
    return [stage for stage in shaped_stages(program) if not is_of_vectors(stage)]
