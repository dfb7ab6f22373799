"""What values begin with: states before the first step, and hyperparameters by default."""

from __future__ import annotations

from optdsl.codegen.declarations import feed_text, plain_default
from optdsl.codegen.functional.bodies import Body, call_text
from optdsl.codegen.functional.prepared import PreparedCase
from optdsl.codegen.naming import identifier
from optdsl.codegen.source import Functions
from optdsl.model.expressions import Fact, Kind, Number, Value
from optdsl.model.overriding import Feed
from optdsl.model.system import Hyperparameter, State
from optdsl.program.formulas import formula
from optdsl.program.streams import THETA_BEFORE


class Beginnings:
    """Writes starts and defaults of one case, as text for the module and as functions of it."""

    def __init__(
        self, case: PreparedCase, prefix: str, indexed: frozenset[str], predicates: frozenset[str],
        functions: Functions,
    ) -> None:  # fmt: skip
        self.case = case
        self.prefix = prefix
        self.indexed = indexed
        self.predicates = predicates
        self.functions = functions

    def _body(self) -> Body:
        return Body(self.prefix, self.indexed, self.predicates, once=True)

    def start(self, state: State) -> str:
        """Return the text of what a state is before the first step."""
        match state.start:
            case None:
                return "0.0"
            case Number(value):
                return repr(float(value))
            case Fact(name, pattern):
                return f"functional.Fact({name!r}{'' if pattern is None else f', {pattern!r}'})"
        body = self._body()
        if state.kind not in (Kind.STEP, Kind.ALL):
            body.array(THETA_BEFORE)
        text = body.write(state.start, state.kind)
        name = body.function(self.functions, f"start_{identifier(state.name)}", [text])
        return call_text(name, body.reads, [state.name])

    def default(self, hyper: Hyperparameter) -> str | None:
        """Return the text of a default: a number, a schedule, or a formula."""
        feed = next((f for f in self.case.feeds if f.hyperparameter.name == hyper.name), None)
        if feed is not None:
            return self._feed(feed)
        plain = plain_default(hyper)
        if plain is not None or hyper.default is None:
            return plain
        body = self._body()
        text = body.write(hyper.default, Kind.STEP)
        name = body.function(self.functions, f"default_{identifier(hyper.name)}", [text])
        return call_text(name, body.reads, [hyper.name])

    def _feed(self, feed: Feed) -> str:
        """Return what the module says of a schedule that gives a hyperparameter."""
        body = self._body()
        for each in feed.equations:
            left = f"{each.name}[t]" if each.name in self.indexed else each.name
            text = f"{left} = {formula(each.value, self.indexed)}"
            body.assign(each.name, each.value, Kind.STEP, text)
        name = feed.hyperparameter.name
        given = [name, *(s.name for s in feed.states if s.name != name)]
        returns = [body.local(Value(each, Kind.STEP)) for each in given]
        function = body.function(self.functions, f"schedule_{identifier(name)}", returns)
        starts = [self.start(state) for state in feed.states]
        return feed_text(feed, call_text(function, body.reads, given), starts)
