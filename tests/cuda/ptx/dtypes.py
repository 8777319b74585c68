"""Types of PTX as NumPy dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

DTYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(dtype)
    for name, dtype in {
        "pred": np.bool_,
        "b8": np.uint8,
        "u8": np.uint8,
        "s8": np.int8,
        "b16": np.uint16,
        "u16": np.uint16,
        "s16": np.int16,
        "f16": np.float16,
        "bf16": np.uint16,  # its bits
        "b32": np.uint32,
        "u32": np.uint32,
        "s32": np.int32,
        "f32": np.float32,
        "f16x2": np.uint32,
        "bf16x2": np.uint32,
        "b64": np.uint64,
        "u64": np.uint64,
        "s64": np.int64,
        "f64": np.float64,
    }.items()
}

FLOATS = frozenset({"f16", "bf16", "f16x2", "bf16x2", "f32", "f64"})


def unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The unsigned whole numbers of the same size."""
    return np.dtype(f"u{dtype.itemsize}")


def recast(x: Any, dtype: np.dtype[Any]) -> Any:
    """The same bits as another type; cut off, or extended as the sign of ``x`` asks."""
    if x.dtype == dtype:
        return x
    if x.dtype.itemsize == dtype.itemsize:
        return x.view(dtype)
    if x.dtype.kind == "f":
        x = x.view(unsigned(x.dtype))
    return x.astype(unsigned(dtype)).view(dtype)
