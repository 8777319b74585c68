"""Attention within sequences, head by head: two products over packed panels, a softmax between.

Keys of a head are packed like the weights of a product, transposed; values as they are. A few
queries at a time meet all keys of their sequence: their scores stay in the first-level cache, and
the softmax is exact, over whole rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.arrays import (
    aligned,
    allocate,
    array_at,
    at,
    free,
    on_stack,
    rows_at,
)
from gpudb.backend.jit.compiled.functions import exp
from gpudb.backend.jit.compiled.lanes import first_lanes, lanes_largest, lanes_sum, transpose
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.products import tile_height
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS, multiply_tile
from gpudb.backend.jit.compiled.vectors import (
    larger,
    load,
    load_up_to,
    splat,
    store,
    store_up_to,
)
from gpudb.backend.jit.packing import ALIGNMENT
from gpudb.types import HostArray

_ZERO, _LEAST = np.float32(0), np.float32(-np.inf)

_context, _factors = on_stack(4 * ROWS * COLUMNS), on_stack(4 * ROWS)


@part
def _copy_rows(
    x: HostArray, first: int, column: int, bias: HostArray, at_bias: int, scale: Any, out: HostArray
) -> None:
    """``(x + bias) * scale``: rows from ``first`` on, one head's columns."""
    width = out.shape[1]
    for i in range(out.shape[0]):
        for j in range(0, width, LANES):
            left = width - j
            value = load_up_to(at(x, (first + i, column + j)), left)
            if len(bias):
                value = value + load_up_to(at(bias, (at_bias + j,)), left)
            store_up_to(at(out, (i, j)), value * splat(scale), left)


@part
def _pack_values(
    x: HostArray, first: int, column: int, width: int, bias: HostArray, at_bias: int, out: HostArray
) -> None:
    """``x + bias`` -> ``(panels, n, COLUMNS)``: columns side by side, zeros behind the last."""
    for p in range(out.shape[0]):
        for v in range(0, COLUMNS, LANES):
            j = min(p * COLUMNS + v, width)
            left = width - j
            added = load_up_to(at(bias, (at_bias + j,)), left) if len(bias) else splat(_ZERO)
            for i in range(out.shape[1]):
                value = load_up_to(at(x, (first + i, column + j)), left)
                store(at(out, (p, i, v)), value + added)


@part
def _pack_keys(
    x: HostArray, first: int, count: int, column: int, last: HostArray, panels: HostArray
) -> None:
    """``(count, k)`` -> ``(panels, k, COLUMNS)``, transposed: zeros behind the last row.

    ``last`` holds the rows that are not a whole block.
    """
    width = last.shape[1]
    for p in range(panels.shape[0]):
        for v in range(0, COLUMNS, LANES):
            i = p * COLUMNS + v
            place, step = at(x, (first + i, column)), x.strides[0]
            if i + LANES > count:
                last[:] = _ZERO
                for r in range(max(0, count - i)):
                    for j in range(0, width, LANES):
                        row = load_up_to(at(x, (first + i + r, column + j)), width - j)
                        store_up_to(at(last, (r, j)), row, width - j)
                place, step = at(last, (0, 0)), last.strides[0]
            _transpose_rows(place, step, width, panels, p, v)


@part
def _transpose_rows(place: int, step: int, width: int, panels: HostArray, p: int, v: int) -> None:
    """``LANES`` rows as columns of a panel; ``step`` is the bytes from row to row."""
    whole = width // LANES * LANES
    for j in range(0, whole, LANES):
        transpose(place + 4 * j, step, at(panels, (p, j, v)), panels.strides[1])
    for lane in range(LANES):
        row = array_at(place + lane * step, np.float32, (width,))
        for j in range(whole, width):
            panels[p, j, v + lane] = row[j]


@part
def _add_by_distance(scores: HostArray, first: int, rows: int, keys: int, line: HostArray) -> None:
    """Add to each score of the queries from ``first`` on the number at its distance.

    Distance 0 is in the middle of a line; behind its end there are ``LANES`` more numbers.
    """
    middle = (len(line) - LANES) // 2
    for r in range(rows):
        for j in range(0, keys, LANES):
            place = at(scores, (r, j))
            store(place, load(place) + load(at(line, (middle - first - r + j,))))


@part
def _weigh_rows(scores: HostArray, rows: int, keys: int, factors: HostArray) -> None:
    """Overwrite the first ``keys`` elements of each row with ``exp(x - largest)``.

    Their softmax is that times ``factors``, one number for each row: the contexts, which are fewer,
    are multiplied by it.
    """
    whole = keys // LANES * LANES
    for r in range(rows):
        most = splat(_LEAST)
        for j in range(0, whole, LANES):
            most = larger(most, load(at(scores, (r, j))))
        if whole < keys:
            last = load(at(scores, (r, whole)))
            most = larger(most, first_lanes(last, keys - whole, _LEAST))
        most = splat(lanes_largest(most))
        total = splat(_ZERO)
        for j in range(0, whole, LANES):
            place = at(scores, (r, j))
            weight = exp(load(place) - most)
            total = total + weight
            store(place, weight)
        if whole < keys:
            place = at(scores, (r, whole))
            weight = first_lanes(exp(load(place) - most), keys - whole, _ZERO)
            total = total + weight
            store(place, weight)
        factors[r] = np.float32(1) / lanes_sum(total)


@part
def _attend(
    queries: HostArray,
    keys: HostArray,
    values: HostArray,
    scores: HostArray,
    context: HostArray,
    factors: HostArray,
    line: HostArray,
    out: HostArray,
    first: int,
    column: int,
) -> None:
    """One head of one sequence, a tile of queries at a time."""
    count, width = queries.shape
    height = tile_height(count)
    for i in range(0, count, height):
        rows = min(height, count - i)
        left = (at(queries, (i, 0)), queries.strides[0])
        for p in range(keys.shape[0]):
            to = (at(scores, (0, p * COLUMNS)), scores.strides[0])
            multiply_tile(rows, left, keys[p], width, to, None)
        if len(line):
            _add_by_distance(scores, i, rows, count, line)
        _weigh_rows(scores, rows, count, factors)
        weights = (at(scores, (0, 0)), scores.strides[0])
        in_context = (at(context, (0, 0)), context.strides[0])
        for p in range(values.shape[0]):
            multiply_tile(rows, weights, values[p], count, in_context, None)
            for r in range(rows):
                for v in range(0, min(COLUMNS, width - p * COLUMNS), LANES):
                    j = p * COLUMNS + v
                    place = at(out, (first + i + r, column + j))
                    value = load(at(context, (r, v))) * splat(factors[r])
                    store_up_to(place, value, width - j)


@part
def _behind(place: int, count: int) -> int:
    """The first cache line behind so many float32."""
    return aligned(place + 4 * count)


@part
def _attend_heads(
    q: HostArray,
    k: HostArray,
    v: HostArray,
    bias: HostArray,
    offsets: HostArray,
    heads: int,
    scale: float,
    lines: HostArray,
    out: HostArray,
    share: int,
    shares: int,
) -> bool:
    """Every so many-th head of every sequence; False where there is no memory for one."""
    width = out.shape[1] // heads
    longest = 0
    for s in range(len(offsets) - 1):
        longest = max(longest, offsets[s + 1] - offsets[s])
    key_panels, value_panels = -(-longest // COLUMNS), -(-width // COLUMNS)
    # Of the longest sequence: queries, keys that are not a whole block, keys, values, scores.
    last_at = _behind(0, longest * width)
    keys_at = _behind(last_at, LANES * width)
    values_at = _behind(keys_at, key_panels * width * COLUMNS)
    scores_at = _behind(values_at, value_panels * longest * COLUMNS)
    memory = allocate(_behind(scores_at, ROWS * key_panels * COLUMNS) + ALIGNMENT)
    if memory == 0:
        return False
    start = aligned(memory)
    last = array_at(start + last_at, np.float32, (LANES, width))
    scores = array_at(start + scores_at, np.float32, (ROWS, key_panels * COLUMNS))
    context = array_at(_context(), np.float32, (ROWS, COLUMNS))
    factors = array_at(_factors(), np.float32, (ROWS,))
    for s in range(len(offsets) - 1):
        first, count = offsets[s], offsets[s + 1] - offsets[s]
        if count == 0:
            continue
        queries = array_at(start, np.float32, (count, width))
        keys = array_at(start + keys_at, np.float32, (-(-count // COLUMNS), width, COLUMNS))
        values = array_at(start + values_at, np.float32, (value_panels, count, COLUMNS))
        for h in range(share, heads, shares):
            column = h * width
            _copy_rows(q, first, column, bias, column, np.float32(scale), queries)
            # A bias of keys would add one number to all scores of a query: softmax is without it.
            _pack_keys(k, first, count, column, last, keys)
            _pack_values(v, first, column, width, bias, 2 * out.shape[1] + column, values)
            line = lines[h % len(lines) if len(lines) else 0]
            used = (scores, context, factors)
            _attend(queries, keys, values, *used, line, out, first, column)
    free(memory)
    return True


@part
def attention_share(job: Any, share: int, shares: int) -> bool:
    """A :data:`gpudb.backend.jit.records.ATTENTION`: the heads of one of ``shares`` threads.

    False where there is no memory for them.
    """
    rows, width = job["rows"], job["width"]
    q = rows_at(job["q"], job["q_step"], rows, width)
    k = rows_at(job["k"], job["k_step"], rows, width)
    v = rows_at(job["v"], job["v_step"], rows, width)
    bias = array_at(job["bias"], np.float32, (job["biased"],))
    offsets = array_at(job["offsets"], np.int64, (job["sequences"] + 1,))
    lines = array_at(job["lines"], np.float32, (job["lined"], job["line"]))
    out = rows_at(job["out"], job["out_step"], rows, width)
    heads, scale = job["heads"], job["scale"]
    return _attend_heads(q, k, v, bias, offsets, heads, scale, lines, out, share, shares)
