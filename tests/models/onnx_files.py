"""ONNX files written by hand, so that each part can be damaged by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.models.formats.onnx import read_onnx
from gpudb.models.formats.onnx_tensor import DTYPES
from gpudb.models.formats.weight import FILE_DTYPES
from gpudb.types import HostArray
from tests.models.tensorflow_files import message, number, varint

CODES = {name: code for code, name in DTYPES.items()}
TYPED = {"float32": 4, "float64": 10, "int64": 7, "uint32": 11, "uint64": 11}
"""Field that has numbers of a dtype one by one; the rest are in int32_data, field 5."""


def text(field: int, value: str) -> bytes:
    return message(field, value.encode())


def tensor(
    name: str,
    values: HostArray,
    *,
    dtype: str = "",
    shape: Sequence[int] | None = None,
    content: bytes | None = None,
    place: Mapping[str, object] | None = None,
) -> bytes:
    """A TensorProto; its numbers as ``raw_data``, as ``content``, or at ``place``."""
    extents = values.shape if shape is None else shape
    made = b"".join(number(1, extent) for extent in extents)
    made += number(2, CODES[dtype or values.dtype.name]) + text(8, name)
    if place is not None:
        entries = (text(1, key) + text(2, str(value)) for key, value in place.items())
        return made + b"".join(message(13, entry) for entry in entries) + number(14, 1)
    return made + (message(9, values.tobytes()) if content is None else content)


def typed(values: HostArray, dtype: str, *, packed: bool) -> bytes:
    """The numbers of a tensor in the field of their dtype, together or one by one."""
    field = TYPED.get(dtype, 5)
    if dtype in ("float32", "float64"):
        size = values.dtype.itemsize
        kind = field << 3 | (5 if size == 4 else 1)
        parts = [values[i : i + 1].tobytes() for i in range(values.size)]
        one_by_one = b"".join(varint(kind) + part for part in parts)
        return message(field, b"".join(parts)) if packed else one_by_one
    whole = values.view(FILE_DTYPES[dtype])
    if dtype == "float16":
        whole = whole.view(np.uint16)
    numbers = [int(value) for value in whole]
    if packed:
        return message(field, b"".join(varint(value) for value in numbers))
    return b"".join(number(field, value) for value in numbers)


def node(
    kind: str,
    inputs: Iterable[str],
    output: str,
    name: str = "",
    *,
    scopes: Sequence[str] | None = None,
    domain: str = "",
    attributes: bytes = b"",
) -> bytes:
    made = b"".join(text(1, value) for value in inputs) + text(2, output) + text(3, name)
    made += text(4, kind) + attributes + text(7, domain)
    if scopes is not None:
        pair = text(1, "pkg.torch.onnx.name_scopes") + text(2, repr(list(scopes)))
        made += message(9, pair)
    return made


def switch(name: str, value: int) -> bytes:
    return message(5, text(1, name) + number(3, value))


def numbers(name: str, values: Iterable[int]) -> bytes:
    return message(5, text(1, name) + b"".join(number(8, value) for value in values))


def model(
    nodes: Iterable[bytes], tensors: Iterable[bytes], inputs: Iterable[str] = ("x",)
) -> bytes:
    """A ModelProto."""
    graph = b"".join(message(1, made) for made in nodes)
    graph += b"".join(message(5, made) for made in tensors)
    graph += b"".join(message(11, text(1, name)) for name in inputs)
    return number(1, 10) + message(7, graph)


def write(folder: Path, content: bytes) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(content)
    return file


LAYER = "encoder.layer.0.output.dense"
PATH = "/encoder/layer.0/output/dense/"
SCOPES = ["", "encoder", "encoder.layer.0", "encoder.layer.0.output", LAYER, "linear_3"]
MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
VECTOR = np.array([1, -0.0, np.nan], np.float32)


def read(
    folder: Path, nodes: list[bytes], tensors: list[bytes], **more: Any
) -> dict[str, HostArray]:
    weights = read_onnx(write(folder, model(nodes, tensors, **more)))
    assert all(weight.name == name for name, weight in weights.items())
    return {name: weight.array() for name, weight in weights.items()}


def same(found: HostArray, expected: HostArray) -> None:
    np.testing.assert_array_equal(found, expected, strict=True)
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()
