"""Roundings that NumPy has not: denormals flushed, one rounding of a sum, towards a side, bfloat16.

Sums of products are worked out as a float64 and the error made in it (error-free transformations:
Knuth's TwoSum, Dekker's TwoProduct). Where the error could change a second rounding, the float64 is
moved to its odd neighbour first, which makes two roundings as good as one (Boldo and Melquiond,
"Emulation of FMA and correctly rounded sums", IEEE Transactions on Computers 57, 2008).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SMALLEST = np.finfo(np.float32).tiny
"""Smallest normal float32."""

Function = Callable[..., Any]


def flush(x: Any) -> Any:
    """Denormals of float32 become zeros of their sign."""
    small = np.abs(x) < SMALLEST
    return np.where(small, np.copysign(np.float32(0), x), x) if small.any() else x


def saturate(x: Any) -> Any:
    """Into [0, 1]; NaN becomes 0."""
    return np.where(x > 0, np.minimum(x, x.dtype.type(1)), x.dtype.type(0))


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """The float64 sum and its exact error."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """The float64 product and its exact error, where nothing over- or underflows on the way."""
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _split(x: Any) -> tuple[Any, Any]:
    scaled = x * np.float64(2**27 + 1)
    high = scaled - (scaled - x)
    return high, x - high


def to_odd(total: Any, error: Any) -> Any:
    """``total + error`` rounded to odd: an inexact float64 gets a last bit of 1."""
    bits = np.ascontiguousarray(total).view(np.int64)
    even = (error != 0) & (bits & 1 == 0) & np.isfinite(total) & np.isfinite(error)
    step = np.where((error > 0) == (total > 0), 1, -1)
    return (bits + np.where(even & (total != 0), step, 0)).view(np.float64)


def fma32(a: Any, b: Any, c: Any) -> Any:
    """float32 ``a * b + c`` with one rounding: the product of two float32 is exact in float64."""
    product, c = np.multiply(a, b, dtype=np.float64), np.float64(c)
    total = product + c
    # A second rounding errs only at the middle between two float32, and among the denormals.
    bits = total.view(np.int64)
    doubtful = (bits & 0x1FFFFFFF == 0x10000000) | (np.abs(total) < SMALLEST)
    if doubtful.any():
        total = np.where(doubtful, to_odd(*two_sum(product, c)), total)
    return total.astype(np.float32)


def fma16(a: Any, b: Any, c: Any) -> Any:
    """float16 ``a * b + c`` with one rounding."""
    product, c = np.multiply(a, b, dtype=np.float64), np.float64(c)
    return to_odd(*two_sum(product, c)).astype(np.float16)


def fma64(a: Any, b: Any, c: Any) -> Any:
    """float64 ``a * b + c`` with one rounding.

    Exact unless the product is so large or small that its error cannot be a float64 (beyond 1e300,
    below 1e-290): there it is rounded twice.
    """
    high, low = two_product(a, b)
    c_high, c_low = two_sum(c, low)
    total, total_low = two_sum(high, c_high)
    result = total + to_odd(*two_sum(c_low, total_low))
    usual = (np.abs(high) < 1e300) & ((np.abs(high) > 1e-290) | (high == 0)) & np.isfinite(result)
    if usual.all():
        return result
    return np.where(usual, result, a * b + c)


def fma_bf16(a: Any, b: Any, c: Any) -> Any:
    """Bits of bfloat16 ``a * b + c`` with one rounding."""
    product = np.multiply(widen(a), widen(b), dtype=np.float64)
    total = to_odd(*two_sum(product, np.float64(widen(c))))
    return narrow_odd(total)


def widen(bits: Any) -> Any:
    """bfloat16 -> float32."""
    return (np.asarray(bits).astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow(x: Any) -> Any:
    """float32 -> bits of bfloat16, to nearest even; NaN is 0x7fff."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), rounded)


def narrow_odd(x: Any) -> Any:
    """float64 -> bits of bfloat16, rounded once: through the odd one of two float32."""
    single = x.astype(np.float32)
    return narrow(odd32(single, x - single))


def odd32(single: Any, error: Any) -> Any:
    """float32 ``single + error`` rounded to odd."""
    bits = single.view(np.int32)
    even = (error != 0) & (bits & 1 == 0) & np.isfinite(single) & np.isfinite(error)
    step = np.where((error > 0) == (single > 0), 1, -1).astype(np.int32)
    return (bits + np.where(even & (single != 0), step, np.int32(0))).view(np.float32)


def towards(mode: str, total: Any, error: Any, dtype: Any) -> Any:
    """``total + error`` as ``dtype``, rounded down (rm), up (rp) or to zero (rz)."""
    nearest = total.astype(dtype)
    back = nearest.astype(total.dtype)
    above = (back > total) | ((back == total) & (error < 0))
    below = (back < total) | ((back == total) & (error > 0))
    positive = (total > 0) | ((total == 0) & (error > 0))
    down = above if mode == "rm" else above & positive if mode == "rz" else above & False
    up = below if mode == "rp" else below & ~positive if mode == "rz" else below & False
    lower = np.nextafter(nearest, dtype(-np.inf))
    upper = np.nextafter(nearest, dtype(np.inf))
    return np.where(down, lower, np.where(up, upper, nearest))
