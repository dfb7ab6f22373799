"""Rules as optimizers of PyTorch.

`optimizer` turns a name, a file or a composition into a subclass of `torch.optim.Optimizer`.
PyTorch is imported when it is called, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optdsl.torch.compiled import CompiledOptimizer

__all__ = ["optimizer"]


def optimizer(
    what: str | Path, target: str = "numba-cpu", *, storage: Mapping[str, str] | None = None
) -> type[CompiledOptimizer]:
    """Compile a rule and return the class that runs it on PyTorch's tensors.

    Arguments:
        what: the name of a shipped optimizer ("Adam"), the path of a file of specs
            ("mine.opt": its last definition; "mine.opt:Mine": the one of that name), or a
            composition ("ClipByGlobalNorm(c=1) | AdamW").
        target: "numba-cpu" (all cores) or "reference" (plain NumPy) for tensors on the CPU; on
            a card "cuda" is taken always. To ask for that alone finds out early what it refuses.
        storage: how states are kept, as in `{"m": "bfloat16", "v": "int8 blockwise(256)"}`.

    Returns a subclass of `torch.optim.Optimizer`; see `CompiledOptimizer` for how it is used.

    Raises:
        DiagnosticError: with every error of the spec, or it is not an optimizer.
        ModuleNotFoundError: PyTorch is not installed; the message names the extra.
        OSError: a file cannot be read.

    >>> import torch, optdsl.torch
    >>> SGD = optdsl.torch.optimizer("SGD")
    >>> w = torch.ones(3, requires_grad=True)
    >>> opt = SGD([w], lr=0.5)
    >>> (2 * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([0., 0., 0.])
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        message = "optdsl.torch needs PyTorch: install it, as with `pip install 'optdsl[torch]'`"
        raise ModuleNotFoundError(message, name="torch") from error
    from optdsl.torch.classes import class_of

    return class_of(str(what), target, storage)
