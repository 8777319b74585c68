"""HDF5 files of Keras and transformers: ``tf_model.h5``, ``model.weights.h5``, and ``.keras``.

Needs h5py. Datasets are read, and nothing else: the configuration of Keras layers, which may hold
code, is not looked at. Data that lies in one piece is mapped; compressed data is held in memory.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import UnsupportedError
from gpudb.models.formats.checked import (
    add_weight,
    broken,
    check_size,
    make_weight,
    map_file,
    unknown_dtype,
)
from gpudb.models.formats.format import Format, named
from gpudb.models.formats.sharded import read_weight_map
from gpudb.models.formats.weight import FILE_DTYPES, Weight
from gpudb.types import HostArray

FILES = ("tf_model.h5", "model.weights.h5", "model.h5", "model.keras")
ARCHIVED = "model.weights.h5"
"""The file of weights in a ``.keras`` archive."""
MOST_COMPRESSION = 1032
"""Deflate, the only compression read, makes data no smaller than this."""
FILTERS = frozenset({1, 2, 3})  # deflate, shuffle, checksum
DTYPES = {FILE_DTYPES[name]: name for name in FILE_DTYPES if name not in ("bfloat16", "bool")}


def read_sharded_hdf5(index: Path) -> dict[str, Weight]:
    """The datasets of every file that ``index`` names, under their names there.

    In the files, names lack their first part.

    Raises
    ------
    CheckpointError
        The index is not one, or a file is missing, damaged, or lacks what the index says.
    """
    weights: dict[str, Weight] = {}
    shards: dict[str, dict[str, Weight]] = {}
    for name, shard in read_weight_map(index).items():
        if shard not in shards:
            shards[shard] = read_hdf5(index.with_name(shard))
        inner = name.partition("/")[2]
        if inner not in shards[shard]:
            raise broken(index, f"{name!r} in {shard!r}, where it is not", "the files of one model")
        weights[name] = replace(shards[shard][inner], name=name)
    return weights


def read_hdf5(file: Path) -> dict[str, Weight]:
    """Every dataset of numbers, under its path in the file. Links are not followed.

    Raises
    ------
    CheckpointError
        The file is cut or damaged, or claims more than it can hold.
    UnsupportedError
        h5py is not installed; data lies in other files or is compressed in an uncommon way.
    """
    h5py = _h5py(file)
    archived = file.suffix == ".keras"
    content = _unpacked(file) if archived else map_file(file)
    weights: dict[str, Weight] = {}
    try:
        with h5py.File(io.BytesIO(content.data) if archived else file, "r") as opened:
            found: list[tuple[str, Any]] = []
            opened.visititems(lambda name, item: found.append((name, item)))
            for name, item in found:
                # Texts are notes of Keras, such as names of optimisers.
                if isinstance(item, h5py.Dataset) and item.dtype.kind not in "OSU":
                    add_weight(weights, _weight(file, name, item, content))
    # What h5py raises for damaged files, by where the damage is.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise broken(file, f"damage ({error})", "a file that was written to its end") from error
    return weights


def _h5py(file: Path) -> Any:
    try:
        return import_module("h5py")
    except ImportError as error:
        raise UnsupportedError(
            f"{file}: reading HDF5 needs h5py, which is not installed; install the extra h5: "
            "pip install 'gpudb-tensor[h5]'"
        ) from error


def _unpacked(file: Path) -> HostArray:
    """The weights of a Keras archive, which is a zip file."""
    try:
        with zipfile.ZipFile(file) as archive:
            entry = archive.getinfo(ARCHIVED)
            if entry.file_size > MOST_COMPRESSION * max(entry.compress_size, 1):
                raise broken(
                    file,
                    f"{ARCHIVED} of {entry.file_size:,} bytes in {entry.compress_size:,}",
                    f"at most {MOST_COMPRESSION} times as many",
                )
            return np.frombuffer(archive.read(entry), np.uint8)
    except KeyError as error:
        raise broken(file, f"an archive without {ARCHIVED}", "what Keras 3 writes") from error
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise broken(file, f"damage ({error})", "a Keras archive, which is a zip file") from error


def _weight(file: Path, name: str, dataset: Any, content: HostArray) -> Weight:
    if dataset.external or dataset.is_virtual:
        raise UnsupportedError(
            f"{file}: the data of {name!r} lies in other files; gpudb reads what lies in the file "
            "itself: save the weights again"
        )
    dtype = _dtype(file, name, dataset)
    shape = tuple(dataset.shape or ())
    start = dataset.id.get_offset()
    if start is not None and dataset.dtype.isnative:
        return make_weight(file, name, dtype, shape, content[start : start + dataset.nbytes])
    _check_stored(file, name, dataset)
    check_size(file, name, dtype, shape, dataset.nbytes)
    values = np.asarray(dataset[()], order="C").astype(FILE_DTYPES[dtype], copy=False)
    return make_weight(file, name, dtype, shape, values.reshape(-1).view(np.uint8))


def _dtype(file: Path, name: str, dataset: Any) -> str:
    found = dataset.dtype
    # Keras writes bfloat16, which HDF5 does not know, as two bytes with a note.
    if found.itemsize == 2 and dataset.attrs.get("dtype") == "bfloat16":
        return "bfloat16"
    if found == np.dtype(bool):
        return "bool"
    if found.newbyteorder("<") not in DTYPES:
        raise unknown_dtype(file, name, str(found), sorted(DTYPES.values()))
    return DTYPES[found.newbyteorder("<")]


def _check_stored(file: Path, name: str, dataset: Any) -> None:
    """Check that there is data, and as much as its shape needs, before memory is taken for it."""
    plist = dataset.id.get_create_plist()
    filters = {plist.get_filter(number)[0] for number in range(plist.get_nfilters())}
    if filters - FILTERS:
        raise UnsupportedError(
            f"{file}: {name!r} is compressed by filter {min(filters - FILTERS)}; gpudb reads "
            "gzip and uncompressed data: save the weights again without compression"
        )
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > stored * (MOST_COMPRESSION if filters else 1):
        raise broken(
            file,
            f"{name!r} of {dataset.nbytes:,} bytes in {stored:,}",
            "all of its data in the file",
        )


def _find(folder: Path, names: frozenset[str]) -> Path | None:
    return next((folder / name for name in FILES if name in names), None)


HDF5 = Format("HDF5", _find, read_hdf5)
SHARDED_HDF5 = Format("sharded HDF5", named("tf_model.h5.index.json"), read_sharded_hdf5)
