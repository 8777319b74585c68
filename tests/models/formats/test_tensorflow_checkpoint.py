from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gpudb.errors import CheckpointError, GpudbError, UnsupportedError
from gpudb.models.formats.crc32c import LANE_NBYTES, crc32c
from gpudb.models.formats.opening import open_weights
from gpudb.models.formats.protobuf import fields, signed, varint
from gpudb.models.formats.tensorflow_checkpoint import (
    find_tensorflow_checkpoint,
    read_tensorflow_checkpoint,
)
from tests.models import tensorflow_files as files
from tests.models.tensorflow_files import Bundle, bundle, entry, message, number, table

ARRAYS = {
    "bert/embeddings/LayerNorm/beta": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    "bert/embeddings/LayerNorm/gamma": np.array(7, np.int64),
    "bert/embeddings/words": np.arange(12, dtype=np.float32).reshape(3, 4),
    "bert/encoder/layer_0/kernel": np.zeros((0, 5), np.float16),
    "däta ☃": np.arange(3, dtype=np.float32),
}


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_reads_what_was_written(shards: int, tmp_path: Path) -> None:
    bundle(ARRAYS, shards).write(tmp_path)
    names = frozenset(file.name for file in tmp_path.iterdir())
    index = find_tensorflow_checkpoint(tmp_path, names)
    assert index == tmp_path / "model.ckpt.index"
    weights = read_tensorflow_checkpoint(index)
    assert weights.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        found = weights[name].array()
        np.testing.assert_array_equal(found, expected, strict=True)
        assert found.tobytes() == expected.tobytes()
        assert not found.flags.writeable
        assert f"-of-{shards:05}" in weights[name].file.name


def test_a_saved_model_is_its_variables(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    bundle(ARRAYS).write(tmp_path / "variables", "variables")
    found = find_tensorflow_checkpoint(tmp_path, frozenset({"saved_model.pb", "variables"}))
    assert found == tmp_path / "variables" / "variables.index"
    assert read_tensorflow_checkpoint(found).keys() == ARRAYS.keys()
    for name in ("saved_model.pb", "fingerprint.pb", "keras_metadata.pb", "frozen.pb"):
        (tmp_path / name).touch()
    opened = open_weights(tmp_path)
    assert (opened.file, opened.others) == ("variables/variables.index", ("frozen.pb",))


@pytest.mark.parametrize("names", [{"a.index"}, {"a.data-00000-of-00001"}, {"variables"}, set()])
def test_what_is_no_checkpoint(names: set[str], tmp_path: Path) -> None:
    assert find_tensorflow_checkpoint(tmp_path, frozenset(names)) is None


def graph(*variables: tuple[str, str]) -> bytes:
    """A text tensor that holds an object graph of keys and names."""
    attributes = b"".join(
        message(2, message(1, b"VARIABLE_VALUE") + message(2, name) + message(3, key))
        for key, name in ((k.encode(), n.encode()) for k, n in variables)
    )
    content = message(1, attributes)
    return files.varint(len(content)) + bytes(4) + content


def with_graph(content: bytes) -> Bundle:
    made = bundle({"model/0/v": np.zeros(2, np.float32), "model/1/v": np.ones(2, np.float32)})
    place = entry(7, (), 0, len(made.shards[0]), len(content), bytes(4))
    made.entries[b"_CHECKPOINTABLE_OBJECT_GRAPH"] = place
    made.shards[0] += content
    return made


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ([("model/0/v", "m/kernel"), ("model/1/v", "m/bias")], ["m/kernel", "m/bias"]),
        ([("model/0/v", "m/kernel")], ["m/kernel", "model/1/v"]),
        ([("model/0/v", "kernel"), ("model/1/v", "kernel")], ["model/0/v", "model/1/v"]),
        ([("model/0/v", "")], ["model/0/v", "model/1/v"]),
        ([], ["model/0/v", "model/1/v"]),
    ],
)
def test_variables_saved_by_object_have_their_own_names(
    variables: list[tuple[str, str]], names: list[str], tmp_path: Path
) -> None:
    index = with_graph(graph(*variables)).write(tmp_path)
    assert list(read_tensorflow_checkpoint(index)) == names


def _entry(**changes: object) -> Callable[[Bundle], None]:
    """Another entry for the matrix, whose bytes are the first of the only data file."""

    def change(made: Bundle) -> None:
        parts = {"dtype": 1, "shape": (3, 4), "shard": 0, "offset": 0, "nbytes": 48}
        crc = files.checksum(made.shards[0][:48])
        made.entries[b"words"] = entry(**{**parts, **changes}, crc=crc)  # type: ignore[arg-type]

    return change


def _set(key: bytes, value: bytes) -> Callable[[Bundle], None]:
    return lambda made: made.entries.__setitem__(key, value)


def _shards(*shards: bytes) -> Callable[[Bundle], None]:
    return lambda made: setattr(made, "shards", list(shards))


def _count(count: int) -> Callable[[Bundle], None]:
    return lambda made: setattr(made, "count", count)


BAD: dict[str, tuple[Callable[[Bundle], None], type[GpudbError], str]] = {
    "cut data": (_shards(bytes(47)), CheckpointError, "bytes 0 to 48 of data file 0, which has 47"),
    "other bytes": (_shards(bytes(48)), CheckpointError, "'words' with other bytes"),
    "no shard": (_count(2), CheckpointError, "model.ckpt.data-00000-of-00002: cannot be read"),
    "0 shards": (_count(0), CheckpointError, "found 0 data files"),
    "many shards": (_count(1 << 40), CheckpointError, "found 1099511627776 data files"),
    "far shard": (_entry(shard=1), CheckpointError, "'words' in data file 1; expected one of 1"),
    "before": (_entry(shard=-1), CheckpointError, "in data file -1"),
    "offset": (_entry(offset=1), CheckpointError, "bytes 1 to 49"),
    "negative": (_entry(offset=-48), CheckpointError, "bytes -48 to 0"),
    "size": (_entry(nbytes=1 << 62), CheckpointError, "which has 48"),
    "shape": (_entry(shape=(3, 5)), CheckpointError, "48 bytes; expected 60 for"),
    "huge": (_entry(shape=(1 << 40, 1 << 40)), CheckpointError, "below 2\\^63 bytes"),
    "minus": (_entry(shape=(-3, -4)), CheckpointError, "whole numbers >= 0"),
    "axes": (_entry(shape=(1,) * 65), CheckpointError, "up to 64 whole numbers"),
    "dtype": (_entry(dtype=8), CheckpointError, "'words' has dtype 8; expected one of"),
    "other size": (_entry(dtype=2), CheckpointError, "expected 96 for"),
    "slices": (_set(b"words", message(7, b"")), UnsupportedError, "'words' was written in slices"),
    "no message": (_set(b"words", b"\xff"), CheckpointError, "is cut or too long"),
    "cut field": (_set(b"words", b"\x12\x09"), CheckpointError, "a field of 9 bytes, of which 0"),
    "field": (_set(b"words", b"\x0b"), CheckpointError, "a field of kind 3"),
    "name": (_set(b"\xff", b""), CheckpointError, "utf-8"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_checkpoint_is_one_error(case: str, tmp_path: Path) -> None:
    change, kind, text = BAD[case]
    made = bundle({"words": ARRAYS["bert/embeddings/words"]})
    assert read_tensorflow_checkpoint(made.write(tmp_path))
    change(made)
    with pytest.raises(kind, match=text) as caught:
        read_tensorflow_checkpoint(made.write(tmp_path))
    assert type(caught.value) is kind


def test_two_names_for_one_variable_are_refused(tmp_path: Path) -> None:
    index = with_graph(graph(("model/0/v", "model/1/v"))).write(tmp_path)
    with pytest.raises(CheckpointError, match="two tensors called 'model/1/v'"):
        read_tensorflow_checkpoint(index)


def test_a_graph_that_is_cut(tmp_path: Path) -> None:
    index = with_graph(graph(("model/0/v", "a"))[:-1]).write(tmp_path)
    with pytest.raises(CheckpointError, match="_CHECKPOINTABLE_OBJECT_GRAPH with a text of"):
        read_tensorflow_checkpoint(index)


def test_a_big_endian_checkpoint(tmp_path: Path) -> None:
    index = tmp_path / "a.index"
    index.write_bytes(table([(b"", number(1, 1) + number(2, 1))]))
    with pytest.raises(UnsupportedError, match="big-endian"):
        read_tensorflow_checkpoint(index)


def test_several_checkpoints_in_one_folder(tmp_path: Path) -> None:
    for name in ("ckpt-1", "ckpt-2"):
        index = bundle(ARRAYS).write(tmp_path, name)
    with pytest.raises(CheckpointError, match=r"2 TensorFlow checkpoints \(ckpt-1.index, ckpt-2"):
        read_tensorflow_checkpoint(index)


PAIRS = [(b"", number(1, 1)), (b"a", b""), (b"b", b"")]
TABLES = {
    "empty": (b"", "do not end as a table does"),
    "text": (b"x" * 100, "do not end as a table does"),
    "no header": (table(PAIRS[1:]), "found no header"),
    "unsorted": (table(PAIRS[::-1]), "the key b'a' after b'b'"),
    "twice": (table([PAIRS[0], PAIRS[1], PAIRS[1]], per_block=1), "the key b'a' after b'a'"),
    "flipped": (b"\x01" + table(PAIRS)[1:], "not what its checksum says"),
    "far": (b"\xff" * 40 + files.MAGIC, "is cut or too long"),
    "outside": ((bytes(2) + b"\xff\x7f\x01").ljust(40, b"\0") + files.MAGIC, "a block that ends"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_damaged_index(case: str, tmp_path: Path) -> None:
    content, text = TABLES[case]
    index = tmp_path / "model.ckpt.index"
    index.write_bytes(content)
    with pytest.raises(CheckpointError, match=text):
        read_tensorflow_checkpoint(index)


def test_a_compressed_index(tmp_path: Path) -> None:
    index = tmp_path / "model.ckpt.index"
    index.write_bytes(table(PAIRS, kind=1))
    with pytest.raises(UnsupportedError, match="Snappy"):
        read_tensorflow_checkpoint(index)


def test_every_cut_of_an_index_is_an_error(tmp_path: Path) -> None:
    index = bundle(ARRAYS).write(tmp_path)
    content = index.read_bytes()
    for size in range(len(content)):
        index.write_bytes(content[:size])
        with pytest.raises(CheckpointError):
            read_tensorflow_checkpoint(index)


@pytest.mark.parametrize(
    "size", [0, 1, 9, LANE_NBYTES - 1, LANE_NBYTES, LANE_NBYTES + 1, 3 * LANE_NBYTES + 7]
)
def test_checksums_are_those_of_the_definition(size: int) -> None:
    content = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    assert crc32c(content) == files.bitwise_crc32c(content.tobytes())


def test_the_checksum_that_the_standard_gives() -> None:
    # RFC 3720, appendix B.4.
    assert crc32c(np.zeros(32, np.uint8)) == 0x8A9136AA
    assert crc32c(np.frombuffer(b"123456789", np.uint8)) == 0xE3069283


@pytest.mark.parametrize("value", [0, 1, 127, 128, -1, 1 << 62, -(1 << 63)])
def test_numbers_in_messages(value: int) -> None:
    ((field, found),) = fields(number(300, value))
    assert isinstance(found, int)
    assert (field, signed(found)) == (300, value)
    with pytest.raises(ValueError, match="cut"):
        varint(files.varint(value)[:-1] + b"\x80" * 11, 0)
