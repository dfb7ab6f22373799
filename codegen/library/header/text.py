"""The C header of a library: what it computes, its records, and the functions to call."""

from __future__ import annotations

import textwrap

from optdsl.codegen.library.header.comments import WIDTH, block, remark
from optdsl.codegen.library.header.records import hyper_text, run_text, spoken, tensors_text
from optdsl.codegen.library.interface import Interface, Record
from optdsl.codegen.support.shared_library import library_name
from optdsl.codegen.versions import Imprint


def header_text(interface: Interface, imprint: Imprint) -> str:
    """Return the text of the header."""
    guard = f"{interface.prefix.upper()}_H"
    lines = [
        *_title(interface, imprint),
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
        *hyper_text(interface),
        *run_text(interface),
        *([] if _is_schedule(interface) else tensors_text(interface)),
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


def _title(interface: Interface, imprint: Imprint) -> list[str]:
    system, prefix = interface.unit.system, interface.prefix
    lines = [f"{system.name}: {system.doc}" if system.doc else system.name, ""]
    lines += [f"    {line}" for line in interface.equations]
    lines += [*imprint.paragraph, ""]
    lines += [f"Written by optdsl {imprint.version} for the target library. Do not edit."]
    lines += [f"Link with {library_name(prefix)}, or with {prefix}.o and -lm.", ""]
    return [*block([*lines, *_usage(interface)]), ""]


def _usage(interface: Interface) -> list[str]:
    """Return how the functions are called, as a comment."""
    prefix = interface.prefix
    hyper = f"    {prefix}_hyper hyper = {prefix.upper()}_DEFAULTS;"
    run = "run" if interface.steps_alone else "&run"
    head = [hyper, f"    {prefix}_run run{'[1]' * interface.steps_alone};"]
    if _is_schedule(interface):
        outputs = ", ".join(f"&{name}" for name in _outputs(interface))
        body = [f"    {prefix}_init(&hyper, &run);",
                f"    {prefix}_next(&hyper, &run, {outputs});  // for each step"]  # fmt: skip
        return ["How it is used:", "", *head, *body]
    more = "" if interface.is_given else ", my_gradient, NULL"
    more += ", room" if interface.has_matrices else ""
    ending = interface.precisions[0].ending
    with_ = "with float (with double: _f64 in place of _f32)"
    if len(interface.precisions) == 1:
        with_ = f"with {spoken(interface.precisions[0])}"
    return [
        f"How it is used, {with_}:", "", *head,
        *_example(interface),
        f"    {prefix}_init_{ending}(&hyper, {run}, tensors, 1);",
        *[f"    void *room = malloc({prefix}_room_{ending}(tensors, 1));"] * interface.has_matrices,
        f"    {prefix}_step_{ending}(&hyper, {run}, tensors, 1{more});  // again and again", "",
        *(["Tensors rest one by one: `run` is an array of as many runs as there are tensors.", ""]
          * interface.steps_alone),
        "A step over several tensors is one call with a table of them; what is reduced over all",
        "tensors is so over those of the call. No two arrays may overlap. Calls with other runs",
        "and tensors may be made from several threads at once.",
    ]  # fmt: skip


def _example(interface: Interface) -> list[str]:
    """Return the definition of a table of one tensor."""
    fields = interface.tensor.fields
    arrays = [field.name for key, field in fields.items() if key.startswith("stream ")]
    facts = [fields[f"tensor {name}"].name for name in interface.facts]
    which = [".which = which"] * ("which" in fields)
    shape = [".rows = rows", ".columns = columns"] * interface.has_shapes
    named = ", ".join(
        [*which, ".size = n", *shape, *(f".{name} = {name}" for name in (*arrays, *facts))]
    )
    ending = interface.precisions[0].ending
    begin = f"    {interface.prefix}_tensor_{ending} tensors[1] = {{{{"
    if len(begin) + len(named) < WIDTH - 8:
        return [f"{begin}{named}}}}};"]
    lines = [line.replace("~", " ") for line in
             textwrap.wrap(named.replace(" = ", "~=~"), WIDTH - 16)]  # fmt: skip
    return [begin, *(f"        {line}" for line in lines), "    }};"]


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
    if "which" in interface.tensor.fields:
        wrong += f" Where a tensor has a wrong `which`, k is {1 + max(interface.hyper.words, 1)}."
    if _is_schedule(interface):
        values = "".join(f", double *{name}" for name in _outputs(interface))
        return [
            *remark(f"Begins anew. Returns 0. {wrong}"),
            f"int {prefix}_init({common});", "",
            *remark(f"Gives the value of the next step. Returns 0. {wrong}"),
            f"int {prefix}_next({common}{values});", "",
        ]  # fmt: skip
    table = ", {tensor} *tensors, int64_t count"
    more = "" if interface.is_given else ", {gradient} gradient, void *context"
    lines = remark(f"Makes run and tensors ready for their first step. Returns 0. {wrong}")
    lines += _declared(interface, "init", common, table)
    if not interface.is_given:
        lines += _callbacks(interface)
    who = "every tensor" if interface.steps_alone else "the rule"
    rests = f", or 1 where {who} rests in this step" if interface.clocks > 1 else ""
    if interface.has_matrices:
        lines += _room(interface, "a step")
    lines += remark(f"Takes a step. Returns 0{rests}. {wrong}")
    more += ", void *room" if interface.has_matrices else ""
    lines += _declared(interface, "step", common, table + more)
    looks = {
        "iterate": "Between steps theta holds the point of the next gradient. Writes the iterate "
        "itself into `iterate`. hyper is that of the step to come.",
        "evaluate": "Writes the point at which the model is evaluated.",
    }
    given = ", void *room" if interface.has_matrices else ""
    for name in interface.looks:
        lines += [*remark(looks[name]), *_declared(interface, name, common, table + given)]
    if interface.needs_room:
        lines += _threads(interface, common, table, more.removesuffix(", void *room"))
    return lines


def _threads(interface: Interface, common: str, table: str, more: str) -> list[str]:
    """Return what a program declares whose own threads share a step; `more` is what steps take."""
    prefix = interface.prefix
    lines = remark(
        "Runs task(data, k) for each k from 0 to count - 1, in any order, on any threads, and "
        "returns when all are done. `pool` is what the step was given."
    )
    lines += [
        f"typedef void (*{prefix}_for_each)(void *pool, int64_t count,",
        "    void (*task)(void *data, int64_t k), void *data);", "",
    ]  # fmt: skip
    if not interface.has_matrices:
        lines += _room(interface, "a step in threads")
    lines += remark(
        "Takes the same step with the threads of the caller: for_each runs its tasks, several "
        "times in turn. The bits do not depend on the number of threads."
    )
    shared = f", void *room, {prefix}_for_each for_each, void *pool"
    lines += _declared(interface, "step_in_threads", common, table + more + shared)
    for name in interface.looks:
        lines += remark(f"Does what {prefix}_{name} does, in the same way.")
        lines += _declared(interface, f"{name}_in_threads", common, table + shared)
    return lines


def _room(interface: Interface, what: str) -> list[str]:
    """Return the declaration of what tells how much memory a step needs."""
    prefix = interface.prefix
    lines = remark(
        f"How many bytes of room {what} needs, for tensors of these sizes. It is aligned as a "
        "double; nothing in it outlives the call."
    )
    for ending in (each.ending for each in interface.precisions):
        tensors = f"const {prefix}_tensor_{ending} *tensors"
        lines.append(f"int64_t {prefix}_room_{ending}({tensors}, int64_t count);")
    return [*lines, ""]


def _declared(interface: Interface, name: str, common: str, more: str) -> list[str]:
    """Return the declarations of a function, one a format; `more` names types in braces."""
    prefix, lines = interface.prefix, list[str]()
    for ending in (each.ending for each in interface.precisions):
        types = {"tensor": f"{prefix}_tensor_{ending}", "gradient": f"{prefix}_gradient_{ending}"}
        begin, rest = f"int {prefix}_{name}_{ending}({common}", more.format(**types)
        if len(begin + rest) <= WIDTH - 2:
            lines.append(f"{begin}{rest});")
        else:
            more_lines = textwrap.wrap(f"{rest.removeprefix(', ')});", WIDTH - 4)
            lines += [f"{begin},", *(f"    {line}" for line in more_lines)]
    return [*lines, ""]


def _callbacks(interface: Interface) -> list[str]:
    names = {key: field.name for key, field in interface.tensor.fields.items()}
    asked = "; ".join(
        f"{number}: `{names[f'stream {gradient}']}` at {_points(names, points)}"
        for number, (gradient, points) in enumerate(interface.asked)
    )
    prefix = interface.prefix
    lines = remark(
        f"Asked for a gradient within a step: writes number `number` of every tensor. {asked}. "
        "All of them are of one batch. `context` is what the step was given."
    )
    for e in (each.ending for each in interface.precisions):
        begin = f"typedef void (*{prefix}_gradient_{e})(void *context,"
        rest = f"{prefix}_tensor_{e} *tensors, int64_t count, int number);"
        fits = len(begin + rest) < WIDTH
        lines += [f"{begin} {rest}"] if fits else [begin, f"    {rest}"]
    return [*lines, ""]


def _points(names: dict[str, str], points: dict[int | None, str]) -> str:
    """Return the points at which a gradient is asked for, in words."""
    told: dict[str, list[str]] = {}
    for case, point in points.items():
        told.setdefault(f"`{names[f'stream {point}']}`", []).append(str(case))
    if len(told) == 1 and None in points:
        return next(iter(told))
    return ", ".join(
        f"{point} where its `which` is {' or '.join(of)}" for point, of in told.items()
    )


def _choice(interface: Interface) -> list[str]:
    prefix = interface.prefix
    levels = [
        *remark("The instructions in use: 0 baseline, 1 AVX2, 2 AVX-512. The best that the "
                 "processor has are chosen when the library is loaded."),
        f"int {prefix}_instructions(void);", "",
        *remark("Uses other instructions, in no step that is under way. Returns 0, or -1 for "
                 "those that the processor lacks."),
        f"int {prefix}_use_instructions(int level);", "",
    ]  # fmt: skip
    return [
        *(levels if interface.passes else []),
        *remark("Tells this library from any other."),
        f"extern const char {prefix}_fingerprint[17];",
    ]
