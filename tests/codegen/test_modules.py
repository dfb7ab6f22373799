"""The text of generated modules: readable, self-contained, nothing of a spec executed."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from optdsl.codegen import TARGETS, emit
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_system, single_rules
from optdsl.model.expressions import Kind, Value, apply, number
from optdsl.model.system import Equation, Hyperparameter, State
from tests.codegen.driving import Driver
from tests.program.systems import NAMES, by_hand, entry, system

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["adam", "nesterov", "lamb", "guarded", "cooling", "accumulate"])
def test_modules_read_well(name, target, golden, golden_folder, monkeypatch):
    monkeypatch.setattr("optdsl.codegen.versions.compiler_version", lambda: "VERSION")
    folder = golden_folder / target
    folder.mkdir(exist_ok=True)
    golden(emit(system(name), target), folder / f"{name}.py")


@pytest.mark.parametrize("name", [*NAMES, *single_rules()])
def test_modules_parse_and_define_what_they_use(name):
    of = system(name) if name in NAMES else load_system(name)
    for target in TARGETS:
        tree = ast.parse(emit(of, target))
        imported = {a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert imported <= used | {"layout"}, target
        assert "*" not in imported, target


IMPORT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, {folder!r})
import numpy as np
import mine
theta = np.ones(3)
mine.Momentum([theta]).step([np.ones(3)])
assert theta[0] < 1
print(sorted(set(sys.modules) & {{"numba", "sympy", "lark", "optdsl.model", "optdsl.language"}}))
"""


@pytest.mark.parametrize(
    ("target", "refused", "loaded"),
    [
        ("reference", ("sympy", "lark", "numba", "llvmlite", "mpmath"), "[]"),
        ("numba-cpu", ("sympy", "lark", "mpmath"), "['numba']"),
    ],
)
def test_a_module_runs_without_the_compiler(tmp_path, target, refused, loaded):
    (tmp_path / "mine.py").write_text(emit(system("momentum"), target))
    script = IMPORT.format(refused=refused, folder=str(tmp_path))
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == loaded


NASTY = 'a """ quote \\ and\nimport os\x0c\r\u2028 end"'


@pytest.mark.parametrize("target", TARGETS)
def test_words_of_a_spec_are_never_code(target):
    of = replace(
        system("momentum"),
        doc=NASTY,
        hyperparameters=tuple(
            replace(each, doc=NASTY) for each in system("momentum").hyperparameters
        ),
    )
    tree = ast.parse(emit(of, target))
    imports = [node for node in tree.body if isinstance(node, ast.Import)]
    assert {alias.name for node in imports for alias in node.names} <= {"numpy"}


HARD = [
    "lambda", "real", "np", "t_", "i", "numbers", "scalars", "square", "table", "quiet", "range",
    "update_1", "kernel_1", "from_layout", "LAYOUT", "layout", "theta_t", "m_prev", "g", "where",
    "abs", "float64", "rows", "AdamW.eta", "v(1)", "beta 1", "1st", "None",
]  # fmt: skip


@pytest.mark.parametrize("target", ["reference", pytest.param("numba-cpu", marks=pytest.mark.slow)])
def test_names_of_the_author_never_clash_with_names_of_the_module(target):
    names = [name for name in HARD if name != "g"]
    hypers = [Hyperparameter(f"{n}'", "Hard", f"{n}'", default=number(2)) for n in names]
    states = [State(name, Kind.ENTRY, number(0)) for name in names]
    total = entry("g")
    equations = []
    for name in names:
        factor = Value(f"{name}'", Kind.STEP)
        equations.append(Equation(name, apply("add", entry(name, -1), apply("mul", factor, total))))
        total = apply("add", total, entry(name))
    theta = apply("sub", entry("theta", -1), apply("mul", number(0), entry(names[-1])))
    of = by_hand("Hard", states, [*equations, Equation("theta", theta)], hypers=hypers)
    import numpy as np

    from optdsl.codegen import compile_system

    driver = Driver(compile_system(of, target), [np.zeros(5)])
    driver.step(lambda name, points: [np.ones(5)])
    total = 1.0
    for name in names:
        assert driver.streams[name][0][3] == 2 * total
        total += 2 * total


@pytest.mark.parametrize("name", ["quiet", "layout", "kernel_1", "square", "np", "LAYOUT", "class"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_rule_may_have_any_name(name, target):
    import numpy as np

    from optdsl.codegen import compile_system

    of = replace(system("rprop"), name=name)
    driver = Driver(compile_system(of, target), [np.ones(5)])
    driver.step(lambda name, points: points)
    assert driver.thetas[0][0] != 1


def test_an_unknown_target_is_a_diagnostic():
    with pytest.raises(DiagnosticError, match="did you mean `numba-cpu`"):
        emit(system("sgd"), "numba_cpu")
