"""Algorithm blocks, and the equations that are read of them."""

from optdsl.language import format_expression, syntax
from optdsl.latex import read, to_definition


def block(*lines: str) -> str:
    return "\n".join([r"\begin{algorithmic}", *lines, r"\end{algorithmic}"])


def rule(latex: str) -> list[str]:
    """The equations of the rule that a block is."""
    found = to_definition(read(latex)).definition.statements
    return [
        " = ".join(format_expression(side) for side in (*one.targets, one.value))
        for one in found
        if isinstance(one, syntax.Equation)
    ]
