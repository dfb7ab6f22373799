"""Where rules are to arrive: a parabola, and the valley of Rosenbrock."""

import jax
import jax.numpy as jnp
import optax

import optdsl.optax


def parabola(x):
    return jnp.sum((x - jnp.array([1.0, -1.0, 1.0])) ** 2)


def rosenbrock(x):
    return (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2


#: By name: the function, where rules start, and where its least value is.
LANDSCAPES = {
    "parabola": (parabola, (-1.0, 10.0, 2.0), (1.0, -1.0, 1.0)),
    "rosenbrock": (rosenbrock, (-1.2, 1.0), (1.0, 1.0)),
}
STEPS = {"parabola": 1000, "rosenbrock": 20000}


def distance(rule, landscape, rate, arguments):
    """Return how far from the least value a rule ends, its rate falling along a cosine.

    The largest of the differences; `rate` may be traced, and None leaves the rule its own.
    """
    function, start, end = LANDSCAPES[landscape]
    steps = STEPS[landscape]
    given = dict(arguments)
    if rate is not None:
        given["lr"] = lambda count: rate * 0.5 * (1.0 + jnp.cos(jnp.pi * count / steps))
    transformation = optdsl.optax.transformation(rule, **given)

    def step(carry, _):
        x, state = carry
        loss, slope = jax.value_and_grad(function)(x)
        update, state = transformation.update(
            slope, state, x, value=loss, grad_fn=jax.grad(function)
        )
        return (optax.apply_updates(x, update), state), None

    begin = jnp.array(start)
    (x, state), _ = jax.lax.scan(step, (begin, transformation.init(begin)), None, length=steps)
    x = optdsl.optax.evaluation(transformation, state, x)
    return jnp.max(jnp.abs(x - jnp.array(end)))
