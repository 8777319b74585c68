"""Tensors that come in blocks, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.catalog.tensors import tensors
from gpudb.errors import CatalogError, InputError, SchemaError
from gpudb.exec.batch import grid_keys
from gpudb.kernels.reblock import cut
from gpudb.store import TensorStore
from gpudb.types import HostArray, TensorSchema

SCHEMA = TensorSchema("x", (5, 4), (2, 3))
VALUES = np.arange(1, 21, dtype=np.float32).reshape(5, 4)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TensorStore]:
    with TensorStore(tmp_path / "db", verify=True) as opened:
        yield opened


def batches(
    schema: TensorSchema, values: HostArray, step: int
) -> Iterator[tuple[HostArray, HostArray]]:
    keys, blocks = grid_keys(schema), cut(values, schema.block_numbers)
    for first in range(0, len(keys), step):
        yield keys[first : first + step], blocks[first : first + step]


@settings(max_examples=60)
@given(data=st.data())
def test_any_batches_give_what_put_gives(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=3)))
    block = tuple(data.draw(st.integers(1, 8)) for _ in shape)
    sparse = data.draw(st.booleans())
    values = np.random.default_rng(0).integers(-1, 2, shape).astype(np.float32)
    schema = TensorSchema("x", shape, block)
    with TensorStore(None, verify=True, page_nbytes=64) as store:
        whole = store.put(schema.renamed("whole"), values, sparse=sparse)
        step = data.draw(st.integers(1, 9))
        stored = store.put_blocks(schema, batches(schema, values, step), sparse=sparse)
        np.testing.assert_array_equal(store.dense(stored), values)
        np.testing.assert_array_equal(store.keys(stored), store.keys(whole))


def test_blocks_that_never_come_are_zero(store: TensorStore) -> None:
    keys, blocks = grid_keys(SCHEMA)[[1, 4]], cut(VALUES, (2, 3))[[1, 4]]
    stored = store.put_blocks(SCHEMA, [(keys[:1], blocks[:1]), (keys[1:], blocks[1:])])
    expected = np.zeros_like(VALUES)
    expected[:2, 3:], expected[4:, :3] = VALUES[:2, 3:], VALUES[4:, :3]
    np.testing.assert_array_equal(store.dense(stored), expected)


def test_a_batch_may_be_computed_from_the_same_store(store: TensorStore) -> None:
    first = store.put_blocks(SCHEMA, batches(SCHEMA, VALUES, 2))
    doubled = SCHEMA.renamed("doubled")
    rows = np.arange(len(grid_keys(SCHEMA)))
    reading = ((grid_keys(SCHEMA)[[r]], 2 * store.read_copy(first, rows[[r]])) for r in rows)
    np.testing.assert_array_equal(store.dense(store.put_blocks(doubled, reading)), 2 * VALUES)


def test_one_batch_in_memory_at_a_time(store: TensorStore) -> None:
    alive = 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= self.base is None

    def counted() -> Iterator[tuple[HostArray, HostArray]]:
        nonlocal alive
        for number in range(6):
            assert alive == 0
            block = Counted((1, 2, 3), np.float32)
            alive += 1
            block[...] = number
            yield grid_keys(SCHEMA)[[number]], block
            del block

    store.put_blocks(SCHEMA, counted())
    assert alive == 0


KEYS, BLOCKS = grid_keys(SCHEMA), cut(VALUES, (2, 3))


@pytest.mark.parametrize(
    ("schema", "given_batches", "error", "message"),
    [
        (SCHEMA, [(KEYS[:2], BLOCKS[:1])], InputError, "one for each of 2 keys"),
        (SCHEMA, [(KEYS[:1], BLOCKS[:1, :1])], InputError, r"blocks of \(2, 3\)"),
        (SCHEMA, [(KEYS[:1], BLOCKS[:1].astype(float))], InputError, "found .* of float64"),
        (SCHEMA, [(KEYS[:1] + 3, BLOCKS[:1])], InputError, r"grid of \(3, 2\) blocks"),
        (SCHEMA, [(KEYS[:1] - 1, BLOCKS[:1])], InputError, "grid of"),
        (SCHEMA, [(KEYS[:1, :1], BLOCKS[:1])], InputError, "grid of"),
        (SCHEMA, [(KEYS[[1, 0]], BLOCKS[:2])], InputError, "row-major order, each once"),
        (SCHEMA, [(KEYS[:1], BLOCKS[:1])] * 2, InputError, "each once"),
        (SCHEMA.renamed("taken"), [], CatalogError, "there already"),
        (TensorSchema("x", (), ()), [], SchemaError, "at least one axis"),
    ],
)
def test_unfit_blocks_are_refused_and_nothing_is_stored(
    store: TensorStore, schema: TensorSchema, given_batches: object, error: type, message: str
) -> None:
    store.put_blocks(SCHEMA.renamed("taken"), batches(SCHEMA, VALUES, 6))
    before = tensors(store.catalog)
    with pytest.raises(error, match=message):
        store.put_blocks(schema, given_batches)
    assert tensors(store.catalog) == before


def test_an_error_while_blocks_come_stores_nothing(store: TensorStore) -> None:
    def failing() -> Iterator[tuple[HostArray, HostArray]]:
        yield KEYS[:1], BLOCKS[:1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put_blocks(SCHEMA, failing())
    assert tensors(store.catalog) == []
    store.put_blocks(SCHEMA, batches(SCHEMA, VALUES, 6))
