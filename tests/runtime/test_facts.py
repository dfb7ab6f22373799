"""Rules that look at the shape and the name of a tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import optdsl

RULE = """
optimizer Shaped
  hyper eta as lr = 0.1
  k = sqrt(max(1, rows/columns))
  theta[t] = theta[t-1] - eta*(k*g[t] if ndim == 2 and not named("*.bias") else size*g[t])
"""


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
def test_facts_are_those_of_each_tensor(tmp_path: Path, target: str) -> None:
    path = tmp_path / "shaped.opt"
    path.write_text(RULE)
    shapes = {"w": (4, 1), "v": (4,), "w.bias": (4, 1), "cube": (2, 2, 2), "scalar": ()}
    parameters = {name: np.zeros(shape) for name, shape in shapes.items()}
    optimizer = optdsl.load(path, target=target)(parameters)
    optimizer.step({name: np.ones(shape) for name, shape in shapes.items()})
    moved = {name: float(array.flat[0]) for name, array in parameters.items()}
    assert moved == pytest.approx(
        {"w": -0.2, "v": -0.4, "w.bias": -0.4, "cube": -0.8, "scalar": -0.1}
    )


def test_tensors_of_a_list_are_named_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "second.opt"
    path.write_text(
        'optimizer Second\n  theta[t] = theta[t-1] - (g[t] if named("1") else 0*g[t])\n'
    )
    parameters = [np.zeros(2), np.zeros(2)]
    optdsl.load(path, target="reference")(parameters).step([np.ones(2), np.ones(2)])
    assert [float(array[0]) for array in parameters] == [0.0, -1.0]
