"""What stands on the page: the tree of a LaTeX formula before it is given a meaning.

Juxtaposition is kept as it is printed, a `Chain` of factors; whether `f(t)` is
a product, a function or a name with its time is decided later, from the whole
group of equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from optdsl.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Digits:
    """A number as printed: `0.9`."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Symbol:
    """A letter or a word that names something; `font` is the alphabet it is set in.

    A mark is a `+`, `-`, `*` or prime that stands alone in a script: `\\eta^+`.
    """

    name: str
    kind: Literal["letter", "greek", "word", "mark"]
    font: str
    span: Span


@dataclass(frozen=True, slots=True)
class Accent:
    """`\\hat{m}`: a mark over a symbol."""

    mark: str
    base: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Change:
    """`\\Delta\\theta`: one name made of two."""

    base: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Operator:
    """A function's name, a nabla or a partial, waiting for what it applies to.

    A function is one of the language's, an operator one that the document names.
    """

    name: str
    kind: Literal["function", "operator", "nabla", "partial"]
    span: Span


@dataclass(frozen=True, slots=True)
class Sign:
    """`\\pi`, `\\infty` or `\\top`; true or false."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    """What stands between visible brackets; `separators` stand between the items."""

    bracket: Literal["(", "[", "\\{", "\\lfloor", "\\lceil", "\\langle"]
    items: tuple[Raw, ...]
    separators: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Slice:
    """`i:i+n`, the numbers of a mini-batch's examples."""

    low: Raw
    high: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Braces:
    """`{g_t}`: braces that the reader of the page does not see."""

    value: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Fraction:
    """`\\frac{a}{b}`."""

    numerator: Raw
    denominator: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Root:
    """`\\sqrt{x}` or `\\sqrt[n]{x}`."""

    radicand: Raw
    degree: Raw | None
    span: Span


@dataclass(frozen=True, slots=True)
class Bars:
    """`|x|` or `\\|x\\|`."""

    double: bool
    value: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Script:
    """A subscript or a superscript: its items, and what separates them.

    `point` tells that it stands behind a bar: `|_{w = w_t}`.
    """

    raised: bool
    items: tuple[Raw, ...]
    separators: tuple[str, ...]
    span: Span
    point: bool = False


@dataclass(frozen=True, slots=True)
class Entrywise:
    """`\\odot 2` in a superscript: a power of every entry."""

    exponent: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Big:
    """`\\sum_{i=1}^{K} v_i` or `\\prod_{i=1}^t \\mu_i`: its scripts, and what it runs over."""

    name: Literal["sum", "prod"]
    scripts: tuple[Script, ...]
    body: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes, such as a pattern of names."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Where:
    """`\\text{all}` behind what is summed up: where a reduction runs."""

    name: Literal["all", "per row", "per column"]
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    """`i \\in \\mathcal{B}` below a sum: one of a set."""

    element: Raw
    members: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Run:
    """`k \\in \\{1, \\dots, 5\\}`: the whole numbers that an index takes."""

    low: Raw
    high: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Scripted:
    """A factor with its scripts, in the order in which they are printed."""

    base: Raw
    scripts: tuple[Script, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Chain:
    """Two or more factors side by side."""

    factors: tuple[Raw, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Infix:
    """Factors joined by printed signs: `rest` holds each sign with what follows it."""

    first: Raw
    rest: tuple[tuple[str, Raw], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Negative:
    """`-x` at the head of a sum."""

    operand: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Case:
    """One row of `cases`; the last may be `otherwise`, without a condition."""

    value: Raw
    condition: Raw | None
    span: Span


@dataclass(frozen=True, slots=True)
class Cases:
    """`\\begin{cases} ... \\end{cases}`."""

    rows: tuple[Case, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Comparison:
    """`a < b` in a condition."""

    operator: str
    left: Raw
    right: Raw
    span: Span


@dataclass(frozen=True, slots=True)
class Logic:
    """`p and q`, `p or q`, `not p` in a condition; `not` has one operand."""

    operator: Literal["and", "or", "not"]
    operands: tuple[Raw, ...]
    span: Span


Raw: TypeAlias = (
    Digits
    | Symbol
    | Accent
    | Change
    | Operator
    | Sign
    | Group
    | Slice
    | Braces
    | Fraction
    | Root
    | Bars
    | Scripted
    | Chain
    | Infix
    | Negative
    | Cases
    | Comparison
    | Logic
    | Entrywise
    | Big
    | Text
    | Where
    | Member
    | Run
)


@dataclass(frozen=True, slots=True)
class Sides:
    """One printed statement: sides joined by relations.

    Besides `=`, `:=` and `~` a relation may be `in`, with a `Run` for a second side or none
    where a symbol is only said to be of a kind; `phrase` heads a statement without any.
    `initial` tells that it stands before the loop of an algorithm, `line` which line of one it is,
    from 1, `layer` that it is done layer by layer.
    A statement that begins with its relation (`&= \\max(...)`) continues the
    one above it; its first side is then None. `loops` are the letters of the loops of
    fixed length within which it stands, the outermost first.
    """

    sides: tuple[Raw | None, ...]
    relations: tuple[str, ...]
    span: Span
    phrase: str | None = None
    initial: bool = False
    loops: tuple[str, ...] = ()
    line: int = 0
    layer: bool = False
