"""The format of one page: an Arrow IPC file with one LIST column, one row per block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gpudb.errors import InputError, StorageError
from gpudb.types import STORAGE_DTYPES, HostArray, storage_dtype

PAGE_NBYTES = 64 << 20
"""Bytes of block data a writer packs into one page, unless a single block is larger."""

MAX_BLOCK_ELEMENTS = 2**30 - 1
"""Most elements in one block and in one page: libcudf counts the leaf of a LIST in int32."""

ALIGNMENT = 64
"""Bytes the leaf data is aligned to, in the file and so in its mapping."""

RESTORE = "restore the file from a backup, or import the model again"

FORMAT = "1"
FORMAT_KEY, DTYPE_KEY, PADDING_KEY = b"gpudb.page", b"gpudb.dtype", b"gpudb.padding"


@dataclass(frozen=True, slots=True)
class PageView:
    """A page as NumPy views of its bytes: no copy, read-only."""

    dtype: str
    offsets: HostArray
    """(blocks + 1,) int32: where each block starts in ``leaf``."""
    leaf: HostArray
    """(elements,) of the storage dtype: all blocks, one after the other."""
    start: int
    """Where the leaf begins in the file, in bytes."""


def encode(leaf: HostArray, lengths: Sequence[int], dtype: str) -> list[memoryview]:
    """The bytes of a page file, in order, in pieces; the piece with ``leaf`` is not a copy.

    Parameters
    ----------
    leaf
        (elements,) of the storage dtype: all blocks, one after the other.
    lengths
        Elements in each block.
    dtype
        Logical dtype.

    Raises
    ------
    InputError
        If there are no blocks, too many elements, or ``leaf`` does not fit ``lengths`` and
        ``dtype``.
    """
    _check(leaf, lengths, dtype)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(leaf))
    batch = _aligned(column, dtype)
    pieces = _Pieces()
    with pa.PythonFile(pieces, mode="w") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return pieces.pieces


def decode(data: pa.Buffer, name: str) -> PageView:
    """The views of the page whose file is ``data``; ``name`` is for the errors.

    Raises
    ------
    StorageError
        If ``data`` is not a page of a format this version reads.
    """
    try:
        reader = pa.ipc.open_file(data)
        metadata = reader.schema.metadata or {}
        column = reader.get_batch(0).column(0)
        column.validate(full=True)
    except (pa.ArrowException, OSError, IndexError, ValueError) as error:
        raise StorageError(f"page {name} is not an Arrow file: {error}; {RESTORE}") from error
    if metadata.get(FORMAT_KEY) != FORMAT.encode():
        raise StorageError(
            f"page {name} has format {metadata.get(FORMAT_KEY)!r}; this version of gpudb reads "
            f"format {FORMAT}: upgrade gpudb, or {RESTORE}"
        )
    dtype = metadata.get(DTYPE_KEY, b"").decode(errors="replace")
    stored = STORAGE_DTYPES.get(dtype)
    if stored is None or column.type != pa.list_(pa.from_numpy_dtype(stored)):
        raise StorageError(f"page {name} holds {column.type}, not blocks of {dtype!r}; {RESTORE}")
    _, offsets, _, leaf = column.buffers()
    return PageView(
        dtype,
        np.frombuffer(offsets, np.int32, len(column) + 1),
        np.frombuffer(leaf, stored, len(column.values)),
        leaf.address - data.address,
    )


class _Pieces:
    """A file object that keeps what is written to it, without copying it."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[memoryview] = []
        self.nbytes = 0

    def write(self, data: pa.Buffer | bytes) -> int:
        view = memoryview(data)
        self.pieces.append(view)
        self.nbytes += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.nbytes

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing to release: the pieces outlive the writer."""


def _check(leaf: HostArray, lengths: Sequence[int], dtype: str) -> None:
    stored = storage_dtype(dtype)
    if leaf.dtype != stored or leaf.ndim != 1:
        raise InputError(
            f"a page of {dtype} takes 1-D {stored} elements; found {leaf.ndim}-D {leaf.dtype}"
        )
    if not lengths or min(lengths) < 1:
        raise InputError("a page needs at least one block, each of at least one element")
    if leaf.size != sum(lengths):
        raise InputError(f"blocks of {sum(lengths)} elements do not fit {leaf.size} elements")
    if leaf.size > MAX_BLOCK_ELEMENTS:
        raise InputError(
            f"{leaf.size} elements are too many for one page; the most is {MAX_BLOCK_ELEMENTS}: "
            "choose smaller blocks"
        )


def _aligned(column: pa.ListArray, dtype: str) -> pa.RecordBatch:
    """``column`` under a schema padded so that the leaf starts on an ``ALIGNMENT`` boundary.

    Arrow's writer aligns to 8 bytes only; its messages grow with the metadata in steps of 8.
    """
    for padding in range(0, ALIGNMENT, 8):
        schema = pa.schema(
            [pa.field("block", column.type, nullable=False)],
            metadata={FORMAT_KEY: FORMAT, DTYPE_KEY: dtype, PADDING_KEY: "." * padding},
        )
        batch = pa.record_batch([column], schema=schema)
        if _leaf_start(batch) % ALIGNMENT == 0:
            break
    return batch


def _leaf_start(batch: pa.RecordBatch) -> int:
    """Where the leaf, the last buffer of the file's only batch, starts in the file."""
    magic = 8
    message: int = pa.ipc.get_record_batch_size(batch)
    leaf: int = batch.column(0).values.nbytes
    padded_leaf = -(-leaf // 8) * 8
    return magic + len(batch.schema.serialize()) + message - padded_leaf
