"""Rules of the house: small files, no circles, and a light way in."""

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"optdsl": ROOT / "optdsl", "optdsl.codegen": ROOT / "codegen"}
MODULES = {
    ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for package, folder in FOLDERS.items()
    for path in sorted(folder.rglob("*.py"))
}


def test_files_are_small():
    files = [*MODULES.values(), ROOT / "cli.py"]
    lines = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: count for path, count in lines.items() if count > 400} == {}


def top_level_imports(tree):
    """Yield import statements that run when the module is imported."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If):
            if ast.unparse(node.test).removeprefix("typing.") != "TYPE_CHECKING":
                waiting.extend(node.body)
            waiting.extend(node.orelse)
        elif isinstance(node, ast.Try):
            waiting.extend(node.body)


def imported_modules(name):
    path = MODULES[name]
    found = set()
    for node in top_level_imports(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
            continue
        base = node.module or ""
        if node.level:
            parts = name.split(".")
            package = parts if path.name == "__init__.py" else parts[:-1]
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [base])])
        for alias in node.names:
            submodule = f"{base}.{alias.name}"
            found.add(submodule if submodule in MODULES else base)
    return {package for other in found for package in packages_entered(other, name)}


def packages_entered(other, name):
    """Yield the modules that run when `name` imports `other`: it, and the packages around it."""
    parts = other.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        if module in MODULES and not f"{name}.".startswith(f"{module}."):
            yield module


def find_cycle(graph):
    """Return the names along one circle of `graph`, or None."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        path.append(name)
        for other in sorted(graph[name]):
            if cycle := visit(other):
                return cycle
        done.add(path.pop())
        return None

    return next((cycle for name in sorted(graph) if (cycle := visit(name))), None)


def test_a_circle_is_found():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_imports_go_one_way():
    graph = {name: imported_modules(name) for name in MODULES}
    assert graph["optdsl.commands.app"], "the graph sees imports"
    assert find_cycle(graph) is None


def loaded_after(code):
    """Return the top-level modules in memory after `code` ran in a fresh interpreter."""
    script = f"{code}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(ran.stdout.split())


def test_importing_the_package_is_light():
    assert not {"sympy", "lark", "numba", "numpy"} & loaded_after("import optdsl")


def test_the_runtime_needs_no_compiler():
    loaded = loaded_after("import optdsl.runtime")
    assert "numpy" in loaded
    assert not {"sympy", "lark", "mpmath"} & loaded


def test_help_needs_no_compiler():
    code = "from optdsl.commands import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass"
    assert not {"sympy", "lark", "numba"} & loaded_after(code)


def shipped_files():
    """Yield what an installation must hold: code, grammars, specs and sources, as installed."""
    for package, folder in {**FOLDERS, "optdsl.specs": ROOT / "specs"}.items():
        for path in folder.rglob("*"):
            if path.suffix in (".py", ".lark", ".opt", ".tex") or path.name == "py.typed":
                yield Path(*package.split(".")) / path.relative_to(folder)


def test_every_folder_is_a_package_of_the_distribution():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {".".join(path.parent.parts) for path in shipped_files()}
    assert set(settings["tool"]["setuptools"]["packages"]) == folders


@pytest.mark.slow
def test_a_wheel_holds_everything_and_nothing_at_the_top_level(tmp_path):
    source = tmp_path / "source"
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", tmp_path, source]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    assert set(shipped_files()) <= names
    assert {name.parts[0].split("-")[0] for name in names} == {"optdsl"}
