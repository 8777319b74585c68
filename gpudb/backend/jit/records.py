"""Jobs as records of eight-byte fields: what compiled code reads instead of arrays of Python.

A record has addresses of arrays, bytes from row to row, and sizes; the next job may follow it
without Python in between. ``rows`` and ``sequences`` are those of the batch, and matrices are of
float32.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np

from gpudb.types import HostArray

MULTIPLY, ATTEND, NORMALIZE, SCALE, GATE, TURN, LOOK_UP, POOL = range(8)
"""Kinds of jobs."""

SHARED = TURN
"""The last kind that threads share; the others take less than a share costs."""

MATRIX_BY_FLOAT32, MATRIX_BY_BFLOAT16, MATRIX_BY_INT8 = range(3)
"""What ``dtype`` says of a :data:`PRODUCT`'s packed weight."""

MEAN, MAX, CLS, LAST, ROOT_MEAN, RISING_MEAN = range(6)
"""What ``kind`` says of a :data:`POOLING`."""


def _record(*names: str) -> np.dtype[Any]:
    return np.dtype([(name, "f8" if name in ("scale", "eps") else "i8") for name in names])


PRODUCT = _record(
    *("dtype", "x", "x_step", "rows", "inner", "panels", "count", "steps", "scales", "sums"),
    *("bias", "biased", "activation", "out", "out_step", "columns"),
)
"""``activation(x @ weightᵀ + bias)``. ``biased`` is the length of the bias, 0 for none; else there
is a number for each column of every panel."""

ATTENTION = _record(
    *("q", "q_step", "k", "k_step", "v", "v_step", "bias", "biased", "offsets", "sequences"),
    *("heads", "lines", "lined", "line", "scale", "halves", "out", "out_step", "rows", "width"),
)
"""Attention within sequences. ``biased`` is as above. ``lines`` are what is added to scores by
distance, 0 for nothing: ``lined`` of them, for each head or one for all, of ``line`` numbers.
``halves`` is 1 where products are of bfloat16."""

NORM = _record(
    *("x", "x_step", "rows", "width", "residual", "residual_step", "bias", "biased"),
    *("gamma", "beta", "eps", "out", "out_step"),
)
"""Layer-norm of ``x + bias + residual``. ``residual`` is 0 where there is none, ``biased`` as
above."""

SCALING = _record("x", "x_step", "rows", "width", "gamma", "eps", "out", "out_step")
"""Root-mean-square norm."""

GATING = _record("x", "x_step", "y", "y_step", "rows", "width", "activation", "out", "out_step")
"""``activation(x) · y``."""

TURNING = _record(
    *("x", "x_step", "rows", "width", "heads", "cos", "cos_step", "sin", "sin_step", "half"),
    *("out", "out_step"),
)
"""Rotary positions; ``half`` is the columns of the cosines and of the sines."""

LOOKUP = _record(
    *("table", "table_step", "height", "width", "numbers", "rows", "adds", "out", "out_step"),
    "outside",
)
"""Rows of a table by their numbers. ``adds`` is 1 where they are added to what ``out`` has;
``outside`` becomes 1 where a number is none of the table's, whose row is left out."""

POOLING = _record(
    *("x", "x_step", "rows", "width", "offsets", "sequences", "kind", "normalized", "eps"),
    *("out", "out_step"),
)
"""One row per sequence."""

RECORDS = (PRODUCT, ATTENTION, NORM, SCALING, GATING, TURNING, LOOKUP, POOLING)
"""What each kind is described by."""


_PACKED = tuple(
    Struct("".join("d" if record[name].kind == "f" else "q" for name in record.names or ()))
    for record in RECORDS
)


def record(kind: int, /, **fields: float) -> HostArray:
    """A record as an array of int64; fields that are not given are 0."""
    values = [fields.get(name, 0) for name in RECORDS[kind].names or ()]
    job: HostArray = np.frombuffer(bytearray(_PACKED[kind].pack(*values)), np.int64)
    return job


def places(kind: int, *names: str) -> list[int]:
    """Where those of these fields are that a kind has, in the record as an array of int64."""
    has = RECORDS[kind].names or ()
    return [has.index(name) for name in names if name in has]


def matrix(name: str, x: HostArray) -> dict[str, int]:
    """The two fields that say where a float32 matrix is, whose rows lie one after the other."""
    # The step of a single row may be anything.
    return {name: x.ctypes.data, f"{name}_step": max(x.strides[0], 4 * x.shape[1])}


def added(bias: HostArray | None) -> dict[str, int]:
    """The two fields that say where a bias is; none where there is none."""
    return {} if bias is None else {"bias": bias.ctypes.data, "biased": len(bias)}
