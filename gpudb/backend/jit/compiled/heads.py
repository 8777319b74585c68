"""Attention within sequences, head by head: two products over packed panels, a softmax between.

A few queries at a time meet all keys of their sequence: their scores stay in the first-level cache,
and the softmax is exact, over whole rows. Scores are in bits: queries are multiplied by ``log2(e)``
as well, so that weights are powers of two.

Beside rounded weights both products are of bfloat16 as well, which are multiplied by pairs: of
neighbouring columns of queries and keys, of neighbouring rows of weights and values. Scores, their
softmax and all sums are float32.
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
from gpudb.backend.jit.compiled.functions import LOG2_E, exp2
from gpudb.backend.jit.compiled.head_panels import HALF, copy_rows, pack_keys, pack_values
from gpudb.backend.jit.compiled.lanes import first_lanes, lanes_largest, lanes_sum
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import lacking, part
from gpudb.backend.jit.compiled.products import tile_height
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS, multiply_narrow_tile, multiply_tile
from gpudb.backend.jit.compiled.vectors import (
    fma,
    larger,
    load,
    splat,
    store,
    store_bfloat16,
    store_up_to,
)
from gpudb.backend.jit.packing import ALIGNMENT
from gpudb.backend.jit.target import TARGET
from gpudb.types import HostArray

_ZERO, _LEAST = np.float32(0), np.float32(-np.inf)

_context, _factors = on_stack(4 * ROWS * COLUMNS), on_stack(4 * ROWS)


@part
def _add_by_distance(scores: HostArray, first: int, rows: int, keys: int, line: HostArray) -> None:
    """Add to each score of the queries from ``first`` on the number at its distance, in bits.

    Distance 0 is in the middle of a line; behind its end there are ``LANES`` more numbers.
    """
    middle = (len(line) - LANES) // 2
    for r in range(rows):
        for j in range(0, keys, LANES):
            place = at(scores, (r, j))
            added = load(at(line, (middle - first - r + j,)))
            store(place, fma(added, splat(LOG2_E), load(place)))


@part
def _weigh_rows(scores: HostArray, rows: int, keys: int, factors: HostArray, halves: bool) -> None:
    """Overwrite the first ``keys`` elements of each row with ``2**(x - largest)``.

    Their softmax is that times ``factors``, one number for each row: the contexts, which are fewer,
    are multiplied by it. ``halves`` are of bfloat16, in the first half of the row's memory, with a
    zero behind the last.
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
        row = at(scores, (r, 0))
        for j in range(0, whole, LANES):
            weight = exp2(load(row + 4 * j) - most)
            total = total + weight
            if halves:
                store_bfloat16(row + HALF * j, weight)
            else:
                store(row + 4 * j, weight)
        if whole < keys:
            weight = first_lanes(exp2(load(row + 4 * whole) - most), keys - whole, _ZERO)
            total = total + weight
            if halves:
                store_bfloat16(row + HALF * whole, weight)
            else:
                store(row + 4 * whole, weight)
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
    width: int,
) -> None:
    """One head of one sequence, a tile of queries at a time."""
    count, halves = queries.shape[0], queries.itemsize == HALF
    height = tile_height(count)
    for i in range(0, count, height):
        rows = min(height, count - i)
        left = (at(queries, (i, 0)), queries.strides[0])
        for p in range(keys.shape[0]):
            to = (at(scores, (0, p * COLUMNS)), scores.strides[0])
            if count - p * COLUMNS <= LANES:
                multiply_narrow_tile(rows, left, keys[p], keys.shape[1], to, None)
            else:
                multiply_tile(rows, left, keys[p], keys.shape[1], to, None)
        if len(line):
            _add_by_distance(scores, i, rows, count, line)
        _weigh_rows(scores, rows, count, factors, halves)
        weights = (at(scores, (0, 0)), scores.strides[0])
        in_context = (at(context, (0, 0)), context.strides[0])
        for p in range(values.shape[0]):
            if width - p * COLUMNS <= LANES:
                multiply_narrow_tile(rows, weights, values[p], values.shape[1], in_context, None)
            else:
                multiply_tile(rows, weights, values[p], values.shape[1], in_context, None)
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
    element: Any,
    group: int,
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
    """Every so many-th head of every sequence; False where there is no memory for one.

    ``element`` is the type of what is multiplied, ``group`` how many at once.
    """
    width = out.shape[1] // heads
    longest = 0
    for s in range(len(offsets) - 1):
        longest = max(longest, offsets[s + 1] - offsets[s])
    key_panels, value_panels = -(-longest // COLUMNS), -(-width // COLUMNS)
    row = width if group == 1 else -(-width // LANES) * LANES
    steps, row_steps = -(-width // group), row // group
    # Of the longest sequence: queries, some keys, keys, values, scores.
    some_at = _behind(0, longest * row_steps)
    keys_at = _behind(some_at, LANES * row_steps)
    values_at = _behind(keys_at, key_panels * steps * COLUMNS)
    scores_at = _behind(values_at, value_panels * -(-longest // group) * COLUMNS)
    memory = allocate(_behind(scores_at, ROWS * key_panels * COLUMNS) + ALIGNMENT)
    if memory == 0:
        return False
    start = aligned(memory)
    some = array_at(start + some_at, element, (LANES, row))
    scores = array_at(start + scores_at, np.float32, (ROWS, key_panels * COLUMNS))
    context = array_at(_context(), np.float32, (ROWS, COLUMNS))
    factors = array_at(_factors(), np.float32, (ROWS,))
    for s in range(len(offsets) - 1):
        first, count = offsets[s], offsets[s + 1] - offsets[s]
        if count == 0:
            continue
        panels = -(-count // COLUMNS)
        queries = array_at(start, element, (count, row))
        bits_of_keys = array_at(start + keys_at, np.float32, (panels, steps, COLUMNS))
        keys = array_at(start + keys_at, element, (panels, steps, group * COLUMNS))
        shape = (value_panels, -(-count // group), group * COLUMNS)
        values = array_at(start + values_at, element, shape)
        for h in range(share, heads, shares):
            column = h * width
            copy_rows(q, first, column, width, bias, column, np.float32(scale * LOG2_E), queries)
            # A bias of keys would add one number to all scores of a query: softmax is without it.
            pack_keys(k, first, count, column, width, some, bits_of_keys)
            at_bias = 2 * out.shape[1] + column
            pack_values(v, first, count, column, width, bias, at_bias, values)
            line = lines[h % len(lines) if len(lines) else 0]
            used = (scores, context, factors)
            _attend(queries, keys, values, *used, line, out, first, column, width)
    free(memory)
    return True


@part
def _of_float32(*arguments: Any) -> bool:
    return _attend_heads(np.float32, 1, *arguments)


@part
def _of_bfloat16(*arguments: Any) -> bool:
    return _attend_heads(np.uint16, 2, *arguments)


_if_bfloat16 = _of_bfloat16 if TARGET.bfloat16 else lacking


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
    arguments = (q, k, v, bias, offsets, job["heads"], job["scale"], lines, out, share, shares)
    return _if_bfloat16(*arguments) if job["halves"] else _of_float32(*arguments)
