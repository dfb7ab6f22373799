"""Parsers of the grammars of this package, from tables that are made ahead.

To make the tables of a grammar takes longer than most commands. `python -m optdsl.parsers` writes
them beside the grammar. Tables of another grammar, or of another version of Lark, are not read:
they are made anew then, each time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import lark
from lark import Lark
from lark.lexer import Lexer

from optdsl.files import write_text


@dataclass(frozen=True)
class Grammar:
    """The file `grammar.lark` of a package, and how it is read.

    `lexer` is None where the contextual one of Lark cuts the text.
    """

    package: str
    start: tuple[str, ...]
    lexer: type[Lexer] | None = None
    positions: bool = False

    def made(self, strict: bool = False) -> Lark:
        """Return the parser, its tables made from the grammar; `strict` refuses conflicts."""
        return Lark(
            self._text("grammar.lark"),
            parser="lalr",
            lexer=self.lexer or "contextual",
            start=list(self.start),
            propagate_positions=self.positions,
            maybe_placeholders=False,
            strict=strict,
        )

    def parser(self) -> Lark:
        """Return the parser, from the tables that are kept where they are those of the grammar."""
        kept = self.kept()
        if kept is None:
            return self.made()
        if self.lexer is not None:
            kept["data"]["options"]["lexer"] = self.lexer
            kept["data"]["parser"]["lexer_conf"]["lexer_type"] = self.lexer
        return Lark.load(kept)

    def tables(self) -> str:
        """Return the tables as they are kept: data, with the stamp of what they were made from."""
        from lark.grammar import Rule
        from lark.lexer import TerminalDef

        data, memo = self.made().memo_serialize([TerminalDef, Rule])
        if self.lexer is not None:
            data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = None
        kept = {"stamp": self.stamp, "data": data, "memo": memo}
        return json.dumps(kept, separators=(",", ":")) + "\n"

    @property
    def stamp(self) -> str:
        """What identifies the tables: the grammar, how it is read, and the version of Lark."""
        said = [lark.__version__, self.start, self.positions, self._text("grammar.lark")]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:40]

    def kept(self) -> dict[str, Any] | None:
        """Return the tables that are kept; None where they were made from something else."""
        try:
            kept = json.loads(self._text("tables.json"), object_hook=_numbered)
        except FileNotFoundError:
            return None
        return kept if kept["stamp"] == self.stamp else None

    def _text(self, name: str) -> str:
        return files(self.package).joinpath(name).read_text(encoding="utf-8")


def _numbered(read: dict[str, Any]) -> dict[str | int, Any]:
    """Return what is kept by number as it was: JSON knows names alone."""
    return {int(key) if key.isdecimal() else key: value for key, value in read.items()}


def _main() -> None:
    from optdsl.language.reading import GRAMMAR as SPECS
    from optdsl.latex.parsing import GRAMMAR as FORMULAS

    for grammar in (SPECS, FORMULAS):
        path = Path(str(files(grammar.package).joinpath("tables.json")))
        write_text(path, grammar.tables())
        print(path)


if __name__ == "__main__":
    _main()
