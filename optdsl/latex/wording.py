"""The words of an algorithm's line: which of them say nothing that its formulas do not.

What says nothing is blanked out, sign for sign, so that places stay where they are.
"""

from __future__ import annotations

import re

from optdsl.latex import acting
from optdsl.latex import vocabulary as words

_MATH = re.compile(r"\$(?P<math>[^$]*)\$|\\\((?P<other>.*?)\\\)", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
#: What stands for a formula among words.
FORMULA = "§"
_FONTS = (
    r"\\(?:textbf|textit|textsc|textsl|texttt|textrm|textup|textnormal|emph|text|underline"
    r"|bfseries|itshape|scshape|ttfamily|bf|it|em|sc|tt|rm)(?![A-Za-z])"
)
_BLANK = (
    re.compile(r"(?<!\\)%[^\n]*|//[^\n]*"),
    re.compile(r"\\(?:text|math)?color(?:box)?\s*(?:\[[^\]]*\]\s*)?\{[^{}]*\}\s*\{?"),
    re.compile(
        r"\\(?:hspace|vspace|eqref|ref|cref|cite[pt]?|label|textsuperscript)\*?\s*\{[^{}]*\}"
    ),
    re.compile(r"\\rule\s*\{[^{}]*\}\s*\{[^{}]*\}"),
    re.compile(_FONTS),
    re.compile(rf"\bfor (?:each|every|all) (?:layers?|tensors?|parameters?)(?:\s*{FORMULA})?"),
    re.compile(rf"^\W*(?:sample|draw)\b[^.{FORMULA}]*{FORMULA}(?=\s*(?:and|,|;))", re.IGNORECASE),
)
_DRAWN = frozenset(("sample", "draw", "noise", "gaussian", "uniform"))
#: What a model is made of, and what is said of it in the header of a loop.
_PARTS = frozenset(("layer", "layers", "parameter", "parameters", "tensor", "tensors"))
_OF_PARTS = frozenset(
    ("each", "every", "all", "any", "the", "of", "in", "a", "an", "over", "do", "parallel", "and")
    + ("group", "groups", "block", "blocks", "matrix", "matrices", "weight", "weights", "vector")
    + ("vectors", "model", "network", "trainable", "hidden", "index", "from", "to", "its", "bias")
    + ("gradient", "gradients", "d", "w", "l", "i", "p", "g", "set", "dimension", "neural")
)
_REMARK = re.compile(r"\([^()]*\)")
_LIMITS = re.compile(
    r"\b(?:if|when|unless|only|except|every|until|while|not|during|instead|twice|optional(?:ly)?"
    r"|after|before|otherwise|else|without|ignor\w*|periodically|occasionally|once|probability"
    r"|for the (?:first|last|next|remaining|rest)|(?:first|last|next) (?:\w+ |§\s*)?(?:steps|epochs"
    r"|iterations)|at the (?:start|end|beginning)|warm-?up|times"
    r"|for(?! (?:the|each|all|an?)\b))\b",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    rf"[\s{{]*(?P<font>{_FONTS})?[\s{{]*(?:inputs?|outputs?|given|requires?d?|ensures?|initials?"
    r"|(?:hyper-?)?parameters?|data|arguments?|constants?|optional)\b\s*(?P<colon>:)?[\s}]*"
    r"(?P<behind>:)?",
    re.IGNORECASE,
)
_STARTS = re.compile(r"\W*(?:initiali[sz]e|init|set)\b", re.IGNORECASE)
_HEADING = re.compile(rf"[\s{{]*{_FONTS}\s*\{{[^{{}}]*\}}\W*|[^{FORMULA}]*:\s*\}}?\s*")
_DATA = re.compile(
    r"\W*(?:sample|draw|receive|select|observe|get|choose|pick)\b.*"
    r"\b(?:batch|mini-?batch|data|samples?|examples?|loss function)\b",
    re.IGNORECASE | re.DOTALL,
)
#: Words that change what they speak of: where no formula says how, they say more than all do.
_ACTS = re.compile(
    r"\b(?:appl(?:y|ied)|decay|decoupled|(?:re)?scal(?:e|ed|ing)|mask|norm|normali[sz]\w*|clip\w*"
    r"|project\w*|skip\w*|add|subtract|multiply|average|trust|perturb\w*)\b",
    re.IGNORECASE,
)
_CHOOSES = re.compile(
    r"\b(?:best|average[ds]?|mean|random\w*|uniform\w*|chosen|selected|smallest|lowest|rounded"
    r"|projected|clipped|scaled|normali[sz]ed|exponential|weighted|median)\b",
    re.IGNORECASE,
)
_GRADIENT = re.compile(
    r"\s*(?:\\(?:bm|mathbf|boldsymbol|vec)\s*\{?\s*)?g\s*\}?\s*(?:_\{?\s*[tk]\s*\}?|\^\{\([tk]\)\})?\s*"
)
_ORACLE = re.compile(
    r"\W*(?:compute|evaluate|receive|get|observe)\b[\sa-z-]*\b(?:gradients?|loss)\b", re.IGNORECASE
)
#: What makes another thing of a gradient.
_QUALIFIES = re.compile(
    r"\b(?:first|second|third|square[sd]?|averaged?|moving|running|mean|variance|preconditioned|new"
    r"|corrected|debiased|decayed|bias-corrected|difference|interpolated|fast|slow)\b",
    re.IGNORECASE,
)
#: `\\mathcal{B} = \\{...\\}`, `x \\sim \\mathcal{D}`, and a gradient that some procedure gives.
_BATCH = re.compile(
    r"\s*(?:\\mathcal|\\\{|\\?[a-z]+(?:_\w|_\{\w+\})?\s*\\sim\s*\\math(?:cal|bb)\s*\{?[BDPSX]\b)"
)
_SELECTS = re.compile(
    r"\s*\\nabla[^=]*?(?:\\leftarrow|\\gets|=)\s*\\(?:text\w*|math\w+)\{\w*(?:[Bb]atch|[Ss]ampl|[Gg]rad)\w*\}"
)
SETS = re.compile(r"=|\\gets|\\leftarrow|\\sim")


def math_in(text: str) -> list[re.Match[str]]:
    """Return the formulas of a line, but for those behind a `%`."""
    return list(_MATH.finditer(_COMMENT.sub(_spaces, text)))


def without_formulas(text: str) -> str:
    """Return a line with a sign for each formula, as long as it was, and without its comments."""
    plain = _COMMENT.sub(_spaces, text)
    return _MATH.sub(lambda match: FORMULA + " " * (len(match[0]) - 1), plain)


def is_given(text: str) -> bool:
    """Does the line describe what the algorithm is given, or gives?"""
    match = _GIVEN.match(_BLANK[1].sub(_spaces, without_formulas(text)))
    return match is not None and any(match[part] for part in ("font", "colon", "behind"))


def does(text: str) -> bool:
    """Does a line that describes what is given say what is done, or when?"""
    plain = without_formulas(text)
    return _names(text) or bool(_ACTS.search(plain)) or bool(_LIMITS.search(plain))


def over_layers(text: str) -> bool:
    """Does the header of a loop run over the layers of a model, or its parameters?"""
    said = re.findall(r"[a-z]+", re.sub(r"\\[A-Za-z]+", " ", without_formulas(text).lower()))
    return bool(_PARTS & {*said}) and {*said} <= _PARTS | _OF_PARTS


def counts_up(first: int, rest: str) -> bool:
    """Does the header of a loop, behind its first number, count one by one, and not back?"""
    if re.search(r"\b(?:down|downto|step|by|every|backwards?|skip\w*)\b", rest, re.IGNORECASE):
        return False
    listed, dots, last = re.match(r"([\s\d,$]*)(\\[lc]?dots)?(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    numbers = [int(one) for one in re.findall(r"\d+", listed)] if dots or "," in listed else []
    if numbers != list(range(first + 1, first + 1 + len(numbers))):
        return False
    ends = re.match(
        r"[\s,$]*(?:\\KwTo|\\to|\\text(?:bf)?\{ ?to ?\}|to)?[\s,$]*(\d+)",
        last if dots or not listed.strip(" $,") else "",
    )
    return ends is None or int(ends[1]) >= first


def is_formula(text: str) -> bool:
    """Is a condition without dollars one formula of a table: a comparison, or one name?"""
    if re.search(r"\\|[<>=]", text) is None:
        return re.fullmatch(r"\s*[A-Za-z]\w*\s*", text) is not None
    plain = re.sub(r"\\[A-Za-z]+", " ", text)
    return re.search(r"(?<![{_A-Za-z])[A-Za-z]{3,}(?![A-Za-z])", plain) is None


def limit(text: str) -> tuple[int, int] | None:
    """Return where words say that something holds in some steps only."""
    plain = without_formulas(text)
    for pattern in _BLANK[:5]:
        plain = pattern.sub(_spaces, plain)
    found = _LIMITS.search(plain)
    return None if found is None else found.span()


def is_start(text: str) -> bool:
    """Does it say from what values the algorithm starts?"""
    return _STARTS.match(_blanked(text)) is not None


def is_heading(text: str) -> bool:
    """Is it words alone that head the lines below: set in a font of their own, or with a colon?"""
    plain = _BLANK[1].sub(" ", _BLANK[0].sub("", without_formulas(text)))
    if not plain.strip(" {}\t\n\\"):
        return FORMULA not in plain
    heads = _HEADING.fullmatch(plain) is not None and not _ACTS.search(plain)
    return heads and strange(text) is None and not _names(text)


def is_data(text: str) -> bool:
    """Does the line draw data, or ask for a loss or a gradient without a name for it?"""
    plain = without_formulas(text)
    found = math_in(text)
    if len(found) == 1 and _SELECTS.match(found[0]["math"] or ""):
        return True
    if _names(text) or _ACTS.search(plain) or _LIMITS.search(plain):
        return False
    if _DATA.match(plain):
        return True
    plainly = all(
        _GRADIENT.fullmatch(one[1:-1]) or ("loss" in plain and "nabla" not in one)
        for one in (match[0] for match in found)
    )
    oracle = _ORACLE.match(plain) is not None and not _QUALIFIES.search(plain)
    return oracle and plainly and strange(text) is None


def _names(text: str) -> bool:
    """Does a formula of the line set something that is no batch?"""
    found = [match["math"] or match["other"] or "" for match in math_in(text)]
    return any(SETS.search(without_braces(one)) and not _BATCH.match(one) for one in found)


def formulas(text: str) -> list[tuple[int, int]]:
    """Return where the formulas of a line stand, those in remarks only where they set something."""
    plain = _blanked(text)
    found = []
    for match in math_in(text):
        low, high = match.span("math" if match["math"] is not None else "other")
        if text[low:high].lstrip().startswith("\\{") and not SETS.search(
            without_braces(text[low:high].replace("\\{", "{").replace("\\}", "}"))
        ):
            continue  # `\\hfill $\\{G_t \\in ...\\}$`, a remark
        if plain[match.start()] == FORMULA or SETS.search(without_braces(text[low:high])):
            found.append((low, high))
    return found


def chooses(text: str) -> tuple[int, int] | None:
    """Return where the words of what is returned choose or change it: `the best §`."""
    found = _CHOOSES.search(without_formulas(text))
    return None if found is None else found.span()


def behind_where(text: str) -> int:
    """Return where the formulas begin that say what others read: `..., where $u = v$`."""
    found = re.search(rf"{FORMULA}\s*,?\s*where\b", without_formulas(text))
    return len(text) if found is None else found.end()


def without_braces(formula: str) -> str:
    """Return a formula without what stands between its braces."""
    before = ""
    while before != formula:
        before, formula = formula, re.sub(r"\{[^{}]*\}", "", formula)
    return formula


def strange(text: str) -> tuple[int, int, bool] | None:
    """Return where the first thing stands that is not understood, and whether it is a command."""
    plain = _blanked(text)
    for match in re.finditer(r"\\([A-Za-z]+)", plain):
        if match[1] not in words.LAYOUT | words.GAPS | {"Comment", "triangleright"}:
            return match.start(), match.end(), True
    said = re.sub(r"\\[A-Za-z]+|\\.", _spaces, plain)
    for match in re.finditer(r"\b[A-Za-z][A-Za-z-]*", said):
        drawn = match[0].lower() in _DRAWN and "\\sim" in text
        if match[0].lower() not in words.ALGORITHM and not drawn:
            return match.start(), match.end(), False
    return None


def unsaid(text: str) -> tuple[int, int] | None:
    """Return where words of a line do something that none of its formulas shows."""
    plain = without_formulas(text)
    for pattern in _BLANK[:5]:
        plain = pattern.sub(_spaces, plain)
    found = [match["math"] or match["other"] or "" for match in math_in(text)]
    return acting.unsaid(plain, found, FORMULA)


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _blanked(text: str) -> str:
    """Blank out formulas, remarks, fonts, colours."""
    plain = without_formulas(text)
    for pattern in _BLANK:
        plain = pattern.sub(_spaces, plain)
    before = ""
    while before != plain:
        before = plain
        plain = _REMARK.sub(lambda m: m[0] if _LIMITS.search(m[0]) else _spaces(m), plain)
    return plain
