"""From LLVM code to an object file, and from that to a shared library."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from llvmlite import binding

from optdsl.codegen.support.prefetching import prefetching
from optdsl.codegen.support.registers import is_x86
from optdsl.codegen.support.shared_library import library_name, link_command
from optdsl.diagnostics import Diagnostic, DiagnosticError

#: What the names begin with of functions that stream through memory.
UPDATE = "update_"


def host_triple() -> str:
    """Return the name of this machine and its system, as LLVM knows them."""
    triple: str = binding.get_default_triple()
    return triple


def object_code(text: str, triple: str, machine: str) -> bytes:
    """Compile LLVM code; functions that name no processor are for the least of this kind."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    binding.initialize_native_asmparser()
    target = binding.Target.from_triple(triple)
    made: Any = target.create_target_machine(
        cpu="x86-64" if is_x86(machine) else "generic",
        opt=3, reloc="pic", codemodel="default",
    )  # fmt: skip
    module = binding.parse_assembly(text)
    module.verify()
    module.data_layout = str(made.target_data)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = binding.create_pass_builder(made, options)
    builder.getModulePassManager().run(module, builder)
    streaming = binding.parse_assembly(prefetching(str(module), UPDATE))
    code: bytes = made.emit_object(streaming)
    return code


def c_compiler() -> str | None:
    """Return the C compiler of this machine, or None: what `CC` names, cc, gcc or clang."""
    wanted = os.environ.get("CC")
    for name in (wanted, "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


def linked(prefix: str, code: bytes, compiler: str) -> bytes:
    """Return the shared library that a C compiler makes of object code.

    Raises:
        DiagnosticError: it could not link.
        OSError: it could not be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{prefix}.o").write_bytes(code)
        ran = subprocess.run(
            link_command(prefix, compiler), cwd=folder, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            told = (ran.stderr or ran.stdout).strip().splitlines() or ["it said nothing"]
            command = " ".join(link_command(prefix, compiler))
            problem = f"`{command}` failed with status {ran.returncode}: {told[-1]}"
            hint = "let CC name a C compiler that can link"
            raise DiagnosticError(Diagnostic("cannot-link", problem, hint=hint))
        return Path(folder, library_name(prefix)).read_bytes()
