"""Schemas and dtypes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.errors import SchemaError
from gpudb.types import (
    STORAGE_DTYPES,
    TensorSchema,
    computed_dtype,
    storage_dtype,
    widen,
)


@st.composite
def schemas(draw: st.DrawFn) -> TensorSchema:
    axes = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(0, 9)) for _ in range(axes))
    block = tuple(draw(st.integers(1, 12)) for _ in range(axes))
    return TensorSchema("t", shape, block, draw(st.sampled_from(sorted(STORAGE_DTYPES))))


@given(schemas())
def test_the_grid_holds_every_element(schema: TensorSchema) -> None:
    elements = set(product(*map(range, schema.numbers)))
    keys = {
        tuple(i // b for i, b in zip(element, schema.block_numbers, strict=True))
        for element in elements
    }
    assert keys == (set(product(*map(range, schema.grid))) if elements else set())
    assert schema.blocks == len(list(product(*map(range, schema.grid))))
    block_elements = len(list(product(*map(range, schema.block_numbers))))
    assert schema.block_nbytes == block_elements * STORAGE_DTYPES[schema.dtype].itemsize
    assert schema.nbytes == schema.blocks * schema.block_nbytes
    assert schema.is_one_block == (schema.blocks == 1 and block_elements == len(elements))


def test_one_block() -> None:
    schema = TensorSchema.one_block("x", ("tokens", 3), "float64")
    assert schema.is_one_block
    assert schema == TensorSchema("x", ("tokens", 3), ("tokens", 3), "float64")
    assert TensorSchema.one_block("x", (0, 3)).block == (1, 3)
    assert not TensorSchema("x", (3, 3), (4, 3)).is_one_block


def test_a_tensor_without_elements_has_no_block() -> None:
    empty = TensorSchema.one_block("x", (0, 3))
    assert empty.grid == (0, 1)
    assert empty.nbytes == 0
    assert not empty.is_one_block


def test_bind_gives_named_extents_their_numbers() -> None:
    schema = TensorSchema("x", ("tokens", 6), ("tokens", 4))
    assert not schema.is_bound
    bound = schema.bind({"tokens": 5, "other": 1})
    assert bound == TensorSchema("x", (5, 6), (5, 4))
    assert bound.grid == (1, 2)
    assert bound.bind({}) is bound
    assert schema.bind({"tokens": 0}).nbytes == 0
    with pytest.raises(SchemaError, match=r"x: no size given for \['tokens'\].*'rows': 1"):
        schema.bind({"rows": 1})


@pytest.mark.parametrize("part", ["numbers", "block_numbers", "grid", "nbytes"])
def test_an_unbound_schema_has_no_numbers(part: str) -> None:
    schema = TensorSchema("x", ("tokens",), ("tokens",))
    with pytest.raises(SchemaError, match=r"x: extent 'tokens' has no number yet; call bind"):
        getattr(schema, part)


@pytest.mark.parametrize(
    ("shape", "block", "message"),
    [
        ((2, 3), (2,), "2 axes.*1; give one block extent per axis"),
        (("tokens",), (4,), "'tokens' cannot be cut into 4"),
        ((4,), ("tokens",), "4 cannot be cut into 'tokens'"),
        (("a",), ("b",), "'a' cannot be cut into 'b'"),
        ((-1,), (1,), r"found shape \(-1,\) in blocks \(1,\)"),
        ((3,), (0,), r"blocks >= 1"),
    ],
)
def test_bad_schemas(shape: Any, block: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=f"weight: .*{message}"):
        TensorSchema("weight", shape, block)


def test_unknown_dtypes_are_named_with_the_known_ones() -> None:
    with pytest.raises(SchemaError, match=r"'complex64'.*float32") as caught:
        TensorSchema("x", (1,), (1,), "complex64")
    assert all(known in str(caught.value) for known in STORAGE_DTYPES)


def test_text_and_renaming() -> None:
    assert (
        str(TensorSchema("x", ("tokens", 6), ("tokens", 4)))
        == "tokens×6 float32 in tokens×4 blocks"
    )
    assert str(TensorSchema.one_block("x", (2, 3), "int8")) == "2×3 int8"
    schema = TensorSchema("x", (4,), (2,), "float16")
    assert schema.renamed("y") == TensorSchema("y", (4,), (2,), "float16")


@pytest.mark.parametrize("dtype", STORAGE_DTYPES)
def test_storage_is_little_endian(dtype: str) -> None:
    found = storage_dtype(dtype)
    assert found == STORAGE_DTYPES[dtype]
    assert found.newbyteorder("<") == found


def test_computed_dtype() -> None:
    assert computed_dtype("float16", "bfloat16") == "float32"
    assert computed_dtype("float16", "float64") == "float64"


def test_every_half_number_is_widened_exactly() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    half = bits.view(np.float16)
    np.testing.assert_array_equal(widen(half, "float16"), half.astype(np.float64))
    brain = widen(bits, "bfloat16")
    assert brain.dtype == np.float32
    np.testing.assert_array_equal(brain.view(np.uint32), bits.astype(np.uint32) << 16)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "int8"])
def test_the_other_dtypes_stay_views(dtype: str) -> None:
    x = np.arange(3, dtype=dtype)
    assert widen(x, dtype) is x
