"""Numbers and texts one after another in a mapped file, little-endian."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpudb.models.formats.checked import broken
from gpudb.types import HostArray


@dataclass(slots=True)
class Cursor:
    """A place in the bytes ``content`` of ``file``; what is read moves it on."""

    file: Path
    content: HostArray
    position: int = 0

    def take(self, nbytes: int) -> HostArray:
        """The next bytes, a view. Raises CheckpointError if the file ends before."""
        left = self.content.size - self.position
        if nbytes > left:
            raise broken(
                self.file,
                f"{left:,} bytes at byte {self.position:,}, where {nbytes:,} should follow",
                "a file that was written to its end",
            )
        part = self.content[self.position : self.position + nbytes]
        self.position += nbytes
        return part

    def numbers(self, form: str) -> tuple[Any, ...]:
        """The next numbers, in a form of :mod:`struct`."""
        form = "<" + form
        return struct.unpack(form, self.take(struct.calcsize(form)).tobytes())

    def number(self, form: str) -> Any:
        """The next number."""
        return self.numbers(form)[0]

    def text(self) -> str:
        """A text behind its length, a 64-bit number."""
        start = self.position
        try:
            return self.take(self.number("Q")).tobytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise broken(self.file, f"a name at byte {start:,} that is not UTF-8", "one") from error
