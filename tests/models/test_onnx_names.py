"""What tensors of exported graphs are called in PyTorch, and how they lie there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpudb.errors import CheckpointError
from gpudb.types import HostArray
from tests.models import onnx_files as files
from tests.models.onnx_files import (
    LAYER,
    MATRIX,
    PATH,
    SCOPES,
    VECTOR,
    node,
    read,
    same,
    tensor,
    text,
)
from tests.models.tensorflow_files import message


def test_a_linear_layer_whose_weight_was_folded(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "onnx::MatMul_12"], "product", f"{PATH}MatMul"),
        node("Add", [f"{LAYER}.bias", "product"], "y", f"{PATH}Add"),
    ]
    tensors = [tensor("onnx::MatMul_12", MATRIX), tensor(f"{LAYER}.bias", VECTOR)]
    found = read(tmp_path, nodes, tensors)
    assert found.keys() == {f"{LAYER}.weight", f"{LAYER}.bias"}
    same(found[f"{LAYER}.weight"], MATRIX.T)


@pytest.mark.parametrize(
    ("name", "scopes", "bias", "expected"),
    [
        # By the module alone, in either exporter's way.
        (f"{PATH}MatMul", None, None, f"{LAYER}.weight"),
        ("node_linear_3", SCOPES, None, f"{LAYER}.weight"),
        # By the bias alone, from exporters that had no modules.
        ("MatMul_17", None, f"{LAYER}.bias", f"{LAYER}.weight"),
        # By the bias, where several parameters belong to one module.
        ("/layers.0/self_attn/MatMul", None, "layers.0.self_attn.in_proj_bias",
         "layers.0.self_attn.in_proj_weight"),
        # The bias of another layer is a tensor that both share.
        (f"{PATH}MatMul", None, "encoder.layer.7.output.dense.bias", f"{LAYER}.weight"),
        # Nothing says it.
        ("MatMul_17", None, None, "12"),
        ("/MatMul", ["", "linear_3"], None, "12"),
        ("MatMul_17", None, "b", "12"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_names_of_linear_layers(
    name: str,
    scopes: list[str] | None,
    bias: str | None,
    expected: str,
    first: bool,
    tmp_path: Path,
) -> None:
    nodes = [node("MatMul", ["x", "12"], "product", name, scopes=scopes)]
    tensors = [tensor("12", MATRIX)]
    if bias is not None:
        nodes.append(node("Add", [bias, "product"] if first else ["product", bias], "y"))
        tensors.append(tensor(bias, VECTOR))
    found = read(tmp_path, nodes, tensors)
    assert found.keys() - {bias} == {expected}
    same(found[expected], MATRIX.T)


def test_a_linear_layer_in_one_node(tmp_path: Path) -> None:
    nodes = [node("Gemm", ["x", "12", "a.in_proj_bias"], "y", "/a/Gemm")]
    found = read(tmp_path, nodes, [tensor("12", MATRIX), tensor("a.in_proj_bias", VECTOR)])
    assert found.keys() == {"a.in_proj_weight", "a.in_proj_bias"}
    same(found["a.in_proj_weight"], MATRIX.T)


@pytest.mark.parametrize(
    ("kind", "attributes", "turns", "expected"),
    [
        ("Gemm", b"", 0, MATRIX.T),
        ("Gemm", files.switch("transB", 0), 0, MATRIX.T),
        ("Gemm", files.switch("transB", 1), 0, MATRIX),
        ("Gemm", files.switch("transB", 1), 1, MATRIX.T),
        ("MatMul", b"", 1, MATRIX),
        ("MatMul", b"", 2, MATRIX.T),
        ("Gather", b"", 0, MATRIX),
        ("Gather", b"", 1, MATRIX.T),
    ],
)
def test_layout_is_that_of_pytorch(
    kind: str, attributes: bytes, turns: int, expected: HostArray, tmp_path: Path
) -> None:
    turned = ["w", *(f"w{turn}" for turn in range(turns))]
    perms = [b"", files.numbers("perm", [1, 0])]
    nodes = [
        node("Transpose", [turned[turn]], turned[turn + 1], attributes=perms[turn % 2])
        for turn in range(turns)
    ]
    inputs = [turned[-1], "x"] if kind == "Gather" else ["x", turned[-1]]
    nodes.append(node(kind, inputs, "y", "/a/b", attributes=attributes))
    same(read(tmp_path, nodes, [tensor("w", MATRIX)])["a.weight"], expected)


def test_what_has_a_name_keeps_it_and_its_layout(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["a.weight"], "turned", attributes=files.numbers("perm", [1, 0])),
        node("MatMul", ["x", "turned"], "y", "/a/MatMul"),
        node("MatMul", ["y", "b.c.in_out"], "z", "/b/MatMul"),
        node("Clip", ["z", "", "most"], "clipped", "/b/Clip"),
        node("Mul", ["clipped", "a.scales"], "scaled", "/b/Mul"),
        node("Transpose", ["cube.weight"], "rolled"),
        node("Mul", ["scaled", "rolled"], "result", "/b/Mul_1"),
    ]
    arrays = {"a.weight": MATRIX, "b.c.in_out": MATRIX, "unused.word": VECTOR}
    arrays |= {"a.scales": VECTOR, "cube.weight": MATRIX[None]}
    made = [tensor(name, values) for name, values in arrays.items()]
    found = read(tmp_path, nodes, made, inputs=["x", "most"])
    assert found.keys() == arrays.keys()
    for name, expected in arrays.items():
        same(found[name], expected)


def test_a_tensor_that_modules_share_has_the_name_of_each(tmp_path: Path) -> None:
    nodes = [
        node("Gather", ["words.weight", "ids"], "x", "/words/Gather"),
        node("Identity", ["norm.0.bias"], "norm.1.bias"),
        node("LayerNormalization", ["x", "norm.0.weight", "norm.0.bias"], "h", "/norm.0/L"),
        node("LayerNormalization", ["h", "norm.0.weight", "norm.1.bias"], "k", "/norm.1/L"),
        node("Transpose", ["words.weight"], "turned"),
        node("MatMul", ["k", "turned"], "y", "/decoder/MatMul"),
    ]
    arrays = {"words.weight": MATRIX, "norm.0.weight": VECTOR, "norm.0.bias": VECTOR + 1}
    made = [tensor(name, values) for name, values in arrays.items()]
    found = read(tmp_path, nodes, made, inputs=["ids"])
    expected = arrays | {
        "decoder.weight": MATRIX,
        "norm.1.weight": VECTOR,
        "norm.1.bias": VECTOR + 1,
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        same(found[name], values)


def test_the_bias_of_a_head_has_both_of_its_names(tmp_path: Path) -> None:
    arrays = {"lm_head.decoder.bias": VECTOR, "both.decoder.bias": VECTOR, "both.bias": VECTOR + 1}
    found = read(tmp_path, [], [tensor(name, values) for name, values in arrays.items()])
    assert found.keys() == {*arrays, "lm_head.bias"}
    same(found["lm_head.bias"], VECTOR)
    same(found["both.bias"], VECTOR + 1)


def test_a_module_that_is_used_again_has_one_name(tmp_path: Path) -> None:
    # As in ALBERT, whose layers are one; and a module whose own name ends in a number.
    nodes = [
        node("MatMul", ["x", "1"], "h", "/ffn/MatMul"),
        node("Add", ["ffn.bias", "h"], "i", "/ffn/Add"),
        node("MatMul", ["i", "1"], "j", "/ffn_1/MatMul"),
        node("Add", ["ffn.bias", "j"], "k", "/ffn_1/Add"),
        node("MatMul", ["k", "2"], "l", "/norm_1/MatMul"),
        node("Add", ["norm_1.bias", "l"], "y", "/norm_1/Add"),
        node("Gather", ["shared.weight", "ids"], "z", "/encoder/shared/Gather"),
    ]
    arrays = {"1": MATRIX, "2": MATRIX, "shared.weight": MATRIX}
    arrays |= {"ffn.bias": VECTOR, "norm_1.bias": VECTOR, "norm.bias": VECTOR}
    made = [tensor(name, values) for name, values in arrays.items()]
    found = read(tmp_path, nodes, made, inputs=["x", "ids"])
    modules = {"ffn", "norm_1"}
    expected = {f"{module}.{kind}" for module in modules for kind in ("weight", "bias")}
    assert found.keys() == expected | {"norm.bias", "shared.weight"}


def test_constants_are_no_weights(tmp_path: Path) -> None:
    constant = message(5, text(1, "value") + message(5, tensor("", MATRIX)))
    nodes = [
        node("Constant", [], "/a/Constant_output_0", attributes=constant),
        node("MatMul", ["x", "/a/Constant_output_0"], "h", "/a/MatMul"),
        node("Mul", ["h", "scale"], "k", "/b/Mul"),
        node("Add", ["k", "mask"], "l", "/b/Add"),
        node("Gather", ["shape", "x"], "i", "/b/Gather"),
        node("MatMul", ["l", "batched"], "y", "/b/MatMul"),
    ]
    arrays = {
        "scale": VECTOR,
        "mask": MATRIX,
        "shape": np.arange(3),
        "batched": MATRIX[None],
        "positions.ids": np.arange(3),
        "b.lifted_tensor_3": VECTOR,
    }
    found = read(tmp_path, nodes, [tensor(name, values) for name, values in arrays.items()])
    assert found.keys() == {"a.weight"}
    same(found["a.weight"], MATRIX.T)


def test_two_tensors_of_one_name(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", name], name + "y", "/a/MatMul") for name in ("1", "2")]
    tensors = [tensor("1", MATRIX), tensor("2", MATRIX)]
    same(read(tmp_path, nodes, tensors)["a.weight"], MATRIX.T)  # equal: exported twice
    with pytest.raises(CheckpointError, match=r"two different tensors for 'a\.weight'"):
        read(tmp_path, nodes, [tensors[0], tensor("2", MATRIX + 1)])
    with pytest.raises(CheckpointError, match=r"two different tensors for 'a\.weight'"):
        read(tmp_path, nodes, [tensor("1", 0 * MATRIX), tensor("2", 0 * MATRIX.T)])
