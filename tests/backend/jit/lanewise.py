"""Operations of the SIMD vocabulary over whole arrays, and numbers that are worth trying."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.arrays import at
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import load, store
from gpudb.types import HostArray

TINY = np.finfo(np.float32).tiny
"""Smallest number that is not denormal."""
LARGE = np.finfo(np.float32).max
DENORMAL = np.finfo(np.float32).smallest_subnormal

EDGES = np.array(
    [
        *(0, -0.0, 1, -1, np.inf, -np.inf, np.nan, TINY, -TINY, DENORMAL, -DENORMAL, LARGE, -LARGE),
        *(1 + 2**-23, 1 - 2**-24, 0.1, 3e5),
    ],
    np.float32,
)


def lanewise(operation: Callable[..., Any], *arrays: HostArray) -> HostArray:
    """An operation of one to three vectors over arrays ``(n,)`` of float32, ``LANES`` at a time."""
    n = len(arrays[0])
    padded = np.ones((len(arrays), -(-n // LANES) * LANES), np.float32)
    padded[:, :n] = arrays
    out = np.empty(padded.shape[1], np.float32)
    _over_vectors(operation, len(arrays))(*padded, out)
    return out[:n]


@cache
def _over_vectors(operation: Any, count: int) -> Any:
    def one(x: Any, out: Any) -> None:
        for i in range(0, len(out), LANES):
            store(at(out, (i,)), operation(load(at(x, (i,)))))

    def two(x: Any, y: Any, out: Any) -> None:
        for i in range(0, len(out), LANES):
            store(at(out, (i,)), operation(load(at(x, (i,))), load(at(y, (i,)))))

    def three(x: Any, y: Any, z: Any, out: Any) -> None:
        for i in range(0, len(out), LANES):
            some = operation(load(at(x, (i,))), load(at(y, (i,))), load(at(z, (i,))))
            store(at(out, (i,)), some)

    return part((one, two, three)[count - 1])


def pairs(*more: float) -> tuple[HostArray, HostArray]:
    """Every edge with every edge."""
    edges = np.concatenate([EDGES, np.array(more, np.float32)])
    x, y = np.meshgrid(edges, edges)
    return x.ravel(), y.ravel()


def nearest(x: Fraction) -> np.float32:
    """An exact number rounded once, to even in the middle; not for what leaves the range."""
    near = np.float32(float(x))
    candidates = [near, *(np.nextafter(near, np.float32(to)) for to in (-np.inf, np.inf))]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - x), c.view(np.uint32) & 1))


def units_off(found: HostArray, expected: HostArray) -> HostArray:
    """Distance from float64 numbers, in units of the last place of float32 at them."""
    unit = np.spacing(np.maximum(np.abs(expected), TINY).astype(np.float32)).astype(np.float64)
    return np.abs(found.astype(np.float64) - expected) / unit
