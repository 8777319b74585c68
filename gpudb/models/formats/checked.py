"""What readers of several formats check alike: files that can be mapped, tensors that can be."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import CheckpointError
from gpudb.models.files import AGAIN
from gpudb.models.formats.weight import FILE_DTYPES, Weight
from gpudb.types import HostArray

MOST_AXES = 64  # NumPy's limit
MOST_BYTES = 2**63 - 1


def map_file(file: Path, least: int = 0) -> HostArray:
    """The bytes of ``file``, ``(nbytes,)`` uint8, mapped and not read.

    Raises
    ------
    CheckpointError
        It is not there, cannot be read, or has fewer bytes than the ``least`` of its header.
    """
    try:
        size = file.stat().st_size
        if size < least:
            raise broken(file, f"{size} bytes", f"at least the {least} bytes of its header")
        if size == 0:  # nothing to map
            return np.frombuffer(b"", np.uint8)
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


def check_size(file: Path, name: str, dtype: str, shape: tuple[int, ...], nbytes: int) -> None:
    """Check that a tensor of ``shape`` takes the ``nbytes`` that the file has for it.

    Raises
    ------
    CheckpointError
        It has another size, or one that no array can have.
    """
    itemsize = FILE_DTYPES[dtype].itemsize
    check_shape(file, f"tensor {name!r}", shape, itemsize)
    expected = prod(shape) * itemsize
    if nbytes != expected:
        raise broken(
            file, f"tensor {name!r} with {nbytes:,} bytes", f"{expected:,} for {shape} of {dtype}"
        )


def make_weight(
    file: Path, name: str, dtype: str, shape: tuple[int, ...], data: HostArray
) -> Weight:
    """A weight whose bytes are checked to be as many as its shape takes."""
    check_size(file, name, dtype, shape, data.size)
    return Weight(name, dtype, shape, file, data)


def add_weight(weights: dict[str, Weight], weight: Weight) -> None:
    """Put ``weight`` under its name, which must be free."""
    if weight.name in weights:
        raise broken(weight.file, f"two tensors called {weight.name!r}", "each name once")
    weights[weight.name] = weight


def unknown_dtype(file: Path, name: str, found: object, known: object) -> CheckpointError:
    """The error for elements that no weight of a model has."""
    return CheckpointError(
        f"{file}: tensor {name!r} has dtype {found!r}; expected one of {known}. Save the model as "
        "float32, float16 or bfloat16."
    )


def broken(file: Path, found: str, expected: str) -> CheckpointError:
    """The error for a file that is not as its format says."""
    return CheckpointError(f"{file}: found {found}; expected {expected}. {AGAIN}")


def short(value: object) -> str:
    """``value`` for a message, cut."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
