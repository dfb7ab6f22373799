"""How much work a search may take: counted, so that a busy machine finds the same."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.trials import Trial


@dataclass
class Effort:
    """What is left of a search, in equations computed for one entry."""

    left: int

    def allows(self, question: Question, trial: Trial) -> bool:
        """Take the cost of one more run; false where it is more than is left."""
        equations = len(question.ours.equations) + len(question.theirs.equations)
        self.left -= trial.steps * len(trial.theta) * equations
        return self.left >= 0
