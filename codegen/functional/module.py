"""A rule as a module of functions of values, for frameworks in which a step is such a function.

No passes are planned: the framework's own compiler fuses what it runs. Names, printing and
predicates are those of the other targets.
"""

from __future__ import annotations

from optdsl.codegen.cases import clocks_kept
from optdsl.codegen.conditions import condition_text
from optdsl.codegen.declarations import MARGIN, STATE_KINDS, hyper_text, input_text
from optdsl.codegen.functional.beginnings import Beginnings
from optdsl.codegen.functional.bodies import Body, call_text, kind_of
from optdsl.codegen.functional.prepared import PreparedCase, PreparedRule, prepare_functions
from optdsl.codegen.module import flat, some
from optdsl.codegen.naming import identifier
from optdsl.codegen.page import header_text, page_text
from optdsl.codegen.predicates import predicate_names
from optdsl.codegen.protocol import FunctionalTarget
from optdsl.codegen.source import Functions, fields, indent, wrapped
from optdsl.codegen.versions import Imprint
from optdsl.model.alternatives import Alternatives, Rule
from optdsl.model.expressions import (
    Draw,
    Expression,
    Kind,
    Reduce,
    Value,
    values,
    walk,
)
from optdsl.model.system import Hyperparameter, Input, State, System
from optdsl.program.formulas import indexed_names
from optdsl.program.hoisting import Named
from optdsl.program.streams import THETA_BEFORE, changed_states, output_buffer, written_streams


def functions_text(rule: Rule, target: FunctionalTarget, imprint: Imprint) -> str:
    """Return the source text of the module of functions of `rule`.

    Raises:
        DiagnosticError: for what cannot be a function of values.
    """
    prepared = prepare_functions(rule)
    functions = Functions()
    layout = FunctionsWriter(prepared, target, functions).layout()
    declaration = ["FUNCTIONS = functional.Functions(", *indent(layout), ")"]
    header = header_text(prepared.rule, target.NAME, imprint)
    name, made = identifier(prepared.rule.name), f"{target.MAKE}(FUNCTIONS)"
    return page_text(header, functions, declaration, name, made, target.IMPORTS.items())


class FunctionsWriter:
    """Writes what a module says of itself, and the functions that it names."""

    def __init__(
        self, prepared: PreparedRule, target: FunctionalTarget, functions: Functions
    ) -> None:
        self.prepared = prepared
        self.rule = prepared.rule
        self.target = target
        self.functions = functions
        shared: frozenset[str] = frozenset()
        if isinstance(self.rule, Alternatives):
            shared = self.rule.shared_numbers
        self.cases = [
            CaseWriter(each, number, prepared, shared, target, functions)
            for number, each in enumerate(prepared.cases)
        ]

    def layout(self) -> list[str]:
        """Return the arguments of `FUNCTIONS`, a line each."""
        rule, first = self.rule, self.cases[0]
        systems = [each.system for each in self.prepared.cases]
        losses = dict.fromkeys(loss for system in systems for loss in system.losses)
        return fields(
            {
                "name": repr(rule.name),
                "family": repr(rule.family),
                "doc": repr(rule.doc or ""),
                "hyperparameters": flat(self._hyper(each) for each in rule.hyperparameters),
                "inputs": flat(self._input(each) for each in rule.handed_in),
                "cases": flat(each.layout() for each in self.cases),
                "gradient": repr(_gradient(systems[0])),
                "output": repr(first.output),
                "losses": some(tuple(losses)),
                "matrices": some(any(each.by_matrices for each in self.cases)),
                "draws": some(any(each.draws for each in self.cases)),
                "target": repr(self.target.NAME),
            }
        )

    def _owner(self, item: Hyperparameter | Input) -> CaseWriter:
        if isinstance(self.rule, Alternatives):
            return self.cases[self.rule.cases_with(item)[0]]
        return self.cases[0]

    def _hyper(self, hyper: Hyperparameter) -> list[str]:
        ahead = any(hyper.name in each.ahead for each in self.cases)
        return hyper_text(hyper, self._owner(hyper).begin.default(hyper), ahead)

    def _input(self, given: Input) -> list[str]:
        return input_text(self._owner(given).case.system, given)


class CaseWriter:
    """Writes the functions of one case."""

    def __init__(
        self,
        case: PreparedCase,
        number: int,
        prepared: PreparedRule,
        shared: frozenset[str],
        target: FunctionalTarget,
        functions: Functions,
    ) -> None:
        self.case = case
        self.number = number
        self.prepared = prepared
        self.shared = shared
        self.target = target
        self.functions = functions
        self.system = case.named.system
        self.indexed = indexed_names(self.system)
        self.predicates = frozenset(predicate_names(self.system, []))
        self.output = _output(self.system)
        self.begin = Beginnings(case, target.PREFIX, self.indexed, self.predicates, functions)

    # -------------------------------------------------------------------- facts

    @property
    def trees(self) -> list[Expression]:
        """Every expression of a step."""
        return [each.value for each in self.system.equations]

    @property
    def by_matrices(self) -> bool:
        """Does the rule tell rows and columns apart?"""
        return any(node.kind.is_matrix for tree in self.trees for node in walk(tree))

    @property
    def draws(self) -> bool:
        """Does it draw random numbers?"""
        return any(isinstance(node, Draw) for tree in self.trees for node in walk(tree))

    @property
    def ahead(self) -> set[str]:
        """The hyperparameters that are read one step ahead."""
        return {read.name for tree in self.trees for read in values(tree) if read.offset == 1}

    # ------------------------------------------------------------------- layout

    def layout(self) -> list[str]:
        """Return the case as the module has it."""
        system, case = self.case.system, self.case.choice
        stem = f"_{self.number + 1}" if len(self.prepared.cases) > 1 else ""
        once = self._numbers(self.case.named, f"numbers{stem}", self._once())
        moves = system.family != "schedule"
        update, meetings = self._update(f"update{stem}") if moves else ("None", [])
        lines = fields(
            {
                "title": repr(case.title if case else system.name),
                "parts": str(system.parts),
                "hyperparameters": some(tuple(h.name for h in system.hyperparameters)),
                "states": flat(self._state(each) for each in self._kept_states()),
                "numbers": once,
                "update": update,
                "meetings": meetings,
                "skips": self._skips(),
                "theta_part": some(self._theta_part()),
                **self._choice(),
                "evaluation": self._look("evaluation", stem, self.case.evaluate),
                "iterate": self._look("iterate", stem, self.case.iterate),
            }
        )
        return ["functional.Case(", *indent(lines), "),"]

    def _theta_part(self) -> int:
        return next((e.part for e in self.system.equations if e.name == self.output), 0)

    def _skips(self) -> list[str]:
        skips = ((skip.condition, skip.part) for skip in self.system.skips)
        return [
            f"functional.Skip({condition.name!r}, {part}),"
            for condition, part in skips
            if isinstance(condition, Value)
        ]

    def _choice(self) -> dict[str, str]:
        """Return which tensors the case takes, and when, where the rule chooses."""
        case, rule = self.case.choice, self.prepared.rule
        if case is None:
            return {}
        assert isinstance(rule, Alternatives)
        lines = ["def NAME(tensor):", *indent([f"return {condition_text(case.condition)}"])]
        found = {"accepts": self.functions.add("accepts", lines)}
        if rule.timed:
            found["windows"] = repr(tuple((w.part, w.after, w.until) for w in case.windows))
            found["kept"] = repr(tuple(clocks_kept(old, case, rule) for old in rule.cases))
        return found

    def _look(self, name: str, stem: str, named: Named | None) -> str | None:
        """Write what looks at the parameters and states and moves nothing, if there is such."""
        if named is None:
            return None
        output = _output(named.system)
        once = self._numbers(named, f"{name}_numbers{stem}", [])
        body = self._body(once=False)
        body.array(THETA_BEFORE)
        for equation in named.system.equations:
            kind = kind_of(equation, {output})
            if kind is not Kind.STEP:
                text = named.comments.get(equation.name, "")
                body.assign(equation.name, equation.value, kind, text)
        returns = [body.local(Value(output, Kind.ENTRY))]
        function = body.function(self.functions, f"{name}{stem}", returns)
        return f"({once}, {call_text(function, body.reads, [output])})"

    # -------------------------------------------------------------- one step

    def _body(self, once: bool) -> Body:
        return Body(self.target.PREFIX, self.indexed, self.predicates, once)

    def _once(self) -> list[Value]:
        """Return the numbers of a step that are wanted after it."""
        system = self.system
        wanted = [Value(each.name, Kind.STEP) for each in changed_states(system, Kind.STEP)]
        wanted += [s.condition for s in system.skips if isinstance(s.condition, Value)]
        if system.family == "schedule":
            wanted += [Value(name, Kind.STEP) for name in system.outputs]
        return [each for each in wanted if each.kind is Kind.STEP]

    def _numbers(self, named: Named, stem: str, wanted: list[Value]) -> str:
        """Write what is computed once a step; return the call of it."""
        system = named.system
        entries = set(written_streams(system))
        own = [e for e in system.equations if kind_of(e, entries) is Kind.STEP]
        trees = [e.value for e in system.equations if e not in own]
        read = {each.name for tree in trees for each in values(tree) if each.offset == 0}
        names = [e.name for e in own if e.name in read | {each.name for each in wanted}]
        body = self._body(once=True)
        for equation in own:
            text = named.comments.get(equation.name, "")
            body.assign(equation.name, equation.value, Kind.STEP, text)
        if not names:
            return "functional.NOTHING"
        returns = [body.local(Value(name, Kind.STEP)) for name in names]
        return call_text(body.function(self.functions, stem, returns), body.reads, names)

    def _update(self, stem: str) -> tuple[str, list[str]]:
        """Write what is made of one tensor; return the call of it, and where it waits."""
        system, comments = self.system, self.case.named.comments
        written = written_streams(system)
        entries = set(written)
        body = self._body(once=False)
        meetings: list[str] = []
        body.array(_first_array(system))
        asked = {
            gradient.name: gradient.point
            for gradient in system.gradients
            if isinstance(gradient.point, Value) and gradient.point != THETA_BEFORE
        }
        for equation in system.equations:
            kind = kind_of(equation, entries)
            if kind is Kind.STEP:
                continue
            for name in [v.name for v in values(equation.value) if v.name in asked]:
                if name in asked:
                    point = body.local(asked.pop(name))
                    target = body.know(Value(name, Kind.ENTRY))
                    body.lines.append(f"{target} = yield gradient_at({point})")
                    meetings.append(f"functional.Meeting({name!r}, 'gradient', shared=True),")
            if isinstance(equation.value, Reduce) and equation.value.kind is Kind.ALL:
                shared = ", shared=True" if equation.name in self.shared else ""
                meetings.append(f"functional.Meeting({equation.name!r}{shared}),")
            body.assign(equation.name, equation.value, kind, comments.get(equation.name, ""))
        given = self._given(written)
        returns = [body.local(value) for _, value in given]
        name = body.function(self.functions, stem, returns)
        return call_text(name, body.reads, [key for key, _ in given]), meetings

    def _given(self, written: dict[str, Value]) -> list[tuple[str, Value]]:
        """Return what the work on one tensor gives: theta or an output, states, conditions."""
        system = self.system
        given = [(self.output, Value(self.output, Kind.ENTRY))]
        states = {state.name for state in system.states}
        given += [(key, value) for key, value in written.items() if key in states]
        kinds = [kind for kind in Kind if kind not in (Kind.STEP, Kind.ENTRY)]
        given += [
            (state.name, Value(state.name, kind))
            for kind in kinds
            for state in changed_states(system, kind)
        ]
        conditions = (skip.condition for skip in system.skips)
        given += [(c.name, c) for c in conditions if isinstance(c, Value) and c.kind is Kind.ALL]
        return list(dict(given).items())

    # ------------------------------------------------------------------- states

    def _kept_states(self) -> list[State]:
        """Return the states that a step or the evaluation point reads or changes."""
        trees = list(self.trees)
        for named in (self.case.evaluate, self.case.iterate):
            trees += [each.value for each in named.system.equations] if named else []
        read = {value.name for tree in trees for value in values(tree) if value.offset == -1}
        changed = {each.name for kind in Kind for each in changed_states(self.system, kind)}
        return [state for state in self.case.system.states if state.name in read | changed]

    def _state(self, state: State) -> list[str]:
        given = [repr(state.name), repr(STATE_KINDS[state.kind]), self.begin.start(state)]
        given += [f"part={state.part}"] if state.part else []
        given += [f"storage={state.storage!r}"] if state.storage else []
        return wrapped("functional.StateSlot(", given, "),", 2 * MARGIN)


def _output(system: System) -> str:
    """Return the key of what a step gives."""
    if system.family == "schedule":
        return system.outputs[0]
    return output_buffer(system) or "theta"


def _first_array(system: System) -> Value:
    """Return an array that every tensor has: theta, or the gradient that is handed in."""
    if system.family == "optimizer":
        return THETA_BEFORE
    return Value(_gradient(system), Kind.ENTRY)


def _gradient(system: System) -> str:
    """Return the name of what is handed in, be it read or not."""
    return next((gradient.name for gradient in system.gradients), "g")
