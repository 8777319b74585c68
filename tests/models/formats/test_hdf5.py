from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.errors import CheckpointError, GpudbError, UnsupportedError
from gpudb.models.formats.hdf5 import HDF5, SHARDED_HDF5, read_hdf5, read_sharded_hdf5

h5py = pytest.importorskip("h5py")

ARRAYS: dict[str, Any] = {
    "bert/LayerNorm/gamma:0": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    "bert/half": np.array([1.5, -2], np.float16),
    "bert/none": np.zeros((0, 5), np.float32),
    "bert/one": np.array(7, np.int64),
    "bert/words:0": np.arange(12, dtype=np.float32).reshape(3, 4),
    "flags": np.array([True, False]),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tf_model.h5"


def write(file: Path, **options: Any) -> Path:
    with h5py.File(file, "w") as opened:
        for name, values in ARRAYS.items():
            chosen = options if values.size and values.ndim else {}
            opened.create_dataset(name, data=values, **chosen)
        opened.attrs["layer_names"] = ["bert"]
        opened["bert/optimizer"] = "a text"
    return file


def check(file: Path) -> None:
    weights = read_hdf5(file)
    assert weights.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        found = weights[name].array()
        np.testing.assert_array_equal(found, expected)
        assert found.tobytes() == expected.tobytes()
        assert found.shape == expected.shape == weights[name].shape


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": True},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
    ],
    ids=str,
)
def test_reads_what_h5py_wrote(options: dict[str, Any], file: Path) -> None:
    check(write(file, **options))


def test_data_in_one_piece_is_mapped(file: Path) -> None:
    found = read_hdf5(write(file))["bert/words:0"].array()
    assert not found.flags.owndata
    assert not found.flags.writeable


def archive(file: Path, content: bytes, name: str = "model.weights.h5", kind: int = 0) -> Path:
    with zipfile.ZipFile(file, "w", kind) as opened:
        opened.writestr("config.json", "not even JSON")  # that may hold code, and is not read
        opened.writestr(name, content)
    return file


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_keras_archive(kind: int, file: Path, tmp_path: Path) -> None:
    check(archive(tmp_path / "model.keras", write(file).read_bytes(), kind=kind))


def test_bfloat16_as_keras_writes_it(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened["a"] = np.array([0x3F80, 0x7FC0], np.uint16).view("V2")
        opened["a"].attrs["dtype"] = "bfloat16"
    weight = read_hdf5(file)["a"]
    assert (weight.dtype, weight.array().tolist()) == ("bfloat16", [0x3F80, 0x7FC0])


def test_big_endian_numbers(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened["a"] = np.array([1.5, -2], ">f4")
    weight = read_hdf5(file)["a"]
    assert (weight.dtype, weight.array().tolist()) == ("float32", [1.5, -2])


def test_files_are_found_by_name() -> None:
    folder = Path("folder")
    assert HDF5.find(folder, frozenset({"config.json", "tf_model.h5"})) == folder / "tf_model.h5"
    assert HDF5.find(folder, frozenset({"model.keras"})) == folder / "model.keras"
    assert HDF5.find(folder, frozenset({"config.json", "data.h5"})) is None
    index = "tf_model.h5.index.json"
    assert SHARDED_HDF5.find(folder, frozenset({index})) == folder / index


def write_index(folder: Path, **places: str) -> Path:
    """An index of names in files; there, names lack their first part."""
    with h5py.File(folder / "one.h5", "w") as opened:
        opened["a"] = np.zeros(2)
    with h5py.File(folder / "two.h5", "w") as opened:
        opened["b"] = np.ones(3)
        opened["c"] = np.ones(1)
    index = folder / "tf_model.h5.index.json"
    index.write_text(json.dumps({"weight_map": {f"bert/{n}": f for n, f in places.items()}}))
    return index


def test_shards(tmp_path: Path) -> None:
    weights = read_sharded_hdf5(write_index(tmp_path, c="two.h5", a="one.h5", b="two.h5"))
    assert [(n, w.name, w.file.name) for n, w in weights.items()] == [
        ("bert/c", "bert/c", "two.h5"),
        ("bert/a", "bert/a", "one.h5"),
        ("bert/b", "bert/b", "two.h5"),
    ]
    assert weights["bert/b"].array().tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ({"a": "three.h5"}, "three.h5: cannot be read"),
        ({"a": "two.h5"}, "'bert/a' in 'two.h5', where it is not"),
        ({"a": "../one.h5"}, "beside the index"),
        ({}, "no weight_map"),
    ],
)
def test_index_and_shards_disagree(places: dict[str, str], text: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=text):
        read_sharded_hdf5(write_index(tmp_path, **places))


def _external(opened: Any) -> None:
    opened.create_dataset("a", (3,), "f4", external=[("/etc/passwd", 0, 12)])


def _virtual(opened: Any) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "a", (3,))
    opened.create_virtual_dataset("a", layout)


def _claim(opened: Any) -> None:
    opened.create_dataset("a", (1 << 20, 1 << 20), "f4")


def _compressed_claim(opened: Any) -> None:
    opened.create_dataset("a", (1 << 20, 1 << 20), "f4", chunks=(8, 8), compression="gzip")
    opened["a"][0, 0] = 1


def _complex(opened: Any) -> None:
    opened["a"] = np.ones(3, np.complex64)


def _lzf(opened: Any) -> None:
    opened.create_dataset("a", data=np.zeros(100, "f4"), compression="lzf")


BAD: dict[str, tuple[Any, type[GpudbError], str]] = {
    "external": (_external, UnsupportedError, "'a' lies in other files"),
    "virtual": (_virtual, UnsupportedError, "'a' lies in other files"),
    "claim": (_claim, CheckpointError, "'a' of 4,398,046,511,104 bytes in 0"),
    "compressed": (_compressed_claim, CheckpointError, "'a' of 4,398,046,511,104 bytes in"),
    "dtype": (_complex, CheckpointError, "'a' has dtype 'complex64'"),
    "lzf": (_lzf, UnsupportedError, "'a' is compressed by filter 32000"),
}


@pytest.mark.parametrize("case", BAD)
def test_datasets_that_are_refused(case: str, file: Path) -> None:
    make, kind, text = BAD[case]
    with h5py.File(file, "w") as opened:
        make(opened)
    with pytest.raises(kind, match=text) as caught:
        read_hdf5(file)
    assert type(caught.value) is kind


def test_links_and_cycles_are_not_followed(file: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros(3)
    with h5py.File(write(file), "a") as opened:
        opened["bert/again"] = opened["bert"]
        opened["soft"] = h5py.SoftLink("/bert/half")
        opened["far"] = h5py.ExternalLink("other.h5", "secret")
    check(file)


@pytest.mark.parametrize("size", [0, 1, 8, 100, 1000, -1])
def test_a_cut_file(size: int, file: Path) -> None:
    content = write(file).read_bytes()
    file.write_bytes(content[:size])
    with pytest.raises(CheckpointError, match=r"tf_model.h5: found damage"):
        read_hdf5(file)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"", "damage"), (b"PK", "damage"), (None, "without model.weights.h5")],
)
def test_a_damaged_archive(content: bytes | None, text: str, tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    if content is None:
        archive(file, b"", "other")
    else:
        file.write_bytes(content)
    with pytest.raises(CheckpointError, match=text):
        read_hdf5(file)


def test_an_archive_that_grows(tmp_path: Path) -> None:
    file = archive(tmp_path / "model.keras", bytes(1000), kind=zipfile.ZIP_DEFLATED)
    content = file.read_bytes()
    size = (1000).to_bytes(4, "little")
    file.write_bytes(content.replace(size, (1 << 31).to_bytes(4, "little")))
    with pytest.raises(CheckpointError, match="of 2,147,483,648 bytes in"):
        read_hdf5(file)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="damage"):
        read_hdf5(archive(tmp_path / "model.keras", io.BytesIO(b"no HDF5").getvalue()))


def test_without_h5py(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UnsupportedError, match=r"needs h5py.*pip install 'gpudb-tensor\[h5\]'"):
        read_hdf5(file)
