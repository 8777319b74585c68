"""Whole files: written so that a crash leaves all of a file or nothing, and mapped to read."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

from gpudb.errors import StorageError
from gpudb.types import HostArray

TEMPORARY = ".tmp"

MAPPED_NBYTES = 256 << 10
"""Smaller arrays are not worth a mapping."""


def write_file(path: Path, pieces: Sequence[memoryview]) -> None:
    """Write ``pieces`` to ``path``: temporary name, sync, rename, sync of the folder.

    Folders missing on the way (at most two) are made.

    Raises
    ------
    StorageError
        If the folder cannot be written to; the temporary file is removed.
    """
    temporary = path.with_name(f"{path.stem}.{uuid4().hex}{TEMPORARY}")
    try:
        _make_folders(path.parent)
        try:
            with temporary.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"cannot write a page of {sum(p.nbytes for p in pieces)} bytes to {path.parent}: "
            f"{error.strerror or error}; free some space or make the folder writable, and try again"
        ) from error


def map_file(path: Path) -> pa.Buffer:
    """The file, mapped read-only into memory; the mapping lives as long as the buffer."""
    if path.stat().st_size == 0:  # mmap refuses an empty file
        return pa.py_buffer(b"")
    with pa.memory_map(str(path), "r") as mapped:
        return mapped.read_buffer()


def mapped_array(elements: int, dtype: np.dtype[Any]) -> HostArray:
    """(elements,) uninitialised, in pages of its own: the system has them back when it goes.

    What the allocator frees it may keep for later, so that a process never shrinks.
    """
    nbytes = elements * dtype.itemsize
    if nbytes < MAPPED_NBYTES:
        return np.empty(elements, dtype)
    return np.frombuffer(mmap.mmap(-1, nbytes), dtype)


def read_into(path: Path, start: int, out: memoryview) -> None:
    """Fill ``out`` with the bytes of the file from ``start`` on, without mapping it.

    Raises
    ------
    EOFError
        If the file ends before.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        done = 0
        while done < len(out):
            count = file.readinto(out[done:])
            if not count:
                raise EOFError(f"the file ends after {start + done} bytes")
            done += count


def file_sha256(path: Path) -> tuple[str, int]:
    """sha256 of a file in hex, and its size in bytes.

    The file is read in pieces: hashing a mapping would leave all of it in the process's memory.
    """
    with path.open("rb", buffering=0) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def _make_folders(folder: Path) -> None:
    """Create ``folder`` and its parent; their names are on disk when this returns."""
    for made in (folder.parent, folder):
        if not made.is_dir():
            made.mkdir(exist_ok=True)
            _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
