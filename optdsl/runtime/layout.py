"""What a generated module says of itself: the contract between code and runtime.

A generated module ends in one `Layout`. It names the slots of every array that
the runtime keeps, and holds the functions that compute on them. Nothing here
imports a compiler.

Arrays that the functions share, all float64 unless they hold tensors:

    hyper       one number a hyperparameter, in the order of `Layout.hyperparameters`,
                then one for each that is read a step ahead, in the same order,
                then two an input: the last value that came (NaN before the first), and
                1 in a step in which it came, else 0
    step_state  one number a state of kind "step", in order; one row a cohort
    scalars     one row a cohort: what `Scalars` functions write
    tensor      one row a tensor: states of kind "tensor", then what `Combine` writes for each
    everything  states of kind "all", then losses that are read, then what `Combine` writes
                for all tensors together, then, in a rule that draws random numbers, the lower
                and upper 32 bits of its seed
    cohort      int64, one a tensor: its row in `scalars`

A cohort is the tensors of one group that have taken the same steps.

A rule may choose between several, tensor by tensor or step by step. Each is a case, known by
its number; a tensor is in one case at a time, and so is a cohort. A stage is for the tensors of
its `case`; a hyperparameter, input or state belongs to `cases`, or to all where that is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from optdsl.runtime.shapes import Form

#: The buffer of `Layout.evaluate`.
EVALUATED = "evaluation point"

#: How gradients come: ready-made, or from a function that is asked at the points of the rule.
Mode: TypeAlias = Literal["ready", "function"]
Numbers: TypeAlias = npt.NDArray[np.float64]
#: `bind(arrays, identities)` makes a table: one list a stream, one array a tensor.
Bind: TypeAlias = Callable[[Sequence[Sequence[npt.NDArray[Any]]], Sequence[int]], Any]


class Table(Protocol):
    """What `bind` makes. Tensors of several dtypes may share one.

    It may have `move(column, arrays)`, which lets one stream be other arrays of the same
    shapes and dtypes. Such a table holds no arrays; any other is bound anew in each step
    whose gradients are new.
    """

    @property
    def chunks(self) -> int:
        """How many rows `partials` needs."""
        ...


@dataclass(frozen=True)
class Feed:
    """The schedule that gives a hyperparameter where a user gives nothing: `text` in the spec.

    `function(t, hyper, states)` returns the value of a step and moves `states` on, which begin
    as `starts` say: `start(None, hyper)`. Its t is the number of the step, as float64. `needs`
    are inputs that it reads without asking whether they ever came, `own` the hyperparameters
    that nothing else reads.
    """

    function: Callable[[float, Numbers, Numbers], float]
    text: str
    states: tuple[str, ...] = ()
    starts: tuple[Callable[[None, Numbers], float], ...] = ()
    needs: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class HyperparameterSlot:
    """A hyperparameter as users know it.

    `default` is a number, None where a value must be given, a function
    `(t, hyper) -> float` where the spec gives a formula, or a `Feed`. `alias_position`
    counts from 1 within a tuple such as `betas`. `ahead` says that its value one
    step ahead is read too. `part` is the part whose steps a schedule of it counts,
    from 1 in the step after the first `begins`.
    """

    name: str
    owner: str
    local_name: str
    alias: str | None = None
    alias_position: int | None = None
    default: float | Callable[[float, Numbers], float] | Feed | None = None
    low: float = -np.inf
    high: float = np.inf
    low_open: bool = True
    high_open: bool = True
    whole: bool = False
    doc: str = ""
    part: int = 0
    ahead: bool = False
    begins: int = 0
    cases: tuple[int, ...] = ()


@dataclass(frozen=True)
class InputSlot:
    """A number that users hand in at some steps, as `known_as`; `part` reads it.

    `needed` says that a step reads it without asking whether it ever came.
    """

    name: str
    known_as: str
    part: int = 0
    needed: bool = False
    doc: str = ""
    cases: tuple[int, ...] = ()


@dataclass(frozen=True)
class StateSlot:
    """A state. `start(theta, hyper)` gives its value before the first step, an
    array of theta's shape or a number to fill one with; `storage` is a dtype name or None
    for that of the parameters. For kinds with a value a row and the like, theta is seen
    as a matrix (`runtime/shapes.py`), and so is the value. For kind "tensor", theta is the
    `Facts` of the tensor (`runtime/facts.py`); for "all" and "step" it is None.
    """

    name: str
    kind: Literal["entry", "row", "column", "turned", "rows", "columns", "tensor", "all", "step"]
    start: Callable[[Any, Numbers], Any]
    part: int = 0
    storage: str | None = None
    cases: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scalars:
    """`function(t, hyper, step_state, scalars)` for one cohort: t is a float64, the rows are 1-d.

    It writes `scalars` and moves `step_state` on by one step. The one of `iterate` moves nothing.
    """

    part: int
    function: Callable[[float, Numbers, Numbers, Numbers], None]
    case: int = 0


@dataclass(frozen=True)
class Pass:
    """`function(table, cohort, scalars, tensor, everything, partials)`.

    `table` is what `bind`, or the module's own where that is None, made of the arrays of
    `streams`. `partials` has one row a chunk of the table and `reductions` columns.
    """

    part: int
    streams: tuple[str, ...]
    function: Callable[..., None]
    reductions: int = 0
    writes: tuple[str, ...] = ()
    case: int = 0
    bind: Bind | None = None


@dataclass(frozen=True)
class Matrices:
    """`function(table, cohort, scalars, tensor, everything, partials)`, a tensor at a time.

    `table` is what `bind` made of the arrays of `streams`, which are seen as matrices.
    """

    part: int
    streams: tuple[str, ...]
    function: Callable[..., None]
    bind: Bind
    writes: tuple[str, ...] = ()
    case: int = 0


@dataclass(frozen=True)
class Combine:
    """`function(table, cohort, scalars, tensor, everything, partials)` after a pass.

    It folds the partial sums in a fixed order and writes `tensor` and `everything`. One that
    stands before the first pass folds nothing: it gets the table of the pass that follows.
    """

    part: int
    function: Callable[..., None]
    case: int = 0


@dataclass(frozen=True)
class Share:
    """The share of one case in a `Together`.

    `function` is what a `Combine` has; it folds the reductions in `columns` of the pass of
    this case before it.
    """

    case: int
    function: Callable[..., None]
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Together:
    """Numbers for the tensors of several cases together.

    The function of the first case that has tensors folds the partial sums of all of them.
    """

    part: int
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Ask:
    """Ask for `gradient` at the arrays of stream `point` ("theta" or a buffer).

    Where there are cases, `points` has one for each, or None for one that does not ask.
    """

    gradient: str
    point: str = "theta"
    points: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Guard:
    """Skip the parts after `part` where slot `slot` of the array of this `kind` is not zero.

    The array is `scalars` for "step", `everything` for "all", `tensor` for "tensor".
    """

    part: int
    kind: Literal["step", "all", "tensor"]
    slot: int
    case: int = 0


Stage: TypeAlias = Scalars | Pass | Matrices | Combine | Together | Ask | Guard


@dataclass(frozen=True)
class CaseSlot:
    """A rule that a tensor may take: if `accepts(facts)`, in the steps of `windows`.

    A window `(part, after, until)` holds from the step of `part` that follows the first
    `after` to number `until`, or for good where that is None. `kept` has for each case the parts
    that go on counting their steps where a tensor comes here from it; others begin anew.
    """

    name: str
    parts: int
    accepts: Callable[[Any], bool]
    windows: tuple[tuple[int, int, int | None], ...] = ()
    kept: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Layout:
    """Everything that the runtime needs to know of a rule.

    `ready` takes gradients from outside (stream "g"); None for a rule that asks
    for several. `function` asks for each gradient itself. `iterate` writes the
    true theta into the buffer "iterate"; None where the arrays of `ready` hold theta already.
    It runs like the head of the step to come: t is one more than the steps taken, `hyper` that
    step's row (what was read ahead has become this step's), `step_state` a copy.
    `evaluate` writes the point at which the model is evaluated into the buffer EVALUATED, from
    arrays that hold theta, and moves nothing; None where that is theta.
    `bind(arrays, identities)` makes a table: `arrays` has one list a stream, each with one array
    a tensor, `identities` the row of each of these tensors in `cohort` and `tensor`.
    `result` is the slot in `scalars` of what a schedule gives, `results` are the names and
    slots where that is more than one number; `losses` are gradients whose loss is read, and
    where in `everything` it goes; `output` is the buffer that
    holds what a transform gives. `join` makes one table of several, for rules with `cases`.
    """

    name: str
    family: Literal["optimizer", "schedule", "transform"]
    doc: str
    parts: int
    function: tuple[Stage, ...]
    ready: tuple[Stage, ...] | None = None
    iterate: tuple[Stage, ...] | None = None
    evaluate: tuple[Stage, ...] | None = None
    hyperparameters: tuple[HyperparameterSlot, ...] = ()
    states: tuple[StateSlot, ...] = ()
    scalars: int = 0  # columns of `scalars`
    tensor: int = 0  # columns of `tensor`
    everything: int = 0  # length of `everything`
    bind: Bind | None = None
    buffers: tuple[str, ...] = ()
    shaped: tuple[tuple[str, Form], ...] = ()  # buffers of another form than "entry", in float64
    result: int | None = None
    output: str | None = None
    inputs: tuple[InputSlot, ...] = ()
    results: tuple[tuple[str, int], ...] = ()
    losses: tuple[tuple[str, int], ...] = ()
    uniform: tuple[str, ...] = ()  # hyperparameters that all groups must share
    cases: tuple[CaseSlot, ...] = ()
    join: Callable[[Sequence[Any]], Any] | None = None
    parameters: tuple[str, ...] = ()  # the dtypes that they may have, where not all go
    seed: int | None = None  # for a rule that draws: where `everything` holds the seed's words
    fingerprint: str = ""
    target: str = "reference"
