"""``activation(x @ weightᵀ + bias)`` over packed weights, in float32, bfloat16 and int8.

A panel of the weight stays in the cache while all rows pass it. A tile is finished while it is in
the first-level cache: scales, bias, function. Tiles of one product have about the same height, so
that none is left with a row or two; a sum adds up in the same order in any tile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.activations import activate
from gpudb.backend.jit.compiled.arrays import (
    aligned,
    allocate,
    array_at,
    at,
    free,
    on_stack,
    rows_at,
)
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import lacking, part
from gpudb.backend.jit.compiled.rounding import quantize_row, round_row
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS, multiply_tile
from gpudb.backend.jit.compiled.vectors import load, load_less, splat, store, store_up_to
from gpudb.backend.jit.packing import ALIGNMENT
from gpudb.backend.jit.records import MATRIX_BY_BFLOAT16, MATRIX_BY_FLOAT32
from gpudb.backend.jit.target import TARGET
from gpudb.types import HostArray

_ZERO = np.float32(0)

_tile, _counts = on_stack(4 * ROWS * COLUMNS), on_stack(4 * ROWS * COLUMNS)
_zeros = on_stack(4 * COLUMNS)

CHUNK_NBYTES = 512 << 10
"""Bytes of rows that all panels pass before the next ones do: half of a second-level cache."""


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
    tile, zeros = array_at(_tile(), np.float32, (ROWS, COLUMNS)), _zeros()
    for v in range(0, COLUMNS, LANES):
        store(zeros + 4 * v, splat(_ZERO))
    in_tile = (at(tile, (0, 0)), tile.strides[0])
    rows = left.shape[0]
    for p in range(panels.shape[0]):
        j = p * COLUMNS
        begin = at(bias, (j,)) if len(bias) else zeros
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
) -> bool:
    rows, inner = x.shape
    height, chunk = tile_height(rows), chunk_rows(rows, x.strides[0])
    for first in range(0, rows, chunk):
        part_of_x = x[first : first + chunk]
        _multiply_rows(part_of_x, inner, panels, bias, activation, out, first, height)
    return True


@part
def _bfloat16(
    x: HostArray, panels: HostArray, bias: HostArray, activation: int, out: HostArray
) -> bool:
    rows, steps = x.shape[0], panels.shape[1]
    padded = _padded(x.shape[1])
    height, chunk = tile_height(rows), chunk_rows(rows, 2 * padded)
    memory = allocate(2 * chunk * padded + ALIGNMENT)
    if memory == 0:
        return False
    rounded = array_at(aligned(memory), np.uint16, (chunk, padded))
    for first in range(0, rows, chunk):
        last = min(rows, first + chunk)
        for i in range(first, last):
            round_row(x, i, rounded, i - first)
        part_of_x = rounded[: last - first]
        _multiply_rows(part_of_x, steps, panels, bias, activation, out, first, height)
    free(memory)
    return True


@part
def _int8(
    x: HostArray,
    panels: HostArray,
    scales: HostArray,
    sums: HostArray,
    bias: HostArray,
    activation: int,
    out: HostArray,
) -> bool:
    rows, steps = x.shape[0], panels.shape[1]
    padded = _padded(x.shape[1])
    height, chunk = tile_height(rows), chunk_rows(rows, padded)
    steps_at = aligned(chunk * padded)
    zeros_at = steps_at + 4 * chunk
    memory = allocate(zeros_at + 4 * chunk + ALIGNMENT)
    if memory == 0:
        return False
    start = aligned(memory)
    bytes_of = array_at(start, np.uint8, (chunk, padded))
    row_steps = array_at(start + steps_at, np.float32, (chunk,))
    zeros = array_at(start + zeros_at, np.int32, (chunk,))
    counts = array_at(_counts(), np.int32, (ROWS, COLUMNS))
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
                for v in range(0, min(COLUMNS, out.shape[1] - p * COLUMNS), LANES):
                    column = p * COLUMNS + v
                    scale = load(at(scales, (column,)))
                    added = load(at(bias, (column,))) if len(bias) else splat(_ZERO)
                    for r in range(count):
                        zero, step = zeros[i - first + r], splat(row_steps[i - first + r])
                        product = load_less(at(counts, (r, v)), at(sums, (column,)), zero)
                        value = activate(product * (step * scale) + added, activation)
                        store_up_to(at(out, (i + r, column)), value, out.shape[1] - column)
    free(memory)
    return True


_if_bfloat16 = _bfloat16 if TARGET.bfloat16 else lacking
_if_int8 = _int8 if TARGET.int8 else lacking


@part
def product_share(job: Any, share: int, shares: int) -> bool:
    """A :data:`gpudb.backend.jit.records.PRODUCT`: the panels of one of ``shares`` threads.

    False where there is no memory to round the left factor to.
    """
    first, last = job["count"] * share // shares, job["count"] * (share + 1) // shares
    start, stop = first * COLUMNS, min(last * COLUMNS, job["columns"])
    if start >= stop:
        return True
    rows, columns = job["rows"], job["columns"]
    x = rows_at(job["x"], job["x_step"], rows, job["inner"])
    out = rows_at(job["out"], job["out_step"], rows, columns)[:, start:stop]
    bias = array_at(job["bias"], np.float32, (job["biased"],))[start:]
    count, steps, activation = job["count"], job["steps"], job["activation"]
    if job["dtype"] == MATRIX_BY_FLOAT32:
        panels = array_at(job["panels"], np.float32, (count, steps, COLUMNS))
        return _float32(x, panels[first:last], bias, activation, out)
    if job["dtype"] == MATRIX_BY_BFLOAT16:
        pairs = array_at(job["panels"], np.uint16, (count, steps, 2 * COLUMNS))
        return _if_bfloat16(x, pairs[first:last], bias, activation, out)
    fours = array_at(job["panels"], np.int8, (count, steps, 4 * COLUMNS))
    scales = array_at(job["scales"], np.float32, (count * COLUMNS,))[start:]
    sums = array_at(job["sums"], np.int32, (count * COLUMNS,))[start:]
    return _if_int8(x, fours[first:last], scales, sums, bias, activation, out)
