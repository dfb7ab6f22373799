"""Asking for memory before a loop comes to it.

Processors find out by themselves that a loop reads its arrays in order, but lose the thread at the
end of each page, four times as often with four arrays, and keep fewer lines on their way than
memory could deliver. So each loop over vectors asks for what it will need a little later. LLVM
has a pass for this, which its interface for Python does not offer, and no loop that asks is
vectorised; so the code that LLVM has optimised is changed. Asking never changes a result, nor
fails, wherever the address points.
"""

from __future__ import annotations

import re

#: How many bytes before a loop comes to them its numbers are asked for: more than arrive during
#: the time that memory takes to answer, and few beside a tensor of some thousand entries.
AHEAD = 1024

#: What a processor fetches at once, in bytes.
_LINE = 64

_VECTORISED = re.compile(r'^(!\d+) = !\{!"llvm\.loop\.isvectorized", i32 1\}', re.MULTILINE)
_LOOP = re.compile(r"^(!\d+) = distinct !\{(.+)\}", re.MULTILINE)
_DEFINED = re.compile(r'^define [^\n]*?@"?([\w.$-]+)', re.MULTILINE)
_REPEATED = re.compile(r"br i1 [^\n]*!llvm\.loop (!\d+)\s*\}?\s*$")
_NAME = r'(%[\w.$-]+|%"[^"\n]+")'
_ACCESS = re.compile(rf"(= load|store) <\d+ x \w+>[^\n]*, ptr {_NAME}, align")
_BEHIND = re.compile(rf"{_NAME} = getelementptr [^\n]*i8, ptr {_NAME}, i64 (\d+)$", re.MULTILINE)
_DECLARED = "declare void @llvm.prefetch.p0(ptr, i32 immarg, i32 immarg, i32 immarg)"
#: Into every cache, and it is data.
_TO_EVERY_CACHE = "i32 3, i32 1"


def prefetching(text: str, functions: str = "") -> str:
    """Return optimised LLVM code whose loops over vectors ask for memory ahead.

    `functions` is what the names of those functions begin with that stream through memory.
    """
    marks = set(_VECTORISED.findall(text))
    loops = {loop for loop, facts in _LOOP.findall(text) if marks & set(facts.split(", "))}
    blocks = text.split("\n\n")
    streams = False
    for place, block in enumerate(blocks):
        defined = _DEFINED.search(block)
        if defined is not None:
            streams = defined[1].startswith(functions)
        repeated = _REPEATED.search(block)
        if streams and repeated is not None and repeated[1] in loops:
            blocks[place] = _asking(block, f"ahead.{place}")
    result = "\n\n".join(blocks)
    return result if result == text else f"{result}\n{_DECLARED}\n"


def _asking(block: str, name: str) -> str:
    """Return the block of a loop that asks for each line of memory before it is used first."""
    begins = {each: (base, int(count)) for each, base, count in _BEHIND.findall(block)}
    written = {address for access, address in _ACCESS.findall(block) if access == "store"}
    asked: set[tuple[str, int]] = set()
    lines = []
    for line in block.split("\n"):
        access = _ACCESS.search(line)
        if access is not None:
            address = access[2]
            base, count = begins.get(address, (address, 0))
            fetched = (base, count // _LINE)
            if fetched not in asked:
                later = f"%{name}.{len(asked)}"
                asked.add(fetched)
                lines += [
                    f"  {later} = getelementptr i8, ptr {address}, i64 {AHEAD}",
                    f"  call void @llvm.prefetch.p0(ptr {later}, "
                    f"i32 {int(address in written)}, {_TO_EVERY_CACHE})",
                ]
        lines.append(line)
    return "\n".join(lines)
