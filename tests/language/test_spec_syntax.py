"""What each construct of the language becomes in the tree."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, format_file, normalize_time, parse, parse_expression
from optdsl.language.syntax import (
    Alias,
    Binary,
    Call,
    Conditional,
    Constant,
    Document,
    Hyper,
    Interval,
    Keyword,
    Name,
    Number,
    Range,
    Sequence,
    Storage,
    Tuple,
    Unary,
    When,
    Where,
)


def statement(text):
    return parse(f"optimizer A\n  {text}").definitions[0].statements[0]


@pytest.mark.parametrize(
    ("text", "bracketed"),
    [
        ("-x^2", "-(x^2)"),
        ("2^3^2", "2^(3^2)"),
        ("x^-1", "x^(-1)"),
        ("2^-x^2", "2^(-(x^2))"),
        ("a - b - c", "(a - b) - c"),
        ("a/b*c", "(a/b)*c"),
        ("a*-b", "a*(-b)"),
        ("-a*b", "(-a)*b"),
        ("a + b*c^d", "a + (b*(c^d))"),
        ("A@B.T@C", "(A@(B.T))@C"),
        ("not a and b", "(not a) and b"),
        ("not a == b", "not (a == b)"),
        ("a or b and c", "a or (b and c)"),
        ("a + 1 < b*2", "(a + 1) < (b*2)"),
        ("a if p else b if q else c", "a if p else (b if q else c)"),
        ("A | B | C", "(A | B) | C"),
        ("A | B if p else C", "(A | B) if p else C"),
        ("A for 1 then B for 2 then C", "A for 1 then (B for 2 then C)"),
        ("A if p else B for 3 then C", "(A if p else B) for 3 then C"),
        ("√x*y", "sqrt(x)*y"),
        ("x²*y", "(x^2)*y"),
    ],
)
def test_precedence(text, bracketed):
    assert parse_expression(text) == parse_expression(bracketed)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("β₁·m[t−1]", "beta1*m[t-1]"),
        ("m̂/(√v̂ + ε)", "mhat/(sqrt(vhat) + epsilon)"),
        ("ĝ", "ghat"),
        ("√(x²)", "sqrt(x^2)"),
        ("x⁻¹²", "x^-12"),
        ("2 × λ ⋅ θ[t]", "2*lambda*theta[t]"),
        ("a ≤ b", "a <= b"),
        ("a ≥ b", "a >= b"),
        ("a ≠ b", "a != b"),
        ("min(∞, π)", "min(inf, pi)"),
        ("Γ + µ + μ", "Gamma + mu + mu"),
    ],
)
def test_other_signs_mean_ascii(text, meaning):
    expression = parse_expression(text)
    assert expression == parse_expression(meaning)
    assert format_expression(expression) == meaning


def test_spans_count_the_signs_as_written():
    expression = parse_expression("β₁·m̂[t−1] + v")
    assert expression.left.left.span.text == "β₁"
    assert expression.left.right.span.text == "m̂[t−1]"
    assert expression.right.span.text == "v"


def test_hyper():
    assert statement('hyper beta1 as betas[1] = 0.9 in [0, 1) "decay"') == Hyper(
        name="beta1",
        alias=Alias("betas", 1),
        default=Number("0.9"),
        domain=Interval(Number("0"), Number("1"), False, True),
        doc="decay",
    )
    tuple_of_three = statement("hyper beta[i] as betas = (0, 0.9, 0.99) in [0, 1)")
    assert tuple_of_three.indices == (Name("i"),)
    assert tuple_of_three.default == Tuple((Number("0"), Number("0.9"), Number("0.99")))
    assert statement("hyper k in 1..inf").domain == Range(Number("1"), Constant("inf"))


def test_storage():
    assert statement("state m : bfloat16") == Storage(name="m", format="bfloat16")
    assert statement("state v : int8 blockwise(256)") == Storage(name="v", format="int8", block=256)


def test_equations():
    assert statement("m[0] = v[0] = 0").targets == (
        Name("m", (Number("0"),)),
        Name("v", (Number("0"),)),
    )
    assert statement('a = 1 "one"').doc == "one"
    kept = statement("D[t] = 1 if p else 2 if q").value
    assert kept == Conditional(Number("1"), Name("p"), Conditional(Number("2"), Name("q"), None))


def test_keywords_are_names_elsewhere():
    for word in ("hyper", "index", "input", "skip", "state", "source", "equals", "where", "in"):
        assert statement(f"{word} = 2*{word}[t-1] + {word}").targets == (Name(word),)
        assert statement(f"{word}[t] = {word}(1)").value == Call(word, (Number("1"),))
    assert statement("skip when when == 1").condition == Binary("==", Name("when"), Number("1"))


def test_rules_as_values():
    assert parse_expression("0.1*Cosine(T=100)") == Binary(
        "*", Number("0.1"), Call("Cosine", (Keyword("T", Number("100")),))
    )
    assert parse_expression("AdamW(AdamW.eta=3e-4)").arguments == (
        Keyword("AdamW.eta", Number("3e-4")),
    )
    assert isinstance(parse_expression("A for 1000 then B"), Sequence)


def test_claims():
    claim = statement(
        "equals Nesterov for constant eta, gamma where v = eta*v[t], $\\beta_{1}$ = -gamma "
        'when gamma = 0, eta = 1 gives u because "so"'
    )
    assert claim.constant == ("eta", "gamma")
    assert claim.where == (
        Where("v", False, parse_expression("eta*v[t]")),
        Where("\\beta_{1}", True, Unary("-", Name("gamma"))),
    )
    assert claim.when == (When("gamma", Number("0")), When("eta", Number("1")))
    assert (claim.gives, claim.because) == ("u", "so")


def test_claims_take_their_clauses_in_any_order():
    one = statement('equals A because "so" gives u when a = 0 where b = c for constant d')
    other = statement('equals A for constant d where b = c when a = 0 gives u because "so"')
    assert one == other


def test_documents():
    assert statement("source ruder2016 eq 19-21, 4").other == Document(
        "ruder2016", ("19", "20", "21", "4")
    )
    assert statement("differs raschka2021-l12 eq velocity, adam-update").other == Document(
        "raschka2021-l12", ("velocity", "adam-update")
    )
    assert statement("differs Momentum").other == Name("Momentum")
    text = format_file(parse("optimizer A\n  source d eq 1, 2, 3, 5, x, 7-8"))
    assert "eq 1-3, 5, x, 7-8\n" in text


# --------------------------------------------------------------------- layout


def test_a_line_indented_deeper_continues_the_one_above():
    definition = parse(
        "optimizer A\n"
        "    m[t] = 1 # one\n"
        "       # between\n"
        "      + 2\n"
        "\n"
        "        + 3 # three\n"
        "    n = 4\n"
    ).definitions[0]
    first, second = definition.statements
    assert first.value == parse_expression("1 + 2 + 3")
    assert first.value.right.span.text == "3"
    assert first.comments == ("one", "between")
    assert first.trailing_comment == "three"
    assert second.targets == (Name("n"),)


def test_the_value_of_a_composition_may_stand_below_its_header():
    text = 'optimizer A =  # why\n  B |\n     C\n  "doc"\n  equals D\n'
    definition = parse(text).definitions[0]
    assert definition.value == parse_expression("B | C")
    assert definition.doc == "doc"
    assert len(definition.statements) == 1
    assert definition.comments == ("why",)


def test_headers():
    definition = parse('schedule S(inner) extends R(a=1) gives eta "doc"\n  eta = 1').definitions[0]
    assert definition.parameters == ("inner",)
    assert definition.extends == parse_expression("R(a=1)")
    assert definition.gives == ("eta",)
    assert definition.doc == "doc"


COMMENTED = """\
# file header

# the rule
optimizer A  # behind the header
  # above the doc
  "doc"  # behind the doc
  # above eta
  hyper eta = 0.1  # behind eta
  #
  # above theta

  theta[t] = theta[t-1]  # in the middle
      - eta*g[t]  # behind "theta" $
  # after the last statement
# before the end
"""


def test_no_comment_is_lost():
    text = format_file(parse(COMMENTED))
    for line in COMMENTED.splitlines():
        assert line.partition("#")[2].strip() in text
    assert text.count("#") == COMMENTED.count("#")
    assert format_file(parse(text)) == text


def test_signs_of_comments_within_strings_are_text():
    definition = parse('optimizer A\n  "# 1"\n  a = named("#2") # 3').definitions[0]
    assert definition.doc == "# 1"
    assert definition.statements[0].trailing_comment == "3"


def test_one_empty_line_between_statements_is_kept():
    text = "optimizer A\n  a = 1\n\n  b = 2\n  c = 3\n"
    assert format_file(parse(text.replace("\n\n", "\n\n\n\n"))) == text


# ----------------------------------------------------------------------- time


def normalized(text):
    return normalize_time(parse(text).definitions[0])


def test_what_is_defined_ahead_is_read_one_lower():
    ahead = """
optimizer A
  v[i, 1] = 0
  v[i, t+1] = beta[i]*v[i, t] + g[t]
  w = v[1, 1+t] + m[t-1]
  m[t] = w
  theta[t+1] = theta[t] - v[2, t+1] + theta[t-1] + theta[0]
  equals B where x = v[1, t+1]
"""
    now = """
optimizer A
  v[i, 0] = 0
  v[i, t] = beta[i]*v[i, t-1] + g[t]
  w = v[1, t] + m[t-1]
  m[t] = w
  theta[t] = theta[t-1] - v[2, t] + theta[t-2] + theta[0]
  equals B where x = v[1, t]
"""
    assert normalized(ahead) == normalized(now) == parse(now).definitions[0]
    assert format_file(parse(ahead)) == now.lstrip()


def test_a_start_counted_from_zero_stays():
    assert normalized("optimizer A\n  v[0] = 0\n  v[t+1] = v[t] + g[t]") == normalized(
        "optimizer A\n  v[0] = 0\n  v[t] = v[t-1] + g[t]"
    )


@pytest.mark.parametrize(
    "body",
    ["v[t+1] = v[t]\n  v[t] = 1", "v[0] = v[1] = 0\n  v[t+1] = v[t]", "v[t+1] = v[t]\n  a = v"],
)
def test_two_times_of_one_name_are_refused(body):
    with pytest.raises(DiagnosticError) as caught:
        normalized(f"optimizer A\n  {body}")
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"mixed-time"}


# ------------------------------------------------------------------- mistakes


def test_every_bad_line_costs_one_error_and_no_good_line_any():
    text = "optimizer A\n" + "".join(f"  a{n} = {n}\n  b{n} = * {n}\n" for n in range(20))
    with pytest.raises(DiagnosticError) as caught:
        parse(text)
    lines = [d.span.source.position(d.span.start)[0] for d in caught.value.diagnostics]
    assert lines == [2 * n + 3 for n in range(20)]


def test_a_bad_header_does_not_hide_the_mistakes_below_it():
    with pytest.raises(DiagnosticError) as caught:
        parse("optimiser A\n  a = *\n  b = 1\n\noptimizer\n  c = )\n")
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [
        "unknown-family",
        "syntax",
        "syntax",
        "unopened-bracket",
    ]


def test_the_caret_stands_under_the_whole_of_it():
    with pytest.raises(DiagnosticError) as caught:
        parse("optimizer A\n  x = 1e999999\n", "mine.opt")
    assert str(caught.value) == (
        "mine.opt:2:7: error[number-size]: this number is beyond what can be computed\n"
        " 2 |   x = 1e999999\n"
        "   |       ^^^^^^^^"
    )
