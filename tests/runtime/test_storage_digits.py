"""Storage formats on handwritten digits: what they cost in loss."""

import ml_dtypes
import numpy as np
import pytest

import optdsl

BLOCKS = "int8 blockwise(256)"
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def digits():
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    return (found.data / 16).astype(np.float32), found.target


def layers(dtype):
    random = np.random.default_rng(0)
    sizes = [(64, 64), (64, 10)]
    made = [random.normal(scale=np.sqrt(2 / n), size=(n, m)) for n, m in sizes]
    return [np.asarray(w, dtype) for w in (*made, np.zeros(64), np.zeros(10))]


def loss_and_gradients(weights, x, y):
    first, second, a, b = (w.astype(np.float32) for w in weights)
    hidden = np.maximum(x @ first + a, 0)
    scores = hidden @ second + b
    scores -= scores.max(axis=1, keepdims=True)
    chances = np.exp(scores)
    chances /= chances.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(chances[rows, y] + 1e-12).mean()
    chances[rows, y] -= 1
    chances /= len(y)
    below = (chances @ second.T) * (hidden > 0)
    gradients = (x.T @ below, hidden.T @ chances, below.sum(0), chances.sum(0))
    return loss, [g.astype(w.dtype) for g, w in zip(gradients, weights, strict=True)]


def trained(storage, dtype=np.float32, steps=600):
    """Return the loss over all digits after training with Adam."""
    x, y = digits()
    weights = layers(dtype)
    optimizer = optdsl.load("Adam", storage=storage)(weights, lr=1e-3)
    random = np.random.default_rng(1)
    for _ in range(steps):
        batch = random.choice(len(y), 128, replace=False)
        optimizer.step(loss_and_gradients(weights, x[batch], y[batch])[1])
    return loss_and_gradients(weights, x, y)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage", "dtype"),
    [
        ({"m": "bfloat16"}, np.float32),
        ({"m": "bfloat16 stochastic", "v": "bfloat16 stochastic"}, np.float32),
        ({"m": "float16"}, np.float32),
        ({"m": BLOCKS, "v": BLOCKS}, np.float32),
        ({"m": f"{BLOCKS} stochastic", "v": f"{BLOCKS} stochastic"}, np.float32),
        ({"theta": "bfloat16 compensated"}, BFLOAT16),
        ({"theta": "bfloat16 compensated", "m": BLOCKS, "v": BLOCKS}, BFLOAT16),
    ],
    ids=str,
)
def test_the_loss_stays_within_one_percent(storage, dtype):
    plain = trained({})
    assert trained(storage, dtype) < 1.01 * plain
