from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.errors import CheckpointError
from gpudb.models.formats.flax_msgpack import CHUNKED, read_flax_msgpack
from gpudb.models.formats.msgpack import Extension, unpack
from gpudb.types import HostArray

msgpack = pytest.importorskip("msgpack")

ARRAYS = {
    "odd": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    "one": np.array(7, np.int64),
    "words": np.arange(12, dtype=np.float32).reshape(3, 4),
    "none": np.zeros((0, 5), np.float16),
    "flags": np.array([True, False]),
}


def array(values: HostArray, dtype: str | None = None, number: int = 1) -> Any:
    """An array as Flax packs it."""
    parts = (values.shape, dtype or values.dtype.name, values.tobytes())
    return msgpack.ExtType(number, msgpack.packb(parts))


def raw(shape: Any, dtype: Any = "float32", data: Any = b"") -> Any:
    return msgpack.ExtType(1, msgpack.packb((shape, dtype, data)))


def numbered(*values: object) -> dict[str, object]:
    return {str(number): value for number, value in enumerate(values)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "flax_model.msgpack"


def write(file: Path, tree: object) -> Path:
    file.write_bytes(msgpack.packb(tree))
    return file


def test_reads_what_msgpack_wrote(file: Path) -> None:
    tree = {"a": {"b": {name: array(values) for name, values in ARRAYS.items()}}}
    tree["a"] |= {"step": 3, "rate": 0.5, "name": "x", "nothing": None, "yes": True}
    weights = read_flax_msgpack(write(file, tree))
    assert weights.keys() == {f"a/b/{name}" for name in ARRAYS}
    for name, expected in ARRAYS.items():
        found = weights[f"a/b/{name}"].array()
        np.testing.assert_array_equal(found, expected)
        assert found.tobytes() == expected.tobytes()
        assert found.shape == expected.shape
        assert not found.flags.owndata
        assert not found.flags.writeable


def test_single_numbers_and_bfloat16(file: Path) -> None:
    bits = np.array([0x3F80, 0x7FC0], np.uint16)
    tree = {"a": array(np.float32(2), number=3), "b": array(bits, "bfloat16")}
    weights = read_flax_msgpack(write(file, tree))
    assert (weights["a"].shape, weights["a"].array()) == ((), 2)
    assert (weights["b"].dtype, weights["b"].array().tolist()) == ("bfloat16", bits.tolist())


@pytest.mark.parametrize("count", [1, 2, 12])
def test_chunks_are_joined(count: int, file: Path) -> None:
    values = ARRAYS["words"]
    chunks = numbered(*(array(part) for part in np.array_split(values.reshape(-1), count)))
    tree = {"a": {CHUNKED: True, "shape": numbered(*values.shape), "chunks": chunks}}
    np.testing.assert_array_equal(read_flax_msgpack(write(file, tree))["a"].array(), values)


WORDS = array(ARRAYS["words"])
CHUNKS = {CHUNKED: True, "shape": numbered(3, 4), "chunks": numbered(WORDS)}
BAD: dict[str, tuple[object, str]] = {
    "list": ([], "a list instead of a dictionary"),
    "bytes": ({"a": b"x"}, "'a', which is no array"),
    "key": ({1: WORDS}, "the key 1, which is no text"),
    "twice": ({"a": {"b": WORDS}, "a/b": WORDS}, "two tensors called 'a/b'"),
    "extension": ({"a": msgpack.ExtType(2, b"")}, "'a' of extension 2"),
    "empty": ({"a": msgpack.ExtType(1, b"")}, "1 bytes wanted at byte 0"),
    "no array": ({"a": msgpack.ExtType(1, b"\x90")}, "'a' that is not a shape, a dtype and bytes"),
    "dtype": ({"a": raw([1], "object", bytes(8))}, "'a' has dtype 'object'"),
    "no dtype": ({"a": raw([1], 1, bytes(4))}, "not a shape, a dtype and bytes"),
    "shape": ({"a": raw([-1], data=bytes(4))}, "not a shape"),
    "claim": ({"a": raw([1 << 40], data=bytes(4))}, "4 bytes; expected 4,398,046,511,104 for"),
    "huge": ({"a": raw([1 << 40, 1 << 40])}, "below 2\\^63"),
    "no chunks": ({"a": {**CHUNKS, "chunks": {}}}, "chunks that are no arrays"),
    "no numbers": ({"a": {**CHUNKS, "chunks": {"1": WORDS}}}, "without their numbers"),
    "no shape": ({"a": {CHUNKED: True, "chunks": numbered(WORDS)}}, "without their numbers"),
    "chunk shape": ({"a": {**CHUNKS, "shape": numbered(3, 5)}}, "48 bytes; expected 60"),
    "chunk dtypes": (
        {"a": {**CHUNKS, "chunks": numbered(WORDS, array(ARRAYS["one"]))}},
        "chunks of float32, int64",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_error(case: str, file: Path) -> None:
    tree, text = BAD[case]
    with pytest.raises(CheckpointError, match=f"flax_model.msgpack: .*{text}"):
        read_flax_msgpack(write(file, tree))


def test_every_cut_is_an_error(file: Path) -> None:
    content = write(file, {"a": {"words": WORDS}}).read_bytes()
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(CheckpointError):
            read_flax_msgpack(file)
    file.write_bytes(content + b"\x00")
    with pytest.raises(CheckpointError, match="1 bytes after the end"):
        read_flax_msgpack(file)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xdf\xff\xff\xff\xff", "1 bytes wanted"),
        (b"\xc6\xff\xff\xff\xff", "4,294,967,295 bytes wanted"),
        (b"\x81\xa1a" * 200, "nested deeper than"),
        (b"\x82\xa1a\x01\xa1a\x02", "the key 'a' twice"),
        (b"\xc1", "the code 0xc1 at byte 0"),
        (b"\x81\xa1\xff\x01", "utf-8"),
    ],
)
def test_bytes_that_are_no_value(content: bytes, text: str, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=text):
        read_flax_msgpack(file)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=20,
)


@given(VALUES, st.integers(0, 70000))
def test_values_are_those_of_msgpack(value: object, size: int) -> None:
    content = [value, bytes(size), "x" * size, msgpack.ExtType(5, bytes(size))]
    packed = np.frombuffer(msgpack.packb(content), np.uint8)
    found, data, text, extension = unpack(packed)
    assert repr(found) == repr(value)
    assert (data.tobytes(), text) == (bytes(size), "x" * size)
    assert isinstance(extension, Extension)
    assert (extension.number, extension.content.size) == (5, size)
