"""Results of steps as blocks that can be taken by number: in memory, in a file, or stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import Protocol

import numpy as np

from gpudb.errors import StorageError
from gpudb.exec.operator import Source
from gpudb.types import HostArray, TensorSchema, storage_dtype, widen


class BlockReader(Protocol):
    """Blocks that a step reads."""

    def take(self, rows: HostArray) -> HostArray:
        """The blocks ``(m, *block)`` with these numbers ``(m,)``, in an array of their own."""

    def close(self) -> None:
        """Nobody needs them any more."""


class BlockWriter(BlockReader, Protocol):
    """Blocks that a step makes, and that later ones read."""

    def put(self, first: int, blocks: HostArray) -> None:
        """Keep ``blocks`` as numbers ``first`` and following."""


class StoredBlocks:
    """Blocks of a stored tensor, read when they are needed and not kept; half types widened."""

    def __init__(self, source: Source, tensor: TensorSchema, rows: HostArray) -> None:
        self._source, self._tensor, self._rows = source, tensor, rows

    def take(self, rows: HostArray) -> HostArray:
        """Read them."""
        stored = self._source.read(self._tensor.name, self._rows[rows])
        return widen(stored, self._tensor.dtype)

    def close(self) -> None:
        """They stay where they are."""


class MemoryBlocks:
    """Blocks that stay in memory."""

    def __init__(self, blocks: int, schema: TensorSchema) -> None:
        self._array = np.empty((blocks, *schema.block_numbers), storage_dtype(schema.dtype))

    def put(self, first: int, blocks: HostArray) -> None:
        """Copy them in."""
        self._array[first : first + len(blocks)] = blocks

    def take(self, rows: HostArray) -> HostArray:
        """A copy, or a view of neighbours."""
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and np.all(np.diff(rows) == 1):
            return self._array[rows[0] : rows[-1] + 1]
        return self._array[rows]

    def close(self) -> None:
        """Let go of them."""
        self._array = self._array[:0].copy()


class FileBlocks:
    """Blocks in a temporary file of the database folder.

    The file has no name (or loses it at once), so that nothing is left when the process dies.
    It is read and written, never mapped: what is not held as an array takes no memory.
    """

    def __init__(self, folder: Path, schema: TensorSchema) -> None:
        self._block, self._dtype = schema.block_numbers, storage_dtype(schema.dtype)
        self._nbytes = schema.block_nbytes
        self._folder = folder
        try:
            self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._failed(error) from error

    def put(self, first: int, blocks: HostArray) -> None:
        """Write them.

        Raises
        ------
        StorageError
            If there is no room on the disk.
        """
        data = np.ascontiguousarray(blocks).reshape(-1).view(np.uint8).data
        place = first * self._nbytes
        try:
            while len(data):
                count = os.pwrite(self._file.fileno(), data, place)
                data, place = data[count:], place + count
        except OSError as error:
            raise self._failed(error) from error

    def take(self, rows: HostArray) -> HostArray:
        """Read them, neighbours at once."""
        out = np.empty((len(rows), *self._block), self._dtype)
        data = out.reshape(-1).view(np.uint8).data
        done = 0
        for first, count in _stretches(rows):
            part = data[done : done + count * self._nbytes]
            self._read(first * self._nbytes, part)
            done += len(part)
        return out

    def close(self) -> None:
        """Give the disk space back."""
        with suppress(OSError):
            self._file.close()

    def _read(self, place: int, out: memoryview) -> None:
        try:
            while len(out):
                count = os.preadv(self._file.fileno(), [out], place)
                if not count:
                    raise StorageError(
                        f"a temporary file in {self._folder} ends after {place} bytes; something "
                        "else has changed it: run the query again"
                    )
                out, place = out[count:], place + count
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(
            f"cannot keep intermediate results in a temporary file in {self._folder}: "
            f"{error.strerror or error}; free some space or make the folder writable, or raise "
            "memory_limit= in connect()"
        )


def take_filled(reader: BlockReader, rows: HostArray, schema: TensorSchema) -> HostArray:
    """Like ``take``, with a block of zeros for -1."""
    there = rows >= 0
    if there.all():
        return reader.take(rows)
    out = np.zeros((len(rows), *schema.block_numbers), storage_dtype(schema.dtype))
    # Block by block: all of them at once would be there twice.
    for place in np.flatnonzero(there):
        out[place] = reader.take(rows[place : place + 1])[0]
    return out


def _stretches(rows: HostArray) -> Iterator[tuple[int, int]]:
    """First number and length of each maximal stretch of consecutive numbers."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    bounds = [0, *breaks.tolist(), len(rows)]
    for start, stop in pairwise(bounds):
        if stop > start:
            yield int(rows[start]), stop - start
