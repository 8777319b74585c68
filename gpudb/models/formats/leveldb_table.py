"""A table file of LevelDB: sorted keys and values in blocks, as TensorFlow writes its index.

Layout, from the end: a footer of 48 bytes with the place of the index block and a magic number; the
index block, whose values are the places of the data blocks; the data blocks. Keys share prefixes
with the key before them. After each block stand its compression and its CRC-32C.
https://github.com/google/leveldb/blob/main/doc/table_format.md
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import AGAIN
from gpudb.models.formats.crc32c import crc32c, masked
from gpudb.models.formats.protobuf import varint

FOOTER_NBYTES = 48
MAGIC = 0xDB4775248B80FB57
TRAILER_NBYTES = 5  # compression, checksum
COMPRESSIONS = {0: "none", 1: "Snappy"}


def read_table(path: Path) -> dict[bytes, bytes]:
    """Every key with its value, in the order of the keys.

    Raises
    ------
    CheckpointError
        The file cannot be read, is no table, or is damaged.
    UnsupportedError
        Its blocks are compressed, which TensorFlow's are not.
    """
    try:
        content = path.read_bytes()
        return _entries(path, content)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error}); check that it is there and readable"
        ) from error
    except ValueError as error:
        raise CheckpointError(
            f"{path}: found {error}; expected the index of a TensorFlow checkpoint. {AGAIN}"
        ) from error


def _entries(path: Path, content: bytes) -> dict[bytes, bytes]:
    magic = int.from_bytes(content[-8:], "little")
    if len(content) < FOOTER_NBYTES or magic != MAGIC:
        raise ValueError(f"{len(content):,} bytes that do not end as a table does")
    footer = content[-FOOTER_NBYTES:-8]
    _, _, position = _place(footer, 0)
    start, size, _ = _place(footer, position)
    entries: dict[bytes, bytes] = {}
    last = None
    for _, place in _block(path, content, start, size):
        start, size, _ = _place(place, 0)
        for key, value in _block(path, content, start, size):
            if last is not None and key <= last:
                raise ValueError(f"the key {key!r} after {last!r}")
            entries[key] = value
            last = key
    return entries


def _place(content: bytes, position: int) -> tuple[int, int, int]:
    start, position = varint(content, position)
    size, position = varint(content, position)
    return start, size, position


def _block(path: Path, content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = start + size
    if end + TRAILER_NBYTES > len(content):
        raise ValueError(f"a block that ends at byte {end:,} of {len(content):,}")
    stored = int.from_bytes(content[end + 1 : end + TRAILER_NBYTES], "little")
    if stored != masked(crc32c(np.frombuffer(content[start : end + 1], np.uint8))):
        raise ValueError(f"a block at byte {start:,} that is not what its checksum says")
    if content[end] != 0:
        raise UnsupportedError(
            f"{path}: its blocks are compressed ({COMPRESSIONS.get(content[end], content[end])}); "
            "expected the index as TensorFlow 2 writes it: load and save the checkpoint again"
        )
    yield from _pairs(content[start:end])


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block; behind them stand the places where a key stands whole."""
    if len(block) < 4:
        raise ValueError(f"a block of {len(block)} bytes")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise ValueError("a block whose end lies before its start")
    key, position = b"", 0
    while position < end:
        shared, position = varint(block, position)
        more, position = varint(block, position)
        size, position = varint(block, position)
        if shared > len(key) or position + more + size > end:
            raise ValueError(f"a key after {key!r} that is cut")
        key = key[:shared] + block[position : position + more]
        position += more
        yield key, block[position : position + size]
        position += size
