"""The safetensors format: a JSON header that says where each tensor lies, then the bytes.

Read here rather than with the ``safetensors`` package, whose NumPy loader cannot do bfloat16.
Layout: 8 bytes header length (little-endian), the header, the data. ``data_offsets`` count from the
start of the data; together the tensors must cover it exactly.
"""

from __future__ import annotations

import json
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import CheckpointError
from gpudb.models.files import AGAIN
from gpudb.models.formats.format import Format, named
from gpudb.models.formats.weight import FILE_DTYPES, Weight
from gpudb.types import HostArray

MOST_HEADER_BYTES = 100_000_000
MOST_AXES = 64  # NumPy's limit
MOST_BYTES = 2**63 - 1

DTYPE_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def read_safetensors(path: str | PathLike[str]) -> dict[str, Weight]:
    """The tensors of one safetensors file, memory-mapped: nothing is read but the header.

    Returns
    -------
    dict of str to Weight
        In the order of the header.

    Raises
    ------
    CheckpointError
        The file cannot be read, is cut short, or its header and its data do not fit together.
    """
    file = Path(path)
    content = _map(file)
    header, start = _read_header(file, content)
    data = content[start:]
    weights = {
        name: _weight(file, name, entry, data)
        for name, entry in header.items()
        if name != "__metadata__"
    }
    _check_cover(file, header, data.size)
    return weights


def _map(file: Path) -> HostArray:
    try:
        size = file.stat().st_size
        if size < 8:
            raise _broken(file, f"{size} bytes", "at least the 8 bytes of the header length")
        return np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file}: cannot be read ({error}); check that it is there and readable"
        ) from error


def _read_header(file: Path, content: HostArray) -> tuple[dict[str, Any], int]:
    """The parsed header and the position of the first data byte."""
    length = int.from_bytes(content[:8].tobytes(), "little")
    room = content.size - 8
    if length > MOST_HEADER_BYTES:
        raise _broken(file, f"a header of {length:,} bytes", f"at most {MOST_HEADER_BYTES:,}")
    if length > room:
        raise _broken(file, f"a header of {length:,} bytes", f"at most the {room:,} that follow")
    try:
        text = content[8 : 8 + length].tobytes().decode("utf-8")
        header = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _broken(file, f"a header that is not JSON ({error})", "a JSON object") from error
    if not isinstance(header, dict) or not text.startswith("{"):
        raise _broken(file, f"a header that starts with {text[:8]!r}", "a JSON object {...}")
    _check_metadata(file, header.get("__metadata__", {}))
    return header, 8 + length


def _check_metadata(file: Path, metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _broken(file, "a __metadata__ of another kind", "an object of strings")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        name.encode("utf-8")  # a lone surrogate could not be stored as a name
        if name in found:
            raise ValueError(f"the name {name!r} stands there twice")
        found[name] = value
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _weight(file: Path, name: str, entry: object, data: HostArray) -> Weight:
    where = f"tensor {name!r}"
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise _broken(file, f"{where} is {_short(entry)}", "dtype, shape and data_offsets")
    dtype = _dtype(file, where, entry["dtype"])
    shape = entry["shape"]
    if not _is_counts(shape) or len(shape) > MOST_AXES:
        raise _broken(
            file, f"{where} has shape {_short(shape)}", f"up to {MOST_AXES} whole numbers >= 0"
        )
    itemsize = FILE_DTYPES[dtype].itemsize
    if prod(max(extent, 1) for extent in shape) * itemsize > MOST_BYTES:
        raise _broken(file, f"{where} has shape {_short(shape)}", "a size below 2^63 bytes")
    begin, end = _offsets(file, where, entry["data_offsets"], data.size)
    expected = prod(shape) * itemsize
    if end - begin != expected:
        raise _broken(
            file,
            f"{where} has {end - begin:,} bytes",
            f"{expected:,} for shape {tuple(shape)} of {dtype}",
        )
    return Weight(name, dtype, tuple(shape), file, data[begin:end])


def _dtype(file: Path, where: str, found: object) -> str:
    dtype = DTYPE_NAMES.get(found) if isinstance(found, str) else None
    if dtype is None:
        raise CheckpointError(
            f"{file}: {where} has dtype {_short(found)}; expected one of "
            f"{', '.join(DTYPE_NAMES)}. Save the model as float32, float16 or bfloat16."
        )
    return dtype


def _offsets(file: Path, where: str, found: Any, size: int) -> tuple[int, int]:
    if not _is_counts(found) or len(found) != 2 or found[0] > found[1]:
        raise _broken(
            file, f"{where} has data_offsets {_short(found)}", "[begin, end] with 0 <= begin <= end"
        )
    begin, end = found
    if end > size:
        raise _broken(
            file,
            f"{where} ends at byte {_short(end)} of the data, but only {size:,} bytes are there",
            "a file that was written to its end",
        )
    return begin, end


def _check_cover(file: Path, header: dict[str, Any], size: int) -> None:
    """Check that the tensors lie one after another, from the first data byte to the last."""
    spans = sorted(
        (*entry["data_offsets"], name) for name, entry in header.items() if name != "__metadata__"
    )
    position = 0
    for begin, end, name in spans:
        if begin != position:
            kind = "overlaps the tensor before it" if begin < position else "follows a hole"
            raise _broken(
                file, f"tensor {name!r} starts at byte {begin:,} and {kind}", f"byte {position:,}"
            )
        position = end
    if position != size:
        raise _broken(
            file, f"{size - position:,} bytes after the last tensor", "no bytes that belong to none"
        )


def _is_counts(value: Any) -> bool:
    # type(), not isinstance(): True and False are ints in Python, but not in this format.
    return isinstance(value, list) and all(type(v) is int and v >= 0 for v in value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _broken(file: Path, found: str, expected: str) -> CheckpointError:
    return CheckpointError(f"{file}: found {found}; expected {expected}. {AGAIN}")


SAFETENSORS = Format("safetensors", named("model.safetensors"), read_safetensors)
