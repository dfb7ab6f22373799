"""Emitted modules stand by themselves, and are written to be read."""

import subprocess
import sys

import pytest

import optdsl
from optdsl.codegen import emit
from optdsl.commands import main
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule


def run_command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code in (None, 0)


def test_the_equations_stand_above_their_lines(capsys):
    run_command("show", "Adam", "--as", "jax")
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("    # m[t] = beta1*m[t-1] + (1 - beta1)*g[t]")
    assert lines[place + 1] == "    m_t = beta1 * m_prev + one_minus_beta1 * g_t"


def test_a_function_yields_where_tensors_meet():
    text = emit(load_rule("SAM"), "jax")
    assert 'n = yield meet_all("norm", g_t)' in text
    assert "s_t = yield gradient_at(point_s)" in text


@pytest.mark.slow
def test_a_compiled_module_needs_no_compiler(tmp_path):
    run_command("compile", "Accumulate(k=2) | Adam", "--target", "jax", "-o", str(tmp_path))
    (module,) = tmp_path.glob("*.py")
    script = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import jax.numpy as jnp
from {module.stem} import AccumulateAdam
rule = AccumulateAdam(lr=0.5)
params = jnp.ones(2)
state = rule.init(params)
for _ in range(2):
    updates, state = rule.update(params, state, params)
print(updates.round(3).tolist(), state.steps.tolist())
print(sorted({{"sympy", "lark", "numba"}} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout.splitlines() == ["[-0.5, -0.5] [[2, 1]]", "[]"], ran.stderr


def test_arrays_are_told_where_functions_run():
    with pytest.raises(DiagnosticError, match=r"optdsl\.optax"):
        optdsl.load("SGD", target="jax")


def test_what_has_no_functions_is_refused(tmp_path):
    spec = tmp_path / "small.opt"
    spec.write_text(
        "optimizer Small extends Momentum\n  state v : int8 blockwise(256)\n", encoding="utf-8"
    )
    with pytest.raises(DiagnosticError, match="`v` stored as int8"):
        emit(load_rule(str(spec)), "jax")
