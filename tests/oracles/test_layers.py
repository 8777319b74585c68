"""Models written in the algebra against PyTorch, out of a real database and at real sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.layers import (
    conv2d,
    embedding_classifier,
    feed_forward,
    linear,
    logistic_regression,
    lstm,
)
from gpudb.types import HostArray
from tests.oracles.conftest import Report

pytestmark = pytest.mark.oracle

# Both sides sum in float32, in another order. Weights are scaled so that every layer's output is of
# order 1; sums of up to 20,000 such terms then differ by some units in the last place.
LARGEST = 1e-5

# In float64 the same reasoning with 2^-53 for 2^-24, 5e8 times less; rounded up.
LARGEST_FLOAT64 = 1e-13

BLOCKS = [(16, 16), (100, 37), None]
"""Square as in the literature, dividing nothing, row panels."""

EXECUTIONS = ["relational", "fused", "auto"]


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def db() -> Iterator[gpudb.Database]:
    with gpudb.connect(device="numpy") as database:
        yield database


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> HostArray:
    values = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return (scale * values).astype(np.float32)


def weights(out: int, width: int, seed: int = 0) -> tuple[HostArray, HostArray]:
    """A linear layer whose output is of order 1."""
    return normal(out, width, seed=seed, scale=width**-0.5), normal(out, seed=seed)


def sparse_rows(shape: tuple[int, int], block: int, share: float) -> HostArray:
    """Standard normal where a ``share`` of the square blocks has values; the first always has."""
    random = np.random.default_rng(7)
    grid = tuple(-(-extent // block) for extent in shape)
    there = random.random(grid) < share
    there[0, 0] = True
    cells = np.kron(there, np.ones((block, block), bool))[: shape[0], : shape[1]]
    return np.where(cells, normal(*shape, seed=1), np.float32(0))


def store(
    db: gpudb.Database, block: tuple[int, ...] | None, sparse: bool = False, **arrays: HostArray
) -> list[Any]:
    """Each array as a tensor; a vector in blocks of the first extent."""
    return [
        db.create_tensor(
            name,
            values,
            block=None if block is None else (*block, *block)[: values.ndim],
            sparse=sparse,
        )
        for name, values in arrays.items()
    ]


def in_float64(arrays: dict[str, HostArray]) -> dict[str, HostArray]:
    return {name: values.astype(np.float64) for name, values in arrays.items()}


def compare(found: HostArray, expected: Any, report: Report, largest: float = LARGEST) -> None:
    theirs = expected.numpy()
    assert found.shape == theirs.shape
    assert found.dtype == theirs.dtype
    assert theirs.dtype == (np.float64 if largest == LARGEST_FLOAT64 else np.float32)
    difference = float(np.abs(found - theirs).max())
    report(f"{difference:.1e}")
    assert difference <= largest


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("block", BLOCKS)
def test_linear(
    torch: Any,
    db: gpudb.Database,
    block: tuple[int, int] | None,
    sparse: bool,
    execution: str,
    report: Report,
) -> None:
    db.set(execution=execution)
    x = sparse_rows((130, 500), 16, 0.1) if sparse else normal(130, 500)
    w, b = weights(220, 500)
    (tx,) = store(db, block, sparse, x=x)
    tw, tb = store(db, block, w=w, b=b)
    expected = torch.nn.functional.gelu(torch.nn.functional.linear(*map(torch.tensor, (x, w, b))))
    compare(linear(tx, tw, tb, "gelu").collect(), expected, report)


@pytest.mark.parametrize("block", BLOCKS)
def test_logistic_regression(
    torch: Any, db: gpudb.Database, block: tuple[int, int] | None, report: Report
) -> None:
    x = sparse_rows((1000, 784), 16, 0.2)
    w, b = weights(10, 784)
    (tx,) = store(db, block, sparse=True, x=x)
    tw, tb = store(db, block, w=w, b=b)
    expected = torch.sigmoid(torch.nn.functional.linear(*map(torch.tensor, (x, w, b))))
    compare(logistic_regression(tx, tw, tb).collect(), expected, report)


@pytest.mark.parametrize("last", [None, "softmax"])
@pytest.mark.parametrize("block", BLOCKS)
def test_feed_forward(
    torch: Any, db: gpudb.Database, block: tuple[int, int] | None, last: str | None, report: Report
) -> None:
    x = normal(65, 784)
    arrays = [weights(256, 784), weights(129, 256, seed=1), weights(10, 129, seed=2)]
    (tx,) = store(db, block, x=x)
    layers = [
        tuple(store(db, block, **{f"w{i}": w, f"b{i}": b})) for i, (w, b) in enumerate(arrays)
    ]
    expected = torch.tensor(x)
    for i, (w, b) in enumerate(arrays):
        expected = torch.nn.functional.linear(expected, torch.tensor(w), torch.tensor(b))
        expected = expected if i == 2 else torch.relu(expected)
    if last is not None:
        expected = torch.softmax(expected, 1)
    compare(feed_forward(tx, layers, last=last).collect(), expected, report)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("block", [16, 100])
def test_extreme_classification_joins_what_is_there(
    torch: Any, db: gpudb.Database, block: int, execution: str, report: Report
) -> None:
    # 20,000 features of which a row has few, and 10,000 classes.
    db.set(execution=execution)
    features, hidden, classes = 20_000, 128, 10_000
    x = sparse_rows((16, features), block, 0.01)
    w0, b0 = weights(hidden, features)
    w0 *= 10  # a hundredth of the terms is there
    w1, b1 = weights(classes, hidden, seed=1)
    (tx,) = store(db, (block, block), sparse=True, x=x)
    tensors = store(db, (block, block), w0=w0, b0=b0, w1=w1, b1=b1)
    net = feed_forward(tx, [(tensors[0], tensors[1]), (tensors[2], tensors[3])])
    tx_, tw0, tb0, tw1, tb1 = map(torch.tensor, (x, w0, b0, w1, b1))
    expected = torch.nn.functional.linear(
        torch.relu(torch.nn.functional.linear(tx_, tw0, tb0)), tw1, tb1
    )
    compare(net.collect(), expected, report)

    if execution == "fused":
        return
    present = sum(x[:, at : at + block].any() for at in range(0, features, block))
    grid = -(-features // block)
    assert len(tx.arrow()) == present
    assert 0 < present < grid / 25  # a hundredth, give or take
    blocks_of_hidden = -(-hidden // block)
    (plan,) = json.loads(net.explain(analyze=True, format="json"))["plans"]
    first = next(s for s in plan["steps"] if s["pairs"] is not None)
    assert first["pairs"] == present * blocks_of_hidden
    assert first["skipped_pairs"] == (grid - present) * blocks_of_hidden


@pytest.mark.parametrize("block", [(16, 16), (33, 7), None])
def test_embedding_classifier(
    torch: Any, db: gpudb.Database, block: tuple[int, int] | None, report: Report
) -> None:
    random = np.random.default_rng(3)
    table = normal(5000, 64)
    w, b = weights(12, 64)
    lengths = random.integers(0, 60, 40)
    lengths[[3, 39]] = 0  # a text without tokens, and one at the end
    ids = random.integers(0, 5000, lengths.sum(), dtype=np.int32)
    text = np.repeat(np.arange(40, dtype=np.int32), lengths)
    tensors = store(db, block, table=table, ids=ids, text=text, w=w, b=b)
    bags = torch.nn.EmbeddingBag.from_pretrained(torch.tensor(table), mode="mean")
    offsets = torch.tensor(np.cumsum([0, *lengths[:-1]]))
    means = bags(torch.tensor(ids, dtype=torch.int64), offsets)
    expected = torch.softmax(torch.nn.functional.linear(means, torch.tensor(w), torch.tensor(b)), 1)
    table_, ids_, text_, w_, b_ = tensors
    found = embedding_classifier(table_, ids_, text_, 40, w_, b_).collect()
    compare(found, expected, report)


@pytest.mark.parametrize(
    ("channels", "size", "out", "kernel", "stride", "padding", "block"),
    [
        (1, (28, 28), 16, (5, 5), 1, 2, 16),
        (16, (14, 14), 32, (3, 3), 2, 1, 16),
        (3, (61, 47), 20, (7, 4), 3, 2, 13),
        (64, (12, 12), 64, (1, 1), 1, 0, 16),
    ],
)
def test_conv2d(
    torch: Any,
    db: gpudb.Database,
    channels: int,
    size: tuple[int, int],
    out: int,
    kernel: tuple[int, int],
    stride: int,
    padding: int,
    block: int,
    report: Report,
) -> None:
    image = normal(channels, *size)
    filters = normal(out, channels, *kernel, scale=(channels * kernel[0] * kernel[1]) ** -0.5)
    bias = normal(out)
    tensors = store(db, (block, block), image=image, filters=filters, bias=bias)
    found = conv2d(*tensors, stride=stride, padding=padding).collect()
    arguments = map(torch.tensor, (image[None], filters, bias))
    expected = torch.nn.functional.conv2d(*arguments, stride=stride, padding=padding)[0]
    compare(found, expected, report)


@pytest.mark.parametrize("block", [16, 50])
@pytest.mark.parametrize("execution", ["relational", "fused"])
def test_lstm(torch: Any, db: gpudb.Database, execution: str, block: int, report: Report) -> None:
    steps, batch, width, hidden = 12, 20, 40, 64
    db.set(execution=execution)
    torch.manual_seed(0)
    theirs = torch.nn.LSTM(width, hidden)
    x = normal(steps, batch, width)
    tensors = store(
        db,
        (block, block),
        x=x,
        **{name: p.detach().numpy() for name, p in theirs.named_parameters()},
    )
    with torch.no_grad():
        expected = theirs(torch.tensor(x))[0]
    compare(lstm(*tensors).collect(), expected, report)


@pytest.mark.parametrize("execution", ["relational", "fused"])
@pytest.mark.parametrize("block", [(16, 16), (33, 7)])
def test_float64_keeps_its_precision(
    torch: Any, db: gpudb.Database, block: tuple[int, int], execution: str, report: Report
) -> None:
    db.set(execution=execution)
    rows = {"x": sparse_rows((130, 500), 16, 0.2)}
    nets = [weights(128, 500), weights(10, 128, seed=1)]
    layers = {
        f"{kind}{i}": v for i, net in enumerate(nets) for kind, v in zip("wb", net, strict=True)
    }
    x, w0, b0, w1, b1 = (torch.tensor(v) for v in in_float64({**rows, **layers}).values())
    (tx,) = store(db, block, sparse=True, **in_float64(rows))
    tw0, tb0, tw1, tb1 = store(db, block, **in_float64(layers))
    hidden = torch.relu(torch.nn.functional.linear(x, w0, b0))
    expected = torch.softmax(torch.nn.functional.linear(hidden, w1, b1), 1)
    found = feed_forward(tx, [(tw0, tb0), (tw1, tb1)], last="softmax").collect()
    compare(found, expected, report, LARGEST_FLOAT64)

    image = {"image": normal(16, 15, 17)}
    filters = {"filters": normal(20, 16, 3, 3, scale=1 / 12), "bias": normal(20)}
    tensors = store(db, block, **in_float64(image | filters))
    found = conv2d(*tensors, stride=2, padding=1).collect()
    arguments = [torch.tensor(v) for v in in_float64(image | filters).values()]
    expected = torch.nn.functional.conv2d(*arguments, stride=2, padding=1)
    compare(found, expected, report, LARGEST_FLOAT64)

    theirs = torch.nn.LSTM(20, 40).double()
    steps = {"steps": normal(6, 9, 20)}
    parameters = {name: p.detach().numpy() for name, p in theirs.named_parameters()}
    tensors = store(db, block, **in_float64(steps), **parameters)
    with torch.no_grad():
        expected = theirs(torch.tensor(in_float64(steps)["steps"]))[0]
    compare(lstm(*tensors).collect(), expected, report, LARGEST_FLOAT64)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_conv2d_of_an_image_that_lacks_blocks(
    torch: Any, db: gpudb.Database, execution: str, report: Report
) -> None:
    db.set(execution=execution)
    image = normal(16, 64, 64)
    image[:, 16:] = 0  # one row of blocks is there; its neighbours' patches reach into it
    image[:, :, 40:] = 0
    filters, bias = normal(32, 16, 3, 3, scale=1 / 12), normal(32)
    (tensor,) = store(db, (16, 16), sparse=True, image=image)
    assert len(tensor.arrow()) == 3
    others = store(db, (16, 16), filters=filters, bias=bias)
    expected = torch.nn.functional.conv2d(*map(torch.tensor, (image, filters, bias)), padding=1)
    compare(conv2d(tensor, *others, padding=1).collect(), expected, report)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_lstm_over_steps_that_lack_blocks(
    torch: Any, db: gpudb.Database, execution: str, report: Report
) -> None:
    db.set(execution=execution)
    torch.manual_seed(1)
    theirs = torch.nn.LSTM(48, 33)
    x = normal(8, 32, 48)
    x[2:5] = 0  # whole steps without input: the state goes on
    x[:, 16:, 16:] = 0
    tx = db.create_tensor("x", x, block=(1, 16, 16), sparse=True)
    assert len(tx.arrow()) == 5 * (3 + 1)
    others = store(
        db, (16, 16), **{name: p.detach().numpy() for name, p in theirs.named_parameters()}
    )
    with torch.no_grad():
        expected = theirs(torch.tensor(x))[0]
    compare(lstm(tx, *others).collect(), expected, report)
