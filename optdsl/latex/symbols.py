"""From a name of the language to the LaTeX that is read as that name."""

from __future__ import annotations

import re
from functools import cache

from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax
from optdsl.latex.equations import read_symbol
from optdsl.latex.vocabulary import ACCENTS, GREEK

_LETTERS = sorted((name for name, (ours, _) in GREEK.items() if name == ours), key=len)
_MARKS = {"hat": "hat", "tilde": "tilde", "bar": "bar", "dot": "dot", "vec": "vec"}
_SHAPE = re.compile(
    rf"(?P<letter>{'|'.join(reversed(_LETTERS))}|[A-Za-z])"
    rf"(?P<marks>(?:{'|'.join(_MARKS)})*)(?P<digits>\d*)(?P<words>(?:_[A-Za-z0-9]+)*)"
)
_STATISTIC = re.compile(r"(?P<head>RMS|E)_(?P<inside>[A-Za-z_]+?)(?P<power>\d?)")

assert set(_MARKS) <= set(ACCENTS)


def write_name(name: syntax.Name, plain: bool = False) -> str:
    r"""Return the LaTeX of a name with its time; `plain` spells its letters out.

    >>> write_name(syntax.Name("beta1")), write_name(syntax.Name("mhat", (syntax.Name("t"),)))
    ('\\beta_{1}', '\\hat{m}_{t}')
    """
    index = _indices(name)
    times = tuple(one for one in name.indices if not _is_member(one))
    alone = syntax.Name(name.name, times)  # what runs over a range is known beside its range
    spelled = name.name.replace("_", r"\_")
    candidates = [] if plain else _candidates(name.name)
    candidates += [(rf"\{command}{{{spelled}}}", []) for command in ("mathrm", "mathit")]
    for base, below in candidates:
        if _reads_as(_with_subscript(base, [*below, *_indices(alone)]), alone):
            return _with_subscript(base, [*below, *index])
    return _with_subscript(rf"\mathrm{{{spelled}}}", index)


def _is_member(index: syntax.Expression) -> bool:
    """Is it a letter that runs over a range, or the letter and a number?"""
    head = index.left if isinstance(index, syntax.Binary) else index
    return isinstance(head, syntax.Name) and head.name != "t"


def _candidates(name: str) -> list[tuple[str, list[str]]]:
    """Return ways to print a name: what stands on the line, and the words and numbers below."""
    found: list[tuple[str, list[str]]] = []
    statistic = _STATISTIC.fullmatch(name)
    if statistic and (statistic["power"] or statistic["head"] == "RMS"):
        inside = write_name(syntax.Name(statistic["inside"]))
        power = f"^{{{statistic['power']}}}" if statistic["power"] else ""
        found.append((f"{statistic['head']}[{inside}{power}]", []))
    if name.startswith("Delta_"):
        found += [(rf"\Delta {base}", below) for base, below in _candidates(name[6:])]
    shape = _SHAPE.fullmatch(name)
    if shape:
        base = shape["letter"] if len(shape["letter"]) == 1 else "\\" + shape["letter"]
        for mark in re.findall("|".join(_MARKS), shape["marks"]):
            base = rf"\{mark}{{{base}}}"
        below = [shape["digits"]] if shape["digits"] else []
        below += [rf"\text{{{word}}}" for word in shape["words"].split("_")[1:]]
        found.append((base, below))
    return found


def _indices(name: syntax.Name) -> list[str]:
    """Return the indices as they stand below the line."""
    texts = []
    for index in name.indices:
        match index:
            case syntax.Name(letter, ()):
                texts.append(letter)
            case syntax.Number(text):
                texts.append(text)
            case syntax.Binary("+" | "-" as sign, syntax.Name(letter, ()), syntax.Number(text)):
                texts.append(f"{letter}{sign}{text}")
            case _:
                texts.append(r"\cdot")
    return texts


def _with_subscript(base: str, below: list[str]) -> str:
    return f"{base}_{{{','.join(below)}}}" if below else base


@cache
def _reads_as(text: str, name: syntax.Name) -> bool:
    """Is `text` read as `name`? Numbered times are known only beside the name's others."""
    numbered = [isinstance(index, syntax.Number) for index in name.indices]
    if any(numbered):
        wanted = syntax.Name(name.name, (syntax.Name("t"),))
        return _reads_as(re.sub(r"(\d+)\}$", "t}", text), wanted)
    try:
        return read_symbol(text) == name
    except DiagnosticError:
        return False
