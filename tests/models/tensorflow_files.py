"""TensorFlow checkpoints written by hand, so that each part can be damaged by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpudb.types import HostArray

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
NUMBERS = {"float32": 1, "float64": 2, "int64": 9, "float16": 19}


def bitwise_crc32c(content: bytes) -> int:
    """The definition: one bit after the other."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def checksum(content: bytes) -> bytes:
    crc = bitwise_crc32c(content)
    return ((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def varint(value: int) -> bytes:
    value %= 1 << 64
    digits = []
    while True:
        digits.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(digits)


def number(field_number: int, value: int) -> bytes:
    return varint(field_number << 3) + varint(value)


def message(field_number: int, content: bytes) -> bytes:
    return varint(field_number << 3 | 2) + varint(len(content)) + content


def entry(
    dtype: int, shape: Sequence[int], shard: int, offset: int, nbytes: int, crc: bytes
) -> bytes:
    """A BundleEntryProto."""
    extents = b"".join(message(2, number(1, extent)) for extent in shape)
    return (
        number(1, dtype) + message(2, extents) + number(3, shard) + number(4, offset)
        + number(5, nbytes) + varint(6 << 3 | 5) + crc
    )  # fmt: skip


def block(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """One block of a table; every key shares what it can with the one before it."""
    content, last = b"", b""
    for key, value in pairs:
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b),
            min(len(key), len(last)),
        )
        content += varint(shared) + varint(len(key) - shared) + varint(len(value))
        content += key[shared:] + value
        last = key
    return content + bytes(4) + (1).to_bytes(4, "little")  # one restart, at byte 0


def table(pairs: Sequence[tuple[bytes, bytes]], *, per_block: int = 3, kind: int = 0) -> bytes:
    """A table of blocks with ``per_block`` entries."""
    content, places = b"", []

    def add(written: bytes) -> bytes:
        nonlocal content
        place = varint(len(content)) + varint(len(written))
        written += bytes([kind])
        content += written + checksum(written)
        return place

    for start in range(0, len(pairs), per_block):
        some = pairs[start : start + per_block]
        places.append((some[-1][0], add(block(some))))
    meta, index = add(block([])), add(block(places))
    return content + (meta + index).ljust(40, b"\0") + MAGIC


@dataclass
class Bundle:
    """A checkpoint in the making: change a part, then write it."""

    entries: dict[bytes, bytes] = field(default_factory=dict)
    shards: list[bytes] = field(default_factory=list)
    count: int | None = None
    """Data files the header speaks of; as many as there are if None."""

    def header(self) -> bytes:
        return number(1, len(self.shards) if self.count is None else self.count)

    def write(self, folder: Path, name: str = "model.ckpt") -> Path:
        pairs = [(b"", self.header()), *sorted(self.entries.items())]
        index = folder / f"{name}.index"
        index.write_bytes(table(pairs))
        for shard, content in enumerate(self.shards):
            file = folder / f"{name}.data-{shard:05}-of-{len(self.shards):05}"
            file.write_bytes(content)
        return index


def bundle(arrays: Mapping[str, HostArray], shards: int = 1) -> Bundle:
    """The arrays dealt out to data files."""
    made = Bundle(shards=[b""] * shards)
    for position, (name, values) in enumerate(arrays.items()):
        data, shard = values.tobytes(), position % shards
        made.entries[name.encode()] = entry(
            NUMBERS[values.dtype.name],
            values.shape,
            shard,
            len(made.shards[shard]),
            len(data),
            checksum(data),
        )
        made.shards[shard] += data
    return made
