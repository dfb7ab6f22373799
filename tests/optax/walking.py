"""The same walk with Optax and with our own arrays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

import optdsl
import optdsl.optax

SHAPES = {"a": (3, 2), "b.bias": (4,), "c": (2, 3)}
STEPS = 6
#: What must be given, and what makes six small steps tell something.
ARGUMENTS = {
    "DAdaptSGD": {"d0": 1e-3},
    "Polyak": {"f_min": -9.0},
}


def start(dtype, seed=0):
    """Return parameters that stay away from 0."""
    random = np.random.default_rng(seed)
    return {
        name: np.asarray(random.choice([-1.0, 1.0], shape) * random.uniform(1, 2, shape), dtype)
        for name, shape in SHAPES.items()
    }


def gradients(params, t):
    """Return gradients of a bowl and noise; the loss is their mean square."""
    random = np.random.default_rng(100 + t)
    found = {}
    for name, x in params.items():
        noise = 0.3 * random.normal(size=x.shape)
        found[name] = (0.7 * (x - 3.0) + noise).astype(x.dtype)
    return found


def loss(params):
    return float(sum(np.sum((np.asarray(x, np.float64) - 3.0) ** 2) for x in params.values()))


def with_arrays(rule, dtype, arguments, target="reference", steps=STEPS, inputs=None, asks=False):
    """Return our own parameters after each step; `asks` says that it asks for all gradients."""
    params = start(dtype)
    optimizer = optdsl.load(rule, target)(params, **arguments)
    slots = optimizer.layout
    found = []
    for t in range(1, steps + 1):
        more = (inputs or {}).get(t, {})
        if slots.losses:
            optimizer.step(gradients(params, t), loss=loss(params), **more)
        elif slots.ready is None or asks:
            optimizer.step(lambda point, t=t: gradients(point, t), **more)
        else:
            optimizer.step(gradients(params, t), **more)
        found.append({name: array.copy() for name, array in params.items()})
    return found


def with_optax(rule, dtype, arguments, steps=STEPS, inputs=None, compiled=True):
    """Return the parameters after each step under the transformation of Optax."""
    with jax.enable_x64(np.dtype(dtype) == np.float64):
        transformation = optdsl.optax.transformation(rule, **arguments)
        params = {name: jnp.asarray(array) for name, array in start(dtype).items()}
        noise = [gradients({n: np.zeros_like(x) for n, x in params.items()}, t + 1)
                 for t in range(steps)]  # fmt: skip

        def step(params, state, noise, more):
            def slope(point):
                return {n: (0.7 * point[n] + noise[n]).astype(point[n].dtype) for n in point}

            value = sum(jnp.sum((x - 3.0) ** 2) for x in params.values())
            updates, state = transformation.update(
                slope(params), state, params, value=value, grad_fn=slope, **more
            )
            return optax.apply_updates(params, updates), state

        advance = jax.jit(step) if compiled else step
        state = transformation.init(params)
        found = []
        for t in range(1, steps + 1):
            more = (inputs or {}).get(t, {})
            params, state = advance(params, state, noise[t - 1], more)
            found.append({name: np.asarray(array) for name, array in params.items()})
        return found


def gap(ours, theirs, dtype):
    """Return the largest difference: float64 in units of the displacement, float32 of entries."""
    worst = 0.0
    first = start(dtype)
    for mine, other in zip(ours, theirs, strict=True):
        for name in first:
            moved = np.max(np.abs(mine[name] - first[name]))
            unit = moved if np.dtype(dtype) == np.float64 else np.max(np.abs(mine[name]))
            difference = np.abs(mine[name] - other[name])
            assert np.array_equal(np.isfinite(mine[name]), np.isfinite(other[name]))
            worst = max(worst, np.nanmax(difference) / (unit or 1.0))
    return worst
