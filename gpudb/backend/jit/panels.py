"""``activation(x @ weightᵀ + bias)`` over packed weights, in float32, bfloat16 and int8.

A panel of the weight stays in the cache while all rows pass it. A tile is finished while it is in
the first-level cache: scales, bias, function. Tiles of one product have about the same height, so
that none is left with a row or two; a sum adds up in the same order in any tile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types

from gpudb.backend.jit.activations import activate
from gpudb.backend.jit.compiled import array, compiled, matrix, part, written
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.memory import pointer_to
from gpudb.backend.jit.records import places, rows_at, step_of
from gpudb.backend.jit.rounding import quantize_row, round_row
from gpudb.backend.jit.target import TARGET
from gpudb.backend.jit.tile import COLUMNS, ROWS, multiply_tile
from gpudb.backend.jit.vectors import at, load, load_less, splat, store, store_up_to
from gpudb.types import HostArray

FLOAT32, BFLOAT16, INT8 = range(3)

_ZERO = np.float32(0)

PRODUCT = np.dtype(
    [
        *((name, "i8") for name in ("dtype", "x", "x_step", "rows", "inner")),
        *((name, "i8") for name in ("panels", "count", "steps", "scales", "sums")),
        *((name, "i8") for name in ("bias", "biased", "activation", "out", "out_step", "columns")),
    ]
)
"""A product as it is asked for: addresses of arrays, bytes from row to row of ``x``, sizes.
``biased`` is the length of the bias, 0 for none; else there is a number for each column of every
panel."""


_X, _X_STEP, _ROWS, _INNER = places(PRODUCT, "x", "x_step", "rows", "inner")
_BIAS, _BIASED, _OUT, _OUT_STEP = places(PRODUCT, "bias", "biased", "out", "out_step")

CHUNK_NBYTES = 512 << 10
"""Bytes of rows that all panels pass before the next ones do: half of a second-level cache."""


@compiled(
    written(types.int64, 1), matrix(types.float32), array(types.float32), matrix(types.float32)
)
def describe(job: HostArray, x: HostArray, bias: HostArray, out: HostArray) -> None:
    """Write into a :data:`PRODUCT` where its left factor, its bias and its result are."""
    job[_X], job[_X_STEP] = at(x, (0, 0)), step_of(x)
    job[_ROWS], job[_INNER] = x.shape
    job[_BIAS], job[_BIASED] = at(bias, (0,)), len(bias)
    job[_OUT], job[_OUT_STEP] = at(out, (0, 0)), step_of(out)


@part
def tile_height(rows: int) -> int:
    """Rows of each tile but the last."""
    return max(1, -(-rows // max(1, -(-rows // ROWS))))


@part
def chunk_rows(rows: int, row_nbytes: int) -> int:
    """Rows that all panels pass before the next ones do: whole tiles."""
    height = tile_height(rows)
    return height * max(1, min(-(-rows // height), CHUNK_NBYTES // (row_nbytes * height)))


@part
def _padded(inner: int) -> int:
    """Elements of a rounded row: whole vectors."""
    return -(-inner // LANES) * LANES


@part
def _activate_tile(
    tile: HostArray, rows: int, activation: int, out: HostArray, i: int, j: int
) -> None:
    """The function over a tile, which goes to ``out[i:, j:]`` as far as that reaches."""
    for v in range(0, min(COLUMNS, out.shape[1] - j), LANES):
        left = out.shape[1] - j - v
        for r in range(rows):
            x = activate(load(at(tile, (r, v))), activation)
            store_up_to(at(out, (i + r, j + v)), x, left)


@part
def _activate_in_place(out: HostArray, rows: int, activation: int, i: int, j: int) -> None:
    """The function over ``COLUMNS`` columns of ``out`` from ``j`` on, rows from ``i`` on."""
    for r in range(rows):
        for v in range(0, COLUMNS, LANES):
            place = at(out, (i + r, j + v))
            store(place, activate(load(place), activation))


@part
def _multiply_rows(
    left: HostArray,
    steps: int,
    panels: HostArray,
    bias: HostArray,
    activation: int,
    out: HostArray,
    first: int,
    height: int,
) -> None:
    """``out`` from row ``first`` on, for all rows of ``left``; tiles of ``height``."""
    tile, zeros = np.empty((ROWS, COLUMNS), np.float32), np.zeros(COLUMNS, np.float32)
    in_tile = (at(tile, (0, 0)), tile.strides[0])
    rows = left.shape[0]
    for p in range(panels.shape[0]):
        j = p * COLUMNS
        begin = at(bias, (j,)) if len(bias) else at(zeros, (0,))
        for i in range(0, rows, height):
            count = min(height, rows - i)
            along = (at(left, (i, 0)), left.strides[0])
            if j + COLUMNS > out.shape[1]:
                multiply_tile(count, along, panels[p], steps, in_tile, begin)
                _activate_tile(tile, count, activation, out, first + i, j)
                continue
            to = (at(out, (first + i, j)), out.strides[0])
            multiply_tile(count, along, panels[p], steps, to, begin)
            if activation:
                _activate_in_place(out, count, activation, first + i, j)


@part
def _float32(
    x: HostArray, panels: HostArray, bias: HostArray, activation: int, out: HostArray
) -> None:
    rows, inner = x.shape
    height, chunk = tile_height(rows), chunk_rows(rows, x.strides[0])
    for first in range(0, rows, chunk):
        part_of_x = x[first : first + chunk]
        _multiply_rows(part_of_x, inner, panels, bias, activation, out, first, height)


@part
def _bfloat16(
    x: HostArray, panels: HostArray, bias: HostArray, activation: int, out: HostArray
) -> None:
    rows, steps = x.shape[0], panels.shape[1]
    padded = _padded(x.shape[1])
    height, chunk = tile_height(rows), chunk_rows(rows, 2 * padded)
    rounded = np.empty((chunk, padded), np.uint16)
    for first in range(0, rows, chunk):
        last = min(rows, first + chunk)
        for i in range(first, last):
            round_row(x, i, rounded, i - first)
        part_of_x = rounded[: last - first]
        _multiply_rows(part_of_x, steps, panels, bias, activation, out, first, height)


@part
def _int8(
    x: HostArray,
    panels: HostArray,
    scales: HostArray,
    sums: HostArray,
    bias: HostArray,
    activation: int,
    out: HostArray,
) -> None:
    rows, steps = x.shape[0], panels.shape[1]
    padded = _padded(x.shape[1])
    height, chunk = tile_height(rows), chunk_rows(rows, padded)
    bytes_of = np.empty((chunk, padded), np.uint8)
    row_steps, zeros = np.empty(chunk, np.float32), np.empty(chunk, np.int32)
    counts, tile = np.empty((ROWS, COLUMNS), np.int32), np.empty((ROWS, COLUMNS), np.float32)
    for first in range(0, rows, chunk):
        last = min(rows, first + chunk)
        for i in range(first, last):
            row_steps[i - first], zeros[i - first] = quantize_row(x, i, bytes_of, i - first)
        for p in range(panels.shape[0]):
            for i in range(first, last, height):
                count = min(height, last - i)
                left = (at(bytes_of, (i - first, 0)), bytes_of.strides[0])
                sums_to = (at(counts, (0, 0)), counts.strides[0])
                multiply_tile(count, left, panels[p], steps, sums_to, None)
                for v in range(0, COLUMNS, LANES):
                    column = p * COLUMNS + v
                    scale = load(at(scales, (column,)))
                    added = load(at(bias, (column,))) if len(bias) else splat(_ZERO)
                    for r in range(count):
                        zero, step = zeros[i - first + r], splat(row_steps[i - first + r])
                        product = load_less(at(counts, (r, v)), at(sums, (column,)), zero)
                        store(at(tile, (r, v)), product * (step * scale) + added)
                _activate_tile(tile, count, activation, out, i, p * COLUMNS)


@part
def _lacking(*arrays: Any) -> None:
    """For what the processor lacks instructions for: no code is made, and nobody asks for it."""


_if_bfloat16 = _bfloat16 if TARGET.bfloat16 else _lacking
_if_int8 = _int8 if TARGET.int8 else _lacking


@part
def product_share(job: Any, share: int, shares: int) -> None:
    """The columns of one of ``shares`` threads: its panels."""
    first, last = job["count"] * share // shares, job["count"] * (share + 1) // shares
    start, stop = first * COLUMNS, min(last * COLUMNS, job["columns"])
    if start >= stop:
        return
    rows, columns = job["rows"], job["columns"]
    x = rows_at(job["x"], job["x_step"], rows, job["inner"])
    out = rows_at(job["out"], job["out_step"], rows, columns)[:, start:stop]
    bias = carray(pointer_to(job["bias"], np.float32), (job["biased"],))[start:]
    shape = (job["count"], job["steps"], COLUMNS)
    if job["dtype"] == FLOAT32:
        panels = carray(pointer_to(job["panels"], np.float32), shape)
        _float32(x, panels[first:last], bias, job["activation"], out)
    elif job["dtype"] == BFLOAT16:
        pairs = carray(pointer_to(job["panels"], np.uint16), (shape[0], shape[1], 2 * COLUMNS))
        _if_bfloat16(x, pairs[first:last], bias, job["activation"], out)
    else:
        fours = carray(pointer_to(job["panels"], np.int8), (shape[0], shape[1], 4 * COLUMNS))
        scales = carray(pointer_to(job["scales"], np.float32), (shape[0] * COLUMNS,))[start:]
        sums = carray(pointer_to(job["sums"], np.int32), (shape[0] * COLUMNS,))[start:]
        _if_int8(x, fours[first:last], scales, sums, bias, job["activation"], out)
