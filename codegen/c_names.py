"""Names that C and C++ take."""

from __future__ import annotations

from optdsl.codegen.naming import identifier

#: Words that name nothing else in C or C++.
WORDS_OF_C = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const const_cast constexpr continue decltype default delete do
    double dynamic_cast else enum explicit export extern false float for friend goto if inline int
    long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected
    public register reinterpret_cast requires restrict return short signed sizeof static
    static_assert static_cast struct switch template this thread_local throw true try typedef
    typeid typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq
    """.split()  # noqa: SIM905
)
#: Headers of C, which a header of ours beside them would hide.
HEADERS_OF_C = frozenset(
    """
    assert complex ctype errno fenv float inttypes iso646 limits locale math memory setjmp signal
    stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads
    time uchar wchar wctype
    """.split()  # noqa: SIM905
)
_MACROS = frozenset({"NAN", "INFINITY"})


def c_name(name: str) -> str:
    """Return `name` as an identifier of C and C++.

    >>> c_name("AdamW.eta"), c_name("new")
    ('AdamW_eta', 'new_')
    """
    plain = identifier(name)
    return f"{plain}_" if plain in WORDS_OF_C | _MACROS else plain
