"""Tensors of an ONNX file: ``TensorProto``, with its bytes inside the file or in one beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.checked import broken, make_weight, map_file
from gpudb.models.formats.onnx_message import Message, varints
from gpudb.models.formats.weight import FILE_DTYPES, Weight
from gpudb.types import HostArray

TEXT = 8
DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
}
"""Number of a ``TensorProto.DataType`` -> our name."""

RAW, EXTERNAL = 9, 13
FLOATS, DOUBLES = 4, 10
VARINTS = (5, 7, 11)  # int32_data (also halves, as their bits), int64_data, uint64_data


class TensorReader:
    """Reads the tensors of one model file; files beside it are mapped once.

    Parameters
    ----------
    file
        The model, whose folder holds all data it may refer to.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mapped = cache(map_file)

    def read(self, message: Message, name: str) -> Weight | None:
        """The tensor in ``message``, memory-mapped where its bytes lie as they are; None for texts.

        Raises
        ------
        CheckpointError
            Its bytes are missing, outside the folder, or do not fit its shape.
        UnsupportedError
            Its elements are of a kind that quantised models have.
        """
        code = message.number(2)
        if code == TEXT:
            return None
        if code not in DTYPES:
            raise UnsupportedError(
                f"{self._file}: tensor {name!r} has elements of kind {code}; expected one of "
                f"{', '.join(DTYPES.values())}. Export the model in float32, float16 or bfloat16"
            )
        dtype = DTYPES[code]
        shape = tuple(message.numbers(1))
        if message.number(14):
            file, data = self._external(name, message.pairs(EXTERNAL))
        else:
            file, data = self._file, _inside(message, FILE_DTYPES[dtype])
        return make_weight(file, name, dtype, shape, data)

    def _external(self, name: str, place: dict[str, str]) -> tuple[Path, HostArray]:
        """The file that holds a tensor, and the tensor's bytes."""
        location = place.get("location", "")
        path = PurePosixPath(location)
        # A model must not reach files outside its own folder.
        if not path.parts or path.is_absolute() or ".." in path.parts:
            raise CheckpointError(
                f"{self._file}: puts {name!r} in {location!r}; expected a file in its own folder"
            )
        file = self._file.parent / path
        content = self._mapped(file)
        start = _count(place.get("offset", "0"))
        size = _count(place.get("length", str(max(content.size - start, 0))))
        if start + size > content.size:
            raise broken(
                self._file,
                f"{name!r} at bytes {start:,} to {start + size:,} of {location!r}, which has "
                f"{content.size:,}",
                "data files that were written to their end",
            )
        return file, content[start : start + size]


def _inside(message: Message, dtype: np.dtype[np.generic]) -> HostArray:
    """The bytes of a tensor that lies in the model file."""
    if RAW in message.values:
        return _joined(message.contents(RAW)[-1:])
    for field in (FLOATS, DOUBLES):
        if field in message.values:
            return _joined(message.contents(field))
    for field in VARINTS:
        if field in message.values:
            return _narrowed(message.values[field], dtype)
    return np.empty(0, np.uint8)


def _joined(parts: list[memoryview]) -> HostArray:
    arrays = [np.frombuffer(part, np.uint8) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _narrowed(values: list[int | memoryview], dtype: np.dtype[np.generic]) -> HostArray:
    """Numbers of any size as the bytes of ``dtype``; a float16 stands there as its bits."""
    parts = [
        np.array([value], np.uint64).view(np.int64) if isinstance(value, int) else varints(value)
        for value in values
    ]
    numbers = np.concatenate(parts).astype(np.dtype(f"u{dtype.itemsize}"))
    return numbers.view(np.uint8)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"the place of a tensor as {text!r} instead of a number of bytes")
    return int(text)
