"""Factors of products that lie in memory in odd ways, and shapes worth trying."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS
from gpudb.backend.jit.rows import CONFLICT
from gpudb.types import HostArray

HEIGHTS = (0, 1, 2, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 1, 16 * ROWS + 1)
WIDTHS = (0, 1, LANES - 1, LANES, LANES + 1, COLUMNS - 1, COLUMNS, COLUMNS + 1, 3 * COLUMNS - 2)
INNER = (0, 1, 2, 3, 4, 5, LANES - 1, LANES, LANES + 1, 70)

SHAPES = [
    *((rows, 7, COLUMNS + 1) for rows in (*range(ROWS + 2), *HEIGHTS)),
    *((3, 7, columns) for columns in WIDTHS),
    *((5, inner, LANES + 1) for inner in INNER),
    *((0, 0, 0), (0, 0, 3), (2, 0, 0), (1, 1, 1), (ROWS + 2, 384, 2 * COLUMNS + 5)),
]
"""(rows, inner, columns)."""


def numbers(*shape: int, seed: int = 0) -> HostArray:
    """Normal numbers in float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _misaligned(x: HostArray) -> HostArray:
    memory = np.zeros(x.nbytes + 1, np.uint8)
    out = memory[1:].view(np.float32).reshape(x.shape)
    out[...] = x
    return out


def _every_other_row(x: HostArray) -> HostArray:
    out = np.repeat(x, 2, axis=0)[::2]
    return out


def _columns_of_more(x: HostArray) -> HostArray:
    out = np.full((x.shape[0], x.shape[1] + 9), np.nan, np.float32)[:, 4 : 4 + x.shape[1]]
    out[...] = x
    return out


def _conflicting(x: HostArray) -> HostArray:
    step = CONFLICT // x.itemsize
    wide = np.full((x.shape[0], -(-max(1, x.shape[1]) // step) * step), np.nan, np.float32)
    out = wide[:, : x.shape[1]]
    out[...] = x
    return out


def _read_only(x: HostArray) -> HostArray:
    out = x.copy()
    out.flags.writeable = False
    return out


LAID_OUT: Mapping[str, Callable[[HostArray], HostArray]] = {
    "misaligned": _misaligned,
    "every other row": _every_other_row,
    "columns of more": _columns_of_more,
    "rows a power of two apart": _conflicting,
    "read-only": _read_only,
    "Fortran": np.asfortranarray,
    "backwards": lambda x: x[::-1].copy()[::-1],
    "mirrored": lambda x: x[:, ::-1].copy()[:, ::-1],
    "float64": lambda x: x.astype(np.float64),
    "one row, repeated": lambda x: np.broadcast_to(x[:1], x.shape),
}
"""Name -> equal numbers (but for the last), lying otherwise."""
