"""The words of LaTeX that the reader knows, each with what it is."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


#: Greek letters by command: our name, and the variant that sets two forms of a letter apart.
GREEK = {
    name: (name, "")
    for name in _words(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma "
        "tau upsilon phi chi psi omega Gamma Theta Lambda Xi Sigma Phi Psi Omega ell "
    )
} | {
    "var" + name: (name, "variant") for name in ("epsilon", "theta", "rho", "sigma", "phi", "kappa")
}

#: Functions by the name printed: ours.
FUNCTIONS = {
    name: name
    for name in (
        _words("min max abs sign sqrt exp log cos floor mod finite norm sum mean rms dot any ")
    )
} | {"ln": "log", "sgn": "sign"}

#: Functions that LaTeX, or a common macro, sets by a command of their own.
FUNCTION_COMMANDS = frozenset({"min", "max", "cos", "exp", "log", "ln", "sign", "sgn"})

ACCENTS = {
    "hat": "hat",
    "widehat": "hat",
    "tilde": "tilde",
    "widetilde": "tilde",
    "bar": "bar",
    "overline": "bar",
    "dot": "dot",
    "vec": "vec",
    "check": "check",
}

FONTS = frozenset(
    _words("mathbf mathcal mathbb mathsf mathfrak mathscr mathit boldsymbol bm mathtt ")
)
WORDS = frozenset(_words("text mathrm textrm textit textbf textsf texttt operatorname rm "))

SIGNS = {"pi": "pi", "infty": "inf", "top": "top", "intercal": "top"}

PLAIN = {
    "+": "PLUS",
    "-": "MINUS",
    "−": "MINUS",
    "*": "TIMES",
    "/": "SLASH",
    "_": "SUB",
    "^": "SUP",
    "=": "RELATION",
    "<": "COMPARE",
    ">": "COMPARE",
}

#: Commands that stand for one token: its type and its value.
COMMANDS = {
    **dict.fromkeys(("cdot", "odot", "circ", "ast", "star"), ("TIMES", "*")),
    "times": ("TIMES", "\\times"),
    "bmod": ("MOD", "mod"),
    "div": ("SLASH", "/"),
    **dict.fromkeys(("gets", "leftarrow", "longleftarrow", "coloneqq"), ("RELATION", ":=")),
    "triangleq": ("RELATION", "="),
    **dict.fromkeys(("le", "leq", "leqslant"), ("COMPARE", "<=")),
    **dict.fromkeys(("ge", "geq", "geqslant"), ("COMPARE", ">=")),
    **dict.fromkeys(("ne", "neq"), ("COMPARE", "!=")),
    "lt": ("COMPARE", "<"),
    "gt": ("COMPARE", ">"),
    "land": ("AND", "and"),
    "wedge": ("AND", "and"),
    "lor": ("OR", "or"),
    "vee": ("OR", "or"),
    "neg": ("NOT", "not"),
    "lnot": ("NOT", "not"),
    "frac": ("FRAC", "frac"),
    "dfrac": ("FRAC", "frac"),
    "tfrac": ("FRAC", "frac"),
    "sqrt": ("SQRT", "sqrt"),
    "nabla": ("NABLA", "nabla"),
    "partial": ("PARTIAL", "partial"),
    "Delta": ("DELTA", "Delta"),
    **{name: ("SIGN", sign) for name, sign in SIGNS.items()},
    **{name: ("ACCENT", mark) for name, mark in ACCENTS.items()},
    **{name: ("FUNCTION", FUNCTIONS[name]) for name in FUNCTION_COMMANDS},
}

#: Brackets as they are printed: the opening and the closing type of token.
OPENING = {
    "(": "LPAR",
    "[": "LBRACKET",
    "\\{": "LSET",
    "\\lbrace": "LSET",
    "\\lfloor": "LFLOOR",
    "\\lvert": "LBAR",
    "\\lVert": "LNORM",
}
CLOSING = {
    ")": "RPAR",
    "]": "RBRACKET",
    "\\}": "RSET",
    "\\rbrace": "RSET",
    "\\rfloor": "RFLOOR",
    "\\rvert": "RBAR",
    "\\rVert": "RNORM",
}
BARS = {"|": "BAR", "\\vert": "BAR", "\\|": "NORM", "\\Vert": "NORM"}

SIZES = frozenset(
    ["left", "right"]
    + [size + side for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")]
)

#: Commands that change how a formula looks and not what it says; the second group takes arguments.
LAYOUT = frozenset(
    _words("displaystyle textstyle scriptstyle limits nolimits nonumber notag strut mathstrut ")
    + [",", ";", ":", "!", " ", "/", ">", "thinspace", "medspace", "enspace", "hfill"]
)
LAYOUT_WITH_ARGUMENTS = {"hspace": 1, "vspace": 1, "rule": 2}
GAPS = frozenset({"quad", "qquad"})

ENVIRONMENTS = frozenset(
    _words("equation equation* align align* aligned gather gather* gathered split displaymath ")
)

#: Words inside a formula: `if` and its kin stand in `cases` only.
CONNECTIVES = {
    "if": "IF",
    "when": "IF",
    "otherwise": "OTHERWISE",
    "else": "OTHERWISE",
    "and": "AND",
    "or": "OR",
    "not": "NOT",
}

#: Words that say something about an equation and name nothing in it.
PROSE = frozenset(
    _words("where for with then while until since such that is are do end return repeat in on of")
)

#: What a person calls a type of token.
CALLED = {
    "NUMBER": "a number",
    "LETTER": "a symbol",
    "GREEK": "a symbol",
    "WORD": "a symbol",
    "FUNCTION": "a function",
    "SIGN": "a symbol",
    "NABLA": "a gradient",
    "PARTIAL": "a gradient",
    "DELTA": "a symbol",
    "ACCENT": "a symbol",
    "FRAC": "a fraction",
    "SQRT": "a root",
    "OPEN": "`{`",
    "CLOSE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LBRACKET": "`[`",
    "RBRACKET": "`]`",
    "LSET": "`\\{`",
    "RSET": "`\\}`",
    "LFLOOR": "`\\lfloor`",
    "RFLOOR": "`\\rfloor`",
    "LBAR": "`|`",
    "RBAR": "`|`",
    "LNORM": "`\\|`",
    "RNORM": "`\\|`",
    "LOPTION": "`[`",
    "ROPTION": "`]`",
    "PLUS": "`+`",
    "MINUS": "`-`",
    "TIMES": "a product sign",
    "SLASH": "`/`",
    "MOD": "`\\bmod`",
    "SUB": "a subscript",
    "SUP": "a superscript",
    "RELATION": "`=`",
    "COMMA": "`,`",
    "SEMICOLON": "`;`",
    "COLON": "`:`",
    "SEPARATOR": "another equation",
    "NEWLINE": "`\\\\`",
    "AMPERSAND": "`&`",
    "BEGIN_CASES": "cases",
    "END_CASES": "the end of the cases",
    "IF": "`if`",
    "OTHERWISE": "`otherwise`",
    "AND": "`and`",
    "OR": "`or`",
    "NOT": "`not`",
    "COMPARE": "a comparison",
    "PUNCTUATION": "`.`",
    "$END": "the end",
}
