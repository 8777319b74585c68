"""Rows of a left factor in fewer bits."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.compiled.arrays import at
from gpudb.backend.jit.compiled.lanes import lanes_largest, lanes_sum
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import (
    fma,
    larger,
    load_up_to,
    smaller,
    splat,
    store_bfloat16,
    store_bytes,
)
from gpudb.types import HostArray

_ZERO, _STEPS = np.float32(0), np.float32(255)
_LEAST = np.finfo(np.float32).tiny
"""Of steps: smaller numbers have few digits, and one divided by them is no number."""


@part
def round_row(x: HostArray, i: int, out: HostArray, r: int) -> None:
    """Row ``i`` of ``x``, rounded to bfloat16; ``out`` may be wider by less than a vector."""
    for j in range(0, x.shape[1], LANES):
        store_bfloat16(at(out, (r, j)), load_up_to(at(x, (i, j)), x.shape[1] - j))


@part
def quantize_row(x: HostArray, i: int, out: HostArray, r: int) -> tuple[np.float32, np.int32]:
    """Row ``i`` of ``x`` in 255 steps from its smallest to its largest element; 0 is one of them.

    Returns
    -------
    step
        What one step stands for: ``x ≈ (byte - zero) * step``. NaN for a row that is not finite, 0
        for one of zeros, or of numbers so small that its steps would be denormal.
    zero
        The byte of 0.
    """
    width = x.shape[1]
    high, low, zeros = splat(_ZERO), splat(_ZERO), splat(_ZERO)
    for j in range(0, width, LANES):
        part_of_row = load_up_to(at(x, (i, j)), width - j)
        high, low = larger(high, part_of_row), smaller(low, part_of_row)
        zeros = fma(part_of_row, splat(_ZERO), zeros)
    lowest = -lanes_largest(splat(_ZERO) - low)
    # Divided first: the difference of finite numbers may not be finite.
    step = lanes_largest(high) / _STEPS - lowest / _STEPS + lanes_sum(zeros)
    if not step >= _LEAST:
        # Any bytes do.
        for j in range(0, width, LANES):
            store_bytes(at(out, (r, j)), splat(_ZERO))
        return (step * _ZERO, np.int32(0))
    zero = np.float32(np.rint(-lowest / step))
    for j in range(0, width, LANES):
        scaled = fma(load_up_to(at(x, (i, j)), width - j), splat(np.float32(1) / step), splat(zero))
        store_bytes(at(out, (r, j)), larger(smaller(scaled, splat(_STEPS)), splat(_ZERO)))
    return (step, np.int32(zero))
