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
from optdsl.codegen.support.jobs import BOX, CODE, JOB, OWN_CODE, STATE, WOKEN, State
from optdsl.codegen.support.registers import is_arm, is_x86

_WORD, _NARROW, _VOID = ir.IntType(64), ir.IntType(32), ir.VoidType()
_KERNEL = ir.FunctionType(_NARROW, [_WORD] * 3)


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


class _Function:
    """A function of words under construction: its blocks, and the words that it can reach."""

    def __init__(self, module: Any, name: str, result: Any, arguments: int) -> None:
        self.made = ir.Function(module, ir.FunctionType(result, [_WORD] * arguments), name)
        self.arguments = self.made.args
        self.builder = ir.IRBuilder(self.made.append_basic_block("entry"))

    def block(self, name: str) -> Any:
        return self.made.append_basic_block(name)

    def begin(self, block: Any) -> None:
        self.builder.position_at_end(block)

    def counter(self) -> Any:
        place = self.builder.alloca(_WORD)
        self.builder.store(_word(0), place)
        return place

    def count(self, place: Any) -> Any:
        """Count on, and return how often that has been done."""
        more = self.builder.add(self.builder.load(place), _word(1))
        self.builder.store(more, place)
        return more

    def place(self, row: Any, word: int) -> Any:
        address = self.builder.add(row, _word(8 * word))
        return self.builder.inttoptr(address, _WORD.as_pointer())

    def read(self, row: Any, word: int) -> Any:
        return self.builder.load(self.place(row, word))

    def write(self, row: Any, word: int, value: Any) -> None:
        self.builder.store(value, self.place(row, word))

    def state(self, box: Any) -> Any:
        return self.builder.load_atomic(self.place(box, STATE), "acquire", 8)

    def is_state(self, value: Any, state: State) -> Any:
        return self.builder.icmp_signed("==", value, _word(state))

    def change(self, box: Any, before: Any, after: State) -> Any:
        """Let a state follow on another; return whether it did."""
        place = self.place(box, STATE)
        pair = self.builder.cmpxchg(place, before, _word(after), "seq_cst", "seq_cst")
        return self.builder.extract_value(pair, 1)

    def pause(self, machine: str) -> None:
        """Tell the processor that this is a loop that waits."""
        if is_x86(machine):
            name, arguments = "llvm.x86.sse2.pause", []
        elif is_arm(machine):
            name, arguments = "llvm.aarch64.hint", [ir.Constant(_NARROW, 1)]
        else:
            return
        kinds = [each.type for each in arguments]
        self.builder.call(declared(self.builder.module, name, _VOID, kinds), arguments)


def _word(value: int) -> Any:
    return ir.Constant(_WORD, int(value))


def _add_run(module: Any, name: str) -> Any:
    """Add what runs a job, and returns the bits in which it failed."""
    run = _Function(module, name, _WORD, 1)
    run.made.linkage = "internal"
    (job,) = run.arguments
    builder = run.builder
    function = builder.inttoptr(run.read(job, 0), _KERNEL.as_pointer())
    code = builder.call(function, [run.read(job, word) for word in (1, 2, 3)])
    builder.ret(builder.and_(builder.zext(code, _WORD), run.read(job, 4)))
    return run.made


def _add_post(module: Any, name: str) -> None:
    """Add `post(boxes, count, job)`: lay a job into so many boxes; note who must be woken."""
    post = _Function(module, name, _VOID, 3)
    boxes, count, job = post.arguments
    builder, place = post.builder, post.counter()
    head, body, end = post.block("head"), post.block("body"), post.block("end")
    builder.branch(head)
    post.begin(head)
    number = builder.load(place)
    builder.cbranch(builder.icmp_signed("<", number, count), body, end)
    post.begin(body)
    box = builder.add(boxes, builder.mul(number, _word(8 * BOX)))
    post.write(box, JOB, job)
    before = builder.atomic_rmw("xchg", post.place(box, STATE), _word(State.POSTED), "seq_cst")
    post.write(box, WOKEN, builder.zext(post.is_state(before, State.ASLEEP), _WORD))
    post.count(place)
    builder.branch(head)
    post.begin(end)
    builder.ret_void()


def _add_attend(module: Any, name: str, run: Any, machine: str) -> None:
    """Add `attend(box, looks)`: do what comes, until nothing came in so many looks."""
    attend = _Function(module, name, _VOID, 2)
    box, looks = attend.arguments
    builder, place = attend.builder, attend.counter()
    names = ("look", "claim", "work", "wait", "sleep", "end", "pause")
    look, claim, work, wait, sleep, end, pause = (attend.block(each) for each in names)
    builder.branch(look)
    attend.begin(look)
    state = attend.state(box)
    builder.cbranch(attend.is_state(state, State.POSTED), claim, wait)
    attend.begin(claim)
    builder.cbranch(attend.change(box, _word(State.POSTED), State.TAKEN), work, look)
    attend.begin(work)
    attend.write(box, CODE, builder.call(run, [attend.read(box, JOB)]))
    builder.store_atomic(_word(State.DONE), attend.place(box, STATE), "release", 8)
    builder.store(_word(0), place)
    builder.branch(look)
    attend.begin(wait)
    builder.cbranch(builder.icmp_signed(">", attend.count(place), looks), sleep, pause)
    attend.begin(sleep)
    builder.cbranch(attend.change(box, state, State.ASLEEP), end, look)
    attend.begin(pause)
    attend.pause(machine)
    builder.branch(look)
    attend.begin(end)
    builder.ret_void()


def _add_work(module: Any, name: str, run: Any, machine: str) -> None:
    """Add `work(boxes, count, job, looks)`: do a job, and see that nobody else is at it any more.

    A job that no helper has begun is taken back. Returns how many boxes were seen to; those
    behind were not, because that helper was still at it after so many looks. Without a job (0), it
    only sees to the boxes.
    """
    work = _Function(module, name, _WORD, 4)
    boxes, count, job, looks = work.arguments
    builder, place, looked = work.builder, work.counter(), work.counter()
    with builder.if_then(builder.icmp_signed("!=", job, _word(0))):
        work.write(boxes, OWN_CODE, builder.call(run, [job]))
    names = ("head", "box", "look", "wait", "next", "end")
    head, body, look, wait, following, end = (work.block(each) for each in names)
    builder.branch(head)
    work.begin(head)
    number = builder.load(place)
    builder.cbranch(builder.icmp_signed("<", number, count), body, end)
    work.begin(body)
    box = builder.add(boxes, builder.mul(number, _word(8 * BOX)))
    taken_back = work.change(box, _word(State.POSTED), State.EMPTY)
    builder.cbranch(taken_back, following, look)
    work.begin(look)
    at_it = work.is_state(work.state(box), State.TAKEN)
    builder.cbranch(at_it, wait, following)
    work.begin(wait)
    work.pause(machine)
    builder.cbranch(builder.icmp_signed(">", work.count(looked), looks), end, look)
    work.begin(following)
    work.count(place)
    builder.branch(head)
    work.begin(end)
    builder.ret(builder.load(place))
