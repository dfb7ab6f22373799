"""Spellings that mean what another one means: `{\\rm T}`, `{+}`, `^\\prime`, `\\vec{0}`, `==`."""

from __future__ import annotations

import re

from optdsl.diagnostics import Span
from optdsl.latex import texts
from optdsl.latex import vocabulary as words
from optdsl.latex.cutting import Cutter
from optdsl.latex.operands import LOOSE
from optdsl.latex.problems import refuse
from optdsl.latex.scanning import take_argument

_LONE_SIGN = re.compile(r"\{\s*([-+*/<>])\s*\}")
_SUMMAND = re.compile(r"\{\s*[-+]")
_COLOURED = re.compile(r"\\color\s*\{[^{}]*\}\s*\Z")
_PRIMES = re.compile(r"\^\s*(?:\\prime(?![a-z])|\{\s*(?:\\prime\s*)+\})")
_OLD_FONT = re.compile(
    r"\{\s*\\(?P<font>rm|bf|it|sf|tt|cal)(?![A-Za-z])\s*(?P<text>[A-Za-z]+|\\[A-Za-z]+)\s*\}"
)
_UPRIGHT = re.compile(
    r"\\mathop\s*\{\s*\\(?:mathrm|rm|text|textrm|mathsf|operatorname)\s*\{?\s*(?P<text>[A-Za-z]+)"
    r"\s*\}?\s*\}"
)
_ZERO = re.compile(r"\\vec\s*(?:\{\s*(?:\\math(?:bf|rm)\s*\{?)?\s*0\s*\}?\s*\}|0)")
_TAKES = re.compile(
    rf"\\(?P<name>{'|'.join(sorted(words.FUNCTION_COMMANDS))})\*?\s*(?P<option>\[[^\[\]]*\])?\s*(?=\{{)"
)
_CLOSES = {"RNORM}": "RNORM", "RBAR}": "RBAR", "RPAR}": "RPAR"}
_SIZED = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\s*")
_PARTNERS = {"(": ")", "[": "]", "\\{": "\\}"}
_BETWEEN = re.compile(r"\\(?:short)?intertext\s*(?=\{)")
_ORACLE = re.compile(r"\\in\s*(?P<nabla>\\partial)(?![A-Za-z])(?=\s*\\?[A-Za-z])")


def respelled(cutter: Cutter) -> bool:
    """Cut what stands here if it is such a spelling; False where it is none."""
    text, at, end = cutter.source.text, cutter.at, cutter.end
    match text[at]:
        case "=" if text.startswith("==", at):
            cutter.add("COMPARE", "==", 2)
        case "^" if primes := _PRIMES.match(text, at, end):
            cutter.add("PRIME", "prime" * primes[0].count("prime"), len(primes[0]))
        case "{" if cutter.last() not in ("SUB", "SUP") and (
            sign := _LONE_SIGN.match(text, at, end)
        ):
            cutter.add(words.PLAIN[sign[1]], sign[1], len(sign[0]))
        case "{" if _SUMMAND.match(text, at, end) and _COLOURED.search(text[:at]):
            cutter.opened.append((LOOSE, cutter.span(1)))  # `x \\color{blue}{+ y}`
            cutter.at += 1
        case "}" if cutter.opened and cutter.opened[-1][0] == LOOSE:
            cutter.opened.pop()
            cutter.at += 1
        case "}" if cutter.opened and cutter.opened[-1][0] in _CLOSES:
            cutter.add(_CLOSES[cutter.opened.pop()[0]], "}", 1)
        case "{" if old := _OLD_FONT.match(text, at, end):
            cutter.at = old.end()
            if old["font"] == "rm" and not old["text"].startswith("\\"):
                texts.in_words(cutter, "\\mathrm", old["text"], at)
            else:
                texts.in_font(cutter, f"math{old['font']}", old["text"], at)
        case "\\":
            return _command(cutter)
        case _:
            return False
    return True


def _command(cutter: Cutter) -> bool:
    text, at, end = cutter.source.text, cutter.at, cutter.end
    if upright := _UPRIGHT.match(text, at, end):
        cutter.at = upright.end()
        texts.in_words(cutter, "\\operatorname", upright["text"], at)
    elif zero := _ZERO.match(text, at, end):
        cutter.add("NUMBER", "0", len(zero[0]))
    elif oracle := _ORACLE.match(text, at, end):  # any subgradient: what the oracle gives
        cutter.add("RELATION", "=", oracle.start("nabla") - at)
        cutter.add("NABLA", "nabla", len(oracle["nabla"]))
    elif taken := _TAKES.match(text, at, end):
        _argument(cutter, taken)
    elif between := _BETWEEN.match(text, at, end):
        cutter.at = between.end()
        if "$" in cutter.argument(between[0]):
            place = Span(cutter.source, at, cutter.at)
            hint = "put its formulas into rows of their own"
            raise refuse("latex-text", "formulas between the rows", place, hint)
    else:
        return False
    return True


def _argument(cutter: Cutter, taken: re.Match[str]) -> None:
    """`\\norm{x}_2`: what is in the braces, and no more, is what the function is taken of."""
    name = taken["name"]
    if taken["option"] and not re.fullmatch(r"\[\s*\\[bB]igg?\s*\]", taken["option"]):
        place = Span(cutter.source, *taken.span("option"))
        message = "what this says of the norm is not understood"
        raise refuse("latex-command", message, place, "write `\\|x\\|_1`")
    inner, _ = take_argument(cutter.source, taken.end(), cutter.end, taken[0])
    bracketed = _is_bracketed(inner)
    if name in ("norm", "abs"):
        kind = {"norm": "NORM", "abs": "BAR"}[name]
        cutter.opened.append((f"R{kind}}}", cutter.span(taken.end() - cutter.at)))
        cutter.add(f"L{kind}", taken[0], taken.end() + 1 - cutter.at)
        return
    cutter.add("FUNCTION", words.FUNCTIONS[name], taken.end() - cutter.at)
    cutter.opened.append((LOOSE if bracketed else "RPAR}", cutter.span(1)))
    if bracketed:
        cutter.at += 1
    else:
        cutter.add("LPAR", "{", 1)


def _is_bracketed(text: str) -> bool:
    """Is it one bracket, from its first sign to its last?"""
    marks = re.findall(r"\\.|.", _SIZED.sub("", text).strip(), re.DOTALL)
    closes = _PARTNERS.get(marks[0]) if marks else None
    if closes is None:
        return False
    depth = 0
    for place, mark in enumerate(marks):
        depth += (mark == marks[0]) - (mark == closes)
        if depth == 0:
            return place == len(marks) - 1
    return False
