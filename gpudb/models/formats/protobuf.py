"""The wire format of protocol buffers: fields by number, without a schema.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

Content = TypeVar("Content", bytes, memoryview)
"""A message; a view of a mapped file is not copied."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MOST_VARINT_BYTES = 10


def varint(content: bytes | memoryview, position: int) -> tuple[int, int]:
    """An unsigned number written seven bits a byte, and the position behind it.

    Raises
    ------
    ValueError
        It is cut or longer than 64 bits take.
    """
    value = 0
    for count, byte in enumerate(content[position : position + MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, position + count + 1
    raise ValueError(f"a number at byte {position} is cut or too long")


def fields(message: Content) -> Iterator[tuple[int, int | Content]]:
    """Number and value of each field; numbers unsigned, everything else as its bytes.

    Raises
    ------
    ValueError
        The bytes are no message.
    """
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        kind = key & 7
        if kind == VARINT:
            value, position = varint(message, position)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, position = varint(message, position)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind}")
        if size > len(message) - position:
            raise ValueError(
                f"a field of {size:,} bytes, of which {len(message) - position:,} are there"
            )
        yield key >> 3, message[position : position + size]
        position += size


def signed(value: int) -> int:
    """An int64 field as the number it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value
