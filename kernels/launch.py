"""What the launch code of kernels may ask of a GPU, and the CUDA source it names.

``kernels/`` never imports CuPy: a :class:`Device` is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np

CTYPES: Mapping[str, str] = {
    "float64": "double",
    "float32": "float",
    "float16": "__half",
    "uint16": "__nv_bfloat16",  # NumPy has no bfloat16: its bits are kept in uint16
    "int64": "long long",
    "int32": "int",
    "int8": "signed char",
    "bool": "bool",
}
"""Dtype of an array -> type of its elements in CUDA."""

MAX_BLOCKS = 2**31 - 1
"""Blocks along the first axis of a grid, on every architecture."""

MAX_SHARED_NBYTES = 48 << 10
"""Shared memory that a block may have without asking the driver first."""

SCRATCH_NBYTES = 512
"""Of it, what kernels use beside the array whose size the launch gives."""

WARP = 32

MATRIX_ROWS = 4
"""ROWS_EACH of ``matrix.cuh``."""


@dataclass(frozen=True, slots=True)
class Cuda:
    """A ``__global__`` function: the file it is in, and the dtypes it is compiled for.

    Parameters
    ----------
    file
        Name of a ``.cu`` file in this folder, without the ending.
    function
        Name of the function.
    defines
        Name -> what it stands for: the CUDA type of elements, or an operation or number.
    """

    file: str
    function: str
    defines: tuple[tuple[str, str], ...]

    @property
    def source(self) -> str:
        """The text to compile: headers pasted in, then the types and names, then the file.

        Pasted, because the cache of compiled kernels does not see what lies in other files.
        """
        headers, body = _parts(self.file)
        return headers + "".join(map(_defined, self.defines)) + body


def cuda(name: str, function: str | None = None, **defines: Any) -> Cuda:
    """Name a CUDA function: ``cuda("row_softmax", T=x.dtype)``.

    The name of a dtype becomes a type, anything else a macro.
    """
    pairs = tuple((key, CTYPES.get(str(value), str(value))) for key, value in defines.items())
    return Cuda(name, function or name, pairs)


class Device(Protocol):
    """What launch code may ask for. Arrays have ``shape``, ``dtype``, ``strides`` in bytes,
    ``reshape`` and slicing, as in NumPy.
    """

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A C-contiguous array; its elements are whatever was there."""

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A C-contiguous array of zeros."""

    def rows(self, x: Any) -> Any:
        """Whole numbers, from the host or the device -> a contiguous int64 array on the device.

        A host array that is read-only is uploaded once: it must not change by other ways either.
        """

    def contiguous(self, x: Any) -> Any:
        """The array itself where it is C-contiguous, else a copy."""

    def block_size(self, wanted: int) -> int:
        """Threads of a block: as wanted, unless a test tries another number."""

    def launch(
        self, function: Cuda, blocks: int, threads: int, args: Sequence[Any], shared: int = 0
    ) -> None:
        """Run a function on ``blocks`` × ``threads`` threads; nothing where ``blocks`` is 0.

        ``args`` are checked against the function's parameters and cast to their types.
        ``shared`` is dynamic shared memory, in bytes.
        """


def ceil_div(n: int, d: int) -> int:
    """``n / d``, rounded up."""
    return -(-n // d)


def grid_for(items: int, per_block: int) -> int:
    """Blocks for so many items; kernels walk on in steps of the grid where that is not enough."""
    return min(MAX_BLOCKS, ceil_div(items, per_block))


def row_threads(width: int, itemsize: int) -> int:
    """Threads for one row: each takes 16 bytes at a time; whole warps, 512 at most.

    A block of 512 can have 128 registers per thread, which no compiler takes for these kernels;
    one of 1,024 could not be launched from 65 on.
    """
    vectors = ceil_div(max(1, width), max(1, 16 // itemsize))
    return min(512, WARP * ceil_div(vectors, WARP))


MOST_HOLDING = 512
"""Threads of a block that holds rows in registers: 128 registers for each."""


def held_in_registers(itemsize: int) -> dict[str, Any]:
    """What functions are compiled with that hold a part of each row in registers of threads.

    40 floats, 80 KiB for the block; 8 doubles: with more of them some architectures spill.
    """
    return {"HELD": 8 if itemsize == 8 else 40}


@dataclass(frozen=True, slots=True)
class RowGrid:
    """One block for each row, which keeps in shared memory what fits of it."""

    blocks: int
    threads: int
    shared: int
    """Bytes of shared memory."""
    kept: int
    """Elements of a row that fit; 16 bytes of a row are on one side."""
    defines: dict[str, Any]
    """What the function is compiled with: accumulators that a thread holds in registers."""


def row_grid(device: Device, rows: int, width: int, itemsize: int) -> RowGrid:
    """A grid for so many rows of elements of ``itemsize`` bytes, kept as accumulators."""
    threads = device.block_size(row_threads(width, itemsize))
    each = accumulator_nbytes(itemsize)
    kept = min(width, (MAX_SHARED_NBYTES - SCRATCH_NBYTES) // each)
    if kept == width:
        return RowGrid(grid_for(rows, 1), threads, kept * each, kept, {"HELD": 0})
    threads = min(threads, MOST_HOLDING)
    return RowGrid(grid_for(rows, 1), threads, kept * each, kept, held_in_registers(itemsize))


def matrix_grid(device: Device, rows: int, width: int, itemsize: int) -> tuple[int, int]:
    """Blocks and threads for kernels over ``matrix.cuh``: 16 bytes of a few rows to each thread."""
    threads = device.block_size(256)
    items = ceil_div(width * itemsize, 16) * ceil_div(rows, MATRIX_ROWS)
    return grid_for(items, threads), threads


def accumulator_nbytes(itemsize: int) -> int:
    """Bytes of what elements are added up in: float at least."""
    return max(4, itemsize)


def strided_rows(device: Device, x: Any) -> tuple[Any, int]:
    """``(n, w)`` whose rows are contiguous, and how many elements they start apart."""
    itemsize = x.dtype.itemsize
    if x.shape[1] > 1 and x.strides[1] != itemsize:
        x = device.contiguous(x)
    return x, x.strides[0] // itemsize


def size(shape: Sequence[int]) -> int:
    """Elements of an array of this shape."""
    return prod(shape)


def thread_grid(device: Device, items: int) -> tuple[int, int]:
    """Blocks and threads, one thread to each of so many items."""
    threads = device.block_size(256)
    return grid_for(items, threads), threads


def _defined(define: tuple[str, str]) -> str:
    name, value = define
    is_type = value in CTYPES.values()
    return f"typedef {value} {name};\n" if is_type else f"#define {name} {value}\n"


def row_numbers(device: Device, x: Any) -> Any:
    """As they are where they are int32 or int64 on the device, else int64.

    For kernels of every batch: offsets and token numbers are int32, as in an Arrow column, and a
    cast would be one launch more.
    """
    if not isinstance(x, np.ndarray) and x.dtype in (np.int32, np.int64):
        return device.contiguous(x)
    return device.rows(x)


@cache
def _parts(name: str) -> tuple[str, str]:
    """Headers that a file includes, each once, and the file without these lines."""
    folder = Path(__file__).parent
    headers: list[str] = []

    def paste(text: str) -> str:
        for header in _INCLUDE.findall(text):
            inner = paste((folder / header).read_text(encoding="utf-8"))
            if inner not in headers:
                headers.append(inner)
        return _INCLUDE.sub("", text)

    body = paste((folder / f"{name}.cu").read_text(encoding="utf-8"))
    return "".join(headers), body


_INCLUDE = re.compile(r'^#include "([\w.]+)"\n', re.MULTILINE)
