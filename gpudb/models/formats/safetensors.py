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

from gpudb.errors import CheckpointError
from gpudb.models.formats.checked import broken, check_shape, is_count, map_file, short
from gpudb.models.formats.format import Format, named
from gpudb.models.formats.weight import FILE_DTYPES, Weight
from gpudb.types import HostArray

MOST_HEADER_BYTES = 100_000_000

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
    content = map_file(file, least=8)
    header, start = _read_header(file, content)
    data = content[start:]
    weights = {
        name: _weight(file, name, entry, data)
        for name, entry in header.items()
        if name != "__metadata__"
    }
    _check_cover(file, header, data.size)
    return weights


def _read_header(file: Path, content: HostArray) -> tuple[dict[str, Any], int]:
    """The parsed header and the position of the first data byte."""
    length = int.from_bytes(content[:8].tobytes(), "little")
    room = content.size - 8
    if length > MOST_HEADER_BYTES:
        raise broken(file, f"a header of {length:,} bytes", f"at most {MOST_HEADER_BYTES:,}")
    if length > room:
        raise broken(file, f"a header of {length:,} bytes", f"at most the {room:,} that follow")
    try:
        text = content[8 : 8 + length].tobytes().decode("utf-8")
        header = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise broken(file, f"a header that is not JSON ({error})", "a JSON object") from error
    if not isinstance(header, dict) or not text.startswith("{"):
        raise broken(file, f"a header that starts with {text[:8]!r}", "a JSON object {...}")
    _check_metadata(file, header.get("__metadata__", {}))
    return header, 8 + length


def _check_metadata(file: Path, metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise broken(file, "a __metadata__ of another kind", "an object of strings")


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
        raise broken(file, f"{where} is {short(entry)}", "dtype, shape and data_offsets")
    dtype = _dtype(file, where, entry["dtype"])
    itemsize = FILE_DTYPES[dtype].itemsize
    shape = check_shape(file, where, entry["shape"], itemsize)
    begin, end = _offsets(file, where, entry["data_offsets"], data.size)
    expected = prod(shape) * itemsize
    if end - begin != expected:
        raise broken(
            file,
            f"{where} has {end - begin:,} bytes",
            f"{expected:,} for shape {shape} of {dtype}",
        )
    return Weight(name, dtype, shape, file, data[begin:end])


def _dtype(file: Path, where: str, found: object) -> str:
    dtype = DTYPE_NAMES.get(found) if isinstance(found, str) else None
    if dtype is None:
        raise CheckpointError(
            f"{file}: {where} has dtype {short(found)}; expected one of "
            f"{', '.join(DTYPE_NAMES)}. Save the model as float32, float16 or bfloat16."
        )
    return dtype


def _offsets(file: Path, where: str, found: Any, size: int) -> tuple[int, int]:
    if not _is_counts(found) or len(found) != 2 or found[0] > found[1]:
        raise broken(
            file, f"{where} has data_offsets {short(found)}", "[begin, end] with 0 <= begin <= end"
        )
    begin, end = found
    if end > size:
        raise broken(
            file,
            f"{where} ends at byte {short(end)} of the data, but only {size:,} bytes are there",
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
            raise broken(
                file, f"tensor {name!r} starts at byte {begin:,} and {kind}", f"byte {position:,}"
            )
        position = end
    if position != size:
        raise broken(
            file, f"{size - position:,} bytes after the last tensor", "no bytes that belong to none"
        )


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_count, value))


SAFETENSORS = Format("safetensors", named("model.safetensors"), read_safetensors)
