"""Merge (position, maximum) of the parts of a line -> position in the line, int64.

``positions`` and ``values`` are ``(m, *rest)``, ``firsts`` ``(m,)`` is the position of each part's
first element; each line has ``m / lines`` neighbouring parts. -> ``(lines, *rest)``
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, size, thread_grid


def reference(positions: Any, values: Any, firsts: Any, lines: int) -> Any:
    """The first part with the largest maximum holds the first largest element; NaN is largest."""
    by_line = (lines, -1, *values.shape[1:])
    if not positions.size:
        return np.zeros(shape(positions, values, firsts, lines), np.int64)
    winner = np.argmax(values.reshape(by_line), axis=1, keepdims=True)
    whole = positions + firsts.reshape(-1, *(1,) * (positions.ndim - 1))
    return np.take_along_axis(whole.reshape(by_line), winner, axis=1)[:, 0]


def shape(positions: Any, values: Any, firsts: Any, lines: int) -> tuple[int, ...]:
    """Shape of the result."""
    return (lines, *positions.shape[1:])


def dtype(positions: Any, values: Any, firsts: Any, lines: int) -> str:
    """A position is a whole number."""
    return "int64"


def launch(device: Device, positions: Any, values: Any, firsts: Any, lines: int) -> Any:
    """A thread for each line: it walks through the line's parts."""
    whole = shape(positions, values, firsts, lines)
    if not size(positions.shape):
        return device.zeros(whole, np.int64)
    values = device.contiguous(values)
    out = device.empty(whole, np.int64)
    parts, rest = values.shape[0] // lines, size(values.shape[1:])
    blocks, threads = thread_grid(device, lines * rest)
    args = (device.rows(positions), values, device.rows(firsts), out, lines, parts, rest)
    device.launch(cuda("merge_argmax", T=values.dtype), blocks, threads, args)
    return out


merge_argmax = Kernel("merge_argmax", reference, shape, dtype, launch=launch)
