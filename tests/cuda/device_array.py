"""Arrays of a device that launch code is tested on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

from gpudb.kernels.launch import MAX_BLOCKS

POISON = 0xFF
"""Bytes of memory that nobody has written: NaN as floats, -1 as whole numbers."""


class DeviceArray(ABC):
    """An array on the device: it can be cut and reshaped, and nothing else; NumPy refuses it."""

    __array_ufunc__ = None

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    @abstractmethod
    def _changed(self, change: Callable[[Any], Any]) -> Self:
        """The same elements, cut or reshaped."""

    @abstractmethod
    def get(self) -> Any:
        """A copy on the host, as CuPy has it."""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._memory.shape)

    @property
    def dtype(self) -> Any:
        return self._memory.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(self._memory.strides)

    @property
    def ndim(self) -> int:
        return int(self._memory.ndim)

    @property
    def size(self) -> int:
        return int(self._memory.size)

    @property
    def nbytes(self) -> int:
        return int(self._memory.nbytes)

    def __len__(self) -> int:
        return len(self._memory)

    def __getitem__(self, key: Any) -> Self:
        parts = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(p, (int, slice)) or p is None or p is Ellipsis for p in parts):
            raise TypeError("a device array is cut by slices and whole numbers only")
        return self._changed(lambda x: x[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("a device array is written by kernels only")

    def __iter__(self) -> Any:
        raise TypeError("the elements of a device array are on the device")

    def __bool__(self) -> bool:
        raise TypeError("the elements of a device array are on the device")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a device array does not become a NumPy array by itself")

    def reshape(self, *shape: Any) -> Self:
        return self._changed(lambda x: x.reshape(*shape))

    def transpose(self, *axes: Any) -> Self:
        return self._changed(lambda x: x.transpose(*axes))

    def view(self, dtype: Any) -> Self:
        return self._changed(lambda x: x.view(dtype))


def check_grid(blocks: int, threads: int) -> None:
    """What a GPU takes of a launch."""
    assert 0 < threads <= 1024, f"{threads} threads"
    assert threads % 32 == 0, f"{threads} threads are not whole warps"
    assert 0 < blocks <= MAX_BLOCKS, f"{blocks} blocks"
