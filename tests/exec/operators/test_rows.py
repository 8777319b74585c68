"""Softmax, layer-norm and length one along the last axis: fused, and two-level where it is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from gpudb.exec.operators.layer_norm import LayerNormCut, LayerNormRows
from gpudb.exec.operators.normalize_rows import NormalizeCut, NormalizeRows
from gpudb.exec.operators.row_softmax import RowSoftmaxBlocks, RowSoftmaxCut
from gpudb.exec.report import Setting, report_plan
from gpudb.kernels.reblock import assemble
from gpudb.plan.node import Node
from gpudb.plan.reduce import RowSoftmax
from gpudb.plan.rules import NEEDED, RULES
from gpudb.plan.sequence import Normalize
from gpudb.plan.tensor import Input, LayerNorm, Reblock
from gpudb.types import TensorSchema
from tests.exec.against_dense import check, operator, operators, run_blocks
from tests.tiny_plans import Arrays, blocks_of, prepared

DTYPES = ["float32", "float64"]
SHAPES: list[Any] = [
    ((5, 7), (2, 3)),
    ((5, 7), (2, 7)),
    ((5, 7), (8, 9)),
    ((4, 8), (2, 2)),
    ((3, 4, 9), (2, 3, 4)),
    ((3, 4, 9), (2, 3, 9)),
    ((2, 2, 3, 5), (1, 2, 2, 2)),
    ((6,), (4,)),
    ((6,), (6,)),
    ((1, 1), (1, 1)),
    ((0, 4), (2, 3)),
]


def _layer_norm(arrays: Arrays, x: Node) -> Node:
    random = np.random.default_rng(1)
    width = int(x.schema.shape[-1])
    gamma, beta = (random.standard_normal(width).astype(x.schema.dtype) for _ in range(2))
    return LayerNorm(x, arrays.scan("g", gamma, (2,)), arrays.scan("b", beta, (3,)), 1e-5)


STEPS: dict[str, Callable[[Arrays, Node], Node]] = {
    "softmax": lambda arrays, x: RowSoftmax(x),
    "layer_norm": _layer_norm,
    "normalize": lambda arrays, x: Normalize(x, 1e-6),
}
FORMS = {
    "softmax": (RowSoftmaxBlocks, RowSoftmaxCut),
    "layer_norm": (LayerNormRows, LayerNormCut),
    "normalize": (NormalizeRows, NormalizeCut),
}


@pytest.mark.parametrize("rules", [NEEDED, RULES], ids=["needed", "all"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "block"), SHAPES)
@pytest.mark.parametrize("step", STEPS)
def test_any_rank_any_block(step: str, shape: Any, block: Any, dtype: str, rules: Any) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    arrays = Arrays()
    check(STEPS[step](arrays, arrays.scan("x", x, block)), arrays, rules)


@pytest.mark.parametrize("step", ["layer_norm", "normalize"])
def test_rows_without_elements(step: str) -> None:
    arrays = Arrays()
    plan = STEPS[step](arrays, arrays.scan("x", np.zeros((3, 0)), (2, 2)))
    assert prepared(plan, arrays).run({}, {}).data.shape[0] == 0


@pytest.mark.parametrize("step", STEPS)
def test_the_planner_chooses_the_form(step: str) -> None:
    arrays = Arrays()
    x = np.ones((5, 6), np.float32)
    fused, cut = FORMS[step]
    for block in ((5, 6), (2, 6), (2, 8)):
        plan = STEPS[step](arrays, arrays.scan("x", x, block))
        assert operator(plan, fused).detail() == "fused"
    op = operator(STEPS[step](arrays, arrays.scan("x", x, (5, 4))), cut)
    assert op.detail() == "two-level over 2 blocks"


@pytest.mark.parametrize(("width", "form"), [(6, "fused"), (4, "two-level over 2 blocks")])
@pytest.mark.parametrize("step", STEPS)
def test_explain_shows_the_form(step: str, width: int, form: str) -> None:
    arrays = Arrays()
    plan = STEPS[step](arrays, arrays.scan("x", np.ones((5, 6)), (2, width)))
    kind = FORMS[step][form != "fused"]
    report = report_plan(prepared(plan, arrays), step, Setting({}))
    (shown,) = (line for line in report.steps if line.operator == kind.__name__)
    assert form in shown.detail


@pytest.mark.parametrize("block", [(5, 6), (2, 6), (2, 4), (9, 9)])
@pytest.mark.parametrize("step", STEPS)
def test_rows_are_not_cut_again(step: str, block: Any) -> None:
    arrays = Arrays()
    plan = STEPS[step](arrays, arrays.scan("x", np.ones((5, 6)), block))
    assert plan.schema.block == block
    reblocked = [op.out.name for op in operators(plan) if type(op).__name__ == "ReblockGrid"]
    assert "x" not in reblocked


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [2, 3, 6, 8])
def test_softmax_of_odd_rows(width: int, dtype: str) -> None:
    rows = np.array(
        [
            [-np.inf] * 6,
            [-np.inf, -np.inf, -np.inf, 1, 2, 3],
            [0, 1, 2, -np.inf, -np.inf, -np.inf],
            [np.inf, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, np.nan],
            [1e4, -1e4, 1e4, 0, 0, 9999],
            [-1e4] * 6,
            [0] * 6,
            [3e38, -3e38, 0, 0, 0, 0],
        ],
        dtype,
    )
    arrays = Arrays()
    check(RowSoftmax(arrays.scan("x", rows, (2, width))), arrays)


@pytest.mark.parametrize("width", [2, 6])
@pytest.mark.parametrize("step", ["layer_norm", "normalize"])
def test_nan_and_infinity_stay_in_their_row(step: str, width: int) -> None:
    x = np.random.default_rng(0).standard_normal((5, 6))
    x[1, 4], x[2, 0], x[3, 5] = np.nan, np.inf, -np.inf
    arrays = Arrays()
    check(STEPS[step](arrays, arrays.scan("x", x, (2, width))), arrays)


@pytest.mark.parametrize("width", [2, 6])
def test_the_length_of_large_rows_does_not_overflow(width: int) -> None:
    x = np.array([[3e30, 0, 4e30, 0, 0, 0], [0] * 6, [1, 0, 0, 0, 0, 0]], np.float32)
    arrays = Arrays()
    found = check(Normalize(arrays.scan("x", x, (2, width)), 1e-12), arrays)
    np.testing.assert_allclose(found[0, [0, 2]], [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("width", [50, 300])
def test_layer_norm_of_rows_far_from_zero(width: int) -> None:
    x = 1e4 + np.random.default_rng(0).standard_normal((4, 300))
    arrays = Arrays()
    check(_layer_norm(arrays, arrays.scan("x", x, (3, width))), arrays)


def test_missing_blocks_are_zeros() -> None:
    x = np.zeros((6, 8))
    x[:2, :3], x[4:, 5:] = -1, 2
    for step in STEPS:
        for block in ((2, 3), (2, 8)):
            arrays = Arrays()
            check(STEPS[step](arrays, arrays.scan("x", x, block, sparse=True)), arrays)


@pytest.mark.parametrize("tokens", [0, 1, 5])
@pytest.mark.parametrize("width", [4, 3])
@pytest.mark.parametrize("step", STEPS)
def test_named_extents(step: str, width: int, tokens: int) -> None:
    arrays = Arrays()
    values = np.random.default_rng(0).standard_normal((tokens, 4))
    schema = TensorSchema("x", ("tokens", 4), ("tokens", 4), "float64")
    x: Node = Input(schema)
    if width != 4:
        x = Reblock(x, ("tokens", width))
    blocks = blocks_of(prepared(STEPS[step](arrays, x), arrays), {"x": values}, {"tokens": tokens})
    assert blocks.shape == (-(-4 // width), tokens, width)
    found = np.concatenate(list(blocks), axis=1)[:, :4]
    again = Arrays()
    plan = STEPS[step](again, again.scan("x", values))
    expected = check(plan, again) if tokens else np.zeros((0, 4))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=150)
@given(
    numbers.arrays(np.float64, (3, 11), elements=st.floats(-1e4, 1e4, width=32)),
    st.sampled_from(sorted(STEPS)),
    st.integers(1, 10),
)
def test_both_forms_agree(x: Any, step: str, width: int) -> None:
    found = []
    for block in (width, 11):
        arrays = Arrays()
        plan = STEPS[step](arrays, arrays.scan("x", x, (2, block)))
        blocks = run_blocks(prepared(plan, arrays, NEEDED))
        found.append(assemble(blocks, x.shape, (2, block)))
    # Rows of almost equal numbers are divided by as little as 3e-3, after a difference of 1e4.
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-8)
