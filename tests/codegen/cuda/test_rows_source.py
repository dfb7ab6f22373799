"""The source of kernels of rows and columns, and what the target still refuses."""

import pytest

from optdsl.codegen import compile_system, emit
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule


def test_a_module_of_rows_and_columns_reads_well(golden, golden_folder, monkeypatch):
    monkeypatch.setattr("optdsl.codegen.versions.compiler_version", lambda: "VERSION")
    golden(
        emit(load_rule("Adafactor"), "numba-cuda"), golden_folder / "numba-cuda" / "adafactor.py"
    )


@pytest.mark.parametrize("rule", ["Muon", "Shampoo", "MuonWithAdamW"])
def test_products_of_matrices_are_refused_with_a_reason(rule):
    with pytest.raises(DiagnosticError, match="whole matrices \\(products or powers\\)") as error:
        compile_system(load_rule(rule), "numba-cuda")
    assert error.value.diagnostics[0].code == "not-on-cuda"
