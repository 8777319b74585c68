"""The subset of MessagePack that Flax writes, read without copying bytes.

https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from gpudb.types import HostArray

MOST_DEPTH = 100
NUMBERS = {
    0xCA: ">f", 0xCB: ">d",
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
SIZES = {  # code -> kind, bytes of the size that follows
    0xC4: ("bytes", 1), 0xC5: ("bytes", 2), 0xC6: ("bytes", 4),
    0xC7: ("extension", 1), 0xC8: ("extension", 2), 0xC9: ("extension", 4),
    0xD9: ("text", 1), 0xDA: ("text", 2), 0xDB: ("text", 4),
    0xDC: ("list", 2), 0xDD: ("list", 4),
    0xDE: ("map", 2), 0xDF: ("map", 4),
}  # fmt: skip
FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


@dataclass(frozen=True, slots=True)
class Extension:
    """Bytes whose meaning the application knows, by number."""

    number: int
    content: HostArray


def unpack(content: HostArray) -> Any:
    """The value in ``content``, ``(n,)`` uint8; bytes in it stay views.

    Raises
    ------
    ValueError
        It is cut, nested absurdly deep, holds a key twice, or goes on after the value.
    """
    reader = _Reader(content)
    value = reader.value(0)
    if reader.position != len(content):
        raise ValueError(f"{len(content) - reader.position:,} bytes after the end")
    return value


class _Reader:
    """A place in the bytes."""

    def __init__(self, content: HostArray) -> None:
        self.content = content
        self.position = 0

    def value(self, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise ValueError(f"values nested deeper than {MOST_DEPTH}")
        code = int(self.take(1)[0])
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 0x100
        if code in CONSTANTS:
            return CONSTANTS[code]
        if code in NUMBERS:
            form = NUMBERS[code]
            return struct.unpack(form, self.take(struct.calcsize(form)).tobytes())[0]
        return self.sized(*self.kind(code), depth)

    def kind(self, code: int) -> tuple[str, int]:
        """What a code means that has a size, and the size."""
        if code < 0x90:
            return "map", code & 0x0F
        if code < 0xA0:
            return "list", code & 0x0F
        if code < 0xC0:
            return "text", code & 0x1F
        if code in FIXED_EXTENSIONS:
            return "extension", FIXED_EXTENSIONS[code]
        if code not in SIZES:
            raise ValueError(f"the code {code:#x} at byte {self.position - 1:,}")
        kind, length = SIZES[code]
        return kind, int.from_bytes(self.take(length).tobytes(), "big")

    def sized(self, kind: str, size: int, depth: int) -> Any:
        match kind:
            case "map":
                return self.map(size, depth)
            case "list":
                return [self.value(depth + 1) for _ in range(size)]
            case "text":
                return self.take(size).tobytes().decode("utf-8")
            case "extension":
                number = int(self.take(1)[0])
                return Extension(number, self.take(size))
        return self.take(size)

    def map(self, size: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(size):
            key = self.value(depth + 1)
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r}, which is no text")
            if key in found:
                raise ValueError(f"the key {key!r} twice")
            found[key] = self.value(depth + 1)
        return found

    def take(self, count: int) -> HostArray:
        left = len(self.content) - self.position
        if count > left:
            raise ValueError(f"{count:,} bytes wanted at byte {self.position:,}, {left:,} there")
        self.position += count
        return self.content[self.position - count : self.position]
