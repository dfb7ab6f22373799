"""The target jax: a step as a small function on the arrays of JAX."""

from __future__ import annotations

NAME = "jax"
PREFIX = "jnp."
MODULES = {"np": "import numpy as np", "jnp": "import jax.numpy as jnp"}
IMPORTS = {
    "optdsl.codegen.support.functions": (
        "gradient_at", "meet_all", "number_of", "over_axis", "rounded", "symmetric_power",
    ),
    "optdsl.optax": ("from_functions",),
    "optdsl.runtime": ("functional", "layout"),
}  # fmt: skip
MAKE = "from_functions"
