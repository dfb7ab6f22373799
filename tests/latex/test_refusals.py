"""What must not be read in part: each with the place that the caret marks."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.latex import read, read_symbol

# The LaTeX, what the caret stands under, and a piece of the message.
REFUSED = [
    # unbalanced
    (r"x = (a + b", "(", "never closed"),
    (r"x = a + b)", ")", "closes nothing"),
    (r"x = \left(a\right]", r"\right]", "does not close"),
    (r"x_{t = 1", "{", "never closed"),
    (r"x = \frac{a}{b", "{", "never closed"),
    (r"x = |a", "|", "never closed"),
    (r"x = a}", "}", "closes nothing"),
    (r"\begin{aligned} x = a", r"\begin{aligned}", "never closed"),
    (r"x = a \end{aligned}", r"\end{aligned}", "closes nothing"),
    (r"x = (a \\ y = b", "(", "never closed"),
    (r"x = \left(a \\ + y \right)", r"\left(", "never closed"),
    (r"x = \frac{a}{b \\ y = c", "{", "never closed"),
    (r"\begin{aligned} x = (a \end{aligned}", "(", "never closed"),
    (r"\[ x = (a \]", "(", "never closed"),
    (r"$$ x = \sqrt{a $$", "{", "never closed"),
    (r"(m_t, v_t) = f(g_t)", "(m_t, v_t)", "2 names are set here"),
    # trailing and missing
    (r"x = a + ", "", "ends here"),
    (r"x = ", "", "ends here"),
    (r"x = a \cdot - b", "-", "expected"),
    (r"x = a + + b", "+", "expected"),
    (r"x = a . b", ".", "expected"),
    (r"x = a, b", "", "expected `=`"),
    (r"x = a \\ + b = c \\ y = d", "+", "expected"),
    (r"x = a \\ \odot", "", "ends here"),
    (r"= a", "= a", "to the left"),
    (r"x + y = a", "x + y", "one name to the left"),
    (r"\sigma_t^2 = a \\ x_t = \sigma_t", r"\sigma_t^2", "one name to the left"),
    # unknown
    (r"x = \foo a", r"\foo", "not understood"),
    (r"x = a \text{ where } b", r"\text{ where }", "words"),
    (r"x = a \text{where} b", r"\text{where}", "words"),
    (r"x = a \text{if} b", r"\text{if}", "words"),
    (r"x = θ", "θ", "not understood"),
    (r"x = a – b", "–", "not understood"),
    (r"x = a \approx b", r"\approx", "not understood"),
    (r"x = \Pi_{\mathcal{F}}(y)", r"\Pi", "nothing says what the function"),
    # ambiguous
    (r"x = a / b c", "b c", "under the division"),
    (r"x = a / b \cdot c", "c", "under the division"),
    (r"x = y 2", "2", "behind a factor"),
    (r"x = 10\% y", r"\%", "a percentage, or a remainder"),
    (r"x = 1e-8", "1e", "computer notation"),
    (r"x = lrate", "lrate", "one name or a product"),
    (r"x = min(a)", "min", "product"),
    (r"x = f(y)", "f(y)", "or a product"),
    (r"x = k(t - 1)", "k(t - 1)", "or a product"),
    (r"x = E[g^2](t)", "E[g^2](t)", "or a product"),
    (r"x = \frac{a}{b}(t)", "(t)", "or a product"),
    (r"x_t = \theta^t", "^t", "power or a time"),
    (r"x_t = \beta x_{t-1} + g^t", "^t", "power or a time"),
    (r"x = \cos a b", "b", "how far"),
    (r"x = \eta^i", "^i", "power or an index"),
    (r"x = y^{(2)}", "^{(2)}", "power or an index"),
    (r"x = \beta^{\text{step}}", r"^{\text{step}}", "a power, or part of a name"),
    (r"x = \gamma^{\mathrm{epoch}}", r"^{\mathrm{epoch}}", "a power, or part of a name"),
    (r"x = \beta + \beta^{(\text{warm})}", r"^{(\text{warm})}", "a power, or part of a name"),
    (r"x = \beta^T", "^T", "transpose or a power"),
    (r"x = y^10", "10", "without braces"),
    (r"x = \frac123", "", "ends here"),
    (r"x = \frac{1}23", "23", "without braces"),
    (r"x = \frac{a}{b}^2", "^2", "fraction"),
    (r"x = \cos^2 a", "^2", "script on a function"),
    (r"x = e", "e", "lone `e`"),
    (r"x = \epsilon + \varepsilon", r"\varepsilon", "would both be"),
    (r"x_t = \mathbf{v}_t + v_t", "v_t", "would both be"),
    # scripts
    (r"x = y_{t,t}", "_{t,t}", "second time"),
    (r"x = y_a_b", "_b", "second subscript"),
    (r"x = m_t(y)", "m_t(y)", "or a product"),
    (r"$$x = a$$ b", "b", "display has ended"),
    (r"\begin{aligned} x = a \end{aligned} + b", "+", "display has ended"),
    (r"x = \begin{aligned} a \end{aligned}", r"\begin{aligned}", "not understood here"),
    (r"x = y_{t+i}", "t+i", "subscript is not understood"),
    (r"x = y_{ti}", "ti", "neither a time nor a component"),
    (r"x = y^2^3", "^3", "second superscript"),
    (r"x = (y)_t", "_t", "not understood"),
    (r"x = \sqrt{y}_t", "_t", "not understood"),
    (r"x = \|y\|_3", "_3", "norm is not understood"),
    (r"x_t = g_{t,i} + g_t", "g_t", "differ in their components"),
    (r"x_t = g_{t,i} + h_{t,j}", "h_{t,j}", "two kinds"),
    (r"x = {}_t y", "}", "expected"),
    # lists and functions
    (r"x = (a, b)", "b", "list"),
    (r"x = \exp(a, b)", "b", "one argument"),
    (r"x = \max", r"\max", "taken of"),
    (r"x = P(0, \sigma^2)", r"P(0, \sigma^2)", "function is not understood"),
    # gradients
    (r"x = \nabla_\theta J(\phi)", r"\nabla_\theta", "does not hold `theta`"),
    (r"x = \nabla_{\theta_t} J(\theta_{t-1})", r"\nabla_{\theta_t}", "does not hold"),
    (r"x = \nabla_\theta J(\theta, y)", "y", "two points"),
    (r"x = \nabla_\theta J(\theta; a + b)", "a + b", "data"),
    (r"x = \nabla_\theta J(\theta)^2", "^2", "loss raised"),
    (r"x = \nabla^2 J(\theta)", r"\nabla^2", "not understood"),
    (r"x = \nabla J(\theta) + \nabla L(\theta)", "L", "two losses"),
    (r"J = a \\ x = \nabla J(\theta)", "J", "has an equation here"),
    (r"x = \nabla_\theta", r"\nabla", "whose gradient"),
    (r"x = \partial w", r"\partial", "lone partial"),
    (r"x = \frac{\partial L}{w}", "w", "parameter"),
    (r"x = \frac{\partial L}{\partial w}(t - 1)", "(t - 1)", "time"),
    (r"x = \nabla f(y_t, \xi_t) - \nabla f(y_{t-1}, \xi_{t-1})", r"\xi_{t-1}", "or of two steps"),
    (r"x = \nabla f(y_t, \xi_t) - \nabla f(y_t, \zeta_t)", r"\zeta_t", "data of two kinds"),
    (r"x = \nabla f(y_t; \xi_t) - \nabla f(y_t)", "f", "data of two kinds"),
    (r"x = \nabla f_i(y) - \nabla f(y)", "f", "two losses"),
    # cases
    (r"x = 1 + \begin{cases} a & \text{if } b > 0 \end{cases}", None, "all other cases"),
    (r"x = \begin{cases} a & b + c \end{cases}", "b + c", "expected a comparison"),
]  # fmt: skip


@pytest.mark.parametrize(("latex", "place", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused_with_a_caret(latex: str, place: str | None, message: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read(latex)
    (found,) = caught.value.diagnostics
    assert message in found.message
    assert found.span is not None
    assert found.span.source.text == latex
    if place is not None:
        assert found.span.text == place


def test_the_caret_stands_under_the_bracket_that_closes_nothing() -> None:
    latex = r"\theta_{t+1} = \theta_t - \alpha + f(t) * \text{sign}(g_t)) * g_t"
    with pytest.raises(DiagnosticError) as caught:
        read(latex, "paper.tex")
    head, line, carets = str(caught.value).split("\n")
    assert (
        head == f"paper.tex:1:{latex.index('))') + 2}: error[latex-unbalanced]: `)` closes nothing"
    )
    assert line[carets.index("^")] == ")"


def test_every_row_in_error_is_reported() -> None:
    with pytest.raises(DiagnosticError) as caught:
        read(r"x = a + \\ y = b \cdot \\ z = c")
    assert len(caught.value.diagnostics) == 2


def test_a_mistyped_command_is_near_a_known_one() -> None:
    with pytest.raises(DiagnosticError) as caught:
        read(r"x = \bta_1")
    assert caught.value.diagnostics[0].hint == r"did you mean `\beta`?"


def test_nothing_is_no_equation() -> None:
    with pytest.raises(DiagnosticError):
        read("  % only a remark")


@pytest.mark.parametrize("latex", ["a + b", "x = y", "", "g^2", "2"])
def test_no_symbol(latex: str) -> None:
    with pytest.raises(DiagnosticError):
        read_symbol(latex)


def test_depth_is_no_crash() -> None:
    with pytest.raises(DiagnosticError, match="too long or nested"):
        read("x = " + "{" * 3000 + "a" + "}" * 3000)
    assert len(read("x = a" + " + a" * 3000)) == 1
