"""States of parts of lines, merged and applied: softmax and layer-norm in two levels."""

from __future__ import annotations

import sys

import numpy as np

from gpudb.kernels.layer_norm_apply import layer_norm_apply
from gpudb.kernels.merge_moments import merge_moments
from gpudb.kernels.merge_softmax import merge_softmax
from gpudb.kernels.moments import moments
from gpudb.kernels.segment_sum import segment_sum
from gpudb.kernels.softmax_apply import softmax_apply
from gpudb.kernels.softmax_state import softmax_state
from gpudb.kernels.variance_of_moments import variance_of_moments
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, INF, NAN, normal, numbers

ROWS = [(0, 3, 4), (1, 1, 1), (6, 3, 4), (3, 2, 33), (2, 5, 32), (3, 2, 2, 65), (2, 4)]
"""Blocks whose last axis is along a row."""
STARTS = {0: [], 1: [0], 2: [0], 3: [0, 2], 4: [0, 1], 5: [0, 1, 4], 6: [0, 3], 9: [0, 1, 2, 7]}


def _lengths(shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Valid elements of each block: all, one, all but one; the largest number stands for all."""
    length = shape[1 + axis]
    kinds = (length, 1, max(1, length - 1), sys.maxsize)
    return np.array([kinds[i % 4] for i in range(shape[0])], np.int64)


def _starts(parts: int) -> np.ndarray:
    return np.array(STARTS[parts], np.int64)


def _groups(parts: int) -> np.ndarray:
    return np.repeat(np.arange(len(STARTS[parts])), np.diff(_starts(parts), append=parts))


def _sums(*shape: int) -> np.ndarray:
    """States of softmax: any maximum, a positive sum."""
    state = normal(*shape)
    state[:, 1] = np.abs(state[:, 1]) + 0.1
    return state


WITHOUT = np.array([[[-INF, 0.0, -INF, NAN], [0.0, 1.0, 0.0, 1.0]]] * 2 + [[[2.0] * 4, [1.0] * 4]])
"""Three parts of four rows: parts of -inf only have the sum 0."""

SOFTMAX = [
    *(
        Case(softmax_state, f"{shape}", (normal(*shape), _lengths(shape, len(shape) - 2)), REAL)
        for shape in ROWS
    ),
    Case(softmax_state, "extremes", (EXTREMES[:, None], np.full(len(EXTREMES), 8)), REAL),
    *(
        Case(merge_softmax, f"{m} parts of {rest}", (_sums(m, 2, *rest), _starts(m)), REAL)
        for m in STARTS
        for rest in ((), (3,), (2, 35))
    ),
    Case(merge_softmax, "parts of -inf", (WITHOUT, np.array([0])), REAL),
    Case(merge_softmax, "rows of -inf", (WITHOUT[:2], np.array([0])), REAL),
    *(
        Case(
            softmax_apply,
            f"{shape}",
            (normal(*shape), _sums(len(STARTS[shape[0]]), 2, *shape[1:-1]), _groups(shape[0])),
            REAL,
        )
        for shape in ROWS
    ),
    Case(
        softmax_apply,
        "-inf and NaN",
        (EXTREMES[:3, None], np.array([[[-INF], [0.0]], [[NAN], [1.0]]]), np.array([0, 1, 1])),
        REAL,
    ),
]

MOMENTS = [
    *(
        Case(moments, f"{s}, axis {a}", (normal(*s) + 3, _lengths(s, a), a), REAL)
        for s in ROWS
        for a in range(len(s) - 1)
    ),
    Case(
        moments, "far from zero", (normal(3, 70) + 1e4, np.full(3, 70), 0), ("float64",), scale=10.0
    ),
    Case(moments, "extremes", (EXTREMES, np.full(len(EXTREMES), 8), 0), REAL, scale=1e8),
    *(
        Case(
            merge_moments,
            f"{m} parts of {rest}",
            (np.abs(normal(m, 2, *rest)), numbers(9, m) + 1, _starts(m)),
            ("float64",),
            wide=frozenset({0}),
        )
        for m in STARTS
        for rest in ((), (3,), (2, 35))
    ),
    *(
        Case(
            layer_norm_apply,
            f"{shape}",
            (
                normal(*shape),
                np.abs(normal(len(STARTS[shape[0]]), 2, *shape[1:-1])) + 0.5,
                _groups(shape[0]),
                normal(4, shape[-1], seed=1),
                normal(4, shape[-1], seed=2),
                numbers(4, shape[0]),
                11,
                1e-5,
            ),
            REAL,
            wide=frozenset({1}),
            scale=10.0,
        )
        for shape in ROWS
    ),
    *(
        Case(
            variance_of_moments,
            f"{m} of {rest} to {result}",
            (np.abs(normal(m, 2, *rest)), 7, result),
            (result,),
            wide=frozenset({0}),
        )
        for m in (0, 1, 5)
        for rest in ((), (33,), (2, 3))
        for result in REAL
    ),
]

SUMS = [
    *(
        Case(
            segment_sum,
            f"{m} blocks of {rest}",
            (normal(m, *rest), _starts(m)),
            (*STORED, "float64"),
        )
        for m in STARTS
        for rest in ((), (3,), (2, 35))
    ),
    Case(segment_sum, "extremes", (EXTREMES, np.array([0, 3, 5, 9])), REAL, scale=1e4),
]

CASES = [*SOFTMAX, *MOMENTS, *SUMS]
