"""What the machine does: phases, passes over memory, numbers once a step, buffers."""

from optdsl.program.lowering import lower
from optdsl.program.program import Program
from optdsl.program.verify import InvalidProgramError, verify

__all__ = ["InvalidProgramError", "Program", "lower", "verify"]
