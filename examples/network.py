"""A two-layer network in plain NumPy, and the handwritten digits it learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int64]
Parameters: TypeAlias = dict[str, Floats]


@dataclass(frozen=True)
class Digits:
    """Images of 8 by 8 pixels, each a row of 64 numbers in [0, 1], and the digits they show."""

    train_images: Floats
    train_labels: Integers
    test_images: Floats
    test_labels: Integers


def load_digits(test_share: float = 0.2, seed: int = 0) -> Digits:
    """Split scikit-learn's 1,797 digits at random into images to learn from and to test on."""
    from sklearn.datasets import load_digits as read

    images, labels = read(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    images = (images[order] / 16).astype(np.float32)
    labels = labels[order].astype(np.int64)
    cut = round(len(labels) * test_share)
    return Digits(images[cut:], labels[cut:], images[:cut], labels[:cut])


def initial_parameters(hidden: int = 64, seed: int = 1) -> Parameters:
    """Draw weights after He et al. (2015); biases are zero."""
    random = np.random.default_rng(seed)

    def weights(inputs: int, outputs: int) -> Floats:
        drawn = random.normal(0, np.sqrt(2 / inputs), (inputs, outputs))
        return np.ascontiguousarray(drawn, np.float32)

    return {
        "weights_1": weights(64, hidden),
        "bias_1": np.zeros(hidden, np.float32),
        "weights_2": weights(hidden, 10),
        "bias_2": np.zeros(10, np.float32),
    }


def scores(parameters: Parameters, images: Floats) -> tuple[Floats, Floats]:
    """Return what the hidden layer and the output layer make of `images`."""
    hidden = np.maximum(images @ parameters["weights_1"] + parameters["bias_1"], 0)
    return hidden, hidden @ parameters["weights_2"] + parameters["bias_2"]


def loss_and_gradients(
    parameters: Parameters, images: Floats, labels: Integers
) -> tuple[float, Parameters]:
    """Return the mean cross-entropy of a batch, and its gradient by every parameter."""
    hidden, output = scores(parameters, images)
    output = output - output.max(axis=1, keepdims=True)
    logarithms = output - np.log(np.exp(output).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    loss = float(-logarithms[rows, labels].mean())

    error = np.exp(logarithms)
    error[rows, labels] -= 1
    error /= len(labels)
    behind = (error @ parameters["weights_2"].T) * (hidden > 0)
    return loss, {
        "weights_1": images.T @ behind,
        "bias_1": behind.sum(axis=0),
        "weights_2": hidden.T @ error,
        "bias_2": error.sum(axis=0),
    }


def accuracy(parameters: Parameters, images: Floats, labels: Integers) -> float:
    """Return the share of `images` that the network recognizes."""
    return float((scores(parameters, images)[1].argmax(axis=1) == labels).mean())


def batches(digits: Digits, size: int, epochs: int, seed: int = 2) -> Iterator[Integers]:
    """Yield the rows of one batch after another, every epoch in a new order."""
    random = np.random.default_rng(seed)
    count = len(digits.train_labels) // size
    for _ in range(epochs):
        order = random.permutation(len(digits.train_labels))
        yield from order[: count * size].reshape(count, size)
