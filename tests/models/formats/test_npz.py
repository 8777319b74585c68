"""NumPy's ``.npz``, as NumPy writes it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.npz import read_npz
from tests.tiny_model import tiny_weights, write_tiny_model

ARRAYS = {
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(12, dtype=np.float64).reshape(3, 4)),
    "big-endian": np.arange(5, dtype=">f4"),
    "half": np.array([1.5, np.nan, -0.0], np.float16),
    "one": np.array(7, dtype=np.int64),
    "none": np.zeros((0, 5), dtype=np.float16),
    "layer/kernel:0": np.array([True, False]),
    "bytes": np.arange(5, dtype=np.uint8),
}
SAVES = pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
Save = Callable[..., None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "w.npz"


@SAVES
def test_what_numpy_saved(file: Path, save: Save) -> None:
    save(file, **ARRAYS)
    weights = read_npz(file)
    assert list(weights) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        found = weights[name]
        assert found.dtype == expected.dtype.name
        assert found.shape == expected.shape
        native = expected.astype(expected.dtype.newbyteorder("<"))
        assert found.array().tobytes() == native.tobytes()
        assert not found.array().flags.writeable


def test_stored_arrays_are_mapped(file: Path) -> None:
    np.savez(file, a=ARRAYS["matrix"], b=ARRAYS["half"])
    weights = read_npz(file)
    assert weights["a"].data.base is not None
    assert weights["a"].data.base is weights["b"].data.base


@pytest.mark.parametrize(
    "array",
    [
        *(np.array([object()]), np.array(["text"]), np.array([b"bytes"]), np.zeros(2, "V2")),
        *(np.zeros(2, complex), np.zeros(2, "M8[s]"), np.zeros(2, [("a", "<f4")])),
    ],
    ids=lambda array: str(array.dtype),
)
@SAVES
def test_what_is_no_array_of_numbers(file: Path, save: Save, array: Any) -> None:
    save(file, a=array)
    with pytest.raises(UnsupportedError, match=r"array 'a' is of .*; expected one of float64"):
        read_npz(file)


def write(file: Path, header: bytes, data: bytes = bytes(8), method: int = 0) -> None:
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.npy", content)


def header(**changes: str) -> bytes:
    parts = {"descr": "'<f4'", "fortran_order": "False", "shape": "(2,)"} | changes
    return ("{" + ", ".join(f"'{k}': {v}" for k, v in parts.items()) + "}\n").encode()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "damaged header"),
        (b"{}", "damaged header"),
        (b"__import__('os').system('true')", "damaged header"),
        (header(shape="(3,)"), "with 8 bytes; expected 12"),
        (header(shape="(50_000, 50_000)"), "expected 10,000,000,000"),
        (header(shape="(2**70,)"), "damaged header"),
        (header(shape=f"({10**30},)"), r"below 2\^63"),
        (header(shape="(-2,)"), "whole numbers"),
        (header(shape="(True, 2)"), "whole numbers|damaged header"),
        (header(descr="'<q9'"), "damaged header"),
    ],
)
def test_damaged_arrays(file: Path, text: bytes, message: str, method: int) -> None:
    write(file, text, method=method)
    with pytest.raises(CheckpointError, match=message):
        read_npz(file)


def test_a_claim_that_cannot_be_inflated(file: Path) -> None:
    write(file, header(), method=zipfile.ZIP_DEFLATED)
    content = bytearray(file.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = (2**32 - 2).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="claim to hold 4,294,967,294"):
        read_npz(file)


@SAVES
def test_a_cut_file(file: Path, save: Save) -> None:
    save(file, a=ARRAYS["matrix"])
    content = file.read_bytes()
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(CheckpointError):
            read_npz(file)


def test_other_members(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.pkl", b"")
    with pytest.raises(UnsupportedError, match=r"'a\.pkl'; expected arrays"):
        read_npz(file)


@SAVES
def test_a_model_is_the_same_as_from_safetensors(tmp_path: Path, save: Save) -> None:
    folder = write_tiny_model(tmp_path / "model")
    with gpudb.connect(device="numpy") as db:
        first = db.import_model(folder, "tiny")
        (folder / "model.safetensors").unlink()
        save(folder / "weights.npz", **tiny_weights())
        second = db.import_model(folder, "tiny")
    assert (second.format, second.file) == ("NumPy npz", "weights.npz")
    assert (second.nbytes, second.new_nbytes) == (first.nbytes, 0)
