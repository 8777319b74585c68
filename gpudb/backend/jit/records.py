"""Jobs as records of int64: what compiled code reads instead of arrays of Python.

A record has addresses of arrays, bytes from row to row, and sizes; the next job may follow it
without Python in between.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from gpudb.backend.jit.compiled import part
from gpudb.backend.jit.memory import pointer_to
from gpudb.types import HostArray


def places(record: Any, *names: str) -> list[int]:
    """Where fields of eight bytes are, in the record as an array of int64."""
    return [record.names.index(name) for name in names]


def new_record(record: Any) -> HostArray:
    """A record of zeros, as an array of int64."""
    return np.zeros(record.itemsize // 8, np.int64)


@part
def step_of(x: HostArray) -> int:
    """Bytes from row to row of a float32 matrix; that of a single row may be anything."""
    return int(max(x.strides[0], 4 * x.shape[1]))


@part
def rows_at(place: int, step: int, rows: int, width: int) -> HostArray:
    """The float32 matrix ``(rows, width)`` at an address."""
    whole: HostArray = carray(pointer_to(place, np.float32), (rows, step // 4))
    return whole[:, :width]
