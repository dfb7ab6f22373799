"""The records of a header: what is handed in, what goes on from step to step, and the tensors."""

from __future__ import annotations

import textwrap

from optdsl.codegen.library.header.comments import WIDTH, remark, safe
from optdsl.codegen.library.interface import Field, Interface, hyper_key
from optdsl.codegen.library.storing import Precision
from optdsl.model.expressions import Constant, Kind, Number, Value
from optdsl.model.storing import REST
from optdsl.model.system import Domain, Hyperparameter
from optdsl.program.formulas import formula
from optdsl.program.streams import output_buffer
from optdsl.runtime.formats import SCALE
from optdsl.storage import NARROW as HALVES
from optdsl.storage import Storage

_LONG = 30  # characters of a declaration beside which there is no room for a comment


def _record(name: str, fields: list[tuple[str, str, str]]) -> list[str]:
    """Return a record: for each field its type, its name and what it is."""
    declared = [f"{kind}{'' if kind.endswith('*') else ' '}{label};" for kind, label, _ in fields]
    column = 4 + max((len(each) for each in declared if len(each) <= _LONG), default=0) + 2
    lines = [f"typedef struct {name} {{"]
    for text, (_, _, doc) in zip(declared, fields, strict=True):
        beside = f"    {text}".ljust(column) + f"/* {safe(doc)} */"
        if len(beside) <= WIDTH and len(text) <= _LONG:
            lines.append(beside)
        else:
            lines += [*remark(doc, "    "), f"    {text}"]
    return [*lines, f"}} {name};", ""]


def _label(field: Field) -> str:
    return field.name if field.count == 1 else f"{field.name}[{field.count}]"


def hyper_text(interface: Interface) -> list[str]:
    """Return the record of the hyperparameters, and the macro of their defaults."""
    prefix, record = interface.prefix, interface.hyper
    by_name = {each.name: each for each in interface.unit.system.hyperparameters}
    inputs = {name: each for each in interface.unit.system.handed_in
              for name in (each.name, each.flag)}  # fmt: skip
    fields, defaults = [], []
    for value in interface.unit.slots.hyper:
        field = record.fields[hyper_key(value)]
        if value.name in by_name:
            told, default = _told(interface, by_name[value.name], value)
        elif value.name == inputs[value.name].flag:
            told, default = "1 in a step in which it came, else 0", "0.0"
        else:
            told = inputs[value.name].doc or "handed in at some steps"
            told, default = f"{told}; NAN before it first came", "NAN"
        fields.append(("double", field.name, told))
        defaults.append(default)
    if not fields:
        fields, defaults = [("double", "unused", "a rule without hyperparameters")], ["0.0"]
    lines = remark("The hyperparameters. Each step reads them anew, so they may move with t.")
    lines += _record(f"{prefix}_hyper", fields)
    whole = f"#define {prefix.upper()}_DEFAULTS {{{', '.join(defaults)}}}"
    return [*lines, *_continued(whole), ""]


def _continued(macro: str) -> list[str]:
    """Return a macro on as many lines as it takes."""
    first, *rest = textwrap.wrap(macro, WIDTH - 6)
    lines = [first, *(f"    {line}" for line in rest)]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _told(interface: Interface, hyper: Hyperparameter, value: Value) -> tuple[str, str]:
    """Return what a hyperparameter is, in words, and its default in C."""
    name = interface.hyper.fields[hyper_key(Value(hyper.name, Kind.STEP))].name
    within = f"in {hyper.domain or Domain()}"
    if value.offset:
        fed = any(feed.hyperparameter.name == hyper.name for feed in interface.unit.feeds)
        same = f"the same as {name}" + (", or what the schedule gives" if fed else "")
        return f"{name} of the step to come, {within}; NAN: {same}", "NAN"
    alias = ""
    if hyper.alias is not None:
        place = "" if hyper.alias.position is None else f"[{hyper.alias.position}]"
        alias = f" ({hyper.alias.name}{place} in Python)"
    told = f"{hyper.doc or 'no description'}{alias}, {within}"
    feed = next((f for f in interface.unit.feeds if f.hyperparameter.name == hyper.name), None)
    if feed is not None:
        return f"{told}; NAN: what {feed.text} gives", "NAN"
    match hyper.default:
        case None:
            return f"{told}; must be given", "NAN"
        case Number(number):
            return told, repr(float(number))
        case Constant("inf"):
            return told, "INFINITY"
        case Constant("true" | "false" as truth):
            return told, "1.0" if truth == "true" else "0.0"
    return f"{told}; NAN: {formula(hyper.default, frozenset())}", "NAN"


def run_text(interface: Interface) -> list[str]:
    """Return the record of what goes on from step to step besides arrays."""
    unit, record = interface.unit, interface.run
    fields = []
    for key, field in record.fields.items():
        row, _, name = key.partition(" ")
        told = {
            "t": _counted(interface),
            "now": "the rule that tensors of each condition take",
            "seed": "fixes the random numbers; set it after init, which puts 0",
            "step": f"state {name}, a number a step",
            "feed": f"state of the schedule of {name.split(' ')[0]}",
            "all": f"state {name}, a number for all tensors",
        }[row]  # fmt: skip
        if name in unit.system.losses:
            told = "the loss at the point of the gradient: set it before each step"
        if key == "all work":
            told = "numbers within a step"
        fields.append((field.type, _label(field), told))
    told = "What goes on from step to step besides the arrays. Copy it with them to resume later."
    told += " There is one for each tensor of a call, in a row." * interface.steps_alone
    return [*remark(told), *_record(f"{interface.prefix}_run", fields)]


def _counted(interface: Interface) -> str:
    """Return what the counts of a run are."""
    parts, clocks = interface.parts, interface.clocks
    if clocks == 1:
        return "steps taken"
    told = "steps taken by each part of the rule, the last of which moves theta"
    return told if clocks == parts else f"{told}: {parts} for each condition on tensors, in order"


def tensors_text(interface: Interface) -> list[str]:
    """Return the record of a tensor, one for each format of parameters."""
    lines: list[str] = []
    for precision in interface.precisions:
        told = f"One tensor of {spoken(precision)}: its arrays, each of `size` entries in a row"
        lines += remark(told + (" but where another count is said." if _counts(interface)
                                 else "."))  # fmt: skip
        record, fields = interface.tensor, []
        for key, field in record.fields.items():
            row, _, name = key.partition(" ")
            kind = field.type
            if row == "stream":
                kind = kind.replace("*", f"{interface.c_type(name, precision)} *")
            meaning = field.doc or _meaning(interface, key)
            if row == "stream":
                what, comma, rest = meaning.partition(";")
                meaning = what + _kept(interface.storage(name, precision)) + comma + rest
            fields.append((kind, _label(field), meaning))
        lines += _record(f"{interface.prefix}_tensor_{precision.ending}", fields)
    return lines


def spoken(precision: Precision) -> str:
    """Return what the parameters of a format are called in C, or in words."""
    spoken = {"float32": "float", "float64": "double"}
    return spoken.get(precision.seen.format, precision.seen.format)


def _counts(interface: Interface) -> bool:
    """Have some arrays another count than `size`?"""
    in_blocks = any(each.block is not None for each in interface.kept.formats.values())
    return interface.has_shapes or in_blocks


def _kept(storage: Storage) -> str:
    """Return what a format of few bits adds to the meaning of an array."""
    if storage.block is not None:
        record = storage.block + SCALE
        size = f"(size + {storage.block - 1})/{storage.block}*{record} bytes"
        return f", {storage}: {size}"
    return f", {storage}" if storage.format in HALVES else ""


#: What fields are that tensors of every rule may have.
_MEANINGS = {
    "size": "how many entries it has",
    "rows": "its first dimension; of a vector 1",
    "columns": "the product of its other dimensions; of a vector its size",
    "identity": "random numbers differ by it; init counts from 0",
    "tensor work": "numbers within a step",
}


def _number_meaning(interface: Interface, name: str) -> str:
    """Return what a number of a tensor is: a state, or a fact that one keeps."""
    fact = interface.facts.get(name)
    if fact is None:
        return f"state {name}, a number of this tensor"
    meanings = {"ndim": "how many dimensions it has", "rows": "its first dimension",
                "columns": "the product of its other dimensions",
                "named": f'1 where its name is like "{fact.pattern}", else 0'}  # fmt: skip
    return f"set it before init: {meanings[fact.name]}"


def _meaning(interface: Interface, key: str) -> str:
    """Return what a field of a tensor is."""
    row, _, name = key.partition(" ")
    system = interface.unit.system
    if key in _MEANINGS:
        return _MEANINGS[key]
    if row == "tensor":
        return _number_meaning(interface, name)
    states = {state.name for state in system.states}
    looked = {"iterate": "iterate", "evaluation point": "evaluate"}
    if name == REST:
        return "what rounding has taken from theta; init writes its start"
    if name == "theta":
        written = "theta" in interface.written
        return "the parameters" + ("; stepped in place" if written else "")
    if name in {each.name for each in system.gradients}:
        asked = [gradient for gradient, _ in interface.asked]
        if name not in asked:
            return "the gradient"
        return f"gradient number {asked.index(name)}{interface.holders(name)}"
    counts = {"row": "one number a row: ", "column": "one number a column: ",
              "rows": "rows*rows numbers: ", "columns": "columns*columns numbers: ",
              "turned": "of the transpose: "}  # fmt: skip
    count = counts.get({"blocks": "column"}.get(form := interface.form(name), form), "")
    if name in states:
        return f"{count}state {name}{interface.holders(name)}; init writes its start"
    if system.family == "transform" and name == output_buffer(system):
        return "what the transform gives, written by a step"
    if name in looked:
        return f"written by {interface.prefix}_{looked[name]}; NULL where that is not called"
    for number, (_, points) in enumerate(interface.asked):
        if name in points.values():
            own = f"the point of gradient number {number}{interface.holders(name)}"
            return f"{own}; a step writes it"
    return f"{count}room that a step uses{interface.holders(name)}"
