"""Rules as optimizers of Keras 3, on its PyTorch backend.

`optimizer` turns a name, a file or a composition into a subclass of `keras.optimizers.Optimizer`.
Keras is imported when it is called, not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optdsl.keras.compiled import CompiledOptimizer

__all__ = ["optimizer"]


def optimizer(what: str | Path, target: str = "numba-cpu") -> type[CompiledOptimizer]:
    """Compile a rule and return the class that runs it on the variables of Keras.

    Arguments:
        what: the name of a shipped optimizer ("Lion"), the path of a file of specs, or a
            composition ("ClipByGlobalNorm(c=1) | AdamW").
        target: "numba-cpu" (all cores), or "reference" (plain NumPy).

    Returns a subclass of `keras.optimizers.Optimizer`; see `CompiledOptimizer` for how it is used.

    Raises:
        DiagnosticError: with every error of the spec, or why Keras cannot run it.
        ModuleNotFoundError: Keras is not installed; the message names the extra.
        OSError: a file cannot be read.

    >>> import os; os.environ["KERAS_BACKEND"] = "torch"
    >>> import keras, numpy as np, optdsl.keras
    >>> Lion = optdsl.keras.optimizer("Lion")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=Lion(learning_rate=1e-3), loss="mse")
    >>> _ = model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    >>> int(model.optimizer.iterations)
    1
    """
    from optdsl.keras.backend import require_torch_backend

    require_torch_backend()
    from optdsl.keras.classes import class_of

    return class_of(str(what), target)
