"""The C header of a library: what it computes, its records, and the functions to call."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from optdsl.codegen.library.interface import FORMATS, Field, Interface, Record, hyper_key
from optdsl.codegen.naming import comment
from optdsl.codegen.support.shared_library import library_name
from optdsl.model.expressions import Constant, Kind, Number, Value
from optdsl.model.system import Domain, Hyperparameter
from optdsl.program.describing import equations_text
from optdsl.program.formulas import formula
from optdsl.program.streams import output_buffer

_WIDTH = 100
_LONG = 30  # characters of a declaration beside which there is no room for a comment


def header_text(interface: Interface, version: str) -> str:
    """Return the text of the header."""
    guard = f"{interface.prefix.upper()}_H"
    lines = [
        *_title(interface, version),
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <math.h>",
        "#include <stdint.h>",
        "",
        "#if UINTPTR_MAX != UINT64_MAX",
        '#error "the records below are for pointers of eight bytes"',
        "#endif",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        *_hyper(interface),
        *_run(interface),
        *([] if _is_schedule(interface) else _tensors(interface)),
        *_functions(interface),
        *_choice(interface),
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        f"#endif  /* {guard} */",
    ]
    return "\n".join(lines) + "\n"


def _is_schedule(interface: Interface) -> bool:
    return interface.unit.system.family == "schedule"


# ------------------------------------------------------------------ comments


def _remark(text: str, indent: str = "") -> list[str]:
    """Return a comment of C, wrapped."""
    width = _WIDTH - len(indent) - 8
    lines = textwrap.wrap(_safe(text), width) or [""]
    if len(lines) == 1:
        return [f"{indent}/* {lines[0]} */"]
    rest = [f"{indent} * {line}" for line in lines[1:]]
    return [f"{indent}/* {lines[0]}", *rest[:-1], f"{rest[-1]} */"]


def _block(paragraphs: Iterable[str]) -> list[str]:
    """Return a comment of C whose lines stand as they are."""
    return ["/*", *(f" * {_safe(line)}".rstrip() for line in paragraphs), " */"]


def _safe(text: str) -> str:
    """Return `text` without what would end a comment or begin another."""
    return comment(text).replace("*/", "* /").replace("/*", "/ *")


def _title(interface: Interface, version: str) -> list[str]:
    system, prefix = interface.unit.system, interface.prefix
    lines = [f"{system.name}: {system.doc}" if system.doc else system.name, ""]
    lines += [f"    {line}" for line in equations_text(system)]
    lines += ["", f"Written by optdsl {version} for the target library. Do not edit."]
    lines += [f"Link with {library_name(prefix)}, or with {prefix}.o and -lm.", ""]
    return [*_block([*lines, *_usage(interface)]), ""]


def _usage(interface: Interface) -> list[str]:
    """Return how the functions are called, as a comment."""
    prefix = interface.prefix
    hyper = f"    {prefix}_hyper hyper = {prefix.upper()}_DEFAULTS;"
    head = [hyper, f"    {prefix}_run run;"]
    if _is_schedule(interface):
        outputs = ", ".join(f"&{name}" for name in _outputs(interface))
        body = [f"    {prefix}_init(&hyper, &run);",
                f"    {prefix}_next(&hyper, &run, {outputs});  // for each step"]  # fmt: skip
        return ["How it is used:", "", *head, *body]
    more = "" if interface.is_given else ", my_gradient, NULL"
    return [
        "How it is used, with float (with double: _f64 in place of _f32):", "", *head,
        *_example(interface),
        f"    {prefix}_init_f32(&hyper, &run, tensors, 1);",
        f"    {prefix}_step_f32(&hyper, &run, tensors, 1{more});  // again and again", "",
        "A step over several tensors is one call with a table of them; what is reduced over all",
        "tensors is so over those of the call. No two arrays may overlap. Calls with other runs",
        "and tensors may be made from several threads at once.",
    ]  # fmt: skip


def _example(interface: Interface) -> list[str]:
    """Return the definition of a table of one tensor."""
    fields = interface.tensor.fields
    arrays = [field.name for key, field in fields.items() if key.startswith("stream ")]
    facts = [fields[f"tensor {name}"].name for name in interface.facts]
    shape = [".rows = rows", ".columns = columns"] * interface.has_shapes
    named = ", ".join([".size = n", *shape, *(f".{name} = {name}" for name in (*arrays, *facts))])
    begin = f"    {interface.prefix}_tensor_f32 tensors[1] = {{{{"
    if len(begin) + len(named) < _WIDTH - 8:
        return [f"{begin}{named}}}}};"]
    lines = textwrap.wrap(named, _WIDTH - 16)
    return [begin, *(f"        {line}" for line in lines), "    }};"]


# ------------------------------------------------------------------- records


def _record(name: str, fields: list[tuple[str, str, str]]) -> list[str]:
    """Return a record: for each field its type, its name and what it is."""
    declared = [f"{kind}{'' if kind.endswith('*') else ' '}{label};" for kind, label, _ in fields]
    column = 4 + max((len(each) for each in declared if len(each) <= _LONG), default=0) + 2
    lines = [f"typedef struct {name} {{"]
    for text, (_, _, doc) in zip(declared, fields, strict=True):
        beside = f"    {text}".ljust(column) + f"/* {_safe(doc)} */"
        if len(beside) <= _WIDTH and len(text) <= _LONG:
            lines.append(beside)
        else:
            lines += [*_remark(doc, "    "), f"    {text}"]
    return [*lines, f"}} {name};", ""]


def _label(field: Field) -> str:
    return field.name if field.count == 1 else f"{field.name}[{field.count}]"


def _hyper(interface: Interface) -> list[str]:
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
    lines = _remark("The hyperparameters. Each step reads them anew, so they may move with t.")
    lines += _record(f"{prefix}_hyper", fields)
    return [*lines, f"#define {prefix.upper()}_DEFAULTS {{{', '.join(defaults)}}}", ""]


def _told(interface: Interface, hyper: Hyperparameter, value: Value) -> tuple[str, str]:
    """Return what a hyperparameter is, in words, and its default in C."""
    name = interface.hyper.fields[hyper_key(Value(hyper.name, Kind.STEP))].name
    within = f"in {hyper.domain or Domain()}"
    if value.offset:
        return f"{name} of the step to come, {within}; NAN: the same as {name}", "NAN"
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


def _run(interface: Interface) -> list[str]:
    unit, record = interface.unit, interface.run
    fields = []
    for key, field in record.fields.items():
        row, _, name = key.partition(" ")
        told = {
            "t": "steps taken" + ("" if field.count == 1 else " by each part of the rule, "
                                  "the last of which moves theta"),
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
    remark = "What goes on from step to step besides the arrays. Copy it with them to resume later."
    return [*_remark(remark), *_record(f"{interface.prefix}_run", fields)]


def _tensors(interface: Interface) -> list[str]:
    lines: list[str] = []
    for ending, entries, _ in FORMATS:
        told = f"One tensor of {entries}: its arrays, each of `size` entries in a row"
        lines += _remark(told + (" but where another count is said." if interface.has_shapes
                                 else "."))  # fmt: skip
        record = interface.tensor
        fields = [(field.type.replace("T", entries), _label(field), _meaning(interface, key))
                  for key, field in record.fields.items()]  # fmt: skip
        lines += _record(f"{interface.prefix}_tensor_{ending}", fields)
    return lines


def _meaning(interface: Interface, key: str) -> str:
    """Return what a field of a tensor is."""
    row, _, name = key.partition(" ")
    system = interface.unit.system
    if key in ("size", "rows", "columns", "identity", "tensor work"):
        return {"size": "how many entries it has", "tensor work": "numbers within a step",
                "rows": "its first dimension; of a vector 1",
                "columns": "the product of its other dimensions; of a vector its size",
                "identity": "random numbers differ by it; init counts from 0"}[key]  # fmt: skip
    if row == "tensor":
        fact = interface.facts.get(name)
        if fact is None:
            return f"state {name}, a number of this tensor"
        meanings = {"ndim": "how many dimensions it has", "rows": "its first dimension",
                    "columns": "the product of its other dimensions",
                    "named": f'1 where its name is like "{fact.pattern}", else 0'}  # fmt: skip
        return f"set it before init: {meanings[fact.name]}"
    states = {state.name for state in system.states}
    looked = {"iterate": "iterate", "evaluation point": "evaluate"}
    if name == "theta":
        written = "theta" in interface.written
        return "the parameters" + (", stepped in place" if written else "")
    if name in {each.name for each in system.gradients}:
        asked = [stage.gradient for stage in interface.asked]
        return f"gradient number {asked.index(name)}" if name in asked else "the gradient"
    counts = {"row": "one number a row: ", "column": "one number a column: "}
    count = counts.get({"blocks": "column"}.get(form := interface.form(name), form), "")
    if name in states:
        return f"{count}state {name}; init writes its start"
    if system.family == "transform" and name == output_buffer(system):
        return "what the transform gives, written by a step"
    if name in looked:
        return f"written by {interface.prefix}_{looked[name]}; NULL where that is not called"
    points = [stage.point for stage in interface.asked]
    if name in points:
        return f"the point of gradient number {points.index(name)}; a step writes it"
    return f"{count}room that a step uses"


# ----------------------------------------------------------------- functions


def _outputs(interface: Interface) -> list[str]:
    record = Record()
    for name in interface.unit.system.outputs:
        record.add(name, name, "double")
    return [field.name for field in record.fields.values()]


def _functions(interface: Interface) -> list[str]:
    prefix = interface.prefix
    common = f"const {prefix}_hyper *hyper, {prefix}_run *run"
    wrong = "Where number k of hyper, from 1, is outside its domain, returns -k and does nothing."
    if _is_schedule(interface):
        values = "".join(f", double *{name}" for name in _outputs(interface))
        return [
            *_remark(f"Begins anew. Returns 0. {wrong}"),
            f"int {prefix}_init({common});", "",
            *_remark(f"Gives the value of the next step. Returns 0. {wrong}"),
            f"int {prefix}_next({common}{values});", "",
        ]  # fmt: skip
    table = ", {tensor} *tensors, int64_t count"
    lines = _remark(f"Makes run and tensors ready for their first step. Returns 0. {wrong}")
    lines += _declared(interface, "init", common, table)
    if not interface.is_given:
        lines += _callbacks(interface)
    rests = ", or 1 where the rule rests in this step" if interface.unit.system.parts > 1 else ""
    lines += _remark(f"Takes a step. Returns 0{rests}. {wrong}")
    more = "" if interface.is_given else ", {gradient} gradient, void *context"
    lines += _declared(interface, "step", common, table + more)
    looks = {
        "iterate": "Between steps theta holds the point of the next gradient. Writes the iterate "
        "itself into `iterate`. hyper is that of the step to come.",
        "evaluate": "Writes the point at which the model is evaluated.",
    }
    for name in interface.looks:
        lines += [*_remark(looks[name]), *_declared(interface, name, common, table)]
    return lines


def _declared(interface: Interface, name: str, common: str, more: str) -> list[str]:
    """Return the declarations of a function, one a format; `more` names types in braces."""
    prefix, lines = interface.prefix, list[str]()
    for ending, _, _ in FORMATS:
        types = {"tensor": f"{prefix}_tensor_{ending}", "gradient": f"{prefix}_gradient_{ending}"}
        begin, rest = f"int {prefix}_{name}_{ending}({common}", more.format(**types)
        if len(begin + rest) <= _WIDTH - 2:
            lines.append(f"{begin}{rest});")
        else:
            lines += [f"{begin},", f"    {rest.removeprefix(', ')});"]
    return [*lines, ""]


def _callbacks(interface: Interface) -> list[str]:
    names = {key: field.name for key, field in interface.tensor.fields.items()}
    asked = "; ".join(
        f"{number}: `{names[f'stream {stage.gradient}']}` at `{names[f'stream {stage.point}']}`"
        for number, stage in enumerate(interface.asked)
    )
    prefix = interface.prefix
    lines = _remark(
        f"Asked for a gradient within a step: writes number `which` of every tensor. {asked}. "
        "All of them are of one batch. `context` is what the step was given."
    )
    for e, _, _ in FORMATS:
        lines.append(
            f"typedef void (*{prefix}_gradient_{e})"
            f"(void *context, {prefix}_tensor_{e} *tensors, int64_t count, int which);"
        )
    return [*lines, ""]


def _choice(interface: Interface) -> list[str]:
    prefix = interface.prefix
    levels = [
        *_remark("The instructions in use: 0 baseline, 1 AVX2, 2 AVX-512. The best that the "
                 "processor has are chosen when the library is loaded."),
        f"int {prefix}_instructions(void);", "",
        *_remark("Uses other instructions, in no step that is under way. Returns 0, or -1 for "
                 "those that the processor lacks."),
        f"int {prefix}_use_instructions(int level);", "",
    ]  # fmt: skip
    return [
        *(levels if interface.passes else []),
        *_remark("Tells this library from any other."),
        f"extern const char {prefix}_fingerprint[17];",
    ]
