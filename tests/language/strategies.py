"""Hypothesis strategies for syntax trees: everything that a spec can say."""

import keyword

from hypothesis import strategies as st

from optdsl.language import syntax
from optdsl.language.statements import DEFINABLE, RESERVED

STRUCTURE = {"if", "else", "and", "or", "not", "for", "then", "per", "all"}
CONSTANTS = {"pi", "inf", "true", "false"}
COMMON = ["x", "m", "v", "eta", "beta1", "T", "E", "lambda", "theta", "g", "t", "hyper", "source"]
COMMON += ["where", "when", "in", "as", "gives", "eq", "because", "constant", "row", "state"]

printable = st.characters(
    exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"), exclude_characters="\xad"
)

words = st.sampled_from(COMMON) | st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
names = words.filter(lambda word: word not in STRUCTURE | CONSTANTS)
new_names = names.filter(lambda word: word not in RESERVED)
python_names = new_names.filter(lambda word: not keyword.iskeyword(word))
rule_names = new_names.map(str.capitalize).filter(lambda word: word not in RESERVED)
numbers = st.sampled_from(["0", "1", "2", "0.9", "1e-8", "3E+4", "100"]) | st.integers(
    0, 10**6
).map(str)
wholes = st.integers(1, 999)


def text_without(signs):
    return st.text(st.one_of(st.sampled_from(" #,)(]=abc-"), printable), max_size=12).map(
        lambda text: "".join(sign for sign in text if sign not in signs)
    )


docs = text_without('"')
latex = text_without("$")
comments = st.lists(text_without("").map(str.rstrip), max_size=2).map(tuple)
trailing = st.none() | text_without("").map(str.rstrip)

# ---------------------------------------------------------------- expressions

OPERATORS = ["+", "-", "*", "/", "^", "@", "<", "<=", ">", ">=", "==", "!=", "and", "or", "|"]

leaves = st.one_of(
    st.builds(syntax.Number, numbers),
    st.builds(syntax.Constant, st.sampled_from(sorted(CONSTANTS))),
    st.builds(syntax.String, docs),
    st.builds(syntax.Name, names),
)
TIMES = [
    syntax.Name("t"),
    syntax.Number("0"),
    syntax.Binary("-", syntax.Name("t"), syntax.Number("1")),
    syntax.Binary("+", syntax.Name("t"), syntax.Number("1")),
]


def tuples(items, low=0, high=3):
    return st.lists(items, min_size=low, max_size=high).map(tuple)


def larger(inner):
    scopes = st.builds(syntax.Scope, st.sampled_from(["all", "per row", "per column"]))
    dotted = st.lists(names, min_size=1, max_size=2).map(".".join)
    arguments = inner | st.builds(syntax.Keyword, dotted, inner) | scopes
    indices = tuples(st.sampled_from(TIMES) | inner, 1, 2)
    return st.one_of(
        st.builds(syntax.Name, names, indices),
        st.builds(syntax.Attribute, inner, names),
        st.builds(syntax.Unary, st.sampled_from(["-", "not"]), inner),
        *(st.builds(syntax.Binary, st.just(sign), inner, inner) for sign in "+-*/^"),
        st.builds(syntax.Binary, st.sampled_from(OPERATORS), inner, inner),
        st.builds(syntax.Conditional, inner, inner, inner),
        st.builds(syntax.Call, names, tuples(arguments)),
        st.builds(syntax.Tuple, tuples(inner, 1)),
        st.builds(syntax.Sequence, inner, inner, inner),
    )


expressions = st.recursive(leaves, larger, max_leaves=8)
calls = st.builds(syntax.Call, names, tuples(expressions, 0, 2))


def open_conditionals(inner):
    return st.builds(syntax.Conditional, expressions, expressions, inner)


#: The value of an equation, whose last `if` may go without `else`.
values = expressions | st.recursive(st.none(), open_conditionals, max_leaves=3).filter(bool)

# ----------------------------------------------------------------- statements

below = {"comments": comments, "trailing_comment": trailing, "gap": st.booleans()}
bounds = st.recursive(
    st.builds(syntax.Number, numbers)
    | st.builds(syntax.Name, names)
    | st.just(syntax.Constant("inf")),
    lambda inner: st.builds(syntax.Unary, st.just("-"), inner),
    max_leaves=2,
)
ranges = st.builds(syntax.Range, bounds, bounds)
intervals = st.builds(syntax.Interval, expressions, expressions, st.booleans(), st.booleans())
indexed = tuples(st.sampled_from(TIMES) | expressions, 0, 2)
targets = st.builds(
    syntax.Name, names.filter(lambda name: name not in RESERVED - DEFINABLE), indexed
)
aliases = st.builds(
    syntax.Alias, names.filter(lambda n: not keyword.iskeyword(n)), st.none() | wholes
)

hypers = st.builds(
    syntax.Hyper,
    name=new_names,
    indices=indexed,
    alias=st.none() | aliases,
    default=st.none() | expressions,
    domain=st.none() | ranges | intervals,
    doc=st.none() | docs,
    **below,
).filter(lambda hyper: hyper.alias is not None or not keyword.iskeyword(hyper.name))

tags = st.from_regex(r"[A-Za-z0-9]+(?:[-._:][A-Za-z0-9]+){0,2}", fullmatch=True).filter(
    lambda tag: not tag.replace("-", "").isdecimal() or "-" not in tag
)
document_names = st.from_regex(r"[A-Za-z](?:[-.]?[A-Za-z0-9_]){0,6}", fullmatch=True)
documents = st.builds(
    syntax.Document,
    document_names,
    tuples(tags, 1) | st.integers(0, 30).map(lambda n: tuple(str(n + i) for i in range(4))),
)


@st.composite
def claims(draw):
    verb = draw(st.sampled_from(["source", "equals", "differs", "unreadable"]))
    others = {"source": documents, "unreadable": documents, "equals": expressions}
    bindings = st.builds(syntax.Where, latex, st.just(True), expressions) | st.builds(
        syntax.Where, names, st.just(False), expressions
    )
    return draw(
        st.builds(
            syntax.Claim,
            verb=st.just(verb),
            other=others.get(verb, documents | expressions),
            gives=st.none() | names,
            constant=tuples(names, 0, 2),
            where=tuples(bindings, 0, 2),
            when=tuples(st.builds(syntax.When, names, expressions), 0, 2),
            because=st.none() | docs,
            **below,
        )
    )


statements = st.one_of(
    hypers,
    st.builds(syntax.Index, name=new_names, range=ranges, **below),
    st.builds(syntax.Input, name=new_names, doc=st.none() | docs, **below),
    st.builds(
        syntax.Equation, targets=tuples(targets, 1), value=values, doc=st.none() | docs, **below
    ),
    st.builds(syntax.Draw, target=targets, distribution=calls, doc=st.none() | docs, **below),
    st.builds(syntax.SkipWhen, condition=expressions, **below),
    st.builds(syntax.Evaluate, point=expressions, **below),
    st.builds(
        syntax.Storage,
        name=names,
        format=names,
        block=st.none() | wholes,
        rounding=st.none() | st.sampled_from(["stochastic", "compensated"]),
        **below,
    ),
    claims(),
)


@st.composite
def definitions(draw):
    family = draw(st.sampled_from(["optimizer", "schedule", "transform"]))
    kind = draw(st.sampled_from(["equations", "extends", "composition"]))
    gives = (
        st.just(())
        if family == "optimizer"
        else tuples(new_names, 1 if kind == "equations" else 0, 2)
    )
    composed = kind == "composition"
    extends = expressions if kind == "extends" else st.none() | expressions
    return draw(
        st.builds(
            syntax.Definition,
            family=st.just(family),
            name=rule_names,
            parameters=tuples(new_names, 0, 2),
            extends=extends,
            gives=gives,
            doc=st.none() | docs,
            value=expressions if composed else st.none(),
            statements=tuples(claims() if composed else statements, 1, 4),
            **below,
        )
    )


files = st.builds(
    syntax.File,
    st.lists(definitions(), max_size=3, unique_by=lambda definition: definition.name).map(tuple),
    comments,
)
