"""Weights stored in fewer bits than they came in, and how much that changed them.

Matrices are rounded; vectors (biases, norms) keep their dtype: they are a thousandth of the bytes,
and every element of a result meets them. float16 and bfloat16 round to the nearest number, to even
in the middle. int8 rounds each row, which is what one output channel is computed with, to whole
multiples of a scale of its own, from -127 to 127; the scales are a column, stored as float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from gpudb.errors import CheckpointError, InputError
from gpudb.kernels.cast import cast
from gpudb.kernels.quantize import quantize
from gpudb.kernels.row_scales import row_scales
from gpudb.models.formats.weight import Weight
from gpudb.plan.tensor import Scan
from gpudb.store.panels import row_panels
from gpudb.types import HostArray, TensorSchema, storage_dtype, widen

WEIGHT_DTYPES = ("float32", "float16", "bfloat16")
"""What weights of a checkpoint may come in."""

ROUNDED_TO = ("float32", "float16", "bfloat16", "int8")
"""What matrices may be stored as."""

SCALES = ".scales"
"""Ends the name of the tensor that has the scales of an int8 matrix."""

PIECE_NBYTES = 8 << 20
"""About the float32 rows that are rounded at once."""

OVERFLOWS = {
    "float16": np.float32(65520),
    "bfloat16": np.uint32(0x7F7F8000).view(np.float32),
}
"""Least magnitude that is rounded to infinity: half a step above the largest number."""


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A weight, and how it is stored."""

    weight: Weight
    schema: TensorSchema
    scales: TensorSchema | None = None
    """Of int8."""

    @property
    def schemas(self) -> tuple[TensorSchema, ...]:
        """Of the tensors it becomes."""
        return (self.schema,) if self.scales is None else (self.schema, self.scales)

    @property
    def is_converted(self) -> bool:
        """True where it comes in another dtype than it is stored in."""
        return self.schema.dtype != self.weight.dtype

    def scan(self) -> Scan:
        """The step that reads it."""
        return Scan(self.schema, scales=self.scales)


def stored_weight(
    name: str, weight: Weight, block: tuple[int, int] | None, dtype: str | None
) -> StoredWeight:
    """How a weight is stored.

    Parameters
    ----------
    name
        Of its tensor.
    weight
        The weight.
    block
        Rows and columns of the blocks of a matrix; None for row panels.
    dtype
        One of :data:`ROUNDED_TO` for matrices; None for that of the checkpoint. What has more axes
        than two (kernels of convolutions) has no int8.
    """
    is_matrix, many_axes = len(weight.shape) == 2, len(weight.shape) > 2
    rounded = is_matrix or (many_axes and dtype != "int8")
    found = dtype if dtype is not None and rounded else weight.dtype
    cut = tuple(block) if block is not None and is_matrix else row_panels(weight.shape, found)
    schema = TensorSchema(name, weight.shape, cut, found)
    if found != "int8":
        return StoredWeight(weight, schema)
    scales = TensorSchema(f"{name}{SCALES}", (weight.shape[0], 1), (cut[0], 1))
    return StoredWeight(weight, schema, scales)


def check_dtype(dtype: object) -> None:
    """Raise unless matrices can be stored so.

    Raises
    ------
    InputError
        They cannot.
    """
    if dtype is not None and dtype not in ROUNDED_TO:
        raise InputError(
            f"dtype is {dtype!r}; expected one of {', '.join(ROUNDED_TO)}, or None to store "
            "weights as they come"
        )


def check_range(weights: Mapping[str, StoredWeight], folder: object) -> None:
    """Raise where a number of a weight has none near it in the dtype it is stored in.

    Raises
    ------
    CheckpointError
        Finite numbers that become infinite, or, for int8, numbers that are not finite.
    """
    found = []
    for name, stored in weights.items():
        if stored.is_converted and (count := _lost(stored)):
            found.append((stored.schema.dtype, f"{name} ({count:,})"))
    if found:
        dtype = found[0][0]
        what = "not finite, which int8 has no number for" if dtype == "int8" else "out of range"
        other = "the dtype of the checkpoint (dtype=None)"
        raise CheckpointError(
            f"{folder}: elements {what}, so they cannot be stored as {dtype}: "
            f"{', '.join(text for _, text in found)}; nothing was imported. Choose "
            f"{'bfloat16, or ' if dtype == 'float16' else ''}{other}"
        )


def _lost(stored: StoredWeight) -> int:
    """Elements that cannot be stored."""
    dtype = stored.schema.dtype
    count = 0
    for _, rows in _pieces(stored.weight):
        if dtype == "int8":
            count += int(np.count_nonzero(~np.isfinite(rows)))
        elif dtype in OVERFLOWS:
            count += int(np.count_nonzero(np.isfinite(rows) & (abs(rows) >= OVERFLOWS[dtype])))
    return count


@dataclass(frozen=True, slots=True)
class Converted:
    """The tensors of a weight."""

    values: tuple[HostArray, ...]
    """In the order of :attr:`StoredWeight.schemas`."""
    error: float | None
    """Frobenius norm of what rounding changed, divided by that of the weight, over its finite
    elements; None where nothing was rounded."""


def converted(stored: StoredWeight) -> Converted:
    """The elements of a weight as they are stored.

    Read and rounded some rows at a time; only the result is in memory as a whole.
    """
    weight, dtype = stored.weight, stored.schema.dtype
    if not stored.is_converted:
        return Converted((weight.array(),), None)
    values = np.empty(weight.shape, storage_dtype(dtype))
    scales = np.empty((weight.shape[0], 1), np.float32)
    changed, whole = 0.0, 0.0
    for first, rows in _pieces(weight):
        last = first + len(rows)
        if stored.scales is not None:
            scale = row_scales.reference(rows)
            steps = quantize.reference(rows, scale)
            values[first:last], scales[first:last, 0] = steps, scale
            back = steps * scale[:, None]
        else:
            with np.errstate(over="ignore"):  # infinities stay: check_range has seen the others
                values[first:last] = cast.reference(rows, dtype)
            back = widen(values[first:last], dtype)
        finite = np.isfinite(rows)
        changed += _squares(np.where(finite, back, 0) - np.where(finite, rows, 0))
        whole += _squares(np.where(finite, rows, 0))
    error = sqrt(changed / whole) if whole else 0.0
    return Converted((values,) if stored.scales is None else (values, scales), error)


def _pieces(weight: Weight) -> Iterator[tuple[int, HostArray]]:
    """Number of the first row, and rows in float32, some at a time."""
    values = weight.array()
    row_nbytes = max(1, 4 * values[:1].size)
    step = max(1, PIECE_NBYTES // row_nbytes)
    for first in range(0, len(values), step):
        rows = widen(values[first : first + step], weight.dtype)
        yield first, rows.astype(np.float32, copy=False)


def _squares(x: HostArray) -> float:
    return float(np.sum(np.square(x, dtype=np.float64)))
