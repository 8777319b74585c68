"""Attention within sequences, head by head: two products over packed panels, a softmax between.

Keys of a head are packed like the weights of a product, transposed; values as they are. A few
queries at a time meet all keys of their sequence: their scores stay in the first-level cache, and
the softmax is exact, over whole rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types

from gpudb.backend.jit.compiled import array, compiled, matrix, part, written
from gpudb.backend.jit.functions import exp
from gpudb.backend.jit.lanes import first_lanes, lanes_largest, lanes_sum, transpose
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.memory import pointer_to
from gpudb.backend.jit.panels import tile_height
from gpudb.backend.jit.records import places, rows_at, step_of
from gpudb.backend.jit.tile import COLUMNS, ROWS, multiply_tile
from gpudb.backend.jit.vectors import at, larger, load, load_up_to, splat, store, store_up_to
from gpudb.types import HostArray

ATTENTION = np.dtype(
    [
        *((name, "i8") for name in ("q", "q_step", "k", "k_step", "v", "v_step")),
        *((name, "i8") for name in ("bias", "biased", "offsets", "sequences", "heads")),
        *((name, "i8") for name in ("lines", "lined", "line")),
        ("scale", "f8"),
        *((name, "i8") for name in ("out", "out_step", "rows", "width")),
    ]
)
"""Attention as it is asked for: addresses of arrays, bytes from row to row, sizes. ``biased`` is
the length of the bias, 0 for none. ``lines`` are what is added to scores by distance, 0 for
nothing: ``lined`` of them, one for each head or one for all, of ``line`` numbers, see
:func:`_add_by_distance`."""

_Q, _Q_STEP, _K, _K_STEP = places(ATTENTION, "q", "q_step", "k", "k_step")
_V, _V_STEP, _BIAS, _BIASED = places(ATTENTION, "v", "v_step", "bias", "biased")
_OFFSETS, _SEQUENCES, HEADS = places(ATTENTION, "offsets", "sequences", "heads")
_LINES, _LINED, _LINE, SCALE = places(ATTENTION, "lines", "lined", "line", "scale")
_OUT, _OUT_STEP, _ROWS, _WIDTH = places(ATTENTION, "out", "out_step", "rows", "width")

_ZERO, _LEAST = np.float32(0), np.float32(-np.inf)


@compiled(
    written(types.int64, 1),
    *[matrix(types.float32)] * 3,
    array(types.float32),
    array(types.int64),
    *[matrix(types.float32)] * 2,
)
def describe(
    job: HostArray,
    q: HostArray,
    k: HostArray,
    v: HostArray,
    bias: HostArray,
    offsets: HostArray,
    lines: HostArray,
    out: HostArray,
) -> None:
    """Write into an :data:`ATTENTION` where its arrays are."""
    job[_Q], job[_Q_STEP] = at(q, (0, 0)), step_of(q)
    job[_K], job[_K_STEP] = at(k, (0, 0)), step_of(k)
    job[_V], job[_V_STEP] = at(v, (0, 0)), step_of(v)
    job[_BIAS], job[_BIASED] = at(bias, (0,)), len(bias)
    job[_OFFSETS], job[_SEQUENCES] = at(offsets, (0,)), len(offsets) - 1
    if len(lines):
        job[_LINES], job[_LINED], job[_LINE] = at(lines, (0, 0)), lines.shape[0], lines.shape[1]
    job[_OUT], job[_OUT_STEP] = at(out, (0, 0)), step_of(out)
    job[_ROWS], job[_WIDTH] = out.shape


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
        row = carray(pointer_to(place + lane * step, np.float32), (width,))
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
) -> None:
    """Every so many-th head of every sequence."""
    width = out.shape[1] // heads
    longest = 0
    for s in range(len(offsets) - 1):
        longest = max(longest, offsets[s + 1] - offsets[s])
    key_panels, value_panels = -(-longest // COLUMNS), -(-width // COLUMNS)
    query_rows, last = np.empty(longest * width, np.float32), np.empty((LANES, width), np.float32)
    keys = np.empty(key_panels * width * COLUMNS, np.float32)
    values = np.empty(value_panels * longest * COLUMNS, np.float32)
    scores = np.empty((ROWS, key_panels * COLUMNS), np.float32)
    context, factors = np.empty((ROWS, COLUMNS), np.float32), np.empty(ROWS, np.float32)
    line = np.empty(0, np.float32)
    for s in range(len(offsets) - 1):
        first, count = offsets[s], offsets[s + 1] - offsets[s]
        if count == 0:
            continue
        panels = -(-count // COLUMNS)
        of_queries = query_rows[: count * width].reshape((count, width))
        of_keys = keys[: panels * width * COLUMNS].reshape((panels, width, COLUMNS))
        of_values = values[: value_panels * count * COLUMNS].reshape((value_panels, count, COLUMNS))
        for h in range(share, heads, shares):
            column = h * width
            _copy_rows(q, first, column, bias, column, np.float32(scale), of_queries)
            # A bias of keys would add one number to all scores of a query: softmax is without it.
            _pack_keys(k, first, count, column, last, of_keys)
            at_bias = 2 * out.shape[1] + column
            _pack_values(v, first, column, width, bias, at_bias, of_values)
            if len(lines):
                line = lines[h % len(lines)]
            used = (scores, context, factors)
            _attend(of_queries, of_keys, of_values, *used, line, out, first, column)


@part
def attention_share(job: Any, share: int, shares: int) -> None:
    """The heads of one of ``shares`` threads."""
    rows, width = job["rows"], job["width"]
    q = rows_at(job["q"], job["q_step"], rows, width)
    k = rows_at(job["k"], job["k_step"], rows, width)
    v = rows_at(job["v"], job["v_step"], rows, width)
    bias = carray(pointer_to(job["bias"], np.float32), (job["biased"],))
    offsets = carray(pointer_to(job["offsets"], np.int64), (job["sequences"] + 1,))
    lines = carray(pointer_to(job["lines"], np.float32), (job["lined"], job["line"]))
    out = rows_at(job["out"], job["out_step"], rows, width)
    _attend_heads(q, k, v, bias, offsets, job["heads"], job["scale"], lines, out, share, shares)
