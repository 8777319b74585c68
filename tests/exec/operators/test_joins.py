"""Joins of blocks on keys, and products summed over a key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.backend import NumpyBackend
from gpudb.exec import chunks
from gpudb.exec.operators.contract_blocks import ContractBlocks
from gpudb.exec.operators.dense_gemm import DenseGemm
from gpudb.exec.operators.join_products import JoinProducts
from gpudb.exec.operators.zip_blocks import ZipBlocks
from gpudb.plan.relational import (
    JOIN_KERNELS,
    PRODUCTS,
    Aggregate,
    Contract,
    Join,
    contracted_axes,
)
from gpudb.plan.rules import NEEDED
from gpudb.plan.tensor import ZIP_FUNCTIONS, Map, Matmul
from tests.exec.operators.checks import check, numbers, operator
from tests.tiny_plans import Arrays, blocks_of, prepared

DTYPES = [("float32", "float32"), ("float64", "float64"), ("float32", "float64")]

SPARSE = [(False, False), (True, False), (True, True)]

JOINS: list[tuple[Any, ...]] = [
    # left shape, blocks; right shape, blocks; on
    ((5, 7), (2, 3), (7, 4), (3, 3), ((1, 0),)),
    ((5, 7), (2, 3), (7, 4), (2, 4), ((1, 0),)),  # cut otherwise: aligned first
    ((5, 7), (9, 9), (7, 4), (9, 9), ((1, 0),)),
    ((1, 1), (1, 1), (1, 1), (1, 1), ((1, 0),)),
    ((5,), (2,), (5, 3), (2, 2), ((0, 0),)),
    ((4, 5), (3, 2), (5,), (2,), ((1, 0),)),
    ((5,), (2,), (5,), (2,), ((0, 0),)),
    ((0, 3), (2, 2), (3, 4), (2, 2), ((1, 0),)),
    ((4, 0), (2, 2), (0, 4), (2, 2), ((1, 0),)),
    ((3, 4, 5), (2, 3, 2), (5, 3), (2, 2), ((2, 0),)),
    ((3, 4, 5), (2, 3, 2), (3, 5, 4), (2, 2, 3), ((0, 0), (2, 1))),
    ((3, 4, 5), (2, 3, 2), (4, 5, 3), (3, 2, 2), ((2, 1), (0, 2))),
    ((3, 4, 5), (1, 2, 2), (2, 4, 5, 3), (2, 2, 2, 1), ((1, 1), (2, 2), (0, 3))),
]
TRANSPOSED: list[tuple[Any, ...]] = [
    ((5, 7), (2, 3), (4, 7), (3, 3), ((1, 1),)),
    ((5, 7), (2, 3), (7,), (3,), ((1, 0),)),
    ((3, 4, 5), (2, 3, 2), (2, 3, 5), (2, 2, 2), ((0, 1), (2, 2))),
]


def _tensors(
    case: tuple[Any, ...], dtypes: tuple[str, str], sparse: tuple[bool, bool]
) -> tuple[Arrays, Any, Any]:
    arrays = Arrays()
    shape, block, other, other_block, _ = case
    left = arrays.scan("left", numbers(shape, dtypes[0], 1), block, sparse=sparse[0])
    right = arrays.scan("right", numbers(other, dtypes[1], 2), other_block, sparse=sparse[1])
    return arrays, left, right


@pytest.mark.parametrize("dtypes", DTYPES, ids=str)
@pytest.mark.parametrize("case", JOINS, ids=str)
@pytest.mark.parametrize("kernel", [k for k in ZIP_FUNCTIONS if k != "divide"])
def test_elementwise_join(kernel: str, case: tuple[Any, ...], dtypes: tuple[str, str]) -> None:
    for sparse in SPARSE:
        arrays, left, right = _tensors(case, dtypes, sparse)
        check(Join(left, right, case[-1], kernel), arrays)
        check(Join(left, right, (), kernel), arrays)


@pytest.mark.parametrize("case", JOINS, ids=str)
def test_join_divides(case: tuple[Any, ...]) -> None:
    arrays, left, right = _tensors(case, ("float64", "float64"), (True, False))
    check(Join(left, Map(right, "exp"), case[-1], "divide"), arrays)


@pytest.mark.parametrize("dtypes", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("kernel", "case"),
    [("matmul", case) for case in JOINS] + [("matmul_transposed", case) for case in TRANSPOSED],
    ids=str,
)
def test_products(kernel: str, case: tuple[Any, ...], dtypes: tuple[str, str]) -> None:
    """As a join, as a join that is summed, as a contraction of every pair of joined axes."""
    for sparse in SPARSE:
        arrays, left, right = _tensors(case, dtypes, sparse)
        on = case[-1]
        for summed in on:
            if left.schema.ndim + right.schema.ndim - len(on) >= 2:
                check(Contract(left, right, on, summed), arrays)
        if contracted_axes(kernel, left.schema.ndim, right.schema.ndim) not in on:
            continue
        joined = Join(left, right, on, kernel)
        check(joined, arrays)
        kept = tuple(a for a in range(joined.schema.ndim) if a != joined.contracted[0])
        check(Aggregate(joined, kept, "sum"), arrays)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("blocks", [((2, 3), (3, 2)), ((5, 7), (7, 4)), ((1, 1), (1, 1))], ids=str)
def test_matmul(blocks: Any, transpose: bool) -> None:
    for sparse in SPARSE:
        arrays = Arrays()
        right = numbers((7, 4), seed=2)
        left = arrays.scan("left", numbers((5, 7), seed=1), blocks[0], sparse=sparse[0])
        stored, cut = (right.T.copy(), blocks[1][::-1]) if transpose else (right, blocks[1])
        b = arrays.scan("right", stored, cut, sparse=sparse[1])
        check(Matmul(left, b, transpose), arrays)


@pytest.mark.parametrize("nbytes", [1, 200, 1000])
def test_parts_give_the_same(monkeypatch: pytest.MonkeyPatch, nbytes: int) -> None:
    monkeypatch.setattr(chunks, "SCRATCH_NBYTES", nbytes)
    for case in (JOINS[0], JOINS[-1], JOINS[-2]):
        for sparse in ((False, False), (True, True)):
            arrays, left, right = _tensors(case, ("float64", "float64"), sparse)
            check(Contract(left, right, case[-1], case[-1][0]), arrays)
            check(Aggregate(Join(left, right, case[-1], "add"), (0,), "sum"), arrays)
    arrays, left, right = _tensors(JOINS[0], ("float64", "float64"), (True, True))
    check(Join(left, right, ((1, 0),), "matmul"), arrays)


def test_launches_are_those_that_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays, left, right = _tensors(JOINS[0], ("float64", "float64"), (False, False))
    joined = Join(left, right, ((1, 0),), "matmul")
    for plan, kind in ((Matmul(left, right), ContractBlocks), (joined, JoinProducts)):
        for nbytes in (1, 600, 1 << 20):
            monkeypatch.setattr(chunks, "SCRATCH_NBYTES", nbytes)
            backend = _Counting()
            ready = prepared(plan, arrays, NEEDED, backend)
            ready.run({}, {})
            _, decided = operator(ready, kind)
            assert decided.pairing.launches == backend.launches
            assert (backend.launches == 1) == (nbytes > 600)


class _Counting(NumpyBackend):
    """Counts its batched GEMMs."""

    launches = 0

    def matmul(self, *args: Any, **more: Any) -> Any:
        self.launches += 1
        return super().matmul(*args, **more)


@pytest.mark.parametrize("kernel", JOIN_KERNELS)
def test_pairs_and_what_was_skipped(kernel: str) -> None:
    arrays = Arrays()
    a = np.ones((4, 6))
    a[:2, :2] = 0  # one block of six
    b = np.ones((6, 4)) if kernel != "matmul_transposed" else np.ones((4, 6))
    b[-2:, -2:] = 0  # one block of six
    on = ((1, 1 if kernel == "matmul_transposed" else 0),)
    left = arrays.scan("a", a, (2, 2), sparse=True)
    right = arrays.scan("b", b, (2, 2), sparse=True)
    ready = prepared(Join(left, right, on, kernel), arrays)
    _, decided = operator(ready, JoinProducts if kernel in PRODUCTS else ZipBlocks)
    pairs = {"divide": 10, "multiply": 8, **dict.fromkeys(PRODUCTS, 8)}.get(kernel, 12)
    assert (decided.pairing.pairs, decided.pairing.skipped) == (pairs, 12 - pairs)


def test_a_result_block_that_no_pair_reaches_is_missing() -> None:
    arrays = Arrays()
    diagonal = np.kron(np.eye(3), np.ones((2, 2)))
    left = arrays.scan("left", diagonal, (2, 2), sparse=True)
    right = arrays.scan("right", diagonal * 3, (2, 2), sparse=True)
    ready = prepared(Matmul(left, right), arrays)
    op, decided = operator(ready, ContractBlocks)
    np.testing.assert_array_equal(decided.keys, [[0, 0], [1, 1], [2, 2]])
    assert (decided.pairing.pairs, decided.pairing.skipped) == (3, 24)
    assert op.detail() == "sum over 1 = 0"
    check(Matmul(left, right), arrays)


def test_a_missing_block_is_an_exact_zero_in_products() -> None:
    arrays = Arrays()
    left = arrays.scan("left", np.array([[0.0, 0, 1, 2]]), (1, 2), sparse=True)
    right = arrays.scan("right", np.array([[np.inf], [np.nan], [3], [4]]), (2, 1))
    found = blocks_of(prepared(Matmul(left, right), arrays, NEEDED))
    np.testing.assert_array_equal(found, [[[11]]])


def test_padding_stays_zero_beside_infinity() -> None:
    arrays = Arrays()
    left = arrays.scan("left", np.ones((3, 3)), (2, 2))
    right = arrays.scan("right", np.full((3, 3), np.inf), (2, 2))
    for plan in (
        Matmul(left, right),
        Join(left, right, ((1, 0),), "matmul"),
        Join(left, right, ((1, 0),), "multiply"),
        Contract(left, right, ((0, 0), (1, 1)), (0, 0)),
    ):
        with np.errstate(invalid="ignore"):
            check(plan, arrays)


def test_matrices_in_one_block_are_one_gemm() -> None:
    arrays = Arrays()
    left = arrays.scan("left", numbers((5, 7)))
    right = arrays.scan("right", numbers((7, 4)))
    ready = prepared(Matmul(left, right), arrays)
    assert isinstance(ready.steps[-1].op, DenseGemm)


def test_pairs_are_summed_in_the_order_of_the_key() -> None:
    # In any other order the small number would survive.
    arrays = Arrays()
    left = arrays.scan("left", np.ones((1, 3), np.float32), (1, 1))
    right = arrays.scan("right", np.array([[1e8], [1.0], [-1e8]], np.float32), (1, 1))
    summed = prepared(
        Aggregate(Join(left, right, ((1, 0),), "matmul"), (0, 2), "sum"), arrays, NEEDED
    )
    assert blocks_of(summed).item() == 0
