"""One tensor of a checkpoint file, not yet read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.types import STORAGE_DTYPES, HostArray

FILE_ONLY_DTYPES: Mapping[str, np.dtype[Any]] = {
    "bool": np.dtype("u1"),  # as bytes: a file may hold others than 0 and 1
    "uint8": np.dtype("u1"),
    "int16": np.dtype("<i2"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
}
"""Dtypes that occur in files and can be looked at, but that no stored tensor may have."""

FILE_DTYPES: Mapping[str, np.dtype[Any]] = {**STORAGE_DTYPES, **FILE_ONLY_DTYPES}
"""Logical dtype name -> NumPy dtype of the elements in a file."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A named tensor that lies in a file.

    Parameters
    ----------
    name
        Its name in the checkpoint, e.g. ``"embeddings.LayerNorm.weight"``.
    dtype
        Logical dtype, a key of :data:`FILE_DTYPES`.
    shape
        Extents in elements; ``()`` is one number.
    file
        The file it lies in, for messages.
    data
        Its bytes, ``(nbytes,)`` uint8, read-only; usually a memory map of the file.
    axes
        None where the file holds the axes in the order of ``shape``; else axis ``i`` of the file is
        axis ``axes[i]`` of ``shape``: ``(1, 0)`` for a matrix that lies there transposed.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    data: HostArray = field(repr=False, compare=False)
    axes: tuple[int, ...] | None = None

    @property
    def storable(self) -> bool:
        """False for dtypes such as bool, which a file may hold but gpudb does not store."""
        return self.dtype in STORAGE_DTYPES

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return int(self.data.nbytes)

    def array(self) -> HostArray:
        """The elements as a read-only view of the file, in the storage dtype, with ``shape``.

        bfloat16 comes as its 16 bits; see :func:`gpudb.types.widen`. The view may be unaligned when
        the file is: NumPy copes, other readers of its address may not.
        """
        elements = self.data.view(FILE_DTYPES[self.dtype])
        if self.axes is None:
            return elements.reshape(self.shape)
        stored = elements.reshape([self.shape[axis] for axis in self.axes])
        return stored.transpose(np.argsort(self.axes))


def held(name: str, dtype: str, values: HostArray, file: Path) -> Weight:
    """A weight whose elements had to be read: ``values``, in the order of a C array."""
    kept = np.ascontiguousarray(values, dtype=FILE_DTYPES[dtype])
    data = kept.reshape(-1).view(np.uint8)
    data.flags.writeable = False
    return Weight(name, dtype, values.shape, file, data)
