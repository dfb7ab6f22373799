"""Words in a formula: names, functions, `if` and its kin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from optdsl.diagnostics import Span
from optdsl.latex import acting, wording
from optdsl.latex import vocabulary as words
from optdsl.latex.operands import ENDS_OPERAND, LOOSE
from optdsl.latex.problems import refuse

if TYPE_CHECKING:
    from optdsl.latex.cutting import Cutter

JOINT = re.compile(r"\\_|\\text\{\\?_\}|_")
_BRACKETED = re.compile(r"\s*\((?=\s*[A-Za-z])[A-Za-z\s.,'-]*\)\s*")
_WORD = re.compile(r"(?:[A-Za-z]|\\?_)(?:[A-Za-z0-9]|\\?_)*")
_DOTTED = re.compile(r"(?:[A-Za-z]\w*\.)+[A-Za-z]\w*")
_QUOTED = re.compile(r"\\textquotedbl (.*)\\textquotedbl", re.DOTALL)
_CONDITION = re.compile(
    r"\\(?:text|textrm|textnormal|mbox|mathrm)\{\s*(?P<word>else if|if|when|for|while)\s*"
    r"(?:\$(?P<math>[^$]*)\$|\\\((?P<other>.*?)\\\))\s*[.,;]?\s*\}"
)
_EQUATION = re.compile(r"(?:(?!\\\\|\\end\{)[^=])*=")
# `\text{if nesterov}`
_HEADED = re.compile(r"(?P<if>if|when) (?P<name>[A-Za-z]\w*)")
_FROM_ZERO = re.compile(r"_\{?0\}?\s*(?:=|\\gets|\\leftarrow)\s*0\s*\Z")
# `\\text{lr (learning rate)}`
_GLOSSED = re.compile(r"(?P<name>[A-Za-z]\w*) \([A-Za-z\s-]+\)")
_RANGE = re.compile(
    r"[\s~]*(?:\\[,;: ])*\s*[a-zA-Z]\s*(?:=\s*\d+\s*,[\s\d,]*\\[lc]?dots|\\in\s*\\\{)"
)
# `RMS(u_t)`, but not the state `RMS(u, t)`
_ONE_ARGUMENT = re.compile(r"\s*\{?\s*(?:\\left\s*|\\[bB]igg?l?\s*)?\((?![^()]*,)")
#: Commands that set the same letters.
_SAME = dict.fromkeys(("bm", "pmb"), "boldsymbol")
_LOWERED = re.compile(r"(?P<letter>[A-Za-z]|\\[A-Za-z]+)\s*[_^]")
_SHAPE = re.compile(r"\s*_\s*(?:\{[^{}]*\}|\w)")
SCOPES = frozenset(("all", "per row", "per column"))
PHRASES = frozenset(("skip when", "evaluate at"))


def in_font(cutter: Cutter, font: str, text: str, start: int) -> None:
    """Add a letter or a word that is set in an alphabet of its own."""
    font = _SAME.get(font, font)
    if (lowered := _LOWERED.match(text)) is not None and _begins_scripts(
        cutter, lowered, font, start
    ):
        return
    greek = words.GREEK.get(text.removeprefix("\\")) if text.startswith("\\") else None
    inside = re.fullmatch(r"\\(?:mathrm|text|rm|mathbf)\s*\{?\s*([A-Za-z])\s*\}?", text)
    if text == "T" and cutter.in_superscript():
        cutter.put("SIGN", "top", start)
    elif greek is not None:
        cutter.put("GREEK", f"{font} {greek[0]}", start)
    elif inside is not None:
        cutter.put("LETTER", f"{font} {inside[1]}", start)
    elif len(text) == 1 and text.isalpha() and text.isascii():
        cutter.put("LETTER", f"{font} {text}", start)
    elif text == "1":  # a vector of ones, or an indicator
        cutter.put("WORD", f"{font} {text}", start)
    elif text.isdigit():  # `\\mathbf{0}`, a vector of zeros; `\\mathbf{0}_{m \\times n}`
        cutter.put("NUMBER", text, start)
        if text == "0" and (shape := _SHAPE.match(cutter.source.text, cutter.at, cutter.end)):
            cutter.at = shape.end()
    elif _WORD.fullmatch(text):
        cutter.put("WORD", f"{font} {JOINT.sub('_', text)}", start)
    else:
        place = Span(cutter.source, start, cutter.at)
        raise refuse("latex-text", f"expected a letter in `\\{font}`", place)


def _begins_scripts(cutter: Cutter, match: re.Match[str], font: str, start: int) -> bool:
    """`\\mathbf{m_t}` is a bold m with a time: its braces say nothing behind the letter."""
    letter = match["letter"].removeprefix("\\")
    inside = cutter.source.text.find(match[0], start, cutter.at)
    if inside < 0 or (match["letter"] != letter and letter not in words.GREEK):
        return False
    brace = Span(cutter.source, start, inside)
    cutter.at = inside + len(match["letter"])
    kind, name = ("LETTER", letter) if len(letter) == 1 else ("GREEK", words.GREEK[letter][0])
    cutter.put(kind, f"{font} {name}", start)
    cutter.opened.append((LOOSE, brace))
    return True


def condition_within(text: str, at: int, end: int) -> tuple[str, int, int, int] | None:
    """`\\text{if $x > 0$}`: the word, the places of its formula, and the end of the whole."""
    match = _CONDITION.match(text, at, end)
    if match is None:
        return None
    low, high = match.span("math" if match["math"] is not None else "other")
    return match["word"], low, high, match.end()


def in_words(cutter: Cutter, printed: str, text: str, start: int) -> None:
    """Add what the words in `\\text{...}` and its kin are: a name, a function, a connective."""
    if re.fullmatch(r"[A-Za-z]_\{?[tkn]\b.*", text):
        place = Span(cutter.source, start, cutter.at)
        hint = f"write `\\mathrm{{{text[0]}}}{text[1:]}`"
        raise refuse("latex-ambiguous", "a name, or a letter with a time?", place, hint)
    word = " ".join(text.split())
    if _is_remark(cutter, text, start):
        return
    if (headed := _HEADED.fullmatch(word)) is not None and cutter.last() in ("AMPERSAND", "COMMA"):
        in_words(cutter, printed, headed["if"], start)
        in_words(cutter, printed, headed["name"], start + len(text) - len(headed["name"]))
        return
    if (named := _GLOSSED.fullmatch(word)) is not None and not acting.TELLS_TO.search(word):
        in_words(cutter, printed, named["name"], start)
        return
    in_cases = bool(cutter.opened) and cutter.opened[-1][0] == "END_CASES"
    connective = words.CONNECTIVES.get(word.rstrip(".,:;").lower())
    prose = word != text or word.lower() in words.PROSE
    quoted = _QUOTED.fullmatch(text)
    if (
        connective
        and (in_cases or connective in ("AND", "OR", "NOT"))
        and not (connective == "AND" and cutter.outside())
    ):
        if connective in ("IF", "OTHERWISE"):
            cutter.drop_trailing(("COMMA", "SEMICOLON"))
        cutter.put(connective, connective.lower(), start)
    elif cutter.outside() and _joins(cutter, word):
        cutter.put("SEPARATOR", word, start)
    elif word in PHRASES and not cutter.tokens:
        cutter.put("PHRASE", word, start)
    elif word in SCOPES and not cutter.outside():
        cutter.put("SCOPE", word, start)
    elif quoted is not None:
        cutter.put("STRING", quoted[1].replace(r"\_", "_"), start)
    elif word == "T" and printed in ("\\mathrm", "\\rm", "\\textsf") and cutter.in_superscript():
        cutter.put("SIGN", "top", start)
    elif word in ("mod", "bmod") and cutter.last() in ENDS_OPERAND:
        cutter.put("MOD", "mod", start)
    elif word in words.FUNCTIONS:
        cutter.put("FUNCTION", words.FUNCTIONS[word], start)
    elif word == "RMS" and _ONE_ARGUMENT.match(cutter.source.text, cutter.at):
        cutter.put("FUNCTION", "rms", start)
    elif printed == "\\operatorname" and _WORD.fullmatch(word):
        cutter.put("OPERATOR", JOINT.sub("_", word), start)
    elif word.lower() in ("true", "false") and word == text:
        cutter.put("SIGN", word.lower(), start)
    elif printed == "\\mathrm" and _DOTTED.fullmatch(word.replace(r"\_", "_")):
        cutter.put("WORD", word.replace(r"\_", "_"), start)
    elif (_WORD.fullmatch(word) and not connective and not prose) or _is_lowered(cutter, word):
        cutter.put("WORD", JOINT.sub("_", word), start)
    else:
        place = Span(cutter.source, start, cutter.at)
        hint = "an equation may hold names, and `if` and `otherwise` within cases"
        raise refuse("latex-text", "these words are not understood", place, hint)


def _is_remark(cutter: Cutter, text: str, start: int) -> bool:
    """`m_0 = 0 \\text{ (first moment)}`: words in brackets that say nothing more."""
    if not (cutter.tokens and cutter.outside() and _BRACKETED.fullmatch(text)):
        return False
    formula = cutter.source.text[cutter.tokens[0].start_pos or 0 : start]
    said = f"{wording.FORMULA} {text}"
    unsaid = acting.unsaid(said, [formula], wording.FORMULA)
    starts = _FROM_ZERO.search(formula) is not None  # whatever is said, it starts so
    return unsaid is None and (starts or wording.limit(said) is None)


def _joins(cutter: Cutter, word: str) -> bool:
    """Do these words stand between two equations, or before the range of an index?"""
    behind = cutter.source.text[cutter.at : cutter.end]
    match word.rstrip(",:").lower():
        case "and":
            return True
        case "where" | "with":
            return _EQUATION.match(behind) is not None
        case "for":
            return _RANGE.match(behind) is not None
    return False


def _is_lowered(cutter: Cutter, word: str) -> bool:
    """A subscript may be a number set as text: a name's part, where `_0` may be a time."""
    return word.isdigit() and (cutter.last() == "SUB" or cutter.in_subscript())
