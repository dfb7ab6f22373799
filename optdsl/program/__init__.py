"""What the machine does: phases, passes over memory, numbers once a step, buffers."""

from optdsl.program.lowering import lower
from optdsl.program.program import Program
from optdsl.program.render import render
from optdsl.program.traffic import Traffic, bytes_per_parameter, state_bytes, traffic
from optdsl.program.verify import InvalidProgramError, verify

__all__ = [
    "InvalidProgramError",
    "Program",
    "Traffic",
    "bytes_per_parameter",
    "lower",
    "render",
    "state_bytes",
    "traffic",
    "verify",
]
