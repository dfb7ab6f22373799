"""The formats in which numbers are stored, and rounding to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Format:
    """A binary format: its name, its digits, and its range.

    `largest` is its largest number, `smallest` the smallest that keeps all digits, `least` the
    smallest above zero.
    """

    name: str
    largest: float
    smallest: float
    least: float

    def rounded(self, array: Any) -> Any:
        """Return float64 numbers as the format holds them, in float64.

        >>> import numpy as np
        >>> FLOAT16.rounded(np.array([1e-8, 1e5])), BFLOAT16.rounded(np.array([1.001, 1e5]))
        (array([ 0., inf]), array([1.0000e+00, 9.9840e+04]))
        """
        import numpy as np

        with np.errstate(over="ignore", under="ignore"):
            if self.name != "bfloat16":
                return np.asarray(array).astype(self.name).astype(np.float64)
            bits = np.asarray(array).astype(np.float32).view(np.uint32)
            # Half of the last place that stays, less one where that is even: ties go to even.
            up = ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)
            cut = (bits + up) & np.uint32(0xFFFF0000)
            kept = np.where(np.isfinite(bits.view(np.float32)), cut, bits).astype(np.uint32)
            return kept.view(np.float32).astype(np.float64)


FLOAT32 = Format("float32", 3.4028235e38, 1.1754944e-38, 1.4e-45)
FLOAT16 = Format("float16", 65504.0, 6.1035e-5, 5.96e-8)
BFLOAT16 = Format("bfloat16", 3.3895314e38, 1.1754944e-38, 9.2e-41)

FORMATS = (FLOAT32, FLOAT16, BFLOAT16)
