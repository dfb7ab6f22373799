"""What a document's equations become in our language, and what is assumed and said for them."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import Reading, load_document, read, to_definition


def equations(reading: Reading) -> list[str]:
    """The equations of a reading, in our notation."""
    return [
        " = ".join(format_expression(side) for side in (*one.targets, one.value))
        for one in reading.definition.statements
        if isinstance(one, syntax.Equation)
    ]


def hypers(reading: Reading) -> list[str]:
    found = reading.definition.statements
    return [one.name for one in found if isinstance(one, syntax.Hyper)]


def cited(name: str, *tags: str) -> Reading:
    return to_definition(load_document(name).equations(tags))


def test_momentum_is_an_assignment_and_its_velocity_starts_at_0() -> None:
    reading = cited("ruder2016", "4")
    assert equations(reading) == [
        "v[0] = 0",
        "v[t] = gamma*v[t-1] + eta*grad(theta[t-1])",
        "theta[t] = theta[t-1] - v[t]",
    ]
    assert hypers(reading) == ["gamma", "eta"]
    assert reading.free == ()
    assert [format_expression(start.targets[0]) for start in reading.assumed_starts] == ["v[0]"]
    assert reading.assumed_domains["gamma"].high == syntax.Number("1")
    assert reading.assumed_domains["eta"].high == syntax.Constant("inf")


def test_nesterov_looks_ahead() -> None:
    assert "v[t] = gamma*v[t-1] + eta*grad(theta[t-1] - gamma*v[t-1])" in equations(
        cited("ruder2016", "5")
    )


def test_adam_is_read_one_step_lower() -> None:
    assert equations(cited("ruder2016", "19-21")) == [
        "m[0] = 0",
        "v[0] = 0",
        "m[t] = beta1*m[t-1] + (1 - beta1)*g[t]",
        "v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2",
        "mhat[t] = m[t]/(1 - beta1^t)",
        "vhat[t] = v[t]/(1 - beta2^t)",
        "theta[t] = theta[t-1] - eta/(sqrt(vhat[t]) + epsilon)*mhat[t]",
    ]


def test_algorithm_1_says_its_starts_and_counts_its_steps() -> None:
    reading = cited("kingma2015", "algorithm-1")
    assert reading.assumed_starts == ()
    assert equations(reading)[:3] == ["m[0] = 0", "v[0] = 0", "g[t] = grad(theta[t-1])"]
    assert equations(reading)[-1].startswith("theta[t] = theta[t-1] - alpha*mhat[t]/")


def test_a_value_of_states_starts_at_what_its_equation_gives() -> None:
    found = equations(cited("ruder2016", "10", "rms", "15-17"))
    assert "RMS_Delta_theta[0] = sqrt(epsilon)" in found
    assert "E_Delta_theta2[0] = 0" in found


def test_a_value_that_is_undefined_at_0_starts_at_0() -> None:
    found = equations(cited("ruder2016-blog", "adam-moments", "adam-corrections", "nadam-previous"))
    assert "mhat[0] = 0" in found


def test_the_lecture_calls_its_parameter_w() -> None:
    reading = cited("raschka2021-l12", "velocity", "step")
    assert reading.parameter == "w"
    assert equations(reading) == [
        "Delta_w[0] = 0",
        "Delta_w[t] = alpha*Delta_w[t-1] + eta*grad(theta[t-1])",
        "theta[t] = theta[t-1] - Delta_w[t]",
    ]


def test_an_assignment_at_one_time_reads_the_value_before() -> None:
    found = equations(cited("raschka2021-l12", "rmsprop-average", "rmsprop-step"))
    assert found[1] == "MeanSquare_w[t] = beta*MeanSquare_w[t-1] + (1 - beta)*grad(theta[t-1])^2"
    assert found[2].startswith("theta[t] = theta[t-1] - eta*grad(theta[t-1])/")


def test_what_is_never_defined_is_free() -> None:
    reading = cited("raschka2021-l12", "ema", "adam-average", "adam-step")
    assert [name.name for name in reading.free] == ["MeanSquare_w"]
    accumulated = cited("ruder2016", "9")
    assert [format_expression(name) for name in accumulated.free] == ["G[t]"]
    assert cited("ruder2017-highlights", "sgdw").free[0].name == "w"


def test_what_is_declared_is_not_free() -> None:
    found = load_document("ruder2016").equations(["9"])
    assert to_definition(found, declared=["G"]).free == ()


def test_lines_of_an_algorithm_read_below_and_above_an_assignment() -> None:
    found = read(r"a_t := x \\ x := x + 1 \\ b_t := x \\ \theta := \theta - a_t b_t")
    assert equations(to_definition(found)) == [
        "x[0] = 0",
        "a[t] = x[t-1]",
        "x[t] = x[t-1] + 1",
        "b[t] = x[t]",
        "theta[t] = theta[t-1] - a[t]*b[t]",
    ]


def test_an_equation_without_time_holds_wherever_it_stands() -> None:
    found = read(r"\theta_t = \theta_{t-1} - s \\ s = \eta g_t")
    assert equations(to_definition(found)) == [
        "theta[t] = theta[t-1] - s[t]",
        "s[t] = eta*g[t]",
    ]


def test_alpha_with_a_time_beside_alpha_is_another_symbol() -> None:
    found = read(
        r"\alpha_t = \alpha \sqrt{1 - \beta_2^t} \\ \theta_t = \theta_{t-1} - \alpha_t g_t"
    )
    reading = to_definition(found)
    assert equations(reading) == [
        "alpha_t[t] = alpha*sqrt(1 - beta2^t)",
        "theta[t] = theta[t-1] - alpha_t[t]*g[t]",
    ]
    assert reading.renamed == {"alpha": "alpha_t"}


def test_g_may_be_more_than_the_gradient() -> None:
    found = read(
        r"g_t \gets \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1} \\ "
        r"\theta_t \gets \theta_{t-1} - \eta g_t"
    )
    assert equations(to_definition(found)) == [
        "g_t[t] = grad(theta[t-1]) + lambda*theta[t-1]",
        "theta[t] = theta[t-1] - eta*g_t[t]",
    ]


def test_a_transform_is_given_its_gradient() -> None:
    found = load_document("ruder2017-highlights").equations(["penalty-gradient"])
    reading = to_definition(found, family="transform", gives=("ghat",))
    assert equations(reading) == ["ghat[t] = g[t] + w[t]*theta[t-1]"]
    assert reading.definition.gives == ("ghat",)


def test_a_schedule_starts_where_it_is_declared_to() -> None:
    found = load_document("raschka2021-l12").equations(["halving"])
    reading = to_definition(found, ["eta0"], family="schedule", gives=("eta",))
    assert equations(reading) == ["eta[0] = eta0", "eta[t] = eta[t-1]/2"]


def test_a_name_that_reads_a_python_word_has_an_alias() -> None:
    found = read(r"\theta_t = \theta_{t-1} - \lambda \theta_{t-1}")
    (hyper, *_) = to_definition(found).definition.statements
    assert isinstance(hyper, syntax.Hyper)
    assert hyper.alias == syntax.Alias("lambda_")


def test_x_1_is_the_start_of_what_is_defined_at_t_plus_1() -> None:
    found = read(r"m_1 = 0 \\ m_{t+1} = \beta m_t + g_t \\ \theta_{t+1} = \theta_t - m_{t+1}")
    assert equations(to_definition(found)) == [
        "m[0] = 0",
        "m[t] = beta*m[t-1] + g[t]",
        "theta[t] = theta[t-1] - m[t]",
    ]


def test_a_start_is_read_at_the_times_of_what_it_sets() -> None:
    found = read(r"z_1 = x_1 \\ z_{t+1} = z_t - g_t \\ x_{t+1} = x_t + z_{t+1}")
    assert equations(to_definition(found, parameter="x")) == [
        "z[0] = theta[0]",
        "z[t] = z[t-1] - g[t]",
        "theta[t] = theta[t-1] + z[t]",
    ]


def test_what_is_set_in_step_1_reads_what_that_step_reads() -> None:
    text = r"m_1 = g_1 + w_1 \\ m_t = m_{t-1} + g_t - g_{t-1} \\ w_{t+1} = w_t - m_t"
    found = to_definition(read(text), parameter="w")
    assert equations(found) == [
        "m[1] = g[t] + theta[t-1]",
        "m[t] = m[t-1] + g[t] - g[t-1]",
        "theta[t] = theta[t-1] - m[t]",
    ]
    assert found.assumed_starts == ()


CORRECTED = (
    r"m_{t+1} = \beta m_t + g_t \\ h_{t+1} = m_{t+1} / (1 - \beta^{t+1}) \\ x_{t+1} = x_t - h_{t+1}"
)


@pytest.mark.parametrize(
    ("start", "power"), [("m_0 = 0", "t"), ("m_1 = 0", "(t + 1)"), ("h_0 = 0", "t")]
)
def test_a_start_says_which_number_the_first_step_has(start: str, power: str) -> None:
    found = to_definition(read(rf"{start} \\ {CORRECTED}"), parameter="x")
    assert equations(found)[-2] == f"h[t] = m[t]/(1 - beta^{power})"


def test_a_start_of_what_is_called_g() -> None:
    latex = (
        r"g_0 = 1 \\ g_{t+1} = \beta g_t + \nabla f(\theta_t) \\ \theta_{t+1} = \theta_t - g_{t+1}"
    )
    assert equations(to_definition(read(latex)))[:2] == [
        "g_t[0] = 1",
        "g_t[t] = beta*g_t[t-1] + grad(theta[t-1])",
    ]


def test_what_a_loop_from_0_sets_at_its_own_number() -> None:
    latex = (
        r"\begin{algorithmic} \For{$k = 0, 1, \dots$} \State $g_k = \nabla f(x_k)$"
        r"\State $x_{k+1} = x_k - \gamma_k \sqrt{1 - \beta^{k+1}} g_k$ \EndFor \end{algorithmic}"
    )
    assert equations(to_definition(read(latex))) == [
        "g[t] = grad(theta[t-1])",
        "theta[t] = theta[t-1] - gamma[t]*sqrt(1 - beta^t)*g[t]",
    ]


NOT_ONE_RULE = [
    (CORRECTED, "t+1", "is t 0 or 1"),
    (
        r"y_t = x_t \\ x_{t+1} = x_t - c_{t+1} \nabla f(y_t) \\ c_{t+1} = 1/(t+1)",
        "t+1",
        "is t 0 or 1",
    ),
    (r"v_k = \begin{cases} 0 & k = 0 \\ v_{k-1} & k \ge 1 \end{cases}", "k = 0", "is t 0 or 1"),
    (r"v := v + g^2 \\ \theta := \theta - u \\ u := g/\sqrt{v}", "u", "before a row sets it"),
    (r"x_t = x_{t-1} - \eta g_t \\ \eta_t = \eta/\sqrt{t}", r"\eta_t", "without a time is read"),
    (r"m_0 = 0 \\ h_1 = 0 \\" + CORRECTED, "h_1", "says that t is 0"),
    (r"\theta_t = \theta_t + \Delta\theta_t", r"\theta_t", "same time"),
    (r"g_{t,i} = g_{t,i} + n_t", "g_{t,i}", "same time"),
    (r"a_t = b \\ a_t = c", "a_t", "second equation"),
    (r"u_t = b \\ &= c", "u_t", "second equation"),
    (r"m_0 = 0 \\ m_0 = 1 \\ m_t = m_{t-1}", "m_0", "second starting value"),
    (r"\theta_t = \theta_{t-1} - v \\ v_t = g_t", "v", "with a time and without"),
    (r"\theta = \theta_t - g_t", r"\theta_t", "with a time and without"),
    (r"\theta_t = \theta_{t-1} - k \cdot k_t", "k_t", "with a time and without"),
    (r"\theta_t = \theta_{t-1} - \eta g_{t-1}", "g_{t-1}", "which point"),
    (r"w := w - g \cdot \frac{\partial L}{\partial w}", "g", "beside one that is written out"),
    (r"(\alpha + f(t)) * g", r"(\alpha + f(t)) * g", "expression"),
    (r"t \gets t + 2", r"t \gets t + 2", "t counts the steps"),
    (r"x_{t-1} = a", "x_{t-1}", "before t"),
    (r"\text{loss}_t = a", r"\text{loss}_t", "word of the language"),
    (r"x_t = \text{loss}_t", r"\text{loss}_t", "word of the language"),
]


@pytest.mark.parametrize(("latex", "place", "message"), NOT_ONE_RULE)
def test_equations_that_make_no_rule(latex: str, place: str, message: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        to_definition(read(latex))
    (found,) = caught.value.diagnostics
    assert message in found.message
    assert found.span is not None
    assert found.span.text == place


def test_equations_that_define_one_symbol_often_are_no_rule() -> None:
    with pytest.raises(DiagnosticError, match="second equation for `Delta_theta`"):
        cited("ruder2016", "12-14", "17")
