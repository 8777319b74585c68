"""GGUF: written by the ``gguf`` package where it is installed, and by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.gguf import DTYPES, Q8_BLOCK, read_gguf
from gpudb.models.formats.opening import open_weights
from tests.models.formats.torch_writer import random_array

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


METADATA = (
    entry("general.architecture", 8, text("bert")),
    entry("layers", 4, struct.pack("<I", 2)),
    entry("scales", 9, struct.pack("<IQ2f", 6, 2, 1, 2)),
    entry("words", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b")),
)
Tensor = tuple[str, tuple[int, ...], int, bytes]


def written(
    tensors: Sequence[Tensor], metadata: Sequence[bytes] = METADATA, alignment: int = 32, **fix: Any
) -> bytes:
    head = struct.pack(
        "<4sIQQ",
        fix.get("magic", b"GGUF"),
        fix.get("version", 3),
        fix.get("count", len(tensors)),
        fix.get("pairs", len(metadata)),
    )
    head += b"".join(metadata)
    data = b""
    for name, shape, kind, content in tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
        head += struct.pack("<IQ", kind, len(data))
        data += content + bytes(-len(content) % alignment)
    return head + bytes(-len(head) % alignment) + data


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


@pytest.mark.parametrize("version", [2, 3])
def test_every_dtype(file: Path, version: int) -> None:
    arrays = {kind: random_array(dtype, (3, 5)) for kind, dtype in DTYPES.items()}
    tensors = [(str(kind), (3, 5), kind, a.tobytes()) for kind, a in arrays.items()]
    tensors += [("one", (), 0, MATRIX[0, 1].tobytes()), ("none", (0, 3), 0, b"")]
    file.write_bytes(written(tensors, version=version))
    weights = read_gguf(file)
    for kind, array in arrays.items():
        assert weights[str(kind)].dtype == DTYPES[kind]
        assert weights[str(kind)].array().tobytes() == array.tobytes()
    assert weights["one"].array().tolist() == 1
    assert weights["none"].shape == (0, 3)
    assert open_weights(file.parent).format == "GGUF"


def test_alignment_is_read(file: Path) -> None:
    metadata = (*METADATA, entry("general.alignment", 4, struct.pack("<I", 128)))
    file.write_bytes(written([("a", (2, 3), 0, MATRIX.tobytes())] * 1, metadata, 128))
    assert read_gguf(file)["a"].array().tolist() == MATRIX.tolist()


def test_q8_0_is_widened(file: Path) -> None:
    blocks = np.zeros(4, Q8_BLOCK)
    blocks["scale"] = [0.5, 2, -1, 0]
    blocks["values"] = np.arange(128).reshape(4, 32) - 64
    file.write_bytes(written([("a", (2, 64), 8, blocks.tobytes())]))
    weight = read_gguf(file)["a"]
    expected = (blocks["values"] * np.float32([0.5, 2, -1, 0])[:, None]).reshape(2, 64)
    assert (weight.dtype, weight.array().tolist()) == ("float32", expected.tolist())


GOOD: Tensor = ("a", (2, 3), 0, MATRIX.tobytes())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (written([GOOD], magic=b"GGML"), "b'GGML' at its start"),
        (written([GOOD], version=1), "version 1 of GGUF"),
        (written([GOOD], version=3 << 24), "little-endian"),
        (written([GOOD], count=2**60), "bytes at byte|axes|UTF-8"),
        (written([GOOD], pairs=2**60), "bytes at byte|kind"),
        (written([GOOD, GOOD]), "'a' twice"),
        (written([("a", (1,) * 5, 0, b"")]), "5 axes"),
        (written([("a", (50_000, 50_000), 0, b"")]), "10,000,000,000 should follow"),
        (written([("a", (2**40, 2**40), 0, b"")]), r"below 2\^63"),
        (written([("a", (2, 3), 2, b"")]), "ggml's type 2; expected"),
        (written([("a", (32, 3), 8, b"")]), "rows of a multiple of 32"),
        (written([("a", (), 8, b"")]), "rows of a multiple of 32"),
        (written([GOOD], [entry("general.alignment", 4, bytes(4))]), "alignment 0"),
        (written([GOOD], [entry("general.alignment", 8, text("x"))]), "alignment None"),
        (written([GOOD], [entry("x", 13, b"")]), "metadata of kind 13"),
        (written([GOOD], [entry("x", 9, struct.pack("<IQ", 9, 1))]), "arrays in an array"),
        (written([GOOD], [entry("x", 9, struct.pack("<IQ", 10, 2**61))]), "should follow"),
        (written([GOOD], [struct.pack("<Q", 1) + b"\xff"]), "not UTF-8"),
    ],
)
def test_damaged_files(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises((CheckpointError, UnsupportedError), match=message):
        read_gguf(file)


def test_a_cut_file(file: Path) -> None:
    content = written([GOOD])
    end = len(content) - -len(MATRIX.tobytes()) % 32
    for size in range(end):
        file.write_bytes(content[:size])
        with pytest.raises(CheckpointError):
            read_gguf(file)


@pytest.mark.formats
def test_what_the_gguf_package_wrote(file: Path) -> None:
    gguf = pytest.importorskip("gguf")
    rng = np.random.default_rng(0)
    arrays = {
        "f32": rng.standard_normal((3, 64)).astype(np.float32),
        "f16": rng.standard_normal((3, 5)).astype(np.float16),
        "vector": rng.standard_normal(7).astype(np.float32),
    }
    quantised = gguf.quantize(arrays["f32"], gguf.GGMLQuantizationType.Q8_0)
    halved = gguf.quantize(arrays["f32"], gguf.GGMLQuantizationType.BF16)
    writer = gguf.GGUFWriter(file, "bert")
    writer.add_block_count(2)
    writer.add_token_list(["a", "b"])
    for name, array in arrays.items():
        writer.add_tensor(name, array)
    writer.add_tensor("q8", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("bf16", halved, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    weights = read_gguf(file)
    for name, array in arrays.items():
        assert weights[name].array().tobytes() == array.tobytes()
    expected = gguf.dequantize(quantised, gguf.GGMLQuantizationType.Q8_0)
    assert weights["q8"].array().tobytes() == expected.tobytes()
    assert (weights["bf16"].dtype, weights["bf16"].shape) == ("bfloat16", (3, 64))
    assert weights["bf16"].array().tobytes() == halved.tobytes()
