"""Weights as products read them: panels of neighbouring columns, packed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpudb.backend.jit.target import TARGET
from gpudb.errors import DeviceError
from gpudb.kernels.cast import bfloat16_bits
from gpudb.types import HostArray

COLUMNS = TARGET.columns
ALIGNMENT = 64
"""Bytes of a cache line: no vector of a panel lies in two."""

GROUPS = {"float32": 1, "bfloat16": 2, "int8": 4}
"""Dtype of packed weights -> elements that one step of a product multiplies at once."""
ELEMENTS: Mapping[str, np.dtype[Any]] = {
    "float32": np.dtype("f4"),
    "bfloat16": np.dtype("u2"),
    "int8": np.dtype("i1"),
}
"""The same -> how they are kept."""

LONGEST_BYTES = (2**31 - 1) // (255 * 127)
"""Elements of a row of bytes whose products add up in int32, whatever they are."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedWeight:
    """The right factor ``(columns, inner)``, transposed, of products; one block.

    Column ``c`` is column ``c % COLUMNS`` of panel ``c // COLUMNS``; what is missing to whole
    panels and groups is zero.
    """

    dtype: str
    panels: HostArray
    """``(panels, steps, COLUMNS · group)``: float32, bits of bfloat16, or int8."""
    columns: int
    inner: int
    scales: HostArray
    """int8: ``(panels · COLUMNS,)`` float32, what one step of each column stands for."""
    sums: HostArray
    """int8: ``(panels · COLUMNS,)`` int32, sum of each column."""
    places: tuple[int, ...]
    """Addresses of these arrays: asking NumPy for them takes as long as a short product."""

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return self.panels.nbytes + self.scales.nbytes + self.sums.nbytes

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return self.columns, self.inner

    def __getitem__(self, block: int) -> PackedWeight:
        """A weight is one block."""
        if block != 0:
            raise IndexError(block)
        return self


def pack(weight: HostArray, dtype: str) -> PackedWeight:
    """Pack a matrix ``(columns, inner)`` float32.

    Parameters
    ----------
    weight
        The matrix.
    dtype
        ``float32``; ``bfloat16``, rounded to nearest; ``int8``, rounded to 127 steps either side of
        zero, whose size is chosen for each column: NaN for one that is not finite, 0 for one of
        numbers so small that its steps would be denormal.

    Raises
    ------
    DeviceError
        Rows of bytes are too long to be added up in int32.
    """
    weight = np.asarray(weight, np.float32)
    columns, inner = weight.shape
    if dtype == "int8" and inner > LONGEST_BYTES:
        raise DeviceError(
            f"precision='int8' on device 'jit' takes products of up to {LONGEST_BYTES:,} elements, "
            f"got {inner:,}; precision='float32' takes any number"
        )
    panels, group = -(-columns // COLUMNS), GROUPS[dtype]
    # A product without steps would be left unset: one of zeros at least.
    steps, kind = max(1, -(-inner // group)), ELEMENTS[dtype]
    packed = aligned((panels, steps, COLUMNS * group), kind)
    described = panels * COLUMNS if dtype == "int8" else 0
    scales, sums = np.zeros(described, np.float32), np.zeros(described, np.int32)
    # Panel by panel: copies are small, and stay in the cache.
    for panel, first in zip(packed, range(0, columns, COLUMNS), strict=True):
        rows = weight[first : first + COLUMNS]
        last = first + len(rows)
        if dtype == "int8":
            rows, scales[first:last] = _quantized(rows)
            sums[first:last] = rows.sum(axis=1, dtype=np.int32)
        elif dtype == "bfloat16":
            rows = bfloat16_bits(rows)
        whole = np.zeros((COLUMNS, steps * group), kind)
        whole[: last - first, :inner] = rows
        lying = whole.reshape(COLUMNS, steps, group).transpose(1, 0, 2)
        panel.reshape(lying.shape)[...] = lying
    places = tuple(array.ctypes.data for array in (packed, scales, sums))
    return PackedWeight(dtype, packed, columns, inner, scales, sums, places)


def _quantized(weight: HostArray) -> tuple[HostArray, HostArray]:
    """Rows of a matrix in bytes, and what a step of each stands for."""
    scales = np.abs(weight).max(axis=1, initial=0) / np.float32(127)
    scales[scales < np.finfo(np.float32).tiny] = 0
    scales[~np.isfinite(scales)] = np.nan
    some = scales > 0
    out = np.zeros(weight.shape, np.int8)
    out[some] = np.rint(weight[some] / scales[some, None])
    return out, scales


def aligned(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> HostArray:
    """An array that starts at a cache line; its elements are not set."""
    nbytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + nbytes].view(dtype).reshape(shape)
