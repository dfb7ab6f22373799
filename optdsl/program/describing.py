"""A system in plain text: its equations for readers, and all of it for a hash."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from optdsl.model.alternatives import Rule, systems_of
from optdsl.model.expressions import Expression, Kind, Value
from optdsl.model.system import System
from optdsl.program.formulas import facts_kept, formula, indexed_names, with_facts


def equations_text(rule: Rule) -> list[str]:
    """Return the equations of `rule`, one a line, in the author's form; of each case, where it
    chooses, below its title.
    """
    if isinstance(rule, System):
        return _equations(_with_facts(rule))
    lines: list[str] = []
    for case in rule.cases:
        text = [f"  {line}" for line in _equations(_with_facts(case.system))]
        lines += ["", f"{case.title}:", *text] if lines else [f"{case.title}:", *text]
    return lines


def _with_facts(system: System) -> System:
    """Return `system` as its author wrote it: with facts of tensors, where states keep them."""
    facts = facts_kept(system)
    equations = tuple(
        replace(each, value=with_facts(each.value, system))
        for each in system.equations
        if each.name not in facts
    )
    return replace(system, equations=equations) if facts else system


def fingerprint(rule: Rule) -> str:
    """Return what tells this rule from any other: its states and equations, hashed."""
    lines = [rule.name]
    for system in systems_of(rule):
        lines += _equations(system)
    lines += [f"{s.name} {s.kind.name} {s.part} {s.storage}" for s in rule.states]
    lines += [h.name for h in rule.hyperparameters]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _equations(system: System) -> list[str]:
    indexed = indexed_names(system)
    lines = []
    for gradient in system.gradients:
        if gradient.point not in (None, Value("theta", Kind.ENTRY, -1)):
            assert gradient.point is not None
            lines.append(f"{gradient.name}[t] = grad({formula(gradient.point, indexed)})")
    for equation in system.equations:
        left = f"{equation.name}[t]" if equation.name in indexed else equation.name
        lines.append(f"{left} = {formula(equation.value, indexed)}")
    lines += [f"skip when {formula(skip.condition, indexed)}" for skip in system.skips]
    if system.evaluation is not None:
        lines.append(f"evaluate {formula(system.evaluation, indexed)}")
    return lines


def description(rule: Rule) -> str:
    """Return everything about `rule` that compiled code could depend on."""
    if isinstance(rule, System):
        return _of_system(rule)
    lines = [rule.name, rule.family, rule.doc or "", f"shared {sorted(rule.shared)}"]
    for case in rule.cases:
        lines += [f"case {case.label} {case.condition!r} {case.windows}", _of_system(case.system)]
    return "\n".join(lines)


def _of_system(system: System) -> str:
    lines = [system.name, system.family, system.doc or "", system.source]
    for hyper in system.hyperparameters:
        alias = (hyper.alias.name, hyper.alias.position) if hyper.alias else None
        own = (hyper.name, hyper.owner, hyper.local_name, alias, hyper.doc, hyper.part,
               hyper.begins)  # fmt: skip
        lines.append(f"hyper {own} {_maybe(hyper.default)} {hyper.domain}")
    for fed in system.fed:
        lines.append(f"fed {fed.hyperparameter!r} {sorted(fed.names)} {fed.ahead} {fed.starts!r}")
    for state in system.states:
        kept = (state.name, state.kind.name, state.part, state.storage)
        lines.append(f"state {kept} {_maybe(state.start)}")
    for equation in system.equations:
        lines.append(f"equation {equation.name} {equation.part} {equation.value!r}")
    for gradient in system.gradients:
        lines.append(f"gradient {gradient.name} {gradient.part} {gradient.point!r} {gradient.loss}")
    lines += [f"skip {skip.part} {skip.condition!r}" for skip in system.skips]
    lines += [f"parameters {system.parameters}"] if system.parameters else []
    lines += [f"evaluation {_maybe(system.evaluation)}", f"gives {system.outputs}"]
    return "\n".join(lines)


def _maybe(expression: Expression | None) -> str:
    return "" if expression is None else repr(expression)
