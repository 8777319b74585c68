from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpudb
from gpudb.errors import CheckpointError, GpudbError, UnsupportedError
from gpudb.models.formats.onnx import find_onnx, read_onnx
from gpudb.models.formats.onnx_message import Message, varints
from gpudb.models.formats.onnx_tensor import DTYPES, TensorReader
from gpudb.models.formats.weight import FILE_DTYPES
from tests.models import onnx_files as files
from tests.models.onnx_files import (
    MATRIX,
    PATH,
    SCOPES,
    VECTOR,
    model,
    node,
    read,
    same,
    tensor,
    text,
    typed,
    write,
)
from tests.models.tensorflow_files import message, number, varint
from tests.tiny_model import tiny_weights, write_tiny_model

ODD = {
    "a.matrix": MATRIX,
    "a.odd": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    "a.one": np.array(7, np.float32),
    "a.none": np.zeros((0, 5), np.float16),
    "ä.däta": np.array([1, -2], np.float16),
}


# What a tensor's bytes are, and where they lie.


def test_reads_what_was_written_without_a_copy(tmp_path: Path) -> None:
    found = read(tmp_path, [], [tensor(name, values) for name, values in ODD.items()])
    assert found.keys() == ODD.keys()
    for name, expected in ODD.items():
        same(found[name], expected)
        assert not found[name].flags.writeable


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dtype", DTYPES.values())
def test_numbers_one_by_one(dtype: str, packed: bool, tmp_path: Path) -> None:
    values = np.frombuffer(bytes(range(120, 136)) * 2, np.uint8).view(FILE_DTYPES[dtype])
    content = tensor("a.b", values, dtype=dtype, content=typed(values, dtype, packed=packed))
    weight = TensorReader(tmp_path / "m.onnx").read(Message.parse(memoryview(content)), "a.b")
    assert weight is not None
    assert weight.dtype == dtype
    same(weight.array(), values)


@pytest.mark.parametrize(
    "numbers", [[], [0], [127, 128], [2**63 - 1, -1, 300, 0], list(range(999))]
)
def test_numbers_written_one_behind_another(numbers: list[int]) -> None:
    content = b"".join(varint(value) for value in numbers)
    same(varints(memoryview(content)), np.array(numbers, np.int64))


@pytest.mark.parametrize("content", [b"\x80", b"\x01\xff", b"\x80" * 10 + b"\x01"])
def test_numbers_that_are_cut_or_too_long(content: bytes) -> None:
    with pytest.raises(ValueError, match="list of numbers"):
        varints(memoryview(content))


def test_a_list_of_texts_is_no_weight(tmp_path: Path) -> None:
    words = number(1, 1) + number(2, 8) + message(6, b"word") + text(8, "a.words")
    assert read(tmp_path, [node("Identity", ["a.words"], "y")], [words]) == {}


def test_data_in_files_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx_data").write_bytes(b"...." + MATRIX.tobytes() + VECTOR.tobytes())
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.w").write_bytes(VECTOR.tobytes())
    places: dict[str, dict[str, object]] = {
        "a.first": {"location": "model.onnx_data", "offset": 4, "length": 24},
        "a.rest": {"location": "model.onnx_data", "offset": 28},
        "a.whole": {"location": "more/a.w"},
    }
    arrays = {"a.first": MATRIX, "a.rest": VECTOR, "a.whole": VECTOR}
    made = [tensor(name, values, place=places[name]) for name, values in arrays.items()]
    found = read(tmp_path, [], made)
    for name, expected in arrays.items():
        same(found[name], expected)
        assert not found[name].flags.writeable


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ({"location": "../secret"}, "a file in its own folder"),
        ({"location": "more/../../secret"}, "a file in its own folder"),
        ({"location": "/etc/passwd"}, "a file in its own folder"),
        ({"location": ""}, "a file in its own folder"),
        ({}, "a file in its own folder"),
        ({"location": "not_there"}, "cannot be read"),
        ({"location": "a\0b"}, "cannot be read"),
        ({"location": "x" * 5000}, "cannot be read"),
        ({"location": "folder"}, "cannot be read"),
        ({"location": "data", "length": 25}, "bytes 0 to 25"),
        ({"location": "data", "offset": 30}, "bytes 30 to 30"),
        ({"location": "data", "offset": 2**70, "length": 24}, "instead of a number"),
        ({"location": "data", "offset": -1}, "instead of a number"),
        ({"location": "data", "length": 23}, "expected 24"),
    ],
)
def test_data_that_is_not_there(place: dict[str, object], says: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    for file in (folder / "data", tmp_path / "secret"):
        file.write_bytes(MATRIX.tobytes())
    with pytest.raises(CheckpointError, match=says):
        read(folder, [], [tensor("a.b", MATRIX, place=place)])


def test_an_exported_model_is_imported_as_the_original(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    nodes, tensors = [], []
    for name, values in tiny_weights().items():
        module, _, kind = name.rpartition(".")
        if values.ndim == 1 or "embeddings" in module:
            tensors.append(tensor(name, values))
        elif kind == "weight":
            tensors.append(tensor(f"onnx::MatMul_{len(nodes)}", np.ascontiguousarray(values.T)))
            scope = f"/{module.replace('.', '/').replace('layer/', 'layer.')}/MatMul"
            nodes.append(node("MatMul", ["x", f"onnx::MatMul_{len(nodes)}"], module, scope))
    with gpudb.connect(device="numpy") as db:
        original = db.import_model(folder, "original")
        (folder / "model.safetensors").unlink()
        (folder / "onnx").mkdir()
        write(folder / "onnx", model(nodes, tensors))
        exported = db.import_model(folder, "exported")
    assert (exported.format, exported.file) == ("ONNX", "onnx/model.onnx")
    assert exported.parameters == original.parameters
    assert exported.new_nbytes == 0  # the same bits, stored once


# Files that are no model, or not one gpudb can use.

WHOLE = model(
    [
        node("MatMul", ["x", "12"], "product", f"{PATH}MatMul"),
        node("Transpose", ["a.b"], "t", attributes=files.numbers("perm", [1, 0])),
        node("Add", ["product", "b"], "y", scopes=SCOPES),
    ],
    [
        tensor("12", MATRIX),
        tensor("a.b", MATRIX, content=typed(MATRIX.ravel(), "float32", packed=True)),
        tensor("b", VECTOR, place={"location": "data", "length": 12}),
    ],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").write_bytes(VECTOR.tobytes())
    return tmp_path


def test_a_file_that_is_cut_anywhere(folder: Path) -> None:
    read_onnx(write(folder, WHOLE))
    for size in range(len(WHOLE)):
        with pytest.raises(CheckpointError, match=r"model\.onnx"):
            read_onnx(write(folder, WHOLE[:size]))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_an_error_or_another_number(data: st.DataObject, folder: Path) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        weights = read_onnx(write(folder, bytes(content)))
    except GpudbError:
        return
    for weight in weights.values():
        assert weight.array().nbytes == weight.nbytes <= len(WHOLE)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (tensor("a.b", MATRIX, shape=[2, 4]), "24 bytes; expected 32"),
        (tensor("a.b", MATRIX, shape=[2**40, 2**40]), "below 2"),
        (tensor("a.b", MATRIX, shape=[-2, -3]), "whole numbers"),
        (tensor("a.b", MATRIX, shape=[1] * 65), "up to 64 whole numbers"),
        (tensor("a.b", MATRIX, content=b""), "0 bytes"),
        (tensor("a.b", MATRIX, content=message(9, b"x")), "1 bytes"),
        (tensor("a.b", MATRIX, content=number(9, 1)), "a number in field 9"),
        (tensor("a.b", MATRIX, content=message(2, b"f")), "bytes in field 2"),
        (tensor("a.b", MATRIX, content=message(8, b"\xff")), "utf-8"),
    ],
)
def test_a_tensor_that_cannot_be(made: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=says):
        read(tmp_path, [], [made])


@pytest.mark.parametrize("content", [b"", b"no model at all", number(1, 10)])
def test_what_is_no_model(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected an ONNX model"):
        read_onnx(write(tmp_path, content))


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Identity", ["loop"], "loop")],
        [node("Transpose", ["b"], "a"), node("Transpose", ["a"], "b")],
    ],
)
def test_a_graph_that_goes_round(nodes: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not made before it"):
        read(tmp_path, nodes, [])


def test_a_node_without_a_result(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="node 'n' without a result"):
        read(tmp_path, [text(1, "x") + text(3, "n") + text(4, "Relu")], [])


def test_two_tensors_called_the_same(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"two tensors called 'a\.b'"):
        read(tmp_path, [], [tensor("a.b", MATRIX)] * 2)


@pytest.mark.parametrize(
    ("kind", "domain", "says"),
    [
        ("DynamicQuantizeLinear", "", "the model is quantised"),
        ("DequantizeLinear", "", "the model is quantised"),
        ("MatMulInteger", "", "the model is quantised"),
        ("QLinearMatMul", "", "the model is quantised"),
        ("MatMulNBits", "com.microsoft", "the model is quantised"),
        ("Attention", "com.microsoft", "before it was optimised"),
    ],
)
def test_graphs_that_were_rewritten(kind: str, domain: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=f"is a {kind}.*{says}"):
        read(tmp_path, [node(kind, ["x"], "y", domain=domain)], [])


def test_elements_of_quantised_models(tmp_path: Path) -> None:
    four_bits = number(1, 2) + number(2, 22) + text(8, "a.b") + message(9, b"\x12")
    with pytest.raises(UnsupportedError, match="elements of kind 22"):
        read(tmp_path, [], [four_bits])


def test_sparse_tensors(tmp_path: Path) -> None:
    graph = message(7, message(15, b""))
    with pytest.raises(UnsupportedError, match="1 sparse tensors"):
        read_onnx(write(tmp_path, graph))


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["model.onnx", "onnx/model.onnx"], "model.onnx"),
        (["onnx/model.onnx", "onnx/model_O4.onnx"], "onnx/model.onnx"),
        (["decoder_model.onnx", "encoder_model.onnx"], "encoder_model.onnx"),
        (["model_quantized.onnx", "onnx"], None),
        ([], None),
    ],
)
def test_where_a_model_lies(there: list[str], expected: str | None, tmp_path: Path) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = frozenset(entry.name for entry in tmp_path.iterdir())
    found = find_onnx(tmp_path, names)
    assert found == (None if expected is None else tmp_path / expected)
