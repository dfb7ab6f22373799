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


def problem_of(name: str) -> str | None:
    """Return why `name` cannot name a file, a class and functions of C; None where it can.

    >>> problem_of("clipped_adamw"), problem_of("2fast")
    (None, 'it must be letters, digits and single underscores, and begin with a letter')
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", name) is None:
        return "it must be letters, digits and single underscores, and begin with a letter"
    from optdsl.codegen.c_names import HEADERS_OF_C, WORDS_OF_C

    module = snake_case(name)
    if {name, class_name(name), module} & WORDS_OF_C:
        return "it is a word of C or C++"
    if keyword.iskeyword(name) or keyword.iskeyword(class_name(name)):
        return "it is a word of Python"
    return f"{module}.h is a header of C" if module in HEADERS_OF_C else None


def class_name(name: str) -> str:
    """Return the name of the class of what a user named: as it is, if it has capitals.

    >>> class_name("clipped_adamw"), class_name("MyAdam")
    ('ClippedAdamw', 'MyAdam')
    """
    if name != name.lower():
        return name
    return "".join(part.capitalize() for part in name.split("_"))
