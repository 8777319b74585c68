"""``flax_model.msgpack``: nested dictionaries of arrays, from ``flax.serialization.to_bytes``.

Extension 1 is an array and 3 a single number, both as a list of shape, dtype and bytes. Arrays
above 1 GiB come in chunks: a dictionary with the key :data:`CHUNKED`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.models.formats.checked import (
    add_weight,
    broken,
    make_weight,
    map_file,
    unknown_dtype,
)
from gpudb.models.formats.format import Format, named
from gpudb.models.formats.msgpack import Extension, unpack
from gpudb.models.formats.weight import FILE_DTYPES, Weight

ARRAYS = (1, 3)
CHUNKED = "__msgpack_chunked_array__"


def read_flax_msgpack(file: Path) -> dict[str, Weight]:
    """The arrays, memory-mapped, named by their keys with slashes between.

    Raises
    ------
    CheckpointError
        The file cannot be read, is cut, or holds something else.
    """
    weights: dict[str, Weight] = {}
    try:
        tree = unpack(map_file(file))
        if not isinstance(tree, dict):
            raise ValueError(f"a {type(tree).__name__} instead of a dictionary")
        for weight in _weights(file, tree, ""):
            add_weight(weights, weight)
    except ValueError as error:
        raise broken(file, str(error), "what flax.serialization.to_bytes writes") from error
    return weights


def _weights(file: Path, tree: Mapping[str, Any], path: str) -> Iterator[Weight]:
    for key, value in tree.items():
        name = f"{path}/{key}" if path else key
        if isinstance(value, dict) and CHUNKED in value:
            yield _chunked(file, name, value)
        elif isinstance(value, dict):
            yield from _weights(file, value, name)
        elif isinstance(value, Extension):
            yield _array(file, name, value)
        elif value is not None and not isinstance(value, bool | int | float | str):
            raise ValueError(f"{name!r}, which is no array")


def _array(file: Path, name: str, value: Extension) -> Weight:
    if value.number not in ARRAYS:
        raise ValueError(f"{name!r} of extension {value.number}, which is no array")
    match unpack(value.content):
        case [list(shape), str(dtype), np.ndarray() as data] if _is_shape(shape):
            if dtype not in FILE_DTYPES:
                raise unknown_dtype(file, name, dtype, list(FILE_DTYPES))
            return make_weight(file, name, dtype, tuple(shape), data)
    raise ValueError(f"{name!r} that is not a shape, a dtype and bytes")


def _chunked(file: Path, name: str, value: Mapping[str, Any]) -> Weight:
    shape, chunks = (_listed(name, value.get(part)) for part in ("shape", "chunks"))
    if not chunks or not all(isinstance(chunk, Extension) for chunk in chunks):
        raise ValueError(f"{name!r} with chunks that are no arrays")
    if not _is_shape(shape):
        raise ValueError(f"{name!r} of shape {shape}")
    arrays = [_array(file, name, chunk) for chunk in chunks]
    dtypes = {array.dtype for array in arrays}
    if len(dtypes) > 1:
        raise ValueError(f"{name!r} with chunks of {', '.join(sorted(dtypes))}")
    data = np.concatenate([array.data for array in arrays])
    return make_weight(file, name, arrays[0].dtype, tuple(shape), data)


def _listed(name: str, value: object) -> list[Any]:
    """A tuple, which Flax writes as a dictionary with the keys ``"0"``, ``"1"``, …"""
    if not isinstance(value, dict) or set(value) != {str(i) for i in range(len(value))}:
        raise ValueError(f"{name!r} in chunks without their numbers")
    return [value[str(i)] for i in range(len(value))]


def _is_shape(value: list[Any]) -> bool:
    return all(type(extent) is int and extent >= 0 for extent in value)


FLAX_MSGPACK = Format("Flax msgpack", named("flax_model.msgpack"), read_flax_msgpack)
