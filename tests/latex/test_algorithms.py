"""Algorithm blocks: loops, branches, what is returned, and the words that stand between."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import read, to_definition
from optdsl.latex.documents import parse_document
from tests.latex.algorithms import block, rule

ADAM = r"""
\begin{algorithm}[t]
\caption{Adam, with $\beta_1^t$ for the power}
\begin{algorithmic}[1]
\Require $\alpha$: step size; $\beta_1, \beta_2 \in [0, 1)$; $m_0 = 0$, $v_0 = 0$
\State $t \gets 0$ \Comment{the clock}
\While{$\theta_t$ not converged}
  \State $t \gets t + 1$
  \State Sample a mini-batch $\xi_t$
  \State $g_t \gets \nabla_\theta f_t(\theta_{t-1})$ (get gradients)
  \State $m_t \gets \beta_1 \cdot m_{t-1} + (1 - \beta_1) \cdot g_t$, % biased
    $v_t \gets \beta_2 v_{t-1} + (1 - \beta_2) g_t^2$
  \State Compute $\hat m_t \gets m_t/(1 - \beta_1^t)$ and $\hat v_t \gets v_t/(1 - \beta_2^t)$
  \State $\theta_t \gets \theta_{t-1} - \alpha \hat m_t/(\sqrt{\hat v_t} + \epsilon)$
\EndWhile
\State \Return $\theta_t$
\end{algorithmic}
\end{algorithm}
"""


def test_adam_as_papers_print_it() -> None:
    assert rule(ADAM) == [
        "m[0] = 0",
        "v[0] = 0",
        "g[t] = grad(theta[t-1])",
        "m[t] = beta1*m[t-1] + (1 - beta1)*g[t]",
        "v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2",
        "mhat[t] = m[t]/(1 - beta1^t)",
        "vhat[t] = v[t]/(1 - beta2^t)",
        "theta[t] = theta[t-1] - alpha*mhat[t]/(sqrt(vhat[t]) + epsilon)",
    ]


def test_lines_that_assign_without_a_time() -> None:
    latex = block(
        r"\STATE Initialize $m = 0$",
        r"\FOR{$t = 1, \dots, T$}",
        r"\STATE $g = \nabla f(x)$",
        r"\STATE $m = \beta m + g$",
        r"\STATE $x = x - \eta m$",
        r"\ENDFOR",
        r"\RETURN $x$",
    )
    assert rule(latex) == [
        "m[0] = 0",
        "g[t] = grad(theta[t-1])",
        "m[t] = beta*m[t-1] + g[t]",
        "theta[t] = theta[t-1] - eta*m[t]",
    ]


def test_a_loop_from_0_counts_one_behind() -> None:
    latex = block(
        r"\For{$k = 0$ to $K-1$}",
        r"\State $x_{k+1} = x_k - \frac{\eta}{k + 1} \nabla f(x_k)$",
        r"\EndFor",
    )
    assert rule(latex) == ["theta[t] = theta[t-1] - eta/t*grad(theta[t-1])"]


def test_branches_make_a_value_conditional() -> None:
    latex = block(
        r"\For{$t = 1$ to $T$}",
        r"\State $g_t = \nabla f(x_{t-1})$",
        r"\If{$\|g_t\| > c$}",
        r"\State $s_t = c/\|g_t\|$",
        r"\ElsIf{$t = 1$ then}",
        r"\State $s_t = 2$",
        r"\Else",
        r"\State $s_t = 1$",
        r"\EndIf",
        r"\State $x_t = x_{t-1} - \eta s_t g_t$",
        r"\EndFor",
        r"\State \textbf{return} $x_T$",
    )
    assert rule(latex)[1] == (
        "s[t] = c/norm(g[t], all) if norm(g[t], all) > c else 2 if t == 1 else 1"
    )


def test_a_branch_alone_keeps_what_was_set_before_it() -> None:
    latex = block(
        r"\For{$t = 1$ to $T$}",
        r"\State $u_t = g_t$",
        r"\If{$\|g_t\| > c$} \State $u_t = c g_t/\|g_t\|$ \EndIf",
        r"\State $\theta_t = \theta_{t-1} - \eta u_t$",
        r"\EndFor",
    )
    assert rule(latex)[0] == "u[t] = c*g[t]/norm(g[t], all) if norm(g[t], all) > c else g[t]"


def test_a_branch_alone_keeps_the_last_value() -> None:
    latex = block(
        r"\State $b \gets 0$",
        r"\Loop",
        r"\If{$g_t > b$}",
        r"\State $c \gets g_t$",
        r"\EndIf",
        r"\State $b \gets b + 1$",
        r"\State $\theta_t \gets \theta_{t-1} - b c$",
        r"\EndLoop",
    )
    assert rule(latex)[:3] == [
        "b[0] = 0",
        "c[t] = g[t] if g[t] > b[t-1]",
        "b[t] = b[t-1] + 1",
    ]


def test_a_loop_of_fixed_length_is_an_index() -> None:
    latex = block(
        r"\For{$t = 1, 2, \ldots, T$}",
        r"\State $X_0 = B_t$",
        r"\For{$k = 1$ to $5$}",
        r"\State $A_k \gets X_{k-1} X_{k-1}^\top$",
        r"\State $X_k \gets a X_{k-1} + (b A_k + c A_k A_k) X_{k-1}$",
        r"\EndFor",
        r"\State $W_t \gets W_{t-1} - \eta X_5$",
        r"\EndFor",
    )
    said = [
        " = ".join(format_expression(side) for side in (*one.targets, one.value))
        for one in read(latex)
    ]
    assert said == [
        "X[0] = B[t]",
        "A[k] = X[k-1] @ X[k-1].T",
        "X[k] = a*X[k-1] + (b*A[k] + c*A[k]@A[k]) @ X[k-1]",
        "W[t] = W[t-1] - eta*X[5]",
    ]
    assert read(latex)[1].indices[0].range.high == syntax.Number("5")


BRACES = r"""
\begin{algorithm2e}[t]
\DontPrintSemicolon
\caption{Clipped momentum}
\KwIn{$\eta$, $\beta \in [0, 1)$}
Initialize $m_0 \gets 0$ \tcp*{the velocity}
\For{$t = 1$ \KwTo $T$}{
  $g_t \gets \nabla_\theta f(\theta_{t-1})$ \;  % a remark
  \uIf{$\|g_t\| > c$}{ $s_t \gets c/\|g_t\|$\; }
  \Else{ $s_t \gets 1$ }
  Compute $m_t \gets \beta m_{t-1} + s_t \; g_t$\;
  $\theta_t \gets \theta_{t-1} - \eta m_t$\;
}
\Return{$\theta_T$}
\end{algorithm2e}
"""


@pytest.mark.parametrize(
    "latex",
    [
        BRACES,
        BRACES.replace("algorithm2e", "algorithm"),
        BRACES.replace(r"\uIf", r"\eIf").replace(r"\Else{", "{"),
    ],
)
def test_lines_that_end_with_a_semicolon(latex: str) -> None:
    assert rule(latex) == [
        "m[0] = 0",
        "g[t] = grad(theta[t-1])",
        "s[t] = c/norm(g[t], all) if norm(g[t], all) > c else 1",
        "m[t] = beta*m[t-1] + s[t]*g[t]",
        "theta[t] = theta[t-1] - eta*m[t]",
    ]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("Compute", "Frobnicate", "Frobnicate"),
        (r"\uIf", r"\Repeat", r"\Else"),
        (r"\Else{ $s_t \gets 1$ }", r"\Repeat{ $s_t \gets 1$ }", r"\Repeat"),
        (r"Compute $m_t", r"\Procedure $m_t", r"\Procedure"),
        ("\n}\n\\Return", "\n\\Return", "{"),
    ],
)
def test_semicolons_with_what_is_not_understood(old: str, new: str, place: str) -> None:
    assert BRACES.count(old) == 1
    with pytest.raises(DiagnosticError) as caught:
        to_definition(read(BRACES.replace(old, new)))
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert found.span.text == place


def test_what_is_required_may_start_a_state() -> None:
    latex = block(
        r"\Require $\gamma = 0.9$, $\beta \in [0, 1)$, $\theta_0 \in \mathbb{R}^d$",
        r"\Require $\hat{v}_0 = 1$",
        r"\While{the stopping criterion is not met}",
        r"\State $\hat v_t = \gamma \hat v_{t-1} + g_t$, $\theta_t = \theta_{t-1} - \hat v_t$",
        r"\EndWhile",
    )
    assert rule(latex) == [
        "vhat[0] = 1",
        "vhat[t] = gamma*vhat[t-1] + g[t]",
        "theta[t] = theta[t-1] - vhat[t]",
    ]


def test_a_document_may_hold_an_algorithm() -> None:
    text = "% A paper.\n" + ADAM.replace("[t]", r" \label{algorithm-1}", 1)
    document = parse_document("paper", text)
    assert document.tags == ("algorithm-1",)
    found = document.equations(["algorithm-1"])
    assert {one.tag for one in found} == {"algorithm-1"}
    assert len(to_definition(found).definition.statements) == 12


def test_the_words_of_papers() -> None:
    latex = block(
        r"\STATE {\bfseries Input:} $x_1 \in \mathbb{R}^d$, $\{\eta_t\}_{t=1}^T$, $0 < \beta < 1$",
        r"\STATE \textbf{initialize} first moment $m_{t=0} \gets \mathbf{0}$, $t \gets 0$",
        r"\REPEAT",
        r"\STATE $t \gets t + 1$",
        r"\STATE Draw a batch $\mathcal{B}_t$ of $b$ examples from $\mathcal{D}$.",
        r"\STATE Compute gradient: $g_t \in \partial f(x_{t-1}, \xi_t)$ (at step $t$)",
        r"\STATE \textbf{Update the moment $m_t$}",
        r"\STATE \textcolor{blue}{$m_t \gets \beta m_{t-1} {+} (1 {-} \beta) g_t$} // the average",
        r"\STATE {\it Bias correction:}",
        r"\STATE Apply bias correction $\hat m_t$: $\hat m_t \gets m_t / (1 - \beta^t)$",
        r"\STATE $x_t \gets x_{t-1} - \eta_t\,\hat m_t$",
        r"\UNTIL{the stopping criterion is met}",
        r"\RETURN{parameters $\{x_t\}_{t=1}^T$}",
    )
    assert rule(latex) == [
        "m[0] = 0",
        "g[t] = grad(theta[t-1])",
        "m[t] = beta*m[t-1] + (1 - beta)*g[t]",
        "mhat[t] = m[t]/(1 - beta^t)",
        "theta[t] = theta[t-1] - eta[t]*mhat[t]",
    ]


def test_what_one_branch_alone_sets_and_reads() -> None:
    lines = [
        r"\For{$t = 1$ to $T$}",
        r"\If{$t \% k == 0$}",
        r"\State $h_t = g_t^2$",
        r"\State $s_t = \beta s_{t-1} + h_t$",
        r"\Else",
        r"\State $s_t = s_{t-1}$",
        r"\EndIf",
        r"\State $\theta_t = \theta_{t-1} - \eta g_t / s_t$",
        r"\EndFor",
    ]
    assert rule(block(*lines))[1:3] == [
        "h[t] = g[t]^2",
        "s[t] = beta*s[t-1] + h[t] if mod(t, k) == 0 else s[t-1]",
    ]
    lines[5] = r"\State $s_t = s_{t-1} + h_t$"
    with pytest.raises(DiagnosticError, match="where the condition does not hold"):
        read(block(*lines))


def test_several_names_set_at_once() -> None:
    latex = block(
        r"\State $m_0, v_0 \gets 0, 1$, $\quad a_0, b_0 = 2$",
        r"\For{$t = 1$ to $T$}",
        r"\State $m_t = m_{t-1} + g_t$, $v_t = v_{t-1} + a_{t-1}$, $a_t = b_{t-1}$, $b_t = v_t$",
        r"\State $\theta_t = \theta_{t-1} - m_t$",
        r"\EndFor",
    )
    assert rule(latex)[:4] == ["m[0] = 0", "v[0] = 1", "a[0] = 2", "b[0] = 2"]


def test_several_names_that_tell_their_times() -> None:
    latex = block(
        r"\For{$t = 1$ to $T$}",
        r"\State $m_t, v_t \gets \beta m_{t-1} + g_t, m_{t-1} + m_t$",
        r"\State $\theta_t = \theta_{t-1} - v_t$",
        r"\EndFor",
    )
    assert "v[t] = m[t-1] + m[t]" in rule(latex)


def test_words_that_a_formula_shows() -> None:
    latex = block(
        r"\For{each tensor in the model}",
        r"\For{$t = 1$ to $T$}",
        r"\State Compute gradient and clip it: $g_t = \min(\nabla f(x_{t-1}), 1)$",
        r"\State $x_t = x_{t-1} - \eta(g_t + \lambda x_{t-1})$ (with decoupled weight decay)",
        r"\EndFor",
        r"\EndFor",
    )
    assert len(rule(latex)) == 2


def test_a_branch_on_one_line() -> None:
    latex = block(
        r"\For{$t = 1$ to $T$}",
        r"\State $c_t = \nabla f(x_{t-1})$",
        r"\State if $\|c_t\| > 1$, then $u_t = c_t/\|c_t\|$ else $u_t = c_t$",
        r"\State \textbf{if} $t > 9$ \textbf{then} $u_t = u_t/2$",
        r"\State $x_t = x_{t-1} - \eta u_t$",
        r"\EndFor",
    )
    assert rule(latex)[1:3] == [
        "u_v1[t] = c[t]/norm(c[t], all) if norm(c[t], all) > 1 else c[t]",
        "u[t] = u_v1[t]/2 if t > 9 else u_v1[t]",
    ]


def test_nothing_is_set_behind_the_loop() -> None:
    lines = [r"\For{$t = 1$ to $T$}", r"\State $x \gets x - g$", r"\EndFor"]
    with pytest.raises(DiagnosticError, match="behind the loop"):
        read(block(*lines, r"\State $x \gets x - m$"))
    with pytest.raises(DiagnosticError, match="loop is not understood"):
        read(block(r"\For{$e = 1$ to $E$}", *lines, r"\EndFor"))


def test_a_triangle_begins_a_remark() -> None:
    latex = block(
        r"\For{$t = 1$ to $T$}",
        r"\State $g \gets \nabla f(x)$ \hfill $\triangleright$ the gradient $g$",
        r"\State $x \gets x - \eta g$ {\color{gray}\(\triangleright\) move}",
        r"\EndFor",
    )
    assert len(rule(latex)) == 2


REFUSED = [
    ([r"\State $m, v \gets \beta m + g, \gamma v + m$"], "m", "set each on a line of its own"),
    ([r"\State $m, v = \beta m + g, m^2$"], "m^2", "before this line, or the new one"),
    (
        [r"\State \textbf{Apply weight decay}", r"\State $b = 1$"],
        r"\textbf{Apply weight decay}",
        "",
    ),
    ([r"\State Clip gradient:", r"\State $b = 1$"], "Clip gradient:", "words"),
    ([r"\State Compute gradient $g_t$ and normalize it"], "normalize", "no formula"),
    ([r"\State Clip gradient: $b = c$"], "Clip", "no formula"),
    ([r"\State Compute second gradient $g_t$"], "g_t", "expected `=`"),
    ([r"\For{each layer}", r"\State $u = g_t/\|g_t\|$", r"\EndFor"], "g_t", "of all layers"),
    ([r"\State Compute gradient $\nabla f(y_t)$"], r"\nabla f(y_t)", "expected `=`"),
    ([r"\State Get $g_t$ at the lookahead point $y_t$"], "lookahead", "words"),
    ([r"\State $b = c$ every 10 steps"], "every", "words"),
    ([r"\For{$t = 1$ to $T$}", r"\Repeat", r"\State $b = 1$", r"\Until{done}"], r"\Repeat", ""),
    ([r"\State frobnicate $x$"], "frobnicate", "words"),
    ([r"\State Set $m_0$ to zero"], "to", "words"),
    ([r"\State $x$"], "x", "expected `=`"),
    ([r"\State Set $x = 1$ (only if warm)"], "only", "words"),
    ([r"\State if $b > 0$, then $c = 1$ and restart"], "restart", "words"),
    ([r"\State if $b > 0$ and warm, then $c = 1$"], "if", "words"),
    ([r"\State $c = 1$ if $b > 0$"], "if", "words"),
    ([r"\State Sample $g_t = \nabla f(x_t)$ from data"], "Sample", "words"),
    ([r"\State Update $b = c$ and decay the learning rate"], "decay", "no formula"),
    ([r"\State Decay the learning rate and update $b = c$"], "Decay", "no formula"),
    ([r"\State $b = c$ (then apply weight decay)"], "apply", "no formula"),
    ([r"\State $b = c$ (clip the gradient to norm 1)"], "clip", "no formula"),
    ([r"\State $b = c$ (for the first 100 steps)"], "for", "words"),
    ([r"\For{$t = 1$ to $T$}", r"\State \textbf{Optional:} $b = c$"], "Optional", "words"),
    ([r"\For{$t = 1$ to $T$}", r"\State \textbf{Data:} clip the batch"], "Data", "words"),
    ([r"\Require $b_t = c/t$ after a warmup"], "after", "always"),
    (
        [r"\For{$t = 1$ to $T$}", r"\For{$k = 1$ to $5$ updates of parameters}"],
        "$k = 1$ to $5$ updates of parameters",
        "loop",
    ),
    ([r"\If{$a > 0$}", r"\State $b_t = 1$", r"\EndIf"], "b_t = 1", "give an `\\Else`"),
    ([r"\If{it is time}", r"\State $b = 1$", r"\EndIf"], "it is time", "condition"),
    ([r"\If{$a > 0$}", r"\State $b = 1$"], r"\If", "never closed"),
    ([r"\For{$t = 1$ to $T$}", r"\State $b = 1$"], r"\For", "never closed"),
    ([r"\State $b = 1$", r"\EndFor"], r"\EndFor", "not understood"),
    ([r"\For{$x \in D$}", r"\State $b = 1$", r"\EndFor"], r"$x \in D$", "loop"),
    ([r"\While{$a > 0$}", r"\State $b = 1$", r"\EndWhile"], r"$a > 0$", "loop"),
    ([r"\State $b = 1$", r"\Return $c$"], "c", "set nowhere"),
    ([r"\Repeat", r"\State $b = 1$", r"\Until{$c$}"], "$c$", "not understood"),
    ([r"\State $b = (1$"], "(", "never closed"),
    (
        [r"\If{$b > 0$}", r"\State $b = 1$, $c = b$", r"\Else", r"\State $b = 2$", r"\EndIf"],
        "b",
        "set in the branch itself",
    ),
]


@pytest.mark.parametrize(("lines", "place", "message"), REFUSED)
def test_lines_that_are_refused(lines: list[str], place: str, message: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read(block(*lines))
    (found,) = caught.value.diagnostics
    assert message in f"{found.message} {found.hint}"
    assert found.span is not None
    assert found.span.text == place


def test_one_procedure_is_the_rule() -> None:
    head = r"\Procedure{Descent}{$\theta_0$, $\eta$}"
    step = r"\State $\theta \gets \theta - \eta \nabla f(\theta)$"
    loop = (r"\For{$t = 1, \dots, T$}", step, r"\EndFor")
    assert rule(block(head, *loop, r"\EndProcedure")) == [
        "theta[t] = theta[t-1] - eta*grad(theta[t-1])"
    ]
    with pytest.raises(DiagnosticError, match="a second procedure"):
        rule(block(head, r"\EndProcedure", head, *loop, r"\EndProcedure"))
