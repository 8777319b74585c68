"""Weights as products read them: panels of neighbouring columns, packed once."""

from __future__ import annotations

from dataclasses import dataclass

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
    panels, group = -(-columns // COLUMNS), GROUPS[dtype]
    scales = np.zeros(panels * COLUMNS if dtype == "int8" else 0, np.float32)
    if dtype == "int8":
        weight, scales[:columns] = _quantized(weight)
    elif dtype == "bfloat16":
        weight = bfloat16_bits(weight)
    count = max(1, -(-inner // group))  # a product without steps would be left unset
    whole = np.zeros((panels * COLUMNS, count * group), weight.dtype)
    whole[:columns, :inner] = weight
    packed = aligned((panels, count, COLUMNS * group), weight.dtype)
    packed.reshape(panels, count, COLUMNS, group)[...] = whole.reshape(
        panels, COLUMNS, count, group
    ).transpose(0, 2, 1, 3)
    sums = whole.sum(axis=1, dtype=np.int32) if dtype == "int8" else np.zeros(0, np.int32)
    return PackedWeight(dtype, packed, columns, inner, scales, sums)


def _quantized(weight: HostArray) -> tuple[HostArray, HostArray]:
    """A matrix in bytes, and what a step of each of its rows stands for."""
    inner = weight.shape[1]
    if inner > LONGEST_BYTES:
        raise DeviceError(
            f"precision='int8' on device 'jit' takes products of up to {LONGEST_BYTES:,} elements, "
            f"got {inner:,}; precision='float32' takes any number"
        )
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
