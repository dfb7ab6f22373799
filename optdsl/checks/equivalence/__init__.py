"""Do two systems of recurrences say the same? Proof, counterexample, or neither."""

from optdsl.checks.equivalence.decide import compare
from optdsl.checks.equivalence.verdict import Counterexample, Verdict

__all__ = ["Counterexample", "Verdict", "compare"]
