"""`optdsl new`: a spec to start from, which compiles and explains itself."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from optdsl.commands.naming import snake_case
from optdsl.commands.terminal import Misuse, out
from optdsl.files import write_text

_OPTIMIZER = """\
# A definition begins at the margin; what it says is indented below it, one statement a line.
optimizer {name}
  "One line that says what this rule does."
  # A hyperparameter: its name, the name callers know it by, a default, and where it may lie.
  hyper eta as lr = 0.01 in [0, inf)   "step size"
  hyper beta      = 0.9  in [0, 1)     "decay of the average"
  # m is read one step back, so it is a state: it needs a value before the first step.
  m[0] = 0
  # g[t] is the gradient of the loss at theta[t-1]. Equations hold together, in any order.
  m[t] = beta*m[t-1] + (1 - beta)*g[t]
  # An optimizer says how theta moves.
  theta[t] = theta[t-1] - eta*m[t]
  # A claim is checked: without the average this is plain descent. `optdsl check` proves it.
  equals SGD when beta = 0
"""

_SCHEDULE = """\
# A schedule gives one number a step; `t` counts the steps, from 1.
schedule {name} gives eta
  "One line that says what this schedule does."
  hyper eta_max = 0.01 in [0, inf)   "where it starts"
  hyper T       = 100  in 1..inf     "steps until half of it is left"
  eta = eta_max/(1 + (t - 1)/T)
"""

_TRANSFORM = """\
# A transform makes of the gradient g[t] another; `{name} | Adam` hands it on to Adam.
transform {name} gives u
  "One line that says what this transform does."
  hyper c = 1 in (0, inf)   "largest entry that passes unchanged"
  u = min(max(g[t], -c), c)
"""

_SKELETONS = {"optimizer": _OPTIMIZER, "schedule": _SCHEDULE, "transform": _TRANSFORM}


def new(
    name: Annotated[str, typer.Argument(help="Name of the rule, such as MyAdam.")],
    family: Annotated[
        Literal["optimizer", "schedule", "transform"],
        typer.Option("--family", "-f", help="What to begin."),
    ] = "optimizer",
) -> None:
    """Write NAME.opt: a skeleton that compiles, with comments that teach."""
    from optdsl.library import shipped

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise Misuse(f"`{name}` cannot name a rule", "use letters, digits and _, a letter first")
    if keyword.iskeyword(name):
        raise Misuse(f"Python reserves `{name}`", "choose another name")
    if name in shipped():
        raise Misuse(f"`{name}` is a shipped rule", f"choose another name, such as My{name}")
    path = Path(f"{snake_case(name)}.opt")
    if path.exists():
        raise Misuse(f"{path} exists already", "choose another name, or remove the file")
    write_text(path, _SKELETONS[family].format(name=name))
    console = out()
    console.print(f"Wrote {path}. Next:")
    console.print(f"  optdsl check {path}")
    console.print(f"  optdsl compile {path} -o build/")
