"""What the reader makes of LaTeX as people typeset it; expectations are in our own language."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import parse_expression, syntax
from optdsl.latex import read, read_expression, read_function, read_symbol

EXPRESSIONS = {
    # scripts, in any order and in braces
    r"g_t^2": "g[t]^2",
    r"g^2_t": "g[t]^2",
    r"{g_t}^2": "g[t]^2",
    r"g_{t}^{2}": "g[t]^2",
    r"\beta_1^t": "beta1^t",
    r"\beta^t_1": "beta1^t",
    r"\eta^{t-1}": "eta^(t - 1)",
    r"\theta^{(t+1)}": "theta[t+1]",
    r"m_t^{-1/2}": "m[t]^(-(1/2))",
    # marks
    r"\hat{m}_t": "mhat[t]",
    r"\widehat{m_t}": "mhat[t]",
    r"\hat m_{t-1}": "mhat[t-1]",
    r"\tilde{\theta}_t": "thetatilde[t]",
    r"\bar{v}^2": "vbar^2",
    r"\hat{\epsilon}": "epsilonhat",
    # names
    r"\eta_{min}": "eta_min",
    r"\eta_{\min}": "eta_min",
    r"T_{cur}": "T_cur",
    r"d_\text{model}^{-0.5}": "d_model^(-0.5)",
    r"\text{step\_num}": "step_num",
    r"step\text{_}num": "step_num",
    r"\varepsilon + 1": "epsilon + 1",
    r"\mathbf{v}_t": "v[t]",
    r"\Delta\theta_t^2": "Delta_theta[t]^2",
    r"E[g^2]_t": "E_g2[t]",
    r"\mathbb{E}[g^2]_{t-1}": "E_g2[t-1]",
    r"RMS[\Delta\theta]_{t-1}": "RMS_Delta_theta[t-1]",
    r"\mathrm{RMS}[g]_t": "RMS_g[t]",
    r"MeanSquare(w_{i,j}, t - 1)": "MeanSquare_w[t-1]",
    r"\lambda": "lambda",
    # components mean elementwise
    r"\theta_{t+1,i}": "theta[t+1]",
    r"\sqrt{G_{t,ii}}": "sqrt(G[t])",
    # products
    r"\eta g_t": "eta*g[t]",
    r"\eta \cdot g_t": "eta*g[t]",
    r"\eta \odot g_t": "eta*g[t]",
    r"\eta \circ g_t": "eta*g[t]",
    r"\eta \times g_t": "eta*g[t]",
    r"a * b c": "a*b*c",
    r"0.1g_t^2": "0.1*g[t]^2",
    r"(1 - \beta)(1 + \beta)": "(1 - beta)*(1 + beta)",
    r"\gamma \left(1 - \gamma\right)": "gamma*(1 - gamma)",
    r"\bigl(a + b\bigr) \Bigg[ c \Bigg]": "(a + b)*c",
    r"-\eta g_t": "-(eta*g[t])",
    r"-a + b": "-a + b",
    r"a b / c": "a*b/c",
    # fractions, roots, numbers
    r"\frac{a}{b} c": "a/b*c",
    r"\dfrac12": "1/2",
    r"\tfrac{1}{2}": "1/2",
    r"\sqrt[3]{x}": "x^(1/3)",
    r"\sqrt x": "sqrt(x)",
    r"10^{-8}": "1e-8",
    r"2.5 \times 10^{-3}": "2.5e-3",
    r"e^{-k \cdot t}": "exp(-(k*t))",
    r"\exp(-k t)": "exp(-(k*t))",
    r"\frac{T_{cur}}{T} \pi": "T_cur/T*pi",
    r"\beta^\infty": "beta^inf",
    r"\rho_\infty": "rho_inf",
    # functions
    r"\max\{a, b\}": "max(a, b)",
    r"\max(a, b)": "max(a, b)",
    r"\text{max}(\hat{v}_{t-1}, v_t)": "max(vhat[t-1], v[t])",
    r"\operatorname{sign}(g_t)": "sign(g[t])",
    r"\cos x": "cos(x)",
    r"\log(x)^2": "log(x)^2",
    r"|g_t|^2": "abs(g[t])^2",
    r"\left| a + |b| \right|": "abs(a + abs(b))",
    r"|a| |b|": "abs(a)*abs(b)",
    r"\|g_t\|": "norm(g[t], all)",
    r"\|\theta_t \|^2_2": "norm(theta[t], all)^2",
    r"\lfloor t / n \rfloor": "floor(t/n)",
    r"a \bmod b": "mod(a, b)",
    r"\alpha^{f(t) * \text{sign}(g_t)}": "alpha^(f[t]*sign(g[t]))",
    # gradients
    r"\nabla_\theta J(\theta)": "grad(theta)",
    r"\nabla_{\theta_t} J(\theta_t)": "grad(theta[t])",
    r"\nabla_\theta J(\theta - \gamma v_{t-1})": "grad(theta - gamma*v[t-1])",
    r"\nabla_{\theta} J(\theta; x^{(i:i+n)}; y^{(i:i+n)})": "grad(theta)",
    r"\nabla_\theta f_t(\theta_{t-1})": "grad(theta[t-1])",
    r"\nabla f(\theta_{t-1})": "grad(theta[t-1])",
    r"\nabla f(\theta_{t-1}; \xi_t)": "grad(theta[t-1])",
    r"\frac{\partial \mathcal{L}}{\partial w_{i,j}(t)}": "grad(w[t])",
    # cases
    r"\begin{cases} a, & \text{if } x \le 0, \\ b & \text{otherwise}. \end{cases}": (
        "a if x <= 0 else b"
    ),
    r"\begin{cases} a & x_t \end{cases}": None,
    r"\begin{cases} a & \text{if } x < 0 \land y = 1 \\ b & \text{if } x > 0 \\ c & "
    r"\text{otherwise} \end{cases}": "a if x < 0 and y == 1 else (b if x > 0 else c)",
    # spacing and layout say nothing
    r"\, a \; + ~ \quad b \hspace{2em} ": None,
    r"a\,+\;b\!-~c\:": "a + b - c",
    r"\displaystyle a \rule{0pt}{1em} + b % a remark": "a + b",
}
READ = {latex: ours for latex, ours in EXPRESSIONS.items() if ours is not None}


@pytest.mark.parametrize(("latex", "ours"), READ.items(), ids=READ)
def test_expression(latex: str, ours: str) -> None:
    assert read_expression(latex) == parse_expression(ours, "<expected>")


def test_equations_of_one_display_share_lines_and_commas() -> None:
    found = read(r"\hat{m}_t \gets \frac{m_t}{2}, \qquad \hat{v}_t = v_t \\ x_t = y_t = 0.")
    assert [[target.name for target in one.targets] for one in found] == [
        ["mhat"],
        ["vhat"],
        ["x", "y"],
    ]
    assert [one.assignment for one in found] == [True, False, False]


def test_aligned_in_an_equation_with_a_tag() -> None:
    latex = r"""
    \begin{equation}
    \begin{aligned} v_t &= \gamma v_{t-1} \\[2pt] \theta &= \theta - v_t \end{aligned} \tag{4}
    \end{equation}"""
    assert [one.targets[0].name for one in read(latex)] == ["v", "theta"]


def test_a_chain_of_values_sets_its_target_twice() -> None:
    first, second = read(r"u_t &= a \cdot b \\ &= \max(a, b)")
    assert first.targets == second.targets
    assert second.value == parse_expression("max(a, b)", "<expected>")


def test_a_numbered_time_needs_a_past() -> None:
    start, _ = read(r"m_0 \gets 0 \\ m_t \gets \beta_1 m_{t-1}")
    assert start.targets[0] == parse_expression("m[0]", "<expected>")
    (only,) = read(r"\eta_t := \eta_0 \cdot e^{-k \cdot t}")
    assert only.value == parse_expression("eta0*exp(-(k*t))", "<expected>")


def test_a_numbered_name_is_spelled_as_declared() -> None:
    (only,) = read(r"\eta_t := \frac{\eta_0}{1 + k t}", declared=["eta_0"])
    assert only.value == parse_expression("eta_0/(1 + k*t)", "<expected>")


def test_declarations_decide_between_word_and_product() -> None:
    assert read_expression("ab + c") == parse_expression("a*b + c", "<expected>")
    assert read_expression("ab + c", declared=["ab"]) == parse_expression("ab + c", "<expected>")
    assert read_expression("lrate", declared=["lrate"]) == parse_expression("lrate", "<expected>")


def test_declarations_decide_between_function_and_factor() -> None:
    time = parse_expression("f[t]", "<expected>")
    assert isinstance(time, syntax.Name)
    with pytest.raises(DiagnosticError):
        read("x_t = f(t - 1)")
    (as_function,) = read("x_t = f(t - 1)", declared=[time])
    assert as_function.value == parse_expression("f[t-1]", "<expected>")
    (as_factor,) = read("x_t = f(t - 1)", declared=["f"])
    assert as_factor.value == parse_expression("f*(t - 1)", "<expected>")
    with pytest.raises(DiagnosticError):
        read("x_t = f(t)", declared=["f"])


def test_a_raised_letter_belongs_to_the_name_where_it_is_an_index() -> None:
    value = read_expression(r"\eta_{max}^i \frac{T_{cur}}{T_i}")
    assert value == parse_expression("eta_max_i*(T_cur/T_i)", "<expected>")


def test_the_time_of_a_name_may_stand_in_brackets() -> None:
    (only,) = read(r"\Delta w_{i,j}(t) := \alpha \cdot \Delta w_{i,j}(t - 1)")
    assert only.targets[0] == parse_expression("Delta_w[t]", "<expected>")
    assert only.value == parse_expression("alpha*Delta_w[t-1]", "<expected>")


@pytest.mark.parametrize(
    ("latex", "name"),
    [
        (r"\eta_{min}^i", "eta_min_i"),
        (r"T_i", "T_i"),
        (r"w_{i,j}", "w"),
        (r"\mathrm{MeanSquare}(w_{i,j}, t)", "MeanSquare_w"),
        (r"\beta_1", "beta1"),
        (r"f(t)", "f"),
    ],
)
def test_symbol(latex: str, name: str) -> None:
    assert read_symbol(latex).name == name


def test_spans_point_into_the_latex() -> None:
    latex = r"\theta_{t+1} = \theta_t - \frac{\eta}{2} \hat{m}_t"
    (equation,) = read(latex)
    value = equation.value
    assert value.span is not None
    assert value.span.text == latex.split("= ")[1]
    assert equation.targets[0].span is not None
    assert equation.targets[0].span.text == r"\theta_{t+1}"


def test_a_function_is_what_it_is_declared_to_be() -> None:
    x = syntax.Name("x")
    identity = read_function(r"\Pi(x)", x)
    latex = r"\theta_t = \Pi_{\mathcal{F}, \sqrt{\hat{v}_t}} \left( \theta_{t-1} - \eta g_t \right)"
    (only,) = read(latex, declared=[identity])
    assert only.value == parse_expression("theta[t-1] - eta*g[t]", "<expected>")
    box = read_function(r"\Pi(x)", parse_expression("min(max(x, low), high)", "<value>"))
    (only,) = read(latex, declared=[box])
    ours = "min(max(theta[t-1] - eta*g[t], low), high)"
    assert only.value == parse_expression(ours, "<expected>")


def test_a_declared_function_is_no_factor() -> None:
    identity = read_function(r"\phi(z)", syntax.Name("z"))
    (only,) = read(r"p = \phi(\|x_t\|)^2 / y", declared=[identity])
    assert only.value == parse_expression("norm(x[t], all)^2/y", "<expected>")
    word = read_function(r"\operatorname{proj}(z)", syntax.Name("z"))
    (only,) = read(r"p = \operatorname{proj}(a + b) c", declared=[word])
    assert only.value == parse_expression("(a + b)*c", "<expected>")


def test_a_declared_function_takes_as_many_arguments_as_it_has() -> None:
    identity = read_function(r"\Pi(x)", syntax.Name("x"))
    with pytest.raises(DiagnosticError, match="declared with 1 argument"):
        read(r"p = \Pi(a, b)", declared=[identity])


def test_a_step_may_be_counted_by_another_letter() -> None:
    (only,) = read(r"x_{k+1} = x_k - \beta^k g_k")
    assert only.value == parse_expression("x[t] - beta^t*g[t]", "<expected>")
    with pytest.raises(DiagnosticError):
        read(r"x_{k+1} = x_k - k t")  # here t counts, and what is k?
