"""MXNet's ``.params``: written by MXNet where it is installed, and by hand."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.mxnet import DTYPES, V1, V2, V3, read_params
from gpudb.models.formats.opening import open_weights
from tests.models.formats.torch_writer import random_array

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def record(values: Any, flag: int, version: int = V2, storage: int = 0) -> bytes:
    """An array as MXNet writes it; version 0 is older than versions."""
    shape = struct.pack("<i", values.ndim)
    if version:
        shape = struct.pack("<I", version) + (
            struct.pack("<i", storage) + shape if version != V1 else shape
        )
    extents = struct.pack(f"<{values.ndim}{'q' if version else 'I'}", *values.shape)
    return shape + extents + struct.pack("<iii", 1, 0, flag) + values.tobytes()


def written(records: Mapping[str, bytes], magic: int = 0x112) -> bytes:
    names = b"".join(struct.pack("<Q", len(n.encode())) + n.encode() for n in records)
    count = struct.pack("<Q", len(records))
    return struct.pack("<QQ", magic, 0) + count + b"".join(records.values()) + count + names


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m-0000.params"


@pytest.mark.parametrize("version", [0, V1, V2, V3])
def test_every_version_and_dtype(file: Path, version: int) -> None:
    arrays = {f"arg:{flag}": random_array(dtype, (2, 3)) for flag, dtype in DTYPES.items()}
    records = {n: record(a, int(n[4:]), version) for n, a in arrays.items()}
    file.write_bytes(written(records | {"aux:mean": record(MATRIX, 0, version)}))
    weights = read_params(file)
    assert weights["mean"].array().tolist() == MATRIX.tolist()
    for flag, dtype in DTYPES.items():
        weight = weights[str(flag)]
        assert (weight.dtype, weight.shape) == (dtype, (2, 3))
        assert weight.array().tobytes() == arrays[f"arg:{flag}"].tobytes()


def test_arrays_are_mapped_and_numbers_have_no_axes(file: Path) -> None:
    records = {"a": record(MATRIX, 0, V3), "b": record(np.float32([[7]])[0, 0, ...], 0, V3)}
    file.write_bytes(written(records | {"none": record(np.zeros((0, 3), np.float32), 0, V3)}))
    weights = read_params(file)
    assert (weights["b"].shape, weights["b"].array().tolist()) == ((), 7)
    assert weights["none"].shape == (0, 3)
    assert np.shares_memory(weights["a"].data, weights["a"].array())
    assert open_weights(file.parent).format == "MXNet params"


GOOD = record(MATRIX, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (written({"a": GOOD}, magic=0x113), "0x113 at its start"),
        (written({"arg:a": GOOD, "aux:a": GOOD}), "the name 'a' twice"),
        (written({"a": GOOD}) + b"?", "bytes after the last name"),
        (struct.pack("<QQQ", 0x112, 0, 2**60), "entries in 0 bytes"),
        (struct.pack("<QQQ", 0x112, 0, 0) + struct.pack("<Q", 0) + b"?", "bytes after"),
        (struct.pack("<QQQ", 0x112, 0, 1) + GOOD + struct.pack("<Q", 0), "1 arrays and 0 names"),
        (written({"a": GOOD.replace(struct.pack("<q", 3), struct.pack("<q", 2**40))}), "bytes"),
        (written({"a": GOOD.replace(struct.pack("<q", 3), struct.pack("<q", -3))}), "whole"),
        (written({"a": record(np.float32(1), 0)}), "0 axes; expected 1"),
        (written({"a": struct.pack("<Iii", V3, 0, -1)}), "-1 axes"),
        (written({"a": struct.pack("<Iii", V2, 0, 65)}), "65 axes"),
        (written({"a": struct.pack("<I", 2**31)}), "axes"),
        (written({"a": record(MATRIX, 13)}), "dtype 13"),
        (written({"a": record(MATRIX, 0, storage=1)}), "sparse"),
    ],
)
def test_damaged_files(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises((CheckpointError, UnsupportedError), match=message):
        read_params(file)


def test_a_cut_file(file: Path) -> None:
    content = written({"a": GOOD, "b": record(MATRIX, 0, V3)})
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(CheckpointError):
            read_params(file)


SAVE = """
import sys
import numpy as np
import mxnet as mx

rng = np.random.default_rng(0)
arrays = {}
for dtype in ("float32", "float64", "float16", "uint8", "int8", "int32", "int64"):
    prefix = "aux" if dtype == "float16" else "arg"
    arrays[prefix + ":" + dtype] = mx.nd.array(rng.standard_normal((3, 5)) * 50, dtype=dtype)
mx.nd.save(sys.argv[1], arrays)
np.savez(sys.argv[2], **{name[4:]: array.asnumpy() for name, array in arrays.items()})
layer = mx.gluon.nn.Dense(4, in_units=3)
layer.initialize()
layer.save_parameters(sys.argv[3])
np.savez(sys.argv[4], weight=layer.weight.data().asnumpy(), bias=layer.bias.data().asnumpy())
mx.npx.set_np()
numbers = {"number": mx.np.array(7.5), "none": mx.np.zeros((0, 3)), "some": mx.np.arange(3)}
mx.npx.save(sys.argv[5], numbers)
np.savez(sys.argv[6], **{name: array.asnumpy() for name, array in numbers.items()})
"""


@pytest.mark.formats
def test_what_mxnet_saved(tmp_path: Path) -> None:
    """MXNet 1.9 needs a NumPy older than gpudb's: it runs in an environment of its own."""
    python = os.environ.get("GPUDB_MXNET_PYTHON")
    if python is None:
        pytest.skip("GPUDB_MXNET_PYTHON names no Python with MXNet")
    files = [tmp_path / f"{n}.{ending}" for n in range(3) for ending in ("params", "npz")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    subprocess.run([python, "-W", "ignore", "-c", SAVE, *files], check=True, env=environment)
    for params, npz in zip(files[::2], files[1::2], strict=True):
        with np.load(npz) as expected:
            weights = read_params(params)
            assert list(weights) == list(expected)
            for name, array in expected.items():
                weight = weights[name]
                assert (weight.dtype, weight.shape) == (array.dtype.name, array.shape)
                assert weight.array().tobytes() == array.tobytes()
