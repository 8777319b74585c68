"""Folders of orbax; what needs tensorstore is marked, the rest shows what comes before."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.orbax import METADATA, find_orbax, read_orbax
from gpudb.types import HostArray

ARRAYS = {
    ("params", "odd"): np.array([np.nan, np.inf, -np.inf, -0.0], np.float32),
    ("params", "layer", "0", "kernel"): np.arange(12, dtype=np.float32).reshape(3, 4),
    ("step",): np.array(7, np.int32),
}


SETTINGS = {"store_array_data_equal_to_fill_value": True}


def entry(*keys: str, empty: bool = False) -> dict[str, Any]:
    return {
        "key_metadata": [{"key": key, "key_type": 2} for key in keys],
        "value_metadata": {"value_type": "jax.Array", "skip_deserialize": empty},
    }


def write_metadata(folder: Path, *keys: tuple[str, ...], **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    tree = {str(parts): entry(*parts) for parts in keys}
    (folder / METADATA).write_text(json.dumps({"tree_metadata": tree, **changes}))
    return folder


def test_folders_are_found_by_their_metadata(tmp_path: Path) -> None:
    assert find_orbax(tmp_path, frozenset()) is None
    (tmp_path / "3" / "default").mkdir(parents=True)
    write_metadata(tmp_path / "3" / "default", ("a",))
    (tmp_path / "config.json").touch()
    names = frozenset({"3", "config.json"})
    assert find_orbax(tmp_path, names) == tmp_path / "3" / "default"
    assert find_orbax(tmp_path / "3" / "default", frozenset()) == tmp_path / "3" / "default"


BAD_METADATA: dict[str, tuple[object, str]] = {
    "text": ("x", "expected an object"),
    "nothing": ({}, "no tree_metadata"),
    "empty": ({"tree_metadata": {}}, "no tree_metadata"),
    "no entry": ({"tree_metadata": {"a": {}}}, "a without keys"),
    "no keys": (
        {"tree_metadata": {"a": {**entry("a"), "key_metadata": []}}},
        "a without keys",
    ),
    "key": (
        {"tree_metadata": {"a": {**entry("a"), "key_metadata": [{}]}}},
        "a without keys",
    ),
}


@pytest.mark.parametrize("case", BAD_METADATA)
def test_bad_metadata(case: str, tmp_path: Path) -> None:
    content, text = BAD_METADATA[case]
    (tmp_path / METADATA).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=f"{METADATA}: .*{text}"):
        read_orbax(tmp_path)


def test_without_tensorstore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    with pytest.raises(UnsupportedError, match=r"needs tensorstore.*'gpudb-tensor\[orbax\]'"):
        read_orbax(write_metadata(tmp_path, ("a",)))


def write_arrays(folder: Path, driver: str = "zarr") -> Path:
    """A folder as orbax writes it without OCDBT: each array a folder of zarr."""
    import tensorstore

    write_metadata(folder, *ARRAYS, **SETTINGS, use_zarr3=driver == "zarr3")
    for keys, values in ARRAYS.items():
        place = {"driver": "file", "path": f"{folder / '.'.join(keys)}/"}
        array = tensorstore.open(
            {"driver": driver, "kvstore": place},
            create=True,
            dtype=values.dtype,
            shape=values.shape,
        ).result()
        array.write(values).result()
    return folder


@pytest.mark.formats
@pytest.mark.parametrize("driver", ["zarr", "zarr3"])
def test_reads_what_tensorstore_wrote(driver: str, tmp_path: Path) -> None:
    weights = read_orbax(write_arrays(tmp_path, driver))
    assert weights.keys() == {"/".join(keys) for keys in ARRAYS}
    for keys, expected in ARRAYS.items():
        found: HostArray = weights["/".join(keys)].array()
        np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.formats
@pytest.mark.parametrize("key", ["../a", "/etc", "..", "a/b"])
def test_metadata_cannot_lead_elsewhere(key: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="names of folders beside it"):
        read_orbax(write_metadata(tmp_path, (key,)))


KERNEL = "params.layer.0.kernel"


@pytest.mark.formats
def test_a_lost_chunk_is_not_read_as_zeros(tmp_path: Path) -> None:
    (write_arrays(tmp_path) / KERNEL / "0.0").unlink()
    with pytest.raises(CheckpointError, match="'params/layer/0/kernel' cannot be read"):
        read_orbax(tmp_path)


@pytest.mark.formats
def test_older_releases_left_zeros_out(tmp_path: Path) -> None:
    (write_arrays(tmp_path) / KERNEL / "0.0").unlink()
    write_metadata(tmp_path, *ARRAYS)
    assert not read_orbax(tmp_path)["params/layer/0/kernel"].array().any()


@pytest.mark.formats
def test_a_cut_chunk(tmp_path: Path) -> None:
    chunk = write_arrays(tmp_path) / KERNEL / "0.0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="'params/layer/0/kernel' cannot be read"):
        read_orbax(tmp_path)


@pytest.mark.formats
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"shape": [1 << 30, 4]}, "of 17,179,869,184 bytes in"),
        ({"shape": [1 << 40, 1 << 40]}, "kernel"),
        ({"dtype": "<c8"}, "dtype 'complex64'"),
        ({"shape": "x"}, "cannot be read"),
    ],
    ids=str,
)
def test_arrays_that_are_refused(change: dict[str, object], text: str, tmp_path: Path) -> None:
    file = write_arrays(tmp_path) / KERNEL / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(CheckpointError, match=text):
        read_orbax(tmp_path)
