"""``activation(x @ weightᵀ + bias)`` over packed weights, in float32, bfloat16 and int8.

A panel of the weight stays in the cache while all rows pass it. A tile is finished while it is in
the first-level cache: scales, bias, function. Tiles of one product have about the same height, so
that none is left with a row or two; a sum adds up in the same order in any tile.
"""

from __future__ import annotations

import numpy as np
from numba import types

from gpudb.backend.jit.activations import activate
from gpudb.backend.jit.compiled import array, compiled, matrix, part, written
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.packing import ALIGNMENT, PackedWeight, pack
from gpudb.backend.jit.rounding import quantize_row, round_row
from gpudb.backend.jit.target import TARGET
from gpudb.backend.jit.tile import COLUMNS, ROWS, multiply_tile
from gpudb.backend.jit.vectors import at, load, load_less, load_up_to, splat, store, store_up_to
from gpudb.types import HostArray

f4 = types.float32

CONFLICT = 2048
"""Rows so many bytes apart, or a multiple, compete for the same few places of the first-level
cache."""

CHUNK = 16 * ROWS
"""Rows that are rounded at a time: they stay in the second-level cache."""


@part
def tile_height(rows: int) -> int:
    """Rows of each tile but the last."""
    return max(1, -(-rows // max(1, -(-rows // ROWS))))


@part
def _padded(inner: int) -> int:
    """Elements of a rounded row: whole vectors."""
    return -(-inner // LANES) * LANES


@part
def _finish(
    tile: HostArray, rows: int, bias: HostArray, activation: int, out: HostArray, i: int, j: int
) -> None:
    """Bias and function over a tile, which goes to ``out[i:, j:]``."""
    for v in range(0, min(COLUMNS, out.shape[1] - j), LANES):
        left = out.shape[1] - j - v
        added = load_up_to(at(bias, (j + v,)), left) if len(bias) else splat(np.float32(0))
        for r in range(rows):
            x = activate(load(at(tile, (r, v))) + added, activation)
            store_up_to(at(out, (i + r, j + v)), x, left)


@compiled(matrix(f4), array(f4, 3), array(f4), types.int64, written(f4))
def _linear_float32(
    x: HostArray, panels: HostArray, bias: HostArray, activation: int, out: HostArray
) -> None:
    rows, inner = x.shape
    height = tile_height(rows)
    plain = activation == 0 and len(bias) == 0
    tile = np.empty((ROWS, COLUMNS), np.float32)
    for p in range(panels.shape[0]):
        for i in range(0, rows, height):
            count = min(height, rows - i)
            left = (at(x, (i, 0)), x.strides[0])
            if plain and (p + 1) * COLUMNS <= out.shape[1]:
                to = (at(out, (i, p * COLUMNS)), out.strides[0])
                multiply_tile(count, left, panels[p], inner, to)
            else:
                multiply_tile(count, left, panels[p], inner, (at(tile, (0, 0)), tile.strides[0]))
                _finish(tile, count, bias, activation, out, i, p * COLUMNS)


@compiled(
    matrix(f4),
    array(types.uint16, 3),
    array(f4),
    types.int64,
    written(f4),
    where=TARGET.bfloat16,
)
def _linear_bfloat16(
    x: HostArray, panels: HostArray, bias: HostArray, activation: int, out: HostArray
) -> None:
    rows, steps = x.shape[0], panels.shape[1]
    height = tile_height(rows)
    rounded = np.empty((CHUNK, _padded(x.shape[1])), np.uint16)
    tile = np.empty((ROWS, COLUMNS), np.float32)
    chunk = CHUNK // height * height
    for first in range(0, rows, chunk):
        last = min(rows, first + chunk)
        for i in range(first, last):
            round_row(x, i, rounded, i - first)
        for p in range(panels.shape[0]):
            for i in range(first, last, height):
                count = min(height, last - i)
                left = (at(rounded, (i - first, 0)), rounded.strides[0])
                multiply_tile(count, left, panels[p], steps, (at(tile, (0, 0)), tile.strides[0]))
                _finish(tile, count, bias, activation, out, i, p * COLUMNS)


@compiled(
    matrix(f4),
    array(types.int8, 3),
    array(f4),
    array(types.int32),
    array(f4),
    types.int64,
    written(f4),
    where=TARGET.int8,
)
def _linear_int8(
    x: HostArray,
    panels: HostArray,
    scales: HostArray,
    sums: HostArray,
    bias: HostArray,
    activation: int,
    out: HostArray,
) -> None:
    rows, steps = x.shape[0], panels.shape[1]
    height = tile_height(rows)
    bytes_of = np.empty((CHUNK, _padded(x.shape[1])), np.uint8)
    row_steps, zeros = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.int32)
    counts, tile = np.empty((ROWS, COLUMNS), np.int32), np.empty((ROWS, COLUMNS), np.float32)
    chunk = CHUNK // height * height
    for first in range(0, rows, chunk):
        last = min(rows, first + chunk)
        for i in range(first, last):
            row_steps[i - first], zeros[i - first] = quantize_row(x, i, bytes_of, i - first)
        for p in range(panels.shape[0]):
            for i in range(first, last, height):
                count = min(height, last - i)
                left = (at(bytes_of, (i - first, 0)), bytes_of.strides[0])
                sums_to = (at(counts, (0, 0)), counts.strides[0])
                multiply_tile(count, left, panels[p], steps, sums_to)
                for r in range(count):
                    zero, step = zeros[i - first + r], splat(row_steps[i - first + r])
                    for v in range(0, COLUMNS, LANES):
                        column = p * COLUMNS + v
                        product = load_less(at(counts, (r, v)), at(sums, (column,)), zero)
                        scale = step * load(at(scales, (column,)))
                        store(at(tile, (r, v)), product * scale)
                _finish(tile, count, bias, activation, out, i, p * COLUMNS)


def linear(x: HostArray, weight: PackedWeight, bias: HostArray, activation: int) -> HostArray:
    """``(n, inner)``, ``(columns, inner)``, ``(columns,)`` or ``(0,)`` -> ``(n, columns)``."""
    x = _spread(np.asarray(x, np.float32))
    bias = np.ascontiguousarray(bias, np.float32)
    out = np.empty((len(x), weight.columns), np.float32)
    if not weight.inner:
        x, weight = (
            np.zeros((len(x), 1), np.float32),
            pack(np.zeros((weight.columns, 1)), "float32"),
        )
    if weight.dtype == "int8":
        _linear_int8(x, weight.panels, weight.scales, weight.sums, bias, activation, out)
    elif weight.dtype == "bfloat16":
        _linear_bfloat16(x, weight.panels, bias, activation, out)
    else:
        _linear_float32(x, weight.panels, bias, activation, out)
    return out


def _spread(x: HostArray) -> HostArray:
    """Rows side by side, but not a power of two apart: those of a tile would share a cache line."""
    rows, inner = x.shape
    if inner * x.itemsize % CONFLICT:
        return np.ascontiguousarray(x)
    spread = np.empty((rows, inner + ALIGNMENT // x.itemsize), np.float32)[:, :inner]
    spread[...] = x
    return spread
