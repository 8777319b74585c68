from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gpudb.errors import CheckpointError
from gpudb.models.formats.opening import open_weights
from gpudb.models.formats.safetensors import DTYPE_NAMES, read_safetensors
from gpudb.models.formats.weight import FILE_DTYPES, FILE_ONLY_DTYPES
from gpudb.types import STORAGE_DTYPES, widen

TENSORS = {
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4),
    "odd": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    "one": np.array(7, dtype=np.int64),
    "none": np.zeros((0, 5), dtype=np.float16),
    "däta ☃": np.array([True, False]),
}

# A header of one tensor of 8 bytes; each case below breaks one thing.
GOOD: dict[str, Any] = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def write(path: Path, header: object, data: bytes = bytes(8)) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(**changes: object) -> dict[str, Any]:
    return {"a": {**GOOD["a"], **changes}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_reads_what_the_safetensors_package_wrote(file: Path) -> None:
    save_file(TENSORS, file, metadata={"format": "np"})
    weights = read_safetensors(file)
    assert weights.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        found = weights[name].array()
        np.testing.assert_array_equal(found.view(expected.dtype), expected)
        assert found.shape == expected.shape == weights[name].shape
        assert weights[name].nbytes == expected.nbytes
        assert weights[name].file == file


@pytest.mark.parametrize(("code", "name"), DTYPE_NAMES.items())
def test_every_dtype(file: Path, code: str, name: str) -> None:
    size = 3 * FILE_DTYPES[name].itemsize
    header = {"a": {"dtype": code, "shape": [3], "data_offsets": [0, size]}}
    weight = read_safetensors(write(file, header, bytes(range(size))))["a"]
    assert weight.dtype == name
    assert weight.array().tobytes() == bytes(range(size))
    assert weight.storable == (name in STORAGE_DTYPES) == (name not in FILE_ONLY_DTYPES)


def test_bfloat16_is_the_upper_half_of_float32(file: Path) -> None:
    numbers = np.array([1.0, -2.5, 0.0, -0.0, np.inf, np.nan], np.float32)
    bits = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    header = {"a": {"dtype": "BF16", "shape": [6], "data_offsets": [0, 12]}}
    weight = read_safetensors(write(file, header, bits.tobytes()))["a"]
    assert weight.dtype == "bfloat16"
    np.testing.assert_array_equal(widen(weight.array(), weight.dtype), numbers)


def test_arrays_are_read_only_views_of_one_map(file: Path) -> None:
    save_file(TENSORS, file)
    weight = read_safetensors(file)["matrix"]
    array = weight.array()
    assert np.shares_memory(array, weight.data)
    assert np.shares_memory(array, weight.array())
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


def test_unaligned_data_can_be_read(file: Path) -> None:
    text = json.dumps(GOOD).encode()
    text += b" " * ((1 - len(text)) % 8)
    weight = read_safetensors(write(file, text, struct.pack("<2f", 1.5, -2)))["a"]
    assert weight.array().tolist() == [1.5, -2.0]


def test_a_file_of_no_tensors(file: Path) -> None:
    assert read_safetensors(write(file, {}, b"")) == {}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "JSON object"),
        (b" {}", "JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a": {}, "a": {}}', "twice"),
        (b'{"\\ud800": {}}', "surrogate"),
        ({**GOOD, "__metadata__": []}, "__metadata__"),
        ({**GOOD, "__metadata__": {"a": 1}}, "__metadata__"),
        ({"a": 1}, "dtype, shape and data_offsets"),
        ({"a": {"dtype": "F32", "shape": [2]}}, "dtype, shape and data_offsets"),
        (entry(dtype="C64"), "expected one of F64"),
        (entry(dtype="f32"), "expected one of F64"),
        (entry(dtype=["F32"]), "expected one of F64"),
        (entry(shape=[-2]), "whole numbers"),
        (entry(shape=[2.0]), "whole numbers"),
        (entry(shape=[True, 2]), "whole numbers"),
        (entry(shape="2"), "whole numbers"),
        (entry(shape=[1] * 65), "whole numbers"),
        (entry(shape=[2**40, 2**40]), "2\\^63"),
        (entry(shape=[0, 2**63]), "2\\^63"),
        (entry(shape=[3]), "has 8 bytes; expected 12"),
        (entry(shape=[]), "has 8 bytes; expected 4"),
        (entry(data_offsets=[8, 0]), "0 <= begin <= end"),
        (entry(data_offsets=[-8, 0]), "0 <= begin <= end"),
        (entry(data_offsets=[0, 8, 8]), "0 <= begin <= end"),
        (entry(data_offsets=[0.0, 8.0]), "0 <= begin <= end"),
        (entry(data_offsets=[False, 8]), "0 <= begin <= end"),
        (entry(data_offsets=[0, 10**4000]), "ends at byte"),
        (entry(data_offsets=[4, 12]), "only 8 bytes are there"),
        (entry(shape=[1], data_offsets=[4, 8]), "hole"),
        (entry(shape=[1], data_offsets=[0, 4]), "4 bytes after the last tensor"),
        ({}, "8 bytes after the last tensor"),
        ({**GOOD, "b": GOOD["a"]}, "overlaps"),
    ],
)
def test_broken_headers(file: Path, header: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        read_safetensors(write(file, header))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 7])
def test_shorter_than_the_header_length(file: Path, size: int) -> None:
    file.write_bytes(bytes(size))
    with pytest.raises(CheckpointError, match="at least the 8 bytes"):
        read_safetensors(file)


@pytest.mark.parametrize("length", [9, 2**31, 2**64 - 1])
def test_header_beyond_the_file(file: Path, length: int) -> None:
    file.write_bytes(struct.pack("<Q", length) + b"{}      ")
    with pytest.raises(CheckpointError, match="a header of"):
        read_safetensors(file)


def test_unreadable_paths(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", "a\0b"):
        with pytest.raises(CheckpointError, match="cannot be read"):
            read_safetensors(path)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("valid") / "model.safetensors"
    small = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float16)}
    save_file(small, file)
    return file


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_are_refused_or_still_a_file(valid: Path, data: st.DataObject) -> None:
    content = bytearray(valid.read_bytes())
    header_bytes = 8 + int.from_bytes(content[:8], "little")
    # Damage to tensor bytes cannot be seen, so nearly all of it goes to the header.
    places = st.one_of(st.integers(0, header_bytes - 1), st.integers(0, len(content) - 1))
    for place in data.draw(st.lists(places, max_size=3)):
        content[place] = data.draw(
            st.one_of(st.sampled_from(b'0123456789"{}[]:, -FIUBC'), st.integers(0, 255))
        )
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    damaged = valid.with_name("damaged.safetensors")
    damaged.write_bytes(content)
    try:
        weights = read_safetensors(damaged)
    except CheckpointError:
        return
    assert sum(weight.nbytes for weight in weights.values()) < len(content)
    for weight in weights.values():
        assert weight.array().shape == weight.shape
    with safe_open(damaged, "np") as theirs:
        assert set(theirs.keys()) == weights.keys()
        for name, weight in weights.items():
            part = theirs.get_slice(name)
            assert tuple(part.get_shape()) == weight.shape
            assert DTYPE_NAMES[part.get_dtype()] == weight.dtype


def test_the_package_refuses_what_we_refuse_too(file: Path) -> None:
    write(file, {**GOOD, "b": GOOD["a"]})
    with pytest.raises(SafetensorError), safe_open(file, "np"):
        pass
    with pytest.raises(CheckpointError):
        read_safetensors(file)


def write_shards(folder: Path) -> Path:
    save_file({"a": np.zeros(2, np.float32)}, folder / "one.safetensors")
    save_file({"b": np.ones(3), "c": np.ones(1)}, folder / "two.safetensors")
    return write_index(
        folder, {"c": "two.safetensors", "a": "one.safetensors", "b": "two.safetensors"}
    )


def write_index(folder: Path, places: object) -> Path:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 40}, "weight_map": places}))
    return index


def test_shards(tmp_path: Path) -> None:
    write_shards(tmp_path)
    weights = open_weights(tmp_path).weights
    assert list(weights) == ["c", "a", "b"]
    assert weights["a"].file.name == "one.safetensors"
    assert weights["b"].array().tolist() == [1, 1, 1]


ONE, TWO = "one.safetensors", "two.safetensors"


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"a": ONE, "b": TWO, "c": TWO, "d": "three.safetensors"}, "'three.safetensors'"),
        ({"a": ONE, "b": TWO, "c": TWO, "d": ONE}, "says that 'd' lies in 'one.safetensors'"),
        ({"a": ONE, "b": TWO}, "holds 'c', which the index does not put there"),
        ({"a": TWO, "b": TWO, "c": TWO, "d": ONE}, "holds 'a', which the index"),
        ({"a": "../one.safetensors"}, "beside the index"),
        ({"a": "/etc/passwd"}, "beside the index"),
        ({"a": "a\0"}, "beside the index"),
        ({"a": ""}, "which is not in the folder|beside the index"),
        ({"a": ["x"]}, "beside the index"),
        ({}, "no weight_map"),
        ([], "no weight_map"),
        (None, "no weight_map"),
    ],
)
def test_index_and_shards_disagree(tmp_path: Path, places: object, message: str) -> None:
    write_shards(tmp_path)
    write_index(tmp_path, places)
    with pytest.raises(CheckpointError, match=message):
        open_weights(tmp_path)


def test_a_tensor_in_two_shards(tmp_path: Path) -> None:
    write_shards(tmp_path)
    save_file({"a": np.zeros(2), "b": np.ones(3), "c": np.ones(1)}, tmp_path / TWO)
    with pytest.raises(CheckpointError, match=r"holds 'a', which one.safetensors holds too"):
        open_weights(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_broken_index(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"index\.json"):
        open_weights(tmp_path)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "int8", "bool"])
def test_equals_torch(file: Path, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    tensor = (torch.randn(17, 5) * 100).to(getattr(torch, dtype))
    save_torch({"x": tensor}, file)
    weight = read_safetensors(file)["x"]
    assert weight.dtype == dtype
    assert weight.array().tobytes() == tensor.view(torch.uint8).numpy().tobytes()
