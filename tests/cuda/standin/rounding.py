"""Numbers as the units for matrix products round them. Importable without CuPy."""

from __future__ import annotations

from typing import Any

import numpy as np


def widen_bfloat16(bits: Any) -> Any:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def round_to_bfloat16(x: Any) -> Any:
    """Bits of the nearest bfloat16, ties to even; NaN stays NaN."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(x), 0x7FFF, rounded).astype(np.uint16)


def round_to_tf32(x: Any) -> Any:
    """10 bits of mantissa, ties away from zero; infinities and NaN as they are."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = ((bits + 0x1000) & ~np.uint32(0x1FFF)).view(np.float32)
    return np.where(np.isfinite(x), rounded, x)
