"""What stands around training, shown on handwritten digits in plain NumPy loops.

Run it with `.venv/bin/python examples/around_training.py` after `make demo`. It checks the
network's gradients, interrupts a run and resumes it, stops early, averages snapshots, and
compares curricula.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from network import (
    Digits,
    Floats,
    Parameters,
    accuracy,
    initial_parameters,
    load_digits,
    loss_and_gradients,
    scores,
)
from threadpoolctl import threadpool_limits

import optdsl
from optdsl.training import (
    Batches,
    EarlyStopping,
    LinearPacing,
    MixedCurriculum,
    Order,
    PlateauPacing,
    Shuffle,
    SnapshotEnsemble,
    SortedCurriculum,
    check_gradients,
)

BATCH = 32


def step(optimizer: Any, parameters: Parameters, digits: Digits, rows: Any) -> None:
    """Take one step on the images `rows`."""
    images, labels = digits.train_images[rows], digits.train_labels[rows]
    optimizer.step(loss_and_gradients(parameters, images, labels)[1])


def tested(parameters: Parameters, digits: Digits) -> float:
    """Return the share of the test images that are recognized."""
    return accuracy(parameters, digits.test_images, digits.test_labels)


def probabilities(parameters: Parameters, images: Floats) -> Floats:
    """Return how likely the network holds each digit to be."""
    output = scores(parameters, images)[1]
    likely: Floats = np.exp(output - output.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    return likely


def check_by_differences(digits: Digits) -> None:
    """Hold the network's gradients to differences of its loss; then plant an error."""
    print("Gradient check")
    images, labels = digits.train_images[:BATCH], digits.train_labels[:BATCH]

    def right(parameters: Parameters) -> tuple[float, Parameters]:
        return loss_and_gradients(parameters, images, labels)

    def wrong(parameters: Parameters) -> tuple[float, Parameters]:
        loss, gradients = right(parameters)
        gradients["weights_2"][3, 7] *= 1.01
        return loss, gradients

    parameters = initial_parameters(hidden=8)
    print(f"  {check_gradients(right, parameters)}".replace("\n", "\n  "))
    found = check_gradients(wrong, parameters).worst
    print(f"  with weights_2[3, 7] off by 1 %, found:\n    {found}\n")


def resume_in_the_middle(digits: Digits) -> None:
    """Interrupt a run in the middle of an epoch, go on in new objects, and compare."""
    print("Shuffling, and resuming")
    Adam = optdsl.load("Adam")
    shuffle = Shuffle(len(digits.train_labels), seed=5)

    def begin() -> tuple[Parameters, Any, Batches]:
        parameters = initial_parameters()
        return parameters, Adam(parameters, lr=0.003), Batches(shuffle, BATCH)

    def go_on(parameters: Parameters, optimizer: Any, batches: Batches) -> None:
        while batches.epoch < 3:
            for rows in batches:
                step(optimizer, parameters, digits, rows)

    unbroken = begin()
    go_on(*unbroken)

    parameters, optimizer, batches = begin()
    for _, rows in zip(range(20), batches, strict=False):
        step(optimizer, parameters, digits, rows)
    stored = optimizer.state_dict(), batches.state_dict()
    print(f"  interrupted in epoch {batches.epoch} after {batches.batch} batches")

    resumed = begin()
    for name, array in resumed[0].items():
        array[...] = parameters[name]
    for thing, state in zip(resumed[1:], stored, strict=True):
        thing.load_state_dict(state)
    go_on(*resumed)
    same = all(np.array_equal(unbroken[0][name], resumed[0][name]) for name in parameters)
    print(
        f"  after 3 epochs the parameters are {'bit for bit the same' if same else 'different'}\n"
    )


def stop_early(digits: Digits) -> None:
    """Train on few images until the loss on others stops to fall; take the best parameters."""
    print("Early stopping (200 images to learn from, 400 to judge by)")
    few, others = slice(0, 200), slice(200, 600)
    parameters = initial_parameters()
    optimizer = optdsl.load("Adam")(parameters, lr=0.01)
    batches, stopping = Batches(Shuffle(200, seed=1), BATCH), EarlyStopping(patience=15)
    while not stopping.stop and batches.epoch < 500:
        for rows in batches:
            step(optimizer, parameters, digits, rows)
        images, labels = digits.train_images[others], digits.train_labels[others]
        loss = loss_and_gradients(parameters, images, labels)[0]
        progress = stopping.update(loss, parameters)
    learnt = loss_and_gradients(parameters, digits.train_images[few], digits.train_labels[few])[0]
    print(f"  stopped after epoch {stopping.evaluations}: {progress.message}")
    print(f"  loss on what it learnt from is {learnt:.4f}, on the others {loss:.4f}")
    last = tested(parameters, digits)
    stopping.restore(parameters)
    best = tested(parameters, digits)
    print(
        f"  test accuracy {last:.1%}; of epoch {stopping.best_evaluation}, restored, {best:.1%}\n"
    )


def average_snapshots(digits: Digits) -> None:
    """Collect the network at each restart of a cosine schedule and let all of them vote."""
    print("Snapshot ensemble (eight hidden units, four cycles of six epochs)")
    batches = Batches(Shuffle(len(digits.train_labels), seed=3), BATCH, drop_last=True)
    an_epoch = len(digits.train_labels) // BATCH
    schedule = optdsl.load("WarmRestarts")(eta_max=0.3, T_0=6 * an_epoch)
    parameters = initial_parameters(hidden=8)
    optimizer = optdsl.load("Momentum")(parameters, lr=schedule)
    ensemble = SnapshotEnsemble()
    rates = schedule.start()
    while batches.epoch < 24:
        for rows in batches:
            ensemble.watch(next(rates), parameters)
            step(optimizer, parameters, digits, rows)
    ensemble.add(parameters)

    single = [f"{tested(snapshot, digits):.1%}" for snapshot in ensemble.snapshots]
    together = ensemble.predict(probabilities, digits.test_images).argmax(axis=1)
    print(f"  test accuracy of each: {', '.join(single)}")
    print(f"  averaged:              {(together == digits.test_labels).mean():.1%}\n")


def losses_of_examples(parameters: Parameters, digits: Digits) -> Floats:
    """Return the loss on each image to learn from."""
    likely = probabilities(parameters, digits.train_images)
    losses: Floats = -np.log(likely[np.arange(len(likely)), digits.train_labels] + 1e-12)
    return losses


def train_in_order(order: Order, pacing: PlateauPacing | None, digits: Digits, steps: int) -> float:
    """Return the test accuracy after `steps` batches of an order."""
    parameters = initial_parameters()
    optimizer = optdsl.load("Momentum")(parameters, lr=0.03)
    batches = Batches(order, BATCH)
    taken = 0
    while taken < steps:
        for rows in batches:
            step(optimizer, parameters, digits, rows)
            taken += 1
            if taken == steps:
                break
        if pacing is not None:
            pacing.update(float(losses_of_examples(parameters, digits).mean()))
    return tested(parameters, digits)


def compare_orders(digits: Digits) -> None:
    """Train for as many steps in each order; a network trained for two epochs says what is hard."""
    print("Curriculum (300 steps; test accuracy, mean of three seeds)")
    teacher = initial_parameters()
    optimizer = optdsl.load("Momentum")(teacher, lr=0.03)
    batches = Batches(Shuffle(len(digits.train_labels)), BATCH)
    while batches.epoch < 2:
        for rows in batches:
            step(optimizer, teacher, digits, rows)
    hard = losses_of_examples(teacher, digits)

    reached: dict[str, list[float]] = {}
    linear = LinearPacing(start=0.2, epochs=5)
    for seed in range(3):
        plateau = PlateauPacing(levels=5)
        orders: dict[str, tuple[Order, PlateauPacing | None]] = {
            "shuffled": (Shuffle(len(hard), seed), None),
            "sorted, linear pacing": (SortedCurriculum(hard, seed, linear, levels=10), None),
            "naive, linear pacing": (MixedCurriculum(hard, seed, linear, 0, levels=10), None),
            "mixed": (MixedCurriculum(hard, seed, mix=1, levels=10), None),
            "combined, linear pacing": (MixedCurriculum(hard, seed, linear, levels=10), None),
            "combined, plateau pacing": (MixedCurriculum(hard, seed, plateau, levels=10), plateau),
        }
        for name, (order, pacing) in orders.items():
            reached.setdefault(name, []).append(train_in_order(order, pacing, digits, steps=300))
    for name, accuracies in reached.items():
        print(f"  {name:26}{np.mean(accuracies):.1%}")
    print("  digits are easy to learn in any order: this shows how, not that it helps")


def main() -> None:
    """Show each helper once."""
    digits = load_digits()
    # Matrices of this size are multiplied faster by one thread than by several.
    with threadpool_limits(1, user_api="blas"):
        check_by_differences(digits)
        resume_in_the_middle(digits)
        stop_early(digits)
        average_snapshots(digits)
        compare_orders(digits)


if __name__ == "__main__":
    main()
