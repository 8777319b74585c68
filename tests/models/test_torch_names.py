"""Names and layout of other frameworks, as PyTorch's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpudb.models.formats.weight import Weight
from gpudb.models.names import torch_weights
from gpudb.types import HostArray


def weight(name: str, values: HostArray) -> Weight:
    data = np.frombuffer(values.tobytes(), np.uint8)
    return Weight(name, values.dtype.name, values.shape, Path("file"), data)


def translated(*names: str) -> list[str | None]:
    weights = {name: weight(name, np.zeros(1, np.float32)) for name in names}
    return [name for name, _ in torch_weights(weights)]


TENSORFLOW = {
    "bert/encoder/layer_0/output/dense/kernel": "bert.encoder.layer.0.output.dense.weight",
    "bert/encoder/layer_11/output/dense/bias": "bert.encoder.layer.11.output.dense.bias",
    "bert/embeddings/word_embeddings": "bert.embeddings.word_embeddings.weight",
    "bert/embeddings/LayerNorm/gamma": "bert.embeddings.LayerNorm.weight",
    "bert/embeddings/LayerNorm/beta": "bert.embeddings.LayerNorm.bias",
    "cls/predictions/output_bias": "cls.predictions.output_bias.weight",
    "bert/tf_bert_model/bert/embeddings/position_embeddings/embeddings:0": (
        "bert.embeddings.position_embeddings.weight"
    ),
    "bert/my_own/bert/encoder/layer_._1/output/dense/bias:0": (
        "bert.encoder.layer.1.output.dense.bias"
    ),
    "bert/bert/encoder/layer_._1/output/LayerNorm/gamma:0": (
        "bert.encoder.layer.1.output.LayerNorm.weight"
    ),
    "embeddings/position_embeddings/embeddings:0": "embeddings.position_embeddings.weight",
    "shared/shared/shared/embeddings:0": "shared.weight",
    "deberta/encoder/rel_embeddings.weight:0": "deberta.encoder.rel_embeddings.weight",
    "mlm___cls/bert/embeddings/word_embeddings/weight:0": (
        "cls.bert.embeddings.word_embeddings.weight"
    ),
    "mlm___cls/tf_bert_for_masked_lm/mlm___cls/predictions/bias:0": "cls.predictions.bias",
    "tf_bert_model/bert/pooler/dense/kernel": "bert.pooler.dense.weight",
    "global_step": None,
    "save_counter/.ATTRIBUTES/VARIABLE_VALUE": None,
    "bert/embeddings/word_embeddings/adam_m": None,
    "bert/embeddings/word_embeddings/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE": None,
    "optimizer/learning_rate/.ATTRIBUTES/VARIABLE_VALUE": None,
    "beta1_power": None,
}
FLAX = {
    "encoder/layer/0/output/dense/kernel": "encoder.layer.0.output.dense.weight",
    "params/bert/embeddings/word_embeddings/embedding": "bert.embeddings.word_embeddings.weight",
    "params/params/embeddings/LayerNorm/scale": "embeddings.LayerNorm.weight",
    "embeddings/LayerNorm/bias": "embeddings.LayerNorm.bias",
    "opt_state/0/mu/embeddings/LayerNorm/scale": None,
    "step": None,
}
TORCH = ("encoder.layer.0.output.dense.weight", "bert.embeddings.LayerNorm.gamma", "step", "a/b")


def test_names_of_tensorflow() -> None:
    assert translated(*TENSORFLOW) == list(TENSORFLOW.values())


def test_names_of_flax() -> None:
    assert translated(*FLAX) == list(FLAX.values())
    dotted = [name.replace("/", ".") for name in FLAX]  # as transformers writes safetensors
    assert translated(*dotted) == list(FLAX.values())


def test_names_of_pytorch_stay() -> None:
    assert translated(*TORCH) == list(TORCH)
    assert translated() == []


def in_torch(name: str, values: HostArray) -> HostArray:
    other = weight("other/kernel", np.zeros((1, 1), np.float32))  # that tells the framework
    found = dict(torch_weights({name: weight(name, values), "other/kernel": other}))
    return found[".".join(["a", "weight" if name.endswith("kernel") else "bias"])].array()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 4), (0, 4)])
def test_kernels_are_transposed_without_a_copy(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    found = in_torch("a/kernel", values)
    np.testing.assert_array_equal(found, values.T, strict=True)
    assert not found.flags.writeable


def test_a_convolution() -> None:
    values = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)  # rows, columns, inputs, outputs
    np.testing.assert_array_equal(in_torch("a/kernel", values), values.transpose(3, 2, 0, 1))


@pytest.mark.parametrize(("width", "heads", "columns"), [(1, 1, 1), (6, 2, 3), (7, 3, 5)])
def test_split_heads_are_merged(width: int, heads: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, width))
    other = weight("other/kernel", np.zeros((1, 1), np.float32))
    kernel = rng.standard_normal((width, heads, columns))
    bias = rng.standard_normal((heads, columns))
    out = rng.standard_normal((heads, columns, width))
    arrays = {"a/query/kernel": kernel, "a/query/bias": bias, "a/out/kernel": out}
    weights = {name: weight(name, values) for name, values in arrays.items()}
    found = {name: w.array() for name, w in torch_weights({**weights, "other/kernel": other})}
    # Flax's nn.MultiHeadDotProductAttention: a product per head, then a sum over heads.
    split = np.einsum("tw,whd->thd", x, kernel) + bias
    merged = x @ found["a.query.weight"].T + found["a.query.bias"]
    np.testing.assert_allclose(merged, split.reshape(4, -1), atol=1e-12)
    expected = np.einsum("thd,hdw->tw", split, out)
    np.testing.assert_allclose(merged @ found["a.out.weight"].T, expected, atol=1e-12)
