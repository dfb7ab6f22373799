"""Names of files and modules for names of rules."""

from __future__ import annotations

import keyword
import re


def snake_case(name: str) -> str:
    """Return a module name for a rule or a file.

    >>> snake_case("ClipByGlobalNorm"), snake_case("RMSprop"), snake_case("my-rule 2")
    ('clip_by_global_norm', 'rmsprop', 'my_rule_2')
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name)
    plain = re.sub(r"\W+", "_", parted, flags=re.ASCII).strip("_").lower()
    if not plain or plain[0].isdigit() or keyword.iskeyword(plain):
        return f"rule_{plain}".rstrip("_")
    return plain
