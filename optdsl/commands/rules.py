"""From what a user typed to definitions and systems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optdsl.commands.naming import class_name, problem_of, snake_case
from optdsl.commands.terminal import Misuse
from optdsl.diagnostics import DiagnosticError, did_you_mean

if TYPE_CHECKING:
    from optdsl.language.syntax import Definition
    from optdsl.model import Rule, System
    from optdsl.model.inheritance import Lookup


def find_rule(what: str) -> tuple[Definition, Lookup]:
    """Return the definition that `what` means: a shipped name, a path or a composition.

    Raises:
        Misuse: there is no such definition.
        DiagnosticError: its text has errors.
        OSError: its file cannot be read.
    """
    from optdsl.library import find

    try:
        return find(what)
    except DiagnosticError as error:
        unknown = [d for d in error.diagnostics if d.code == "unknown-definition"]
        if unknown and unknown == list(error.diagnostics):
            raise Misuse(unknown[0].message, unknown[0].hint) from None
        raise


def find_system(what: str) -> System:
    """Return the system that `what` means; raises as `find_rule`."""
    from optdsl.model import build

    definition, lookup = find_rule(what)
    return build(definition, lookup)


def find_whole(what: str) -> Rule:
    """Return what `what` means, be it one system or several to choose from; as `find_rule`."""
    from optdsl.model import build_rule

    return build_rule(*find_rule(what))


def shipped_definitions() -> list[Definition]:
    """Return every shipped definition: optimizers, then schedules, then transforms."""
    from optdsl.library import find, shipped

    return [find(name)[0] for name in shipped()]


def definitions_by_module(what: str) -> dict[str, tuple[Definition, Lookup]]:
    """Return the definitions that `what` holds, each with the name of the module to make of it.

    A file of one definition gives its own name to the module; otherwise each
    definition gives its name.

    Raises:
        Misuse: two definitions would make the same module.
        DiagnosticError, OSError: as `find_rule`.
    """
    from optdsl.library import lookup_in, read_file

    if not what.endswith(".opt"):
        definition, lookup = find_rule(what)
        return {snake_case(definition.name): (definition, lookup)}
    file = read_file(Path(what))
    if len(file.definitions) < 2:
        return {snake_case(Path(what).stem): find_rule(what)}
    found: dict[str, tuple[Definition, Lookup]] = {}
    for definition in file.definitions:
        module = snake_case(definition.name)
        if module in found:
            raise Misuse(
                f"{found[module][0].name} and {definition.name} would both be {module}.py",
                f"compile one of them: {what}:{definition.name}",
            )
        found[module] = (definition, lookup_in(file))
    return found


def renamed(rules: dict[str, Rule], what: str, name: str | None) -> dict[str, Rule]:
    """Return the one rule under the name that a user chose for it, if any.

    Raises:
        Misuse: it is no name for a file, a class and functions of C, or there are several rules.
    """
    if name is None:
        return rules
    problem = problem_of(name)
    if problem is not None:
        raise Misuse(f"`{name}` cannot be a name: {problem}", "write --name clipped_adamw")
    if len(rules) > 1:
        raise Misuse(
            f"--name names one rule, and {what} holds {len(rules)}",
            f"compile one of them: {what}:{next(iter(rules.values())).name}",
        )
    (rule,) = rules.values()
    doc = rule.doc or (None if what.endswith(".opt") else what)
    return {snake_case(name): replace(rule, name=class_name(name), doc=doc)}


def stored_as(rules: dict[str, Rule], said: list[str]) -> dict[str, Rule]:
    """Return rules whose states are stored as texts such as "m=bfloat16" say.

    Raises:
        Misuse: a text is none of these, or names a state twice.
        DiagnosticError: there is no such state or format.
    """
    from optdsl.model.storing import with_storage

    given: dict[str, str] = {}
    for text in said:
        name, equals, storage = (each.strip() for each in text.partition("="))
        if not (name and equals and storage):
            raise Misuse(f"`{text}` says no storage", "write --storage m=bfloat16")
        if name in given:
            raise Misuse(f"`{name}` has two storage formats", "keep one of them")
        given[name] = storage
    if not given:
        return rules
    return {module: with_storage(rule, given) for module, rule in rules.items()}


def check_target(target: str, *others: str) -> str:
    """Return the target's own name. Raise `Misuse` where it is none, nor one of the `others`."""
    from optdsl.codegen import ALIASES, FUNCTIONAL, TARGETS

    known = (*TARGETS, *ALIASES, *FUNCTIONAL, *others)
    if target not in (*known, *ALIASES.values()):
        listed = f"{', '.join(known[:-1])} and {known[-1]}"
        hint = did_you_mean(target, known) or f"the targets are {listed}"
        raise Misuse(f"there is no target `{target}`", hint)
    return ALIASES.get(target, target)
