"""Words that do something: which of them no formula of their line shows.

`Clip the gradient: $g_t = ...$` is what the formula says. Behind the formulas of a line, in a
remark, or where the words speak of two things, such words may mean a step without a formula.
"""

from __future__ import annotations

import re

from optdsl.latex import vocabulary as words

_ACTS = re.compile(
    r"\b(?:appl(?:y|ied|ies|ying)|decay(?:s|ed|ing)?|decoupled|(?:re)?scal(?:e|ed|es|ing)|mask\w*"
    r"|norm|(?:re)?normali[sz]\w*|clip\w*|project\w*|skip\w*|add(?:s|ed|ing)?|subtract\w*"
    r"|multipl(?:y|ied|ies|ying)|divid\w*|averag(?:e|ed|es|ing)|trust|perturb\w*|rotat\w*"
    r"|orthogonali[sz]\w*|whiten\w*|truncat\w*|threshold\w*|restart\w*|reset\w*|warm\w*"
    r"|halv\w*|doubl(?:e|ed|ing)|reduc(?:e|ed|ing)|increas\w*|decreas\w*|replac\w*"
    r"|quanti[sz]\w*|synchroni[sz]\w*|copy|copied|swap\w*|sort\w*|discard\w*|repeat\w*"
    r"|flip\w*|negat(?:e|ed|es|ing)|zero(?:s|ed|ing|es)?[- ]out|shrink\w*|round(?:s|ed|ing)"
    r"|fr[eo]ez\w*|frozen|permut\w*|shuffl\w*|broadcast\w*|transpos\w*|drop(?:s|ped|ping)?|inject\w*"
    r"|regulari[sz]e[sd]?|cent(?:er|re)(?:s|ed|ing)?|delay\w*|anneal\w*|reinitiali[sz]\w*"
    r"|revers\w*|dampen\w*|symmetri[sz]\w*|sparsif\w*|prun\w*|bound(?:s|ing)?|capp?(?:s|ed|ing)?"
    r"|invert\w*|smooth(?:s|ed|ing)?|detach\w*|stop[- ]gradient)\b",
    re.IGNORECASE,
)
#: `(freeze the weights)`: the first word of a remark tells someone to do something.
TELLS_TO = re.compile(
    r"\(\s*(?P<word>[A-Za-z]+(?:-[A-Za-z]+)*)\s+(?:the|them|it|all|each|every|an?|its|their|this"
    r"|these|those|both)\b"
)
_NOISE = r"(?:moving|running|exponential|exponentially|first|second|bias|decay|learning|step)"
#: Where such a word names a thing: `the decay rate`, `moving average`.
_NAMES = re.compile(
    rf"(?:{_NOISE}[- ])*\b(?:decay|decayed|decaying|scal(?:e|ing)|mask|trust|clipping"
    r"|averag(?:e|ing)|project(?:ion|ed)|normali[sz](?:ation|ing)|threshold|warm-?up|reset|restart)s?"
    r"[- ](?:rates?|factors?|coefficients?|parameters?|constants?|ratios?|terms?|vectors?"
    r"|matrix|thresholds?|schedules?|multipliers?|hyper-?parameters?|radius|regions?)\b"
    r"|\b(?:moving|running|exponential|weighted|polyak)[- ](?:\w+[- ])?averag(?:e|es|ing)\b"
    r"|\bappl(?:y|ies|ying) (?:the |an |a )?(?:\w+ )?"
    r"(?:updates?|steps?|momentum|corrections?|bias)\b"
    r"|\bnorm of\b|\baverages? of\b|\b(?:squared?|gradient|first|second|weighted) averages?\b"
    r"|\b(?:infinity|max|euclidean|gradient|spectral|frobenius)[- ]norm\b",
    re.IGNORECASE,
)
_QUOTIENT = r"/|\\[dtn]?(?:ice)?frac|\\div|\^\{?\s*-"
_BOUNDS = r"\\?(?:min|max|clip|Clip|Pi|operatorname|mathrm|text)\b|\\wedge|\\vee"
#: What the formula of a line holds where it does what the word says.
_SHOWS = (
    (r"norm\b|(?:re)?normali|trust", rf"{_QUOTIENT}|\\\||\\[lr]?Vert|\\norm\b|\|\|"),
    (r"clip|project|truncat|threshold", rf"{_BOUNDS}|\\\||\\begin\{{cases\}}"),
    (r"mask", r"\\odot|\\circ|\\mathbb|\\mathbf\{?1|\\begin\{cases\}|mask|\\phi|\\operatorname"),
    (r"averag", rf"1\s*-|{_QUOTIENT}|\\sum|mean|\\bar"),
    (r"decay|decoupled", r"\\lambda|decay|\bwd\b|weight|\\omega"),
    (r"perturb", r"\+"),
    (r"cent(?:er|re)", r"-"),
    (r"negat|flip", r"-"),
    (r"bound|capp?", rf"{_BOUNDS}|\\begin\{{cases\}}"),
    (r"transpos", r"\\top|\^T|\^\{T\}"),
    (r"invert|revers", rf"{_QUOTIENT}|-"),
    (r"smooth", r"1\s*-|\\beta|\\alpha|\\gamma|\\mu"),
    (r"regulari", r"\+"),
    (r"orthogonali|whiten", r"NS|Newton|\\top|\^T|\\operatorname|\\mathrm|\\text"),
)
#: What a formula must show wherever a line says it.
_TELLS = re.compile(r"clip|(?:re)?normali|project|perturb", re.IGNORECASE)
#: What may stand before an article and tells nobody to do anything.
_JOINS = frozenset(
    ("see", "is", "are", "in", "by", "via", "of", "with", "over", "per", "from", "on", "under")
    + ("into", "called", "known", "denotes", "denoting", "being", "where", "within", "than")
)
_BEHIND = re.compile(r"\b(?:and|then|with|by|also|before|after)\b|[,;&]", re.IGNORECASE)


def unsaid(plain: str, formulas: list[str], sign: str) -> tuple[int, int] | None:
    """Return where words do something that no formula beside them shows; None where none do.

    `plain` is a line with `sign` for each of its `formulas`.
    """
    named = [match.span() for match in _NAMES.finditer(plain)]
    last = plain.rfind(sign)
    for match in _ACTS.finditer(plain):
        low, high = match.span()
        if any(begin <= low and high <= end for begin, end in named):
            continue
        extra = _TELLS.match(match[0]) or _is_extra(plain, low, high, last, sign)
        if extra and not _shown(match[0], formulas):
            return low, high
    for match in TELLS_TO.finditer(plain):
        if match["word"].lower() not in words.ALGORITHM | words.DESCRIBES | _JOINS:
            return match.span("word")
    return None


def _is_extra(plain: str, low: int, high: int, last: int, sign: str) -> bool:
    """Is it in a remark, behind all formulas, or beside words that speak of something else?"""
    depth = plain.count("(", 0, low) - plain.count(")", 0, low)
    if depth > 0 or low > last:
        return True
    before = plain[plain.rfind(sign, 0, low) + 1 : low]
    behind = plain[high : plain.find(sign, high)]
    return any(
        _BEHIND.search(part) and re.search(r"[A-Za-z]{2}", part) for part in (before, behind)
    )


def _shown(word: str, formulas: list[str]) -> bool:
    for pattern, shows in _SHOWS:
        if re.match(pattern, word, re.IGNORECASE):
            return any(re.search(shows, formula) for formula in formulas)
    return False
