"""Folders that orbax saves JAX arrays in.

Needs tensorstore, which reads the arrays: zarr, each in a folder of its own or all in one OCDBT
database. ``_METADATA`` says which arrays there are. They are held in memory.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.files import read_json_object
from gpudb.models.formats.checked import (
    add_weight,
    broken,
    check_size,
    make_weight,
    unknown_dtype,
)
from gpudb.models.formats.format import Format
from gpudb.models.formats.weight import FILE_DTYPES, Weight

METADATA = "_METADATA"
OCDBT = "manifest.ocdbt"
ITEM = "default"
"""Where a ``CheckpointManager`` puts what it saves without a name."""
MOST_COMPRESSION = 1000
"""Weights hardly get smaller at all; above this, the sizes are wrong."""


def find_orbax(folder: Path, names: frozenset[str]) -> Path | None:
    """``folder`` itself or a folder in it that orbax saved to."""
    places = [folder]
    for name in sorted(names):
        places += [folder / name, folder / name / ITEM]
    return next((place for place in places if (place / METADATA).is_file()), None)


def read_orbax(folder: Path) -> dict[str, Weight]:
    """The arrays, named by their keys with slashes between.

    Raises
    ------
    CheckpointError
        A file is missing or damaged, or an array is not there in full.
    UnsupportedError
        tensorstore is not installed.
    """
    metadata = read_json_object(folder / METADATA)
    keys = _keys(folder, metadata)
    tensorstore = _tensorstore(folder)
    available = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    settings = {
        "driver": "zarr3" if metadata.get("use_zarr3") else "zarr",
        # Older releases left chunks of zeros out; with newer ones, a missing chunk was lost.
        "fill_missing_data_reads": not metadata.get("store_array_data_equal_to_fill_value", False),
    }
    weights: dict[str, Weight] = {}
    for parts in keys:
        spec = {**settings, "kvstore": _kvstore(folder, parts)}
        add_weight(weights, _weight(tensorstore, folder, "/".join(parts), spec, available))
    return weights


def _tensorstore(folder: Path) -> Any:
    try:
        return import_module("tensorstore")
    except ImportError as error:
        raise UnsupportedError(
            f"{folder}: reading what orbax saved needs tensorstore, which is not installed; "
            "install the extra orbax: pip install 'gpudb-tensor[orbax]'"
        ) from error


def _keys(folder: Path, metadata: dict[str, Any]) -> list[tuple[str, ...]]:
    """The keys that lead to each array."""
    tree = metadata.get("tree_metadata")
    if not isinstance(tree, dict) or not tree:
        raise broken(folder / METADATA, "no tree_metadata", "the arrays that were saved")
    found = []
    for name, entry in tree.items():
        match entry:
            case {"value_metadata": {"skip_deserialize": True} | {"value_type": "string"}}:
                continue  # nothing, or a text
            case {"key_metadata": [_, *_] as parts} if all(
                isinstance(part, dict) and isinstance(part.get("key"), str) for part in parts
            ):
                found.append(tuple(part["key"] for part in parts))
            case _:
                raise broken(
                    folder / METADATA, f"{name} without keys", "key_metadata of each array"
                )
    return found


def _kvstore(folder: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Where tensorstore finds an array; orbax joins the keys with dots."""
    path = ".".join(keys)
    if (folder / OCDBT).is_file():
        return {"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}, "path": path}
    place = folder / path
    if place.resolve().parent != folder.resolve():  # the metadata must not lead to other files
        raise broken(folder / METADATA, f"the array {path!r}", "names of folders beside it")
    return {"driver": "file", "path": f"{place}/"}


def _weight(
    tensorstore: Any, folder: Path, name: str, spec: dict[str, Any], available: int
) -> Weight:
    try:
        array = tensorstore.open(spec, open=True, read=True).result()
        dtype, shape = array.dtype.name, tuple(array.shape)
        if dtype not in FILE_DTYPES:
            raise unknown_dtype(folder, name, dtype, list(FILE_DTYPES))
        check_size(folder, name, dtype, shape, array.size * FILE_DTYPES[dtype].itemsize)
        claimed = array.size * FILE_DTYPES[dtype].itemsize
        if claimed > MOST_COMPRESSION * available:
            raise broken(
                folder, f"{name!r} of {claimed:,} bytes in {available:,}", "all of its data"
            )
        values = np.ascontiguousarray(array.read().result())
    # tensorstore says with these that something is missing, damaged or of another kind.
    except (ValueError, OSError, KeyError, RuntimeError, NotImplementedError) as error:
        raise CheckpointError(
            f"{folder}: {name!r} cannot be read ({str(error).partition(' [')[0]}); expected a "
            "folder that orbax saved to its end: save or copy it again"
        ) from error
    return make_weight(folder, name, dtype, shape, values.reshape(-1).view(np.uint8))


ORBAX = Format("orbax", find_orbax, read_orbax)
