"""A weight file in memory: mapped, not read; and the error that says what is wrong with it."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import CheckpointError
from gpudb.models.files import AGAIN
from gpudb.types import HostArray

MOST_AXES = 64  # NumPy's limit
MOST_BYTES = 2**63 - 1


def map_file(file: Path, least: int) -> HostArray:
    """The bytes of ``file``, ``(n,)`` uint8, read-only; ``least`` is the size of its header."""
    try:
        size = file.stat().st_size
        if size < least:
            raise broken(file, f"{size} bytes", f"at least the {least} bytes of its header")
        return np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file}: cannot be read ({error}); check that it is there and readable"
        ) from error


def is_count(value: Any) -> bool:
    """True for whole numbers of at least 0; True and False, ints in Python, are none."""
    return type(value) is int and value >= 0


def check_shape(file: Path, where: str, shape: Any, itemsize: int) -> tuple[int, ...]:
    """``shape`` as a tuple of counts that a tensor in memory can have."""
    if (
        not isinstance(shape, list | tuple)
        or not all(map(is_count, shape))
        or len(shape) > MOST_AXES
    ):
        raise broken(
            file, f"{where} has shape {short(shape)}", f"up to {MOST_AXES} whole numbers >= 0"
        )
    if prod(max(extent, 1) for extent in shape) * itemsize > MOST_BYTES:
        raise broken(file, f"{where} has shape {short(shape)}", "a size below 2^63 bytes")
    return tuple(shape)


def short(value: object) -> str:
    """``value`` for a message, cut."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def broken(file: Path, found: str, expected: str) -> CheckpointError:
    """What is wrong with ``file``."""
    return CheckpointError(f"{file}: found {found}; expected {expected}. {AGAIN}")
