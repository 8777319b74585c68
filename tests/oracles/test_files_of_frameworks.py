"""Arrays and layers as TensorFlow, Keras 3, Flax and orbax write them: every bit comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.models.formats.flax_msgpack import read_flax_msgpack
from gpudb.models.formats.hdf5 import read_hdf5
from gpudb.models.formats.orbax import read_orbax
from gpudb.models.formats.tensorflow_checkpoint import read_tensorflow_checkpoint
from gpudb.models.formats.weight import Weight
from gpudb.models.names import torch_weights
from gpudb.types import HostArray

# The frameworks warn while they are imported.
pytestmark = [pytest.mark.formats, pytest.mark.filterwarnings("ignore")]

DTYPES = ("float32", "float16", "bfloat16", "float64", "int32", "int64", "bool")


def arrays() -> dict[str, HostArray]:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    odd = np.array([[1.5, np.inf, -0.0], [-2, np.nan, 5e-324]])
    found = {}
    for dtype in DTYPES:
        numbers = odd if "float" in dtype else np.nan_to_num(odd, posinf=3)
        found[dtype] = numbers.astype(getattr(ml_dtypes, dtype, dtype))
    return found | {"one": np.array(7.5, np.float32), "none": np.zeros((0, 3), np.float32)}


def write_msgpack(values: Mapping[str, HostArray], folder: Path) -> dict[str, Weight]:
    from flax import serialization

    file = folder / "flax_model.msgpack"
    file.write_bytes(serialization.to_bytes(values))
    return read_flax_msgpack(file)


def write_orbax(values: Mapping[str, HostArray], folder: Path) -> dict[str, Weight]:
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        # orbax refuses arrays without elements.
        checkpointer.save(folder / "a", {n: v for n, v in values.items() if v.size})
    return read_orbax(folder / "a")


def write_checkpoint(values: Mapping[str, HostArray], folder: Path) -> dict[str, Weight]:
    import tensorflow as tf

    tf.raw_ops.SaveV2(
        prefix=str(folder / "a"),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.constant(v) for v in values.values()],
    )
    return read_tensorflow_checkpoint(folder / "a.index")


@pytest.mark.parametrize("write", [write_msgpack, write_orbax, write_checkpoint])
def test_every_dtype(
    write: Callable[[Mapping[str, HostArray], Path], dict[str, Weight]], tmp_path: Path
) -> None:
    values = arrays()
    weights = write(values, tmp_path)
    assert weights.keys() >= values.keys() - {"none"}
    for name, weight in weights.items():
        assert weight.dtype == values[name].dtype.name
        assert weight.shape == values[name].shape
        assert weight.array().tobytes() == values[name].tobytes()


def test_chunks_of_flax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flax import serialization

    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 40)
    values = {"a": np.arange(33, dtype=np.float32).reshape(3, 11), "b": np.ones(3)}
    weights = write_msgpack(values, tmp_path)
    for name, expected in values.items():
        np.testing.assert_array_equal(weights[name].array(), expected, strict=True)


def test_what_orbax_saves_beside_arrays(tmp_path: Path) -> None:
    import orbax.checkpoint as ocp

    tree = {"a": [np.zeros(3)], "step": 3, "none": None, "empty": {}, "text": "x"}
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "a", tree)
    weights = read_orbax(tmp_path / "a")
    assert {name: weight.array().tolist() for name, weight in weights.items()} == {
        "a/0": [0, 0, 0],
        "step": 3,
    }


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_layers_of_keras(name: str, dtype: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.Dense(5, name="last", dtype=dtype)
    model = keras.Sequential([keras.Input((3,)), layer])
    (model.save if name.endswith(".keras") else model.save_weights)(tmp_path / name)
    weights = read_hdf5(tmp_path / name)
    kernel, bias = (np.asarray(keras.ops.convert_to_numpy(w)) for w in layer.weights)
    found = [w for n, w in weights.items() if n.startswith("layers/")]
    for weight, expected in zip(found, (kernel, bias), strict=True):
        assert (weight.dtype, weight.shape) == (dtype, expected.shape)
        assert weight.array().tobytes() == expected.tobytes()


def attend(x: HostArray, weights: Mapping[str, HostArray], out: str, heads: int) -> HostArray:
    """Self-attention over ``x (tokens, width)`` as PyTorch's layers hold its weights."""

    def linear(rows: HostArray, name: str) -> HostArray:
        return rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    q, k, v = (linear(x, name).reshape(len(x), heads, -1) for name in ("query", "key", "value"))
    scores = np.exp(np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[-1]))
    context = np.einsum("hij,jhd->ihd", scores / scores.sum(-1, keepdims=True), v)
    return linear(context.reshape(len(x), -1), out)


def in_torch(tree: Mapping[str, Any]) -> dict[str, HostArray]:
    weights = {}
    for name, values in tree.items():
        data = np.frombuffer(np.asarray(values).tobytes(), np.uint8)
        weights[name] = Weight(name, "float32", values.shape, Path("none"), data)
    return {str(name): weight.array() for name, weight in torch_weights(weights)}


X = np.random.default_rng(0).standard_normal((5, 12)).astype(np.float32)


def test_split_heads_of_flax() -> None:
    import jax
    from flax import linen
    from flax.traverse_util import flatten_dict

    layer = linen.MultiHeadDotProductAttention(3, bias_init=linen.initializers.normal(1.0))
    variables = layer.init(jax.random.key(0), X)
    tree = flatten_dict(variables["params"], sep="/")
    assert tree["query/kernel"].shape == (12, 3, 4)
    expected = np.asarray(layer.apply(variables, X))
    np.testing.assert_allclose(attend(X, in_torch(tree), "out", 3), expected, atol=1e-5)


def test_split_heads_of_keras() -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.MultiHeadAttention(3, 4, bias_initializer="random_normal")
    expected = keras.ops.convert_to_numpy(layer(X[None], X[None]))[0]
    tree = {w.path.split("/", 1)[1]: keras.ops.convert_to_numpy(w) for w in layer.weights}
    assert tree["query/kernel"].shape == (12, 3, 4)
    found = attend(X, in_torch(tree), "attention_output", 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)
