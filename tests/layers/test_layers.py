"""Models written in the algebra against NumPy in float64, over odd shapes and blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.errors import GpudbError
from gpudb.kernels.elementwise import sigmoid
from gpudb.layers import (
    conv2d,
    embedding_classifier,
    feed_forward,
    linear,
    logistic_regression,
    lstm,
)
from gpudb.types import HostArray
from tests.relation.expressions import ArrayEngine, check

BLOCKS = (1, 3, 16)


def tensors(block: int, sparse: bool = False, **arrays: HostArray) -> dict[str, Any]:
    """Each array as a tensor in blocks of ``block`` along every axis."""
    engine = ArrayEngine()
    return {
        name: engine.tensor(name, values, (block,) * values.ndim, sparse=sparse)
        for name, values in arrays.items()
    }


def normal(*shape: int, seed: int = 0) -> HostArray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


@pytest.mark.parametrize("block", BLOCKS)
def test_linear_and_logistic_regression(block: int) -> None:
    x, w, b = normal(7, 5), normal(4, 5), normal(4)
    t = tensors(block, x=x, w=w, b=b)
    check(linear(t["x"], t["w"]), x @ w.T)
    check(linear(t["x"], t["w"], t["b"], "relu"), np.maximum(x @ w.T + b, 0))
    check(logistic_regression(t["x"], t["w"], t["b"]), sigmoid(x @ w.T + b))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
def test_feed_forward(block: int, sparse: bool) -> None:
    x = normal(6, 20)
    x[:, 4:17] = 0
    shapes = [(9, 20), (5, 9), (3, 5)]
    weights = [(normal(*shape), normal(shape[0])) for shape in shapes]
    expected = x
    for number, (w, b) in enumerate(weights):
        expected = expected @ w.T + b
        if number < 2:
            expected = np.maximum(expected, 0)
    e = np.exp(expected - expected.max(1, keepdims=True))
    t = tensors(block, sparse, x=x)
    engine = t["x"].engine
    layers = [
        (engine.tensor(f"w{i}", w, (block, block)), engine.tensor(f"b{i}", b, (block,)))
        for i, (w, b) in enumerate(weights)
    ]
    check(feed_forward(t["x"], layers), expected)
    check(feed_forward(t["x"], layers, last="softmax"), e / e.sum(1, keepdims=True))
    with pytest.raises(GpudbError, match="at least one"):
        feed_forward(t["x"], [])


@pytest.mark.parametrize("block", BLOCKS)
def test_embedding_classifier(block: int) -> None:
    table, weight, bias = normal(11, 6), normal(4, 6), normal(4)
    ids = np.array([3, 3, 10, 0, 7, 1, 2], np.int32)
    text = np.array([0, 0, 1, 3, 3, 3, 0], np.int32)  # text 2 has no token
    means = np.stack([table[ids[text == n]].mean(0) if n != 2 else np.zeros(6) for n in range(4)])
    scores = means @ weight.T + bias
    e = np.exp(scores - scores.max(1, keepdims=True))
    t = tensors(block, table=table, ids=ids, text=text, weight=weight, bias=bias)
    found = embedding_classifier(t["table"], t["ids"], t["text"], 4, t["weight"], t["bias"])
    check(found, e / e.sum(1, keepdims=True))


def reference_conv2d(
    image: HostArray, filters: HostArray, bias: HostArray, stride: int, padding: int
) -> HostArray:
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    out, _, high, wide = filters.shape
    rows = (padded.shape[1] - high) // stride + 1
    columns = (padded.shape[2] - wide) // stride + 1
    result = np.empty((out, rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = padded[:, i * stride : i * stride + high, j * stride : j * stride + wide]
            result[:, i, j] = (filters * patch).sum((1, 2, 3)) + bias
    return result


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((5, 7), (3, 2), 1, 0),
        ((6, 6), (3, 3), 2, 1),
        ((4, 5), (1, 1), 3, 0),
        ((3, 3), (3, 3), 1, 2),
    ],
)
def test_conv2d(block, size, kernel, stride, padding) -> None:
    image, filters, bias = normal(2, *size), normal(3, 2, *kernel), normal(3)
    image[0, 0, 0] = np.inf  # zeros around it stay zeros
    t = tensors(block, image=image, filters=filters, bias=bias)
    found = conv2d(t["image"], t["filters"], t["bias"], stride=stride, padding=padding)
    with np.errstate(invalid="ignore"):
        check(found, reference_conv2d(image, filters, bias, stride, padding))


def test_conv2d_refuses_what_does_not_fit() -> None:
    t = tensors(4, image=normal(2, 3, 3), filters=normal(1, 2, 4, 4), other=normal(1, 3, 2, 2))
    for arguments, part in (
        ({"filters": t["filters"]}, "pad it"),
        ({"filters": t["other"]}, "channels"),
        ({"filters": t["filters"], "stride": 0}, "stride 0"),
    ):
        with pytest.raises(GpudbError, match=part):
            conv2d(t["image"], **arguments)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("steps", [1, 4])
def test_lstm(steps: int, block: int) -> None:
    hidden, batch, width = 5, 3, 4
    x = normal(steps, batch, width)
    weights = {
        "w_input": normal(4 * hidden, width),
        "w_hidden": normal(4 * hidden, hidden),
        "b_input": normal(4 * hidden),
        "b_hidden": normal(4 * hidden, seed=1),
    }
    h, c = np.zeros((batch, hidden)), np.zeros((batch, hidden))
    states = []
    for step in x:
        gates = step @ weights["w_input"].T + weights["b_input"]
        gates = gates + h @ weights["w_hidden"].T + weights["b_hidden"]
        enter, forget, candidate, leave = np.split(gates, 4, axis=1)
        c = sigmoid(forget) * c + sigmoid(enter) * np.tanh(candidate)
        h = sigmoid(leave) * np.tanh(c)
        states.append(h)
    t = tensors(block, x=x, **weights)
    check(lstm(t["x"], *(t[name] for name in weights)), np.stack(states))
    with pytest.raises(GpudbError, match="4 · hidden"):
        lstm(t["x"], t["w_input"], t["w_input"], t["b_input"], t["b_hidden"])
