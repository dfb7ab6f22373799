"""Indices other than t in a document's rule: what runs over a range is written out.

`v_t^{(i)} = \\beta^{(i)} v_{t-1}^{(i)} - g_t` with i from 1 to 3 becomes the equations of
`v_1`, `v_2` and `v_3`, named as the language names members. A loop of fixed length becomes
its rounds, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby, product

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.equations import SourceEquation
from optdsl.latex.problems import refuse
from optdsl.latex.timing import place_of, printed

_MOST = 100
_JOINS = {"sum": "+", "prod": "*"}


@dataclass
class Members:
    """What was written out.

    `bounds` are the symbols that a range ends at: they are numbers now. `bases` says of
    every member's name which name it is a member of.
    """

    equations: tuple[SourceEquation, ...]
    bounds: frozenset[str] = frozenset()
    bases: dict[str, str] = field(default_factory=dict)


def write_out(equations: Sequence[SourceEquation], given: Mapping[str, int]) -> Members:
    """Return the equations with one for each member and one for each round of a loop.

    `given` are numbers that the caller knows, by the names that the document has for them.
    Raises DiagnosticError where a range has no numbers, or a name with members stands alone.
    """
    if not any(equation.indices or equation.loops for equation in equations):
        return Members(tuple(equations))
    writer = _Writer(equations, given)
    written = tuple(writer.rounds(equations, 0, {}))
    return Members(written, frozenset(writer.bounds), writer.bases)


class _Writer:
    """Writes equations out, member by member."""

    def __init__(self, equations: Sequence[SourceEquation], given: Mapping[str, int]) -> None:
        said = {
            target.name: int(equation.value.text)
            for equation in equations
            for target in equation.targets
            if isinstance(equation.value, syntax.Number) and equation.value.text.isdigit()
            if not target.indices
        }
        self.numbers = {**said, **given}
        self.bounds: set[str] = set()
        self.bases: dict[str, str] = {}
        self.ranges: dict[str, range] = {}
        for equation in equations:
            for index in (*equation.indices, *equation.loops):
                if index.name not in self.ranges:
                    self.ranges[index.name] = self._range(index, equation)
        self.families = self._families(equations)
        self.timed = {
            name.name
            for name in _names(equations)
            if len(name.indices) > self.families.get(name.name, len(name.indices))
        }
        self.taken = {name.name for name in _names(equations)}

    # ----------------------------------------------------------------- ranges

    def _range(self, index: syntax.Index, equation: SourceEquation) -> range:
        low, high = (self._end(end, index, equation) for end in (index.range.low, index.range.high))
        if not 0 <= high - low < _MOST:
            message = f"`{index.name}` runs from {low} to {high}"
            raise refuse("latex-index", message, index.span or place_of(equation))
        return range(low, high + 1)

    def _end(self, end: syntax.Expression, index: syntax.Index, equation: SourceEquation) -> int:
        if isinstance(end, syntax.Number) and end.text.isdigit():
            return int(end.text)
        if isinstance(end, syntax.Name) and end.name in self.numbers:
            self.bounds.add(end.name)
            return self.numbers[end.name]
        called = printed(end) if isinstance(end, syntax.Name) else "its end"
        message = f"how far `{index.name}` runs is not said: {called} has no number"
        hint = f"say it in the claim: `where ${called}$ = 3`"
        raise refuse("latex-index", message, index.span or place_of(equation), hint)

    def _families(self, equations: Sequence[SourceEquation]) -> dict[str, int]:
        """Return the names that have members, and how many indices come before t."""
        found: dict[str, int] = {}
        for name in _names(equations):
            count = sum(1 for index in name.indices if self._letter(index) is not None)
            if count and found.setdefault(name.name, count) != count:
                message = f"`{printed(name)}` and others of its name differ in their indices"
                raise refuse("latex-index", message, name.span or place_of(equations[0]))
        return found

    def _letter(self, index: syntax.Expression) -> str | None:
        head = index.left if isinstance(index, syntax.Binary) else index
        known = isinstance(head, syntax.Name) and head.name in self.ranges
        return head.name if known and isinstance(head, syntax.Name) else None

    # ----------------------------------------------------------------- rounds

    def rounds(
        self, equations: Sequence[SourceEquation], depth: int, bound: Mapping[str, int]
    ) -> Iterator[SourceEquation]:
        """Yield the equations of every round of the loops from `depth` on."""

        def loop(equation: SourceEquation) -> str | None:
            return equation.loops[depth].name if len(equation.loops) > depth else None

        for letter, group in groupby(equations, loop):
            inside = tuple(group)
            if letter is None:
                for equation in inside:
                    yield from self._each(equation, bound)
                continue
            for number in self.ranges[letter]:
                yield from self.rounds(inside, depth + 1, {**bound, letter: number})

    def _each(self, equation: SourceEquation, bound: Mapping[str, int]) -> Iterator[SourceEquation]:
        """Yield an equation for every choice of members on its left side."""
        letters = dict.fromkeys(
            letter
            for target in equation.targets
            for index in target.indices
            if (letter := self._letter(index)) is not None and letter not in bound
        )
        for numbers in product(*(self.ranges[letter] for letter in letters)):
            values = {**bound, **dict(zip(letters, numbers, strict=True))}
            targets = tuple(self._named(target, values, equation) for target in equation.targets)
            value = self._value(equation.value, values, equation)
            yield replace(equation, targets=targets, value=value, indices=(), loops=())

    # ------------------------------------------------------------ expressions

    def _value(
        self, value: syntax.Expression, bound: Mapping[str, int], equation: SourceEquation
    ) -> syntax.Expression:
        def change(node: syntax.Expression) -> syntax.Expression | None:
            match node:
                case syntax.Name(name, ()) if name in self.bounds:
                    return syntax.Number(str(self.numbers[name]), span=node.span)
                case syntax.Name(name, ()) if name in bound:
                    return syntax.Number(str(bound[name]), span=node.span)
                case syntax.Name(name) if name in self.families:
                    return self._named(node, bound, equation)
                case syntax.Call("sum" | "prod", (body, syntax.Name(letter, ()))) if (
                    letter in self.ranges and isinstance(body, syntax.Node)
                ):
                    return self._joined(node, body, letter, bound, equation)
            return None

        return trees.replace_within(value, change)

    def _joined(
        self,
        call: syntax.Call,
        body: syntax.Expression | syntax.Keyword | syntax.Scope,
        letter: str,
        bound: Mapping[str, int],
        equation: SourceEquation,
    ) -> syntax.Expression:
        assert not isinstance(body, syntax.Keyword | syntax.Scope)
        items = [
            self._value(body, {**bound, letter: number}, equation) for number in self.ranges[letter]
        ]
        operator = _JOINS[call.function]

        def join(left: syntax.Expression, right: syntax.Expression) -> syntax.Expression:
            return syntax.Binary(operator, left, right, span=call.span)  # type: ignore[arg-type]

        return reduce(join, items)

    def _named(
        self, name: syntax.Name, bound: Mapping[str, int], equation: SourceEquation
    ) -> syntax.Name:
        """Return one member's name."""
        count = self.families.get(name.name, 0)
        if not count:
            return name
        own, rest = name.indices[:count], name.indices[count:]
        numbers = [_number(index, bound) for index in own]
        place = name.span or place_of(equation)
        if len(own) < count or None in numbers:
            message = f"which member of `{name.name}` is `{printed(name)}`?"
            hint = "sum over the index, or give it to what stands to the left"
            raise refuse("latex-index", message, place, hint)
        if not rest and name.name in self.timed and not any(map(self._letter, own)):
            message = f"is the number on `{printed(name)}` a time, or an index?"
            raise refuse("latex-ambiguous", message, place, "write both: `v_0^{(i)}`")
        return syntax.Name(self._called(name.name, numbers), rest, span=name.span)

    def _called(self, name: str, numbers: Sequence[int | None]) -> str:
        member = "_".join((name, *(str(number).replace("-", "m") for number in numbers)))
        while member in self.taken:
            member += "_"
        self.bases[member] = name
        return member


def _number(index: syntax.Expression, bound: Mapping[str, int]) -> int | None:
    match index:
        case syntax.Number(text) if text.isdigit():
            return int(text)
        case syntax.Name(name, ()):
            return bound.get(name)
        case syntax.Binary("+" | "-" as sign, syntax.Name(name, ()), syntax.Number(text)):
            return None if name not in bound else bound[name] + int(sign + text)
    return None


def _names(equations: Sequence[SourceEquation]) -> Iterator[syntax.Name]:
    for equation in equations:
        yield from equation.targets
        yield from (name for name, _ in trees.names_in(equation.value))
