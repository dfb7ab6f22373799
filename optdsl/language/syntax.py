"""The syntax tree: what a spec says, and where it says it.

Both readers, of specs and of LaTeX, build these nodes. Spans never count in a
comparison, so two trees are equal when they say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

from optdsl.diagnostics import Span

Family: TypeAlias = Literal["optimizer", "schedule", "transform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Anything that stands in a source text."""

    span: Span | None = field(default=None, compare=False, repr=False)


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A decimal, kept as written and exact: `0.9`, `1e-8`, `3`."""

    text: str

    @property
    def value(self) -> Fraction:
        """The number itself."""
        return Fraction(self.text)


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """`pi`, `inf`, `true` or `false`."""

    name: str


@dataclass(frozen=True, slots=True)
class String(Node):
    """A text between double quotes, as in `named("*.bias")`."""

    text: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name with the indices in its brackets: `beta1`, `m[t-1]`, `v[i, t]`."""

    name: str
    indices: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`A.T`, the transpose, or `inner.eta`, a hyperparameter of a rule."""

    value: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-x` or `not p`."""

    operator: Literal["-", "not"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`x + y` and its kin; `|` passes what a rule gives to the next."""

    operator: Literal[
        "+", "-", "*", "/", "^", "@", "<", "<=", ">", ">=", "==", "!=", "and", "or", "|"
    ]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`value if condition else otherwise`; without `else`, the last value stays."""

    value: Expression
    condition: Expression
    otherwise: Expression | None


@dataclass(frozen=True, slots=True)
class Keyword(Node):
    """An argument given by name: `T=100`, `AdamW.eta=3e-4`."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Scope(Node):
    """Where a reduction runs when it is not one tensor: `all`, `per row`, `per column`."""

    name: Literal["all", "per row", "per column"]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of the language, a rule with its hyperparameters, or a rule as a function."""

    function: str
    arguments: tuple[Expression | Keyword | Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuple(Node):
    """`(0, 0.9, 0.99)`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """`first for steps then second`: one rule for some steps, then another."""

    first: Expression
    steps: Expression
    second: Expression


Expression: TypeAlias = (
    Number
    | Constant
    | String
    | Name
    | Attribute
    | Unary
    | Binary
    | Conditional
    | Call
    | Tuple
    | Sequence
)


# ----------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Interval(Node):
    """`[0, 1)`: the numbers from `low` to `high`."""

    low: Expression
    high: Expression
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Range(Node):
    """`1..5` or `1..inf`: whole numbers, both ends included."""

    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class Alias(Node):
    """Another name for a hyperparameter: `as lr`, `as betas[1]` (the first of a tuple)."""

    name: str
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Node):
    """A line of a definition, with the comments that stand above it and behind it.

    `gap` tells that an empty line stands above it, for the formatter to keep.
    """

    comments: tuple[str, ...] = ()
    trailing_comment: str | None = None
    gap: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Hyper(Statement):
    """`hyper beta1 as betas[1] = 0.9 in [0, 1) "decay of the first moment"`."""

    name: str
    indices: tuple[Expression, ...] = ()
    alias: Alias | None = None
    default: Expression | None = None
    domain: Interval | Range | None = None
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class Index(Statement):
    """`index k = 1..5`."""

    name: str
    range: Range


@dataclass(frozen=True, slots=True)
class Input(Statement):
    """`input metric "smaller is better"`."""

    name: str
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class Equation(Statement):
    """`m[t] = beta1*m[t-1] + (1 - beta1)*g[t]`; several targets share one value."""

    targets: tuple[Name, ...]
    value: Expression
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class Draw(Statement):
    """`xi ~ normal(0, s)`: one number an entry from a distribution."""

    target: Name
    distribution: Call
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class SkipWhen(Statement):
    """`skip when mod(t, k) != 0`: hand nothing on in such a step."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Evaluate(Statement):
    """`evaluate x[t]`: the point at which the model is evaluated."""

    point: Expression


@dataclass(frozen=True, slots=True)
class Storage(Statement):
    """`state m : bfloat16`, `state v : int8 blockwise(256)`, `state w : bfloat16 stochastic`."""

    name: str
    format: str
    block: int | None = None
    rounding: str | None = None


@dataclass(frozen=True, slots=True)
class Document(Node):
    """Equations of a source document, by number or label: `ruder2016 eq 19-21`."""

    name: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Where(Node):
    """`$\\alpha$ = gamma`: what a symbol of the other side is in our names.

    `symbol` is LaTeX when `latex` is true, else a name of the other definition.
    """

    symbol: str
    latex: bool
    value: Expression


@dataclass(frozen=True, slots=True)
class When(Node):
    """`when gamma = 0`: one of our hyperparameters fixed."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Claim(Statement):
    """What the author says of another definition or of a document.

    `verb` says which verdict is expected: `source` and `equals` proved,
    `differs` a counterexample, `unreadable` a line that cannot be read.
    `other` is a document or a rule.
    """

    verb: Literal["source", "equals", "differs", "unreadable"]
    other: Document | Expression
    gives: str | None = None
    constant: tuple[str, ...] = ()
    where: tuple[Where, ...] = ()
    when: tuple[When, ...] = ()
    because: str | None = None


@dataclass(frozen=True, slots=True)
class Definition(Statement):
    """An optimizer, a schedule or a transform.

    Either `statements` say it, or `value` composes it of others. `parameters`
    are the rules handed to it, `extends` the one it takes over, `gives` what a
    schedule or a transform hands on.
    """

    family: Family
    name: str
    parameters: tuple[str, ...] = ()
    extends: Expression | None = None
    gives: tuple[str, ...] = ()
    doc: str | None = None
    value: Expression | None = None
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class File(Node):
    """The definitions of one file; comments after the last of them are `comments`."""

    definitions: tuple[Definition, ...]
    comments: tuple[str, ...] = ()
