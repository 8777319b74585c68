"""Rotary positions: pairs of columns of each head turned by their row's position.

Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021. Pair ``i`` of the
``part`` columns that are turned goes round by ``position · base^(-2i / part)``. Frequencies,
angles, sines and cosines are float32 whatever ``x`` is, rounded where transformers rounds them: at
position 8,000 the last bit of a frequency is worth 5e-4 of an angle.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, row_numbers, strided_rows, thread_grid
from gpudb.kernels.rows import row_pieces


def frequencies(base: float, part: int) -> Any:
    """Radians from one position to the next, for each pair: ``(part / 2,)`` float32."""
    exponents = np.arange(0, part, 2, dtype=np.float32) / np.float32(part)
    powers = np.exp(exponents.astype(np.float64) * math.log(base))
    return np.float32(1) / powers.astype(np.float32)


def turns(positions: Any, base: float, part: int) -> tuple[Any, Any]:
    """Cosine and sine of the angle of each pair: ``(n,)`` -> twice ``(n, part / 2)`` float32."""
    angles = positions[:, None].astype(np.float32) * frequencies(base, part)
    return np.cos(angles), np.sin(angles)


def reference(x: Any, positions: Any, heads: int, base: float, part: int, interleaved: bool) -> Any:
    """One pass over the rows; sine and cosine once for all heads."""
    out = np.empty(x.shape, x.dtype)
    width = x.shape[1] // heads
    for piece in row_pieces(out):
        turn = turns(positions[piece], base, part)
        cos, sin = (each[:, None].astype(x.dtype) for each in turn)
        rows, turned = (whole[piece].reshape(-1, heads, width) for whole in (x, out))
        (a, b), (turned_a, turned_b) = (
            _pairs(each[..., :part], interleaved) for each in (rows, turned)
        )
        np.multiply(a, cos, out=turned_a)
        turned_a -= b * sin
        np.multiply(b, cos, out=turned_b)
        turned_b += a * sin
        turned[..., part:] = rows[..., part:]
    return out


def _pairs(x: Any, interleaved: bool) -> tuple[Any, Any]:
    """First and second of each pair: neighbours, or half of the columns apart."""
    half = x.shape[-1] // 2
    return (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])


def shape(
    x: Any, positions: Any, heads: int, base: float, part: int, interleaved: bool
) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(
    device: Device,
    x: Any,
    positions: Any,
    heads: int,
    base: float,
    part: int,
    interleaved: bool,
) -> Any:
    """A thread to one pair of a row, in all heads; one to each column that is not turned."""
    out = device.empty(x.shape, x.dtype)
    (x, stride), positions = strided_rows(device, x), row_numbers(device, positions)
    rows, width = x.shape[0], x.shape[1] // heads
    grid = thread_grid(device, rows * (width - part // 2))
    types = {"T": x.dtype, "I": positions.dtype}
    function = cuda("rotary", **types, INTERLEAVED="true" if interleaved else "false")
    args = (x, stride, positions, out, rows, heads, width, part, math.log(base))
    device.launch(function, *grid, args)
    return out


rotary = Kernel("rotary", reference, shape, launch=launch)
