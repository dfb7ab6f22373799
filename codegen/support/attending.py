"""How a thread waits for work and how work is handed to it, in LLVM code.

A helper looks at its box for a while after each piece of work: what comes meanwhile need not
wait for a thread to be woken, which takes twenty to a hundred microseconds. Then it goes to
sleep, and whoever posts work learns that it must be woken. None of this needs the GIL.

A box is a row of BOX words of 64 bits; its `STATE` says who may do what:

| state | means | next |
|---|---|---|
| EMPTY | the helper is looking | POSTED by an owner, ASLEEP by the helper |
| POSTED | a job lies there | TAKEN by the helper, EMPTY by an owner who needs no help any more |
| TAKEN | the helper works | DONE by the helper |
| DONE | the helper is looking; the job is finished | as EMPTY |
| ASLEEP | the helper must be woken | POSTED by an owner, who then wakes it |

A job is a row of words, too: the address of a function, its three arguments, and a mask of the
bits in which it tells that it failed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.support.arithmetic import declared
from optdsl.codegen.support.emitting import (
    HALF,
    VOID,
    WORD,
    WORDS,
    array_at,
    count_on,
    counted,
    counter,
    function,
    load,
    place,
    public,
    store,
    word,
)
from optdsl.codegen.support.jobs import BOX, CODE, JOB, OWN_CODE, STATE, WOKEN, State
from optdsl.codegen.support.registers import is_arm, is_x86

_KERNEL = ir.FunctionType(HALF, [WORD] * 3)


def add_helpers(module: Any, prefix: str, machine: str) -> None:
    """Add to a module the functions `PREFIXpost`, `PREFIXattend` and `PREFIXwork`."""
    run = _add_run(module, f"{prefix}run")
    _add_post(module, f"{prefix}post")
    _add_attend(module, f"{prefix}attend", run, machine)
    _add_work(module, f"{prefix}work", run, machine)


@cache
def helpers_code(machine: str, prefix: str) -> str:
    """Return the LLVM code of a module that has these functions alone."""
    module = ir.Module("helpers")
    add_helpers(module, prefix, machine)
    return str(module)


def _state(builder: Any, box: Any) -> Any:
    return builder.load_atomic(place(builder, box, STATE), "acquire", 8)


def _is(builder: Any, value: Any, state: State) -> Any:
    return builder.icmp_signed("==", value, word(state))


def _change(builder: Any, box: Any, before: Any, after: State) -> Any:
    """Let a state follow on another; return whether it did."""
    pair = builder.cmpxchg(place(builder, box, STATE), before, word(after), "seq_cst", "seq_cst")
    return builder.extract_value(pair, 1)


def _pause(builder: Any, machine: str) -> None:
    """Tell the processor that this is a loop that waits."""
    if is_x86(machine):
        name, arguments = "llvm.x86.sse2.pause", []
    elif is_arm(machine):
        name, arguments = "llvm.aarch64.hint", [ir.Constant(HALF, 1)]
    else:
        return
    kinds = [each.type for each in arguments]
    builder.call(declared(builder.module, name, VOID, kinds), arguments)


def _add_run(module: Any, name: str) -> Any:
    """Add what runs a job, and returns the bits in which it failed."""
    made, builder = function(module, name, WORD, {"job": WORDS})
    address, *arguments, mask = (load(builder, made.args[0], number) for number in range(5))
    code = builder.call(builder.inttoptr(address, _KERNEL.as_pointer()), arguments)
    builder.ret(builder.and_(builder.zext(code, WORD), mask))
    return made


def _add_post(module: Any, name: str) -> None:
    """Add `post(boxes, count, job)`: lay a job into so many boxes; note who must be woken."""
    made, builder = public(module, name, VOID, {"boxes": WORDS, "count": WORD, "job": WORD})
    boxes, count, job = made.args
    with counted(builder, word(0), count) as number:
        box = place(builder, boxes, builder.mul(number, word(BOX)))
        store(builder, job, box, JOB)
        state = place(builder, box, STATE)
        before = builder.atomic_rmw("xchg", state, word(State.POSTED), "seq_cst")
        store(builder, builder.zext(_is(builder, before, State.ASLEEP), WORD), box, WOKEN)
    builder.ret_void()


def _add_attend(module: Any, name: str, run: Any, machine: str) -> None:
    """Add `attend(box, looks)`: do what comes, until nothing came in so many looks."""
    made, builder = public(module, name, VOID, {"box": WORDS, "looks": WORD})
    box, looks = made.args
    looked = counter(builder)
    names = ("look", "claim", "work", "wait", "sleep", "end", "pause")
    look, claim, work, wait, sleep, end, pause = map(made.append_basic_block, names)
    builder.branch(look)
    builder.position_at_end(look)
    state = _state(builder, box)
    builder.cbranch(_is(builder, state, State.POSTED), claim, wait)
    builder.position_at_end(claim)
    builder.cbranch(_change(builder, box, word(State.POSTED), State.TAKEN), work, look)
    builder.position_at_end(work)
    job = array_at(builder, load(builder, box, JOB), WORD)
    store(builder, builder.call(run, [job]), box, CODE)
    builder.store_atomic(word(State.DONE), place(builder, box, STATE), "release", 8)
    builder.store(word(0), looked)
    builder.branch(look)
    builder.position_at_end(wait)
    builder.cbranch(builder.icmp_signed(">", count_on(builder, looked), looks), sleep, pause)
    builder.position_at_end(sleep)
    builder.cbranch(_change(builder, box, state, State.ASLEEP), end, look)
    builder.position_at_end(pause)
    _pause(builder, machine)
    builder.branch(look)
    builder.position_at_end(end)
    builder.ret_void()


def _add_work(module: Any, name: str, run: Any, machine: str) -> None:
    """Add `work(boxes, count, job, looks)`: do a job, and see that nobody else is at it any more.

    A job that no helper has begun is taken back. Returns how many boxes were seen to; those
    behind were not, because that helper was still at it after so many looks. Without a job (0), it
    only sees to the boxes.
    """
    arguments = {"boxes": WORDS, "count": WORD, "job": WORD, "looks": WORD}
    made, builder = public(module, name, WORD, arguments)
    boxes, count, job, looks = made.args
    number, looked = counter(builder), counter(builder)
    with builder.if_then(builder.icmp_signed("!=", job, word(0))):
        store(builder, builder.call(run, [array_at(builder, job, WORD)]), boxes, OWN_CODE)
    names = ("head", "box", "look", "wait", "next", "end")
    head, body, look, wait, following, end = map(made.append_basic_block, names)
    builder.branch(head)
    builder.position_at_end(head)
    current = builder.load(number)
    builder.cbranch(builder.icmp_signed("<", current, count), body, end)
    builder.position_at_end(body)
    box = place(builder, boxes, builder.mul(current, word(BOX)))
    taken_back = _change(builder, box, word(State.POSTED), State.EMPTY)
    builder.cbranch(taken_back, following, look)
    builder.position_at_end(look)
    at_it = _is(builder, _state(builder, box), State.TAKEN)
    builder.cbranch(at_it, wait, following)
    builder.position_at_end(wait)
    _pause(builder, machine)
    builder.cbranch(builder.icmp_signed(">", count_on(builder, looked), looks), end, look)
    builder.position_at_end(following)
    count_on(builder, number)
    builder.branch(head)
    builder.position_at_end(end)
    builder.ret(builder.load(number))
