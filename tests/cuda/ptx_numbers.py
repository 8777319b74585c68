"""Numbers that instructions of the PTX emulator are tried on."""

from __future__ import annotations

from typing import Any

import numpy as np

RNG = np.random.default_rng(0)


def whole(dtype: str, count: int = 200) -> Any:
    """Numbers over the whole range, and its ends."""
    limits = np.iinfo(dtype)
    inner = RNG.integers(limits.min, limits.max, count, dtype, endpoint=True)
    return np.concatenate([inner, np.array([0, 1, limits.min, limits.max], dtype)])


def real(dtype: str, count: int = 200) -> Any:
    """Numbers of all sizes, both signs."""
    spread = {"f2": 3, "f4": 20, "f8": 60}[dtype]
    return (RNG.standard_normal(count) * 2.0 ** RNG.integers(-spread, spread, count)).astype(dtype)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 3.5, -3.5, 1e30], "f4")
