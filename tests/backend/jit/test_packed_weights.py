"""Packed weights in plans: where they are put, what they take, and streamed ones' bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.backend import open_backend
from gpudb.backend.jit.compiled.tile import COLUMNS
from gpudb.backend.jit.packing import GROUPS, PackedWeight
from gpudb.backend.jit.target import TARGET
from gpudb.backend.numpy import NumpyBackend
from gpudb.exec import placement, weights
from gpudb.exec.graph import order_steps
from gpudb.exec.operator import Context, Panels
from gpudb.exec.operators.dense_gemm import DenseGemm
from gpudb.exec.operators.pack_weight import PackWeight
from gpudb.exec.prepared import PreparedPlan, prepare
from gpudb.lower import lower
from gpudb.lower.packing import pack_weights
from gpudb.plan.rules import RULES, optimize
from gpudb.plan.tensor import Matmul
from gpudb.store import panels
from tests.backend.jit.factors import numbers
from tests.tiny_model import write_tiny_model
from tests.tiny_plans import Arrays, Encoder, bert_encoder, blocks_of, torch_encoder

HAS = {"float32": True, "bfloat16": TARGET.bfloat16, "int8": TARGET.int8}
PRECISIONS = [
    pytest.param(name, marks=pytest.mark.skipif(not has, reason=f"{TARGET.name} has no {name}"))
    for name, has in HAS.items()
]
TEXTS = ["the cat sat", "a dog", "mat", "", "a cat ran on the mat"] * 3
CONFIG = {"hidden_size": 48, "intermediate_size": 200, "num_hidden_layers": 3}


def ready(encoder: Encoder, backend: Any) -> PreparedPlan:
    physical = pack_weights(lower(optimize(encoder.plan, RULES)), backend.packs)
    return prepare(physical, backend, encoder.arrays)


def packed_steps(plan: PreparedPlan) -> list[int]:
    return [i for i, step in enumerate(plan.steps) if isinstance(step.op, PackWeight)]


@pytest.mark.parametrize("make", [bert_encoder, torch_encoder])
def test_every_matrix_of_a_product_is_packed_once(make: Any) -> None:
    plan = ready(make([3, 0, 5]), open_backend("jit"))
    packed = packed_steps(plan)
    # Query, key and value as one, output, and two of the feed-forward network: of two layers.
    assert len(packed) == 8
    assert len({plan.steps[i].inputs for i in packed}) == 8
    assert all(plan.steps[i].constant for i in packed)


def test_numpy_packs_nothing() -> None:
    encoder = bert_encoder([3, 0, 5])
    plan = ready(encoder, NumpyBackend())
    assert packed_steps(plan) == []
    assert len(plan.steps) == len(ready(encoder, open_backend("jit")).steps) - 8


@pytest.mark.parametrize("block", [None, (4, 3)])
def test_packed_plans_compute_the_same(block: tuple[int, int] | None) -> None:
    encoder = bert_encoder([3, 0, 5, 1], block)
    found, expected = (
        blocks_of(ready(encoder, backend), encoder.inputs, encoder.sizes)
        for backend in (open_backend("jit"), NumpyBackend())
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_model_in_float64_is_not_rounded() -> None:
    encoder = bert_encoder([3, 0, 5, 1], dtype="float64")
    found, expected = (
        blocks_of(ready(encoder, backend), encoder.inputs, encoder.sizes)
        for backend in (open_backend("jit"), NumpyBackend())
    )
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_weight_of_two_products_is_packed_once() -> None:
    arrays = Arrays()
    weight = arrays.scan("w", numbers(6, 6), (2, 6))
    once = Matmul(arrays.scan("x", numbers(5, 6)), weight, transpose_right=True)
    twice = Matmul(once, weight, transpose_right=True)
    root = pack_weights(lower(optimize(twice, RULES)), "float32")
    steps = order_steps(root)
    assert [type(step.op).__name__ for step in steps].count("PackWeight") == 1
    assert [type(step.op).__name__ for step in steps].count("DenseGemm") == 2
    plan = prepare(root, open_backend("jit"), arrays)
    x, w = arrays.dense["x"], arrays.dense["w"]
    np.testing.assert_allclose(blocks_of(plan)[0], x @ w.T @ w.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_counted_is_what_is_held(precision: str) -> None:
    plan = ready(bert_encoder([3, 0, 5], hidden_size=48), open_backend("jit", precision=precision))
    counted, held, room = 0, 0, 0
    for number in packed_steps(plan):
        packed = plan.weights.arrays[number]  # type: ignore[attr-defined]
        assert isinstance(packed, PackedWeight)
        columns, inner = packed.shape
        panels, group = -(-columns // COLUMNS), GROUPS[precision]
        itemsize = packed.panels.itemsize
        assert plan.steps[number].nbytes({}) == columns * inner * itemsize
        counted += plan.steps[number].nbytes({})
        held += packed.nbytes
        # Whole panels, whole groups; a step and a sum for each column of bytes.
        whole = panels * COLUMNS * -(-inner // group) * group * itemsize
        extra = whole + (8 * panels * COLUMNS if precision == "int8" else 0)
        assert packed.nbytes == extra
        room += extra - columns * inner * itemsize
    assert counted <= held == counted + room
    others = [i for i in plan.weights.arrays if i not in packed_steps(plan)]  # type: ignore[attr-defined]
    owned = [i for i in others if not plan.steps[i].op.is_view]
    assert plan.resident_nbytes == counted + sum(plan.steps[i].nbytes({}) for i in owned)


def test_explain_names_the_weights(tmp_path: Path) -> None:
    with gpudb.connect(tmp_path / "db", device="jit") as db:
        db.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        report = db._library.report("tiny", None)
    reads = [" ".join(step.inputs) for step in report.steps if step.operator == "LinearGemm"]
    assert len(reads) == 2
    assert all(".weight" in names and ".bias" in names for names in reads), reads


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_panels_of_a_product_that_packs_nothing_are_not_packed(precision: str, dtype: str) -> None:
    arrays = Arrays()
    x, w = numbers(5, 6).astype(dtype), numbers(7, 6, seed=1).astype(dtype)
    plan = Matmul(arrays.scan("x", x), arrays.scan("w", w, (2, 6)), transpose_right=True)
    backend = open_backend("jit", precision=precision)
    ready = prepare(lower(optimize(plan, RULES)), backend, arrays)
    product, joined = ready.steps[-1].op, ready.joined[-1]
    assert isinstance(product, DenseGemm)
    panels_of = Panels(iter([(0, w[:2]), (2, w[2:])]))
    found = product.run_panels(Context(backend, arrays, {}), joined, x[None], panels_of)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found[0], x @ w.T, rtol=1e-13 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_streamed_weights_give_the_bits_of_resident_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(panels, "PANEL_NBYTES", 2000)
    monkeypatch.setattr(placement, "SMALL_NBYTES", 0)
    monkeypatch.setattr(weights, "SMALL_NBYTES", 0)

    def opened(limit: int | None = None) -> gpudb.Database:
        return gpudb.connect(
            tmp_path / "db", device="jit", precision=precision, threads=1, memory_limit=limit
        )

    with opened() as db:
        db.import_model(write_tiny_model(tmp_path / "model", **CONFIG), "tiny")
        everything = db.embed("tiny", TEXTS)
    most = everything.stats.placement.needed_nbytes
    modes = set()
    for share in (0.8, 0.5):
        limit = int(share * most)
        with opened(limit) as db:
            found = db.embed("tiny", TEXTS)
        placed = found.stats.placement
        modes.add((placed.mode, bool(placed.panel_nbytes)))
        np.testing.assert_array_equal(
            found.numpy("embedding").view(np.uint32),
            everything.numpy("embedding").view(np.uint32),
            f"{placed.mode}, panels: {placed.panel_nbytes}",
        )
        assert found.stats.peak_nbytes <= limit
    assert modes == {("streamed", False), ("streamed", True)}
