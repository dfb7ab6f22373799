"""What a name in an expression stands for: which value, and of which step."""

from __future__ import annotations

from optdsl.diagnostics import Span, did_you_mean
from optdsl.language import syntax
from optdsl.model import functions
from optdsl.model.declarations import not_yet, unknown_index
from optdsl.model.expressions import Clock, Constant, Expression, Fact, Kind, Value, number
from optdsl.model.names import Names
from optdsl.model.numbers import time_index
from optdsl.model.problems import Problems
from optdsl.model.system import given

ZERO = number(0)


class References:
    """Resolves the names that one definition reads, and notes what is wrong with them."""

    def __init__(self, names: Names, problems: Problems) -> None:
        self.names = names
        self.problems = problems
        self._at: int | None = None  # the fixed time of the equation that is being read

    def read(self, node: syntax.Name) -> Expression:
        """Return the value that a name stands for."""
        name = node.name
        if name == "t" and not node.indices:
            return Clock()
        if name in functions.FACTS and name not in self.names.readable and not node.indices:
            return self._fact(Fact(name), node)
        if name == "loss" and self.names.loss_of is None and self.names.family != "schedule":
            return self._no_loss(node)
        if name not in self.names.readable:
            return self._wrong(
                "undefined-name",
                f"`{name}` is not defined",
                node,
                did_you_mean(name, self.names.readable) or self._tensor_hint(name),
            )
        time = time_index(node.indices[0]) if node.indices else ("t", 0)
        if len(node.indices) > 1 or time is None:
            unknown_index(node, self.problems)
            return ZERO
        if self._at is not None and self._at <= 0:
            return self._starting(node, time)
        if not node.indices and (name == "theta" or self._has_past(name)):
            return self._wrong(
                "index-needed",
                f"the past of `{name}` is read too, so say which value is meant",
                node,
                f"write `{name}[t]` or `{name}[t-1]`",
            )
        return self._timed(node, *time)

    def _given(self, call: syntax.Call) -> Expression:
        match call.arguments:
            case (syntax.Name(name, ()),) if name in self.names.inputs:
                return Value(given(name), Kind.STEP)
        declared = ", ".join(sorted(self.names.inputs))
        hint = f"it has {declared}" if declared else "declare one, as in `input metric`"
        self._wrong("bad-arguments", "`given` takes the name of an input", call, hint)
        return Constant("false")

    def _has_past(self, name: str) -> bool:
        return name not in self.names.hypers and (
            name in self.names.past or (name, 1) in self.names.lags
        )

    def _starting(self, node: syntax.Name, time: tuple[str, int]) -> Expression:
        if node.name in self.names.hypers and time == ("t", 0):
            return Value(node.name, Kind.STEP)
        if node.name == "theta" and time == ("", 0):
            return Value("theta", Kind.ENTRY, -1)
        return self._wrong(
            "bad-start",
            f"`{node.name}` is not known before the first step",
            node,
            "a start may read hyperparameters and theta[0]",
        )

    def _no_loss(self, node: syntax.Name) -> Expression:
        return self._wrong(
            "bad-loss",
            "`loss[t]` is the loss where `g[t]` is taken, and this rule asks for several "
            "gradients, none of them `g`",
            node,
            "call one of them `g`, as in `g[t] = grad(...)`",
        )

    def _tensor_hint(self, name: str) -> str | None:
        if self.names.family == "schedule" and name in ("g", "theta", "loss"):
            return "a schedule sees neither the gradient nor the parameters nor the loss"
        if name == "grad":
            return "`g[t]` is the gradient; `grad(point)` asks for one elsewhere"
        if name == "g":
            return "this rule asks for its gradients itself, with `grad`"
        return "declare it with `hyper`, or give it an equation"

    def _kind(self, name: str) -> Kind:
        return self.names.kinds.get(name, Kind.STEP)

    def _timed(self, node: syntax.Name, base: str, offset: int) -> Expression:
        name, kind = node.name, self._kind(node.name)
        if base == "" and self._at == 1 and offset in (0, 1):
            base, offset = "t", offset - 1
        if base == "":
            return self._fixed(node, offset)
        if offset == 0:
            return Value(name, kind)
        if offset > 0:
            return self._ahead(node, offset)
        if name in self.names.equations or name == "theta":
            self.names.past.add(name)
            if offset == -1:
                return Value(name, kind, -1)
            offset += 1
        return Value(self._lag(name, -offset), kind, -1)

    def _lag(self, name: str, depth: int) -> str:
        for step in range(1, depth + 1):
            if (name, step) not in self.names.lags:
                suffix = "" if step == 1 else f"_{step}"
                self.names.lags[name, step] = self.names.fresh(f"last_{name}{suffix}")
        return self.names.lags[name, depth]

    def _ahead(self, node: syntax.Name, offset: int) -> Expression:
        name = node.name
        if offset == 1 and name in self.names.hypers:
            return Value(name, Kind.STEP, 1)
        if offset == 1 and name in self.names.equations and self._kind(name) is Kind.STEP:
            if name not in self.names.ahead:
                self.names.ahead[name] = self.names.fresh(f"next_{name}")
            return Value(self.names.ahead[name], Kind.STEP)
        return self._wrong(
            "looks-ahead",
            f"`{name}[t+{offset}]` is not known at step t",
            node,
            "only hyperparameters and formulas of t can be read ahead, and by one step",
        )

    def _fixed(self, node: syntax.Name, index: int) -> Expression:
        name = node.name
        if index == 0 and (name in self.names.equations or name == "theta"):
            if (name, 0) not in self.names.fixed:
                self.names.fixed[name, 0] = self.names.fresh(f"start_{name}")
            return Value(self.names.fixed[name, 0], self._kind(name), -1)
        return self._wrong(
            "bad-index",
            f"`{name}[{index}]` cannot be read at every step",
            node,
            "a value is read at t, at an earlier step such as t-1, or at its start: theta[0]",
        )

    def _fact(self, fact: Fact, node: syntax.Node) -> Expression:
        if self.names.family == "schedule":
            return self._wrong(
                "undefined-name", f"a schedule sees no tensor, so `{fact.name}` means nothing", node
            )
        if fact not in self.names.facts:
            self.names.facts[fact] = self.names.fresh(f"tensor_{fact.name}")
        return Value(self.names.facts[fact], Kind.TENSOR, -1)

    def _later(self, what: str, span: Span | None) -> Expression:
        not_yet(self.problems, what, span)
        return ZERO

    def _wrong(
        self, code: str, message: str, node: syntax.Node, hint: str | None = None
    ) -> Expression:
        self.problems.error(code, message, node.span, hint)
        return ZERO
