"""The vocabulary every other module shares. Imports nothing of gpudb but its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from gpudb.errors import SchemaError

Extent: TypeAlias = int | str
"""Length of one axis: a number, or a name such as ``"tokens"`` that a run gives a number to."""

Sizes: TypeAlias = Mapping[str, int]
"""The numbers behind named extents in one run, e.g. ``{"tokens": 512, "sequences": 9}``."""

HostArray: TypeAlias = npt.NDArray[Any]
"""An array in host memory."""

STORAGE_DTYPES: Mapping[str, np.dtype[Any]] = {
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),  # NumPy and Arrow have no bfloat16: kept as its 16 bits
    "int64": np.dtype("<i8"),
    "int32": np.dtype("<i4"),
    "int8": np.dtype("i1"),
}
"""Logical dtype name -> NumPy dtype of the stored elements."""


def storage_dtype(name: str) -> np.dtype[Any]:
    """NumPy dtype that holds one stored element of logical dtype ``name``."""
    try:
        return STORAGE_DTYPES[name]
    except KeyError:
        raise SchemaError(
            f"dtype {name!r} is not supported; expected one of {', '.join(STORAGE_DTYPES)}"
        ) from None


def widen(stored: HostArray, dtype: str) -> HostArray:
    """Stored elements as numbers to compute with: half types become float32, the rest stay.

    float32 stays a view; float16 and bfloat16 are converted exactly (both are subsets of float32).
    """
    if dtype == "bfloat16":
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if dtype == "float16":
        return stored.astype(np.float32)
    return stored


def computed_dtype(*dtypes: str) -> str:
    """Dtype of what is computed from floating-point dtypes: half types are widened first."""
    return "float64" if "float64" in dtypes else "float32"


def describe_numbers(values: Sequence[float]) -> str:
    """A few numbers as they are, of more the first and a checksum: equal for equal numbers."""
    if len(values) <= 4:
        return " ".join(map(str, values))
    checksum = crc32(repr(tuple(values)).encode())
    return f"{values[0]} {values[1]} ... {values[-1]}, checksum {checksum:08x}"


@dataclass(frozen=True, slots=True)
class TensorSchema:
    """A dense tensor cut into equal blocks; one table row per block.

    Parameters
    ----------
    name
        What to call it in plans and errors; for a stored tensor, its name in the catalog.
    shape
        Extent of the whole tensor, in elements, e.g. ``(4096, 1000)`` or ``("tokens", 384)``.
    block
        Extent of one block, in elements. Blocks at the far edge are zero-padded to this extent,
        so every block has ``block_nbytes`` bytes. A named extent is one block along its axis.
    dtype
        Logical dtype of one element, a key of :data:`STORAGE_DTYPES`.
    """

    name: str
    shape: tuple[Extent, ...]
    block: tuple[Extent, ...]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        storage_dtype(self.dtype)
        if len(self.shape) != len(self.block):
            raise SchemaError(
                f"{self.name}: shape {self.shape} has {len(self.shape)} axes, "
                f"block {self.block} has {len(self.block)}; give one block extent per axis"
            )
        for extent, block in zip(self.shape, self.block, strict=True):
            if isinstance(extent, str) or isinstance(block, str):
                if extent != block:
                    raise SchemaError(
                        f"{self.name}: axis of extent {extent!r} cannot be cut into {block!r}; "
                        "a named extent is one block"
                    )
            elif extent < 0 or block < 1:
                raise SchemaError(
                    f"{self.name}: extents must be >= 0 and blocks >= 1, "
                    f"found shape {self.shape} in blocks {self.block}"
                )

    @classmethod
    def one_block(
        cls, name: str, shape: tuple[Extent, ...], dtype: str = "float32"
    ) -> TensorSchema:
        """A tensor that is a single block, without padding."""
        return cls(name, shape, _block_of(shape), dtype)

    @property
    def is_one_block(self) -> bool:
        """True when the whole tensor is a single block, without padding."""
        return 0 not in self.shape and self.block == self.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def is_bound(self) -> bool:
        """True when every extent is a number."""
        return not any(isinstance(e, str) for e in self.shape)

    def bind(self, sizes: Sizes) -> TensorSchema:
        """The same schema with every named extent replaced by its number in ``sizes``."""
        if self.is_bound:
            return self
        missing = [e for e in self.shape if isinstance(e, str) and e not in sizes]
        if missing:
            raise SchemaError(
                f"{self.name}: no size given for {missing}; known sizes are {dict(sizes)}"
            )
        numbers = tuple(e if isinstance(e, int) else sizes[e] for e in self.shape)
        blocks = tuple(b if isinstance(b, int) else max(1, sizes[b]) for b in self.block)
        return replace(self, shape=numbers, block=blocks)

    @property
    def numbers(self) -> tuple[int, ...]:
        """``shape`` as plain integers; the schema must be bound."""
        return tuple(self._number(e) for e in self.shape)

    @property
    def block_numbers(self) -> tuple[int, ...]:
        """``block`` as plain integers; the schema must be bound."""
        return tuple(self._number(b) for b in self.block)

    @property
    def grid(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(ceil(s / b) for s, b in zip(self.numbers, self.block_numbers, strict=True))

    def grid_along(self, axis: int) -> int:
        """Blocks along one axis; a named extent is one block."""
        extent, block = self.shape[axis], self.block[axis]
        if isinstance(extent, str) or isinstance(block, str):
            return 1
        return ceil(extent / block)

    @property
    def blocks(self) -> int:
        """Blocks in all."""
        return prod(self.grid)

    @property
    def block_nbytes(self) -> int:
        """Bytes of one block."""
        return prod(self.block_numbers) * storage_dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks, padding included."""
        return self.blocks * self.block_nbytes

    def renamed(self, name: str) -> TensorSchema:
        """The same tensor under another name."""
        return replace(self, name=name)

    def _number(self, extent: Extent) -> int:
        if isinstance(extent, str):
            raise SchemaError(
                f"{self.name}: extent {extent!r} has no number yet; call bind(sizes) first"
            )
        return extent

    def __str__(self) -> str:
        shape = "×".join(str(e) for e in self.shape)
        block = "×".join(str(b) for b in self.block)
        return f"{shape} {self.dtype}" + ("" if shape == block else f" in {block} blocks")


def _block_of(shape: tuple[Extent, ...]) -> tuple[Extent, ...]:
    return tuple(e if isinstance(e, str) else max(1, e) for e in shape)
