"""MXNet's ``.params``: a list of arrays and a list of their names.

Layout, from MXNet 1.9's ``src/ndarray/ndarray.cc``: the number 0x112, a zero, a count and the
arrays, a count and the names. An array is a number that tells the version of what follows, how it
is stored (dense or sparse), its shape, the device it was on, its dtype, and its elements.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from gpudb.errors import UnsupportedError
from gpudb.models.formats.checked import MOST_AXES, broken, check_shape, map_file, short
from gpudb.models.formats.cursor import Cursor
from gpudb.models.formats.format import Format, only
from gpudb.models.formats.weight import FILE_DTYPES, Weight
from gpudb.types import HostArray

LIST_MAGIC = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DENSE = 0
LEAST_BYTES = 4
"""Of the shortest record: a count of more than fit is refused before they are read."""

DTYPES = {
    0: "float32",
    1: "float64",
    2: "float16",
    3: "uint8",
    4: "int32",
    5: "int8",
    6: "int64",
    7: "bool",
    8: "int16",
    9: "uint16",
    10: "uint32",
    11: "uint64",
    12: "bfloat16",
}


def read_params(file: Path) -> dict[str, Weight]:
    """The arrays of a ``.params`` file, mapped; the prefixes ``arg:`` and ``aux:`` are dropped.

    Raises
    ------
    CheckpointError
        The file is cut short or damaged, or its arrays have no names.
    UnsupportedError
        An array is sparse, or of a dtype that gpudb does not know.
    """
    cursor = Cursor(file, map_file(file, least=24))
    magic, _ = cursor.numbers("QQ")
    if magic != LIST_MAGIC:
        raise broken(
            file, f"the number {magic:#x} at its start", f"{LIST_MAGIC:#x}, as MXNet writes"
        )
    arrays = [_array(cursor, number) for number in range(_count(cursor))]
    names = [_plain(cursor.text()) for _ in range(_count(cursor))]
    if len(names) != len(arrays):
        raise broken(file, f"{len(arrays):,} arrays and {len(names):,} names", "a name for each")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise broken(file, f"the name {short(twice)} twice", "each name once")
    if cursor.position != cursor.content.size:
        raise broken(file, "bytes after the last name", "none")
    return {
        name: Weight(name, dtype, shape, file, data)
        for name, (dtype, shape, data) in zip(names, arrays, strict=True)
    }


def _count(cursor: Cursor) -> int:
    count = cursor.number("Q")
    left = cursor.content.size - cursor.position
    if count * LEAST_BYTES > left:
        raise broken(cursor.file, f"{count:,} entries in {left:,} bytes", "as many as fit")
    return int(count)


def _plain(name: str) -> str:
    return name.removeprefix("arg:") if name.startswith("arg:") else name.removeprefix("aux:")


def _array(cursor: Cursor, number: int) -> tuple[str, tuple[int, ...], HostArray]:
    where = f"array {number}"
    shape = _shape(cursor, where)
    cursor.numbers("ii")  # the device it was on
    flag = cursor.number("i")
    if flag not in DTYPES:
        raise UnsupportedError(
            f"{cursor.file}: {where} is of MXNet's dtype {flag}; expected one of "
            f"{', '.join(DTYPES.values())}"
        )
    dtype = DTYPES[flag]
    itemsize = FILE_DTYPES[dtype].itemsize
    shape = check_shape(cursor.file, where, shape, itemsize)
    return dtype, shape, cursor.take(prod(shape) * itemsize)


def _shape(cursor: Cursor, where: str) -> tuple[Any, ...]:
    version = cursor.number("I")
    if version in (V2, V3):
        storage = cursor.number("i")
        if storage != DENSE:
            raise UnsupportedError(
                f"{cursor.file}: {where} is sparse (storage {storage}); expected dense arrays. "
                "Save it after .tostype('default')"
            )
    # Before the versions, an array began with its number of axes, and extents had 32 bits.
    axes = cursor.number("i") if version in (V1, V2, V3) else version
    if not (version != V3) <= axes <= MOST_AXES:  # without axes: an array that was never filled
        raise broken(cursor.file, f"{where} with {axes} axes", f"1 to {MOST_AXES}")
    return cursor.numbers(f"{axes}{'q' if version in (V1, V2, V3) else 'I'}")


MXNET = Format("MXNet params", only(".params"), read_params)
