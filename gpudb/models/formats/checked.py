"""What readers of several formats check alike: files that can be mapped, tensors that can be."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from gpudb.errors import CheckpointError
from gpudb.models.files import AGAIN
from gpudb.models.formats.weight import FILE_DTYPES, Weight
from gpudb.types import HostArray

MOST_AXES = 64  # NumPy's limit
MOST_BYTES = 2**63 - 1


def map_file(file: Path) -> HostArray:
    """The bytes of ``file``, ``(nbytes,)`` uint8, mapped and not read.

    Raises
    ------
    CheckpointError
        It is not there or cannot be read.
    """
    try:
        if file.stat().st_size == 0:  # nothing to map
            return np.frombuffer(b"", np.uint8)
        return np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file}: cannot be read ({error}); check that it is there and readable"
        ) from error


def check_size(file: Path, name: str, dtype: str, shape: tuple[int, ...], nbytes: int) -> None:
    """Check that a tensor of ``shape`` takes the ``nbytes`` that the file has for it.

    Raises
    ------
    CheckpointError
        It has another size, or one that no array can have.
    """
    itemsize = FILE_DTYPES[dtype].itemsize
    short = shape[:8]
    if (
        len(shape) > MOST_AXES
        or any(extent < 0 for extent in shape)
        or prod(max(extent, 1) for extent in shape) * itemsize > MOST_BYTES
    ):
        raise broken(
            file,
            f"tensor {name!r} of {len(shape)} axes {short}",
            f"up to {MOST_AXES} whole numbers >= 0 and a size below 2^63 bytes",
        )
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
