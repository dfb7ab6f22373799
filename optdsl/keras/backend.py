"""The backend that Keras runs on: found out before anything of it is imported."""

from __future__ import annotations

import sys

from optdsl.diagnostics import Diagnostic, DiagnosticError

_BACKENDS = ("jax", "tensorflow", "torch", "openvino")
_HINT = (
    "set KERAS_BACKEND=torch before Keras is imported; for JAX, optdsl.optax has transformations"
)


def require_torch_backend() -> None:
    """Import Keras, and see that it runs on PyTorch.

    Raises:
        DiagnosticError: it runs on another backend, or on one that is not installed.
        ModuleNotFoundError: Keras is not installed; the message names the extra.
    """
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name == "keras":
            message = "optdsl.keras needs Keras: install it, as with `pip install 'optdsl[keras]'`"
            raise ModuleNotFoundError(message, name="keras") from error
        library = (error.name or "").partition(".")[0]
        if library not in _BACKENDS:
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
            del sys.modules[name]  # half imported: what comes next says as much as this
        raise _refused(f"Keras is set to run on {library} here, which is not installed") from error
    backend = keras.backend.backend()
    if backend != "torch":
        raise _refused(f"Keras runs on {backend} here, and this door is for its PyTorch backend")


def _refused(what: str) -> DiagnosticError:
    return DiagnosticError(Diagnostic("keras-backend", what, hint=_HINT))
