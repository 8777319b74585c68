"""Steps on single elements: blocks that are missing stay so where zero stays zero."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.keys import COMPARE
from gpudb.plan.elementwise import CAST_TO, Cast, FilterElements, ZipScalar
from gpudb.plan.rules import NEEDED
from gpudb.plan.tensor import MAP_FUNCTIONS, ZIP_FUNCTIONS, Map, Zip
from tests import backend_under_test
from tests.exec.operators.checks import check, numbers, sources
from tests.tiny_plans import Arrays, blocks_of, prepared

DTYPES = ["float32", "float64"]
KEEP_ZERO = set(MAP_FUNCTIONS) - {"exp", "sigmoid"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fn", MAP_FUNCTIONS)
def test_map(fn: str, dtype: str) -> None:
    for arrays, x, _ in sources(dtype):
        check(Map(Map(x, "abs") if fn == "sqrt" else x, fn), arrays)


@pytest.mark.parametrize("fn", MAP_FUNCTIONS)
def test_map_leaves_blocks_out_where_zero_stays_zero(fn: str) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([0.0, 0, 1, 2, 0, 0]), (2,), sparse=True)
    blocks = len(prepared(Map(x, fn), arrays, NEEDED).run({}, {}).keys)
    assert blocks == (1 if fn in KEEP_ZERO else 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("value", [-1.5, 0.0, 2.0])
@pytest.mark.parametrize("fn", ZIP_FUNCTIONS)
def test_zip_scalar(fn: str, value: float, swapped: bool, dtype: str) -> None:
    if fn == "divide" and (swapped or value == 0):
        return  # below
    for arrays, x, _ in sources(dtype):
        check(ZipScalar(x, fn, value, swapped), arrays)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("value", [0.0, -2.0, np.inf, np.nan])
@pytest.mark.parametrize("swapped", [False, True])
def test_scalar_division_and_products_as_in_ieee(swapped: bool, value: float, sparse: bool) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([0.0, 0, 1, -2, 0, np.inf, np.nan]), (2,), sparse=sparse)
    for fn in ("divide", "multiply"):
        with np.errstate(all="ignore"):
            check(ZipScalar(x, fn, value, swapped), arrays)


@pytest.mark.parametrize(
    ("fn", "value", "blocks"),
    [("multiply", 2.0, 1), ("add", 0.0, 1), ("add", 1.0, 3), ("maximum", -1.0, 1),
     ("maximum", 1.0, 3), ("divide", 2.0, 1), ("divide", 0.0, 3), ("multiply", np.inf, 3)],
)  # fmt: skip
def test_zip_scalar_leaves_blocks_out_where_zero_stays_zero(
    fn: str, value: float, blocks: int
) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([0.0, 0, 1, 2, 0, 0]), (2,), sparse=True)
    assert len(prepared(ZipScalar(x, fn, value), arrays, NEEDED).run({}, {}).keys) == blocks


def test_a_number_too_large_for_the_dtype_is_infinite() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([1.0, -1.0, 2.0], np.float32), (2,))
    found = blocks_of(prepared(ZipScalar(x, "multiply", 1e300), arrays, NEEDED))
    np.testing.assert_array_equal(found, np.array([[np.inf, -np.inf], [np.inf, 0]], np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compare", COMPARE)
def test_filter_elements(compare: str, dtype: str) -> None:
    for arrays, x, _ in sources(dtype):
        for value in (0.0, 0.5, float(arrays.dense["x"].reshape(-1)[:1].sum())):
            check(FilterElements(x, compare, value), arrays)


@pytest.mark.parametrize("compare", COMPARE)
def test_filter_elements_compares_nan_and_infinity_as_in_ieee(compare: str) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([np.nan, np.inf, -np.inf, -0.0, 1]), (2,))
    for value in (0.0, 1.0, np.inf, np.nan):
        check(FilterElements(x, compare, value), arrays)


def test_filter_elements_does_not_round_its_number() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([0.1], np.float32), (1,))  # a little more than 0.1
    assert check(FilterElements(x, ">", 0.1), arrays)[0] == np.float32(0.1)
    assert check(FilterElements(x, "=", 0.1), arrays)[0] == 0


@pytest.mark.parametrize("to", CAST_TO)
@pytest.mark.parametrize("stored", ["float16", "float32", "float64", "int8", "int32", "int64"])
def test_cast(stored: str, to: str) -> None:
    arrays = Arrays()
    x = arrays.scan("x", (20 * numbers((5, 7))).astype(stored), (2, 3), sparse=True)
    found = check(Cast(x, to), arrays)
    assert found.dtype == np.dtype(to)


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float32", "float32")])
@pytest.mark.parametrize("fn", ZIP_FUNCTIONS)
def test_zip(fn: str, dtypes: tuple[str, str]) -> None:
    for arrays, x, s in sources(dtypes[0]):
        for sparse in (False, True):
            shape = s.numbers
            same = np.abs(numbers(shape, dtypes[1], seed=3))
            vector = np.abs(numbers(shape[-1:], dtypes[1], seed=4))
            for name, right in (("same", same), ("vector", vector)):
                if fn == "divide":
                    right = right + right.dtype.type(1)
                cut_otherwise = tuple(b + 1 for b in s.block_numbers[-right.ndim :])
                for block in (s.block_numbers[-right.ndim :], cut_otherwise):
                    check(Zip(x, arrays.scan(name, right, block, sparse=sparse), fn), arrays)
            check(Zip(x, x, "subtract" if fn == "divide" else fn), arrays)


def _pair(left: list[float], right: list[float]) -> tuple[Arrays, Zip]:
    arrays = Arrays()
    x = arrays.scan("x", np.array(left), (2,), sparse=True)
    y = arrays.scan("y", np.array(right), (2,), sparse=True)
    return arrays, Zip(x, y, "add")


@pytest.mark.parametrize(
    ("fn", "blocks"),
    [("add", 3), ("subtract", 3), ("maximum", 3), ("minimum", 3), ("multiply", 1), ("divide", 2)],
)
def test_zip_makes_the_blocks_it_must(fn: str, blocks: int) -> None:
    arrays, node = _pair([1.0, 2, 3, 4, 0, 0, 0, 0], [0.0, 0, 5, 6, 7, 8, 0, 0])
    ready = prepared(Zip(node.left, node.right, fn), arrays, NEEDED)
    assert len(ready.joined[-1].keys) == blocks
    pairing = ready.joined[-1].pairing
    assert pairing is not None
    assert (pairing.pairs, pairing.skipped) == (blocks, 4 - blocks)


def test_a_missing_block_is_an_exact_zero() -> None:
    arrays, node = _pair([0.0, 0, 3, 4, 1, 0, 0, 0], [np.inf, np.nan, 0, 2, 0, 0, 0, 0])
    product = prepared(Zip(node.left, node.right, "multiply"), arrays, NEEDED).run({}, {})
    to_host = backend_under_test.backend().to_host
    np.testing.assert_array_equal(to_host(product.data), [[0, 8]])  # 0 · inf is not worked out
    quotient = prepared(Zip(node.left, node.right, "divide"), arrays, NEEDED).run({}, {})
    np.testing.assert_array_equal(quotient.keys, [[1], [2]])
    np.testing.assert_array_equal(
        to_host(quotient.data), [[np.inf, 2], [np.inf, np.nan]]
    )  # 1/0, 0/0


@pytest.mark.parametrize("fn", ZIP_FUNCTIONS)
def test_padding_stays_zero_beside_infinity(fn: str) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.full((3, 3), np.inf), (2, 2))
    v = arrays.scan("v", np.array([np.inf, 0, np.nan]), (2,))
    with np.errstate(invalid="ignore", divide="ignore"):
        check(Zip(x, v, fn), arrays)
