"""The tables of PyTorch's own documentation: each is read and proved, or refused with a caret."""

import textwrap

import pytest

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.slow

#: What a table does not say, and one that says nothing that can be read.
SAID = {"Adafactor": [r"$\text{dim}(x)$ = ndim"]}
SLIPS = {  # Adafactor drops its weight decay; Muon's last line has a stray letter
    "Adafactor": (r"\leftarrow \theta_{t-1} - \alpha_t", r"\leftarrow \theta_{t} - \alpha_t"),
    "Muon": (r"{0.4pt}s", r"{0.4pt}"),
}
REFUSED = {"Muon": "this function is not understood"}
TABLES = ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "RAdam")


def table(name: str) -> str:
    text = getattr(torch.optim, name).__doc__.split(".. math::", 1)[1]
    end = r"\end{aligned}"
    return textwrap.dedent(text[: text.index(end)] + end).strip()


@pytest.mark.parametrize("name", [*TABLES, "RMSprop", "Rprop", "SGD"])
def test_a_table_of_the_documentation(optdsl, tmp_path, name: str) -> None:
    path, said = tmp_path / "table.tex", [f"--where={one}" for one in SAID.get(name, [])]
    path.write_text(table(name))
    if name in SLIPS:
        refused = optdsl("import", str(path), "-o", str(tmp_path / "x.opt"), *said)
        assert refused.status == 1
        assert "^" in refused.err
        path.write_text(table(name).replace(*SLIPS[name]))
    done = optdsl("import", str(path), "-o", str(tmp_path / "x.opt"), *said)
    assert REFUSED.get(name, "proved: source") in done.text
