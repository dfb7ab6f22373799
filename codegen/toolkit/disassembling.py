"""SASS of cubins, by nvdisasm or cuobjdump."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from optdsl.codegen.toolkit.finding import find_program, missing

_SECTION = re.compile(r"^//-+ \.text\.(\w+)\s+-+$", re.MULTILINE)
_INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", re.MULTILINE)


def sass_text(cubin: bytes) -> str:
    """Return the machine code of every kernel of a cubin as text.

    Raises:
        DiagnosticError: there is no disassembler.
    """
    program = find_program("nvdisasm")
    if program is None:
        raise missing("nvdisasm", "it shows the machine code of a cubin")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "module.cubin")
        path.write_bytes(cubin)
        command = [str(program), "--print-code", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def instructions(sass: str) -> dict[str, Counter[str]]:
    """Return how often each instruction stands in each kernel of a text that `sass_text` gave.

    >>> text = "//---- .text.adam    ----\\n  /*0010*/  @P0 LDG.E.128 R4, desc[UR4][R2.64] ;"
    >>> instructions(text)["adam"]["LDG.E.128"]
    1
    """
    parts = _SECTION.split(sass)
    return {
        name: Counter(_INSTRUCTION.findall(text))
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }
