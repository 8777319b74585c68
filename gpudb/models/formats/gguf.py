"""GGUF, the format of llama.cpp: metadata, a table of tensors, and their data.

Versions 2 and 3, little-endian. Extents stand there in reversed order. Weights only: the metadata
is stepped over, and a ``config.json`` beside the file says what the model is. Layout:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import UnsupportedError
from gpudb.models.formats.checked import broken, check_shape, map_file, short
from gpudb.models.formats.cursor import Cursor
from gpudb.models.formats.format import Format, only
from gpudb.models.formats.weight import FILE_DTYPES, Weight, held
from gpudb.types import HostArray

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_AXES = 4
DEFAULT_ALIGNMENT = 32

NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
"""Kinds of metadata -> form of :mod:`struct`."""
TEXT, ARRAY = 8, 9

DTYPES = {
    0: "float32",
    1: "float16",
    24: "int8",
    25: "int16",
    26: "int32",
    27: "int64",
    28: "float64",
    30: "bfloat16",
}
"""ggml's type -> dtype."""
Q8_0 = 8
Q8_BLOCK = np.dtype([("scale", "<f2"), ("values", "i1", (32,))])


def read_gguf(file: Path) -> dict[str, Weight]:
    """The tensors of a GGUF file, mapped; those of type Q8_0 are widened to float32.

    Raises
    ------
    CheckpointError
        The file is cut short or damaged.
    UnsupportedError
        It is of another version, or a tensor is quantised in another way than Q8_0.
    """
    cursor = Cursor(file, map_file(file, least=24))
    magic, version, tensors, entries = cursor.numbers("4sIQQ")
    if magic != MAGIC:
        raise broken(file, f"{magic!r} at its start", f"{MAGIC!r}")
    if version not in VERSIONS:
        raise UnsupportedError(
            f"{file}: found version {version} of GGUF; expected {VERSIONS[0]} or {VERSIONS[1]}, "
            "little-endian. Convert it with a current llama.cpp"
        )
    alignment = _alignment(cursor, entries)
    table = _table(cursor, tensors)
    start = -(-cursor.position // alignment) * alignment
    return {
        name: _weight(cursor, name, extents, kind, start + offset)
        for name, (extents, kind, offset) in table.items()
    }


def _alignment(cursor: Cursor, entries: int) -> int:
    """Step over the metadata; the one entry that says how data is aligned is returned."""
    alignment = DEFAULT_ALIGNMENT
    for _ in range(entries):
        name, kind = cursor.text(), cursor.number("I")
        value = _metadata(cursor, kind)
        if name == "general.alignment":
            alignment = value
    if type(alignment) is not int or alignment < 1:
        raise broken(cursor.file, f"alignment {short(alignment)}", "a number of at least 1")
    return alignment


def _metadata(cursor: Cursor, kind: int) -> Any:
    """One value; of arrays nothing is kept."""
    if kind in NUMBERS:
        return cursor.number(NUMBERS[kind])
    if kind == TEXT:
        cursor.take(cursor.number("Q"))
        return None
    if kind != ARRAY:
        raise broken(cursor.file, f"metadata of kind {kind}", f"one of 0 to {max(NUMBERS)}")
    inner, count = cursor.numbers("IQ")
    if inner in NUMBERS:
        cursor.take(count * struct.calcsize(NUMBERS[inner]))
    elif inner == TEXT:
        for _ in range(count):
            cursor.take(cursor.number("Q"))
    else:
        raise broken(cursor.file, "arrays in an array", "an array of numbers or of texts")
    return None


def _table(cursor: Cursor, tensors: int) -> dict[str, tuple[tuple[int, ...], int, int]]:
    """Name -> extents, ggml's type, offset."""
    table: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(tensors):
        name, axes = cursor.text(), cursor.number("I")
        if name in table:
            raise broken(cursor.file, f"tensor {short(name)} twice", "each once")
        if axes > MOST_AXES:
            raise broken(
                cursor.file, f"tensor {short(name)} of {axes} axes", f"at most {MOST_AXES}"
            )
        extents = cursor.numbers(f"{axes}Q")[::-1]
        table[name] = (extents, *cursor.numbers("IQ"))
    return table


def _weight(cursor: Cursor, name: str, extents: tuple[int, ...], kind: int, begin: int) -> Weight:
    file, where = cursor.file, f"tensor {short(name)}"
    if kind == Q8_0:
        shape = check_shape(file, where, extents, itemsize=4)
        return held(name, "float32", _widened(cursor, where, shape, begin), file)
    if kind not in DTYPES:
        raise UnsupportedError(
            f"{file}: {where} is of ggml's type {kind}; expected one of "
            f"{', '.join(DTYPES.values())} or Q8_0. Convert the model to F16 or F32"
        )
    itemsize = FILE_DTYPES[DTYPES[kind]].itemsize
    shape = check_shape(file, where, extents, itemsize)
    data = Cursor(file, cursor.content, begin).take(prod(shape) * itemsize)
    return Weight(name, DTYPES[kind], shape, file, data)


def _widened(cursor: Cursor, where: str, shape: tuple[int, ...], begin: int) -> HostArray:
    """Blocks of 32 numbers along a row: int8 values times a float16 scale."""
    if not shape or shape[-1] % 32:
        raise broken(cursor.file, f"{where} of shape {shape} as Q8_0", "rows of a multiple of 32")
    nbytes = prod(shape) // 32 * Q8_BLOCK.itemsize
    blocks = Cursor(cursor.file, cursor.content, begin).take(nbytes).view(Q8_BLOCK)
    scales = blocks["scale"].astype(np.float32)[:, None]
    return (blocks["values"] * scales).reshape(shape)


GGUF = Format("GGUF", only(".gguf"), read_gguf)
