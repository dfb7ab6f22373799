"""The words of LaTeX that the reader knows, each with what it is."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


#: Greek letters by command: our name, and the variant that sets two forms of a letter apart.
GREEK = {
    name: (name, "")
    for name in _words(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma "
        "tau upsilon phi chi psi omega Gamma Theta Lambda Xi Pi Sigma Phi Psi Omega ell "
        "aleph beth gimel daleth "
    )
} | {
    "var" + name: (name, "variant") for name in ("epsilon", "theta", "rho", "sigma", "phi", "kappa")
}

#: Functions by the name printed: ours.
FUNCTIONS = {
    name: name
    for name in (
        _words("min max abs sign sqrt exp log cos floor mod finite norm sum mean rms dot any clip ")
    )
} | {"ln": "log", "sgn": "sign", "Sign": "sign", "Clip": "clip"}

#: Functions that LaTeX, or a common macro, sets by a command of their own.
FUNCTION_COMMANDS = frozenset(
    {"min", "max", "cos", "exp", "log", "ln", "sign", "sgn", "abs", "norm"}
)

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
    "widecheck": "check",
    "breve": "breve",
    "underline": "underline",
}

FONTS = frozenset(
    _words("mathbf mathcal mathbb mathsf mathfrak mathscr mathit boldsymbol bm mathtt pmb ")
)
WORDS = frozenset(
    _words("text mathrm textrm textit textbf textsf texttt operatorname rm mbox textnormal textsc ")
    + _words("textup textsl ")
)

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
    **dict.fromkeys(("cdot", "ast", "star"), ("TIMES", "*")),
    **dict.fromkeys(("odot", "circ"), ("TIMES", "\\odot")),
    "times": ("TIMES", "\\times"),
    **dict.fromkeys(("bmod", "mod", "%"), ("MOD", "mod")),
    "div": ("SLASH", "/"),
    "oslash": ("SLASH", "\\oslash"),
    **dict.fromkeys(("gets", "leftarrow", "longleftarrow"), ("RELATION", ":=")),
    **dict.fromkeys(("Leftarrow", "coloneqq", "coloneq", "defeq"), ("RELATION", ":=")),
    **dict.fromkeys(("triangleq", "doteq"), ("RELATION", "=")),
    "sim": ("RELATION", "~"),
    "equiv": ("EQUIVALENT", "=="),
    "pmod": ("PMOD", "mod"),
    "in": ("MEMBER", "in"),
    **dict.fromkeys(("dots", "ldots", "cdots", "dotsc"), ("DOTS", "...")),
    "sum": ("BIG", "sum"),
    "prod": ("BIG", "prod"),
    **dict.fromkeys(("le", "leq", "leqslant"), ("COMPARE", "<=")),
    **dict.fromkeys(("ge", "geq", "geqslant"), ("COMPARE", ">=")),
    **dict.fromkeys(("ne", "neq"), ("COMPARE", "!=")),
    "lt": ("COMPARE", "<"),
    "gt": ("COMPARE", ">"),
    "land": ("AND", "and"),
    "wedge": ("AND", "wedge"),
    "lor": ("OR", "or"),
    "vee": ("OR", "vee"),
    "neg": ("NOT", "not"),
    "lnot": ("NOT", "not"),
    "frac": ("FRAC", "frac"),
    "dfrac": ("FRAC", "frac"),
    "tfrac": ("FRAC", "frac"),
    "cfrac": ("FRAC", "frac"),
    "nicefrac": ("FRAC", "frac"),
    "sfrac": ("FRAC", "frac"),
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
    "\\lceil": "LCEIL",
    "\\langle": "LANGLE",
    "\\lvert": "LBAR",
    "\\lVert": "LNORM",
}
CLOSING = {
    ")": "RPAR",
    "]": "RBRACKET",
    "\\}": "RSET",
    "\\rbrace": "RSET",
    "\\rfloor": "RFLOOR",
    "\\rceil": "RCEIL",
    "\\rangle": "RANGLE",
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
    + _words("thinspace medspace thickspace negthinspace enspace enskip hfill hfil noindent ")
    + _words("scriptscriptstyle centering small footnotesize normalsize large allowbreak ")
    + _words("hline noalign break smallskip medskip bigskip relax protect")
    + [",", ";", ":", "!", " ", "/", ">", "\n"]
)
#: Commands whose arguments say nothing either: how many they take.
LAYOUT_WITH_ARGUMENTS = {
    **dict.fromkeys(("hspace", "vspace", "kern", "color", "phantom", "hphantom", "vphantom"), 1),
    "rule": 2,
}
#: Commands that show their last argument as it is, after so many others.
WRAPPERS = {
    **dict.fromkeys(("boxed", "fbox", "mathop", "mathrel", "mathbin", "mathord", "smash"), 0),
    **dict.fromkeys(("mathopen", "mathclose", "mathinner", "ensuremath", "mathstrut"), 0),
    **dict.fromkeys(("textcolor", "colorbox", "mathcolor", "cellcolor"), 1),
}
GAPS = frozenset({"quad", "qquad"})

ENVIRONMENTS = frozenset(
    _words("equation equation* align align* aligned gather gather* gathered split displaymath ")
    + _words("eqnarray eqnarray* multline multline* flalign flalign* subequations math alignat ")
    + _words("alignat* alignedat dmath dmath* IEEEeqnarray IEEEeqnarray* array gathered")
)
#: Environments that take an argument behind their name: columns, or how many of them.
COLUMNS = frozenset(_words("alignat alignat* alignedat IEEEeqnarray IEEEeqnarray* array"))
CASES = frozenset(_words("cases dcases cases* dcases* rcases"))

#: Words inside a formula: `if` and its kin stand in `cases` only.
CONNECTIVES = {
    **dict.fromkeys(("if", "when", "for", "where", "while", "else if", "elseif"), "IF"),
    **dict.fromkeys(("otherwise", "else", "o.w", "o/w", "in all other cases"), "OTHERWISE"),
    "and": "AND",
    "or": "OR",
    "not": "NOT",
}

#: Words that say something about an equation and name nothing in it.
PROSE = frozenset(
    _words("where for with then while until since such that is are do end return repeat in on of")
)

#: Words of an algorithm's line that say what the formulas beside them say, too.
ALGORITHM = frozenset(
    _words("initialize initialise initialized init initial compute calculate set update")
    + _words("updates let updating get take make apply define obtain form perform store")
    + _words("maintain do accumulate accumulation accumulator accumulators accumulated")
    + _words("accumulating the and with as a an of at by via its our this be is in gradient")
    + _words("gradients stochastic minibatch mini-batch training loss step steps timestep")
    + _words("time size sizes multiplier moment moments first second third estimate")
    + _words("estimates estimation estimator biased bias unbiased corrected bias-corrected")
    + _words("debiased correction corrections parameter parameters weight weights momentum")
    + _words("velocity variable variables variance mean raw uncentered squared square")
    + _words("squares moving average averages averaged averaging exponential ema emas")
    + _words("running fast slow learning rate rates adaptive element-wise elementwise")
    + _words("entrywise vector vectors matrix model iterate iterates point buffer buffers")
    + _words("state states preconditioner preconditioners preconditioned statistics new")
    + _words("current effective direction directions search descent decay decayed decoupled")
    + _words("scaling scale factor factors ratio trust local global layer-wise layerwise")
    + _words("layer coefficient perturbation interpolation interpolated schedule scheduler")
    + _words("lr outer inner auxiliary value values following rule difference differences")
    + _words("norm mask using term clip clipped clipping normalize normalise normalized")
    + _words("normalised normalization projection project projected perturb perturbed scaled")
    + _words("add subtract multiply it then now finally next both where")
)

#: Words that describe in a remark: more than a line may hold, and nothing that is done.
DESCRIBES = frozenset(
    _words("for to from wrt respect timestep objective function params batch mini sample samples")
    + _words("data example examples initial initialization optional default standard usual")
    + _words("product hadamard division root power row rows column columns col entry entries")
    + _words("here see eq eqn equation section algorithm line appendix denotes denote means so")
    + _words("each all any these those which that their them are has have been we note aka")
    + _words("th nd st rd sgd adam adamw coefficients constant constants term terms theta")
    + _words("betas beta epsilon eta decoupled weighted sum sums ie eg cf also used given number")
    + _words("iteration iterations epoch set vector-wise coordinate-wise coordinatewise per")
)

#: Commands that say what the language has no word for, and what to write instead.
INSTEAD = {
    "forall": "what is said of every entry needs no quantifier; sums over sets are not read",
    **dict.fromkeys(
        ("arg", "argmin", "argmax"), "write the point that it is, or declare it as a function"
    ),
    "lim": "write the value that it comes to",
    **dict.fromkeys(("sup", "inf"), "write `\\max` or `\\min` of what is compared"),
    "int": "write the value that it comes to",
    **dict.fromkeys(("pm", "mp"), "write one equation for each sign"),
    **dict.fromkeys(("approx", "simeq", "propto"), "write what is computed, with `=`"),
    "otimes": "an outer product is as wide as the parameter squared; write its entries",
    "succeq": "write a comparison of numbers",
}

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
    "LCEIL": "`\\lceil`",
    "RCEIL": "`\\rceil`",
    "LANGLE": "`\\langle`",
    "RANGLE": "`\\rangle`",
    "AT": "`|`",
    "BIG": "a sum",
    "DOTS": "`\\dots`",
    "ONTO": "`\\dots`",
    "MEMBER": "`\\in`",
    "SET": "a set",
    "PMOD": "`\\pmod`",
    "EQUIVALENT": "`\\equiv`",
    "SCOPE": "`\\text{all}`",
    "STRING": "a text",
    "PHRASE": "a condition",
    "OPERATOR": "a function",
    "PRIME": "a prime",
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
