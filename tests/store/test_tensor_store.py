"""Put, read, share, vacuum."""

from __future__ import annotations

import threading
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.catalog import Partition
from gpudb.catalog.blocks import pages
from gpudb.catalog.models import add_version, drop_version
from gpudb.catalog.tensors import drop_tensor, partitions, tensor, tensors
from gpudb.errors import CatalogError, InputError, SchemaError, StorageError
from gpudb.store import TensorStore, cut
from gpudb.store import tensors as module
from gpudb.types import STORAGE_DTYPES, TensorSchema


@pytest.fixture
def store(tmp_path):
    with TensorStore(tmp_path / "db", verify=True) as opened:
        yield opened


def _values(shape, dtype="float32", seed=0):
    stored = STORAGE_DTYPES[dtype]
    data = np.random.default_rng(seed).bytes(prod(shape) * stored.itemsize)
    return np.frombuffer(data, stored).reshape(shape)


def _schema(name, shape, block=None, dtype="float32"):
    return TensorSchema(name, shape, block or shape, dtype)


def _put(store, name, shape, block=None, dtype="float32", seed=0, version=None):
    return store.put(_schema(name, shape, block, dtype), _values(shape, dtype, seed), version)


def _page_bytes(store):
    return sum(file.stat().st_size for file in store.folder.rglob("*.arrow"))


def _version(store, model="m"):
    return add_version(
        store.catalog,
        model,
        architecture="bert",
        config={},
        plan="{}",
        function={},
        tokenizer=None,
        dtype="float32",
        source="test",
        parameters=0,
        nbytes=0,
    )


@st.composite
def _tensors(draw):
    shape = tuple(draw(st.lists(st.integers(0, 7), min_size=1, max_size=4)))
    block = tuple(draw(st.integers(1, 9)) for _ in shape)
    return shape, block, draw(st.sampled_from(list(STORAGE_DTYPES))), draw(st.integers(0, 99))


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    """One folder for many examples; pages are small, so that tensors cross them."""
    with TensorStore(tmp_path_factory.mktemp("db"), verify=True, page_nbytes=300) as opened:
        yield opened


@settings(max_examples=60)
@given(case=_tensors())
def test_dense_gives_back_every_bit(shared_store, case):
    shape, block, dtype, seed = case
    schema, values = _schema("x", shape, block, dtype), _values(shape, dtype, seed)
    made = shared_store.put(schema, values)
    try:
        found = shared_store.dense(made)
        assert (found.shape, found.dtype) == (shape, STORAGE_DTYPES[dtype])
        assert found.tobytes() == values.tobytes()
        blocks = shared_store.read(tensor(shared_store.catalog, "x"))
        assert blocks.schema == schema
        assert blocks.keys.tolist() == [list(key) for key in np.ndindex(schema.grid)]
        assert blocks.keys.dtype == np.int32
        assert blocks.keys.shape == (schema.blocks, schema.ndim)
        assert sum(len(run) for run in blocks.runs) == schema.blocks
        assert all(run.shape[1:] == block for run in blocks.runs)
    finally:
        drop_tensor(shared_store.catalog, "x")


@pytest.mark.parametrize("rows", [[], [0], [1, 2, 5], [5, 0, 3]])
def test_a_copy_of_some_blocks_equals_their_views(store, rows):
    x = _put(store, "x", (11, 6), (2, 6))
    found = store.read_copy(x, np.array(rows, np.int64))
    views = [block for run in store.read(x, np.array(rows, np.int64)).runs for block in run]
    assert found.shape == (len(rows), 2, 6)
    assert found.tobytes() == b"".join(view.tobytes() for view in views)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_special_values_keep_their_bits(store, dtype):
    bits = {
        "float32": (np.uint32, [0x7FC00001, 0xFFA00001, 0x80000000, 0x7F800000, 1]),
        "float16": (np.uint16, [0x7E01, 0xFD01, 0x8000, 0x7C00, 1]),
        "bfloat16": (np.uint16, [0x7FC1, 0xFFA1, 0x8000, 0x7F80, 1]),
    }
    stored, patterns = bits[dtype]
    values = np.array(patterns, stored).view(STORAGE_DTYPES[dtype])
    made = store.put(_schema("x", (5,), (2,), dtype), values)
    assert store.dense(made).view(stored).tolist() == patterns


def test_edges_are_padded_with_zeros(store):
    blocks = store.read(_put(store, "x", (5, 7), (4, 4)))
    (run,) = blocks.runs
    padded = np.zeros((8, 8), np.float32)
    padded[:5, :7] = _values((5, 7))
    expected = padded.reshape(2, 4, 2, 4).swapaxes(1, 2).reshape(4, 4, 4)
    assert run.tobytes() == np.ascontiguousarray(expected).tobytes()


def test_panels_are_one_view_of_the_page(store):
    blocks = store.read(_put(store, "w", (1000, 48), (128, 48)))
    (run,) = blocks.runs
    assert run.shape == (8, 128, 48)
    assert not run.flags.writeable
    assert run.flags.c_contiguous
    assert run.__array_interface__["data"][0] % 64 == 0
    (page,) = pages(store.catalog)
    assert np.shares_memory(run, store.pages.block(page.hash, 3))
    assert run.reshape(-1, 48)[:1000].tobytes() == _values((1000, 48)).tobytes()


def test_values_need_not_be_contiguous(store):
    values = _values((6, 8)).T
    made = store.put(_schema("x", (8, 6), (3, 4)), values)
    assert store.dense(made).tobytes() == np.ascontiguousarray(values).tobytes()


def test_tensors_given_in_turn_lie_in_turn(store):
    names = ["q", "k", "v"]
    items = [(_schema(n, (8, 16), (4, 16)), _values((8, 16), seed=s)) for s, n in enumerate(names)]
    made = store.put_many(items, _version(store).id)
    (page,) = pages(store.catalog)
    together = store.pages.run(page.hash, 0, 6, 64)
    assert together.tobytes() == b"".join(values.tobytes() for _, values in items)
    runs = [store.read(t).runs[0] for t in made]
    assert [np.shares_memory(run, together) for run in runs] == [True] * 3


def test_a_tensor_that_fits_a_page_is_not_split(tmp_path):
    with TensorStore(tmp_path / "db", verify=True, page_nbytes=1000) as store:
        sizes = [100, 180, 60, 250, 251, 700]
        items = [(_schema(str(n), (s,), (10,)), _values((s,), seed=n)) for n, s in enumerate(sizes)]
        made = store.put_many(items, None)
        assert [len(store.read(t).runs) for t in made] == [1, 1, 1, 1, 2, 3]
        for t, (_, values) in zip(made, items, strict=True):
            assert store.dense(t).tobytes() == values.tobytes()


def test_each_dtype_has_its_own_pages(store):
    items = [
        (_schema(f"{dtype}{n}", (4,), dtype=dtype), _values((4,), dtype, n))
        for n in range(2)
        for dtype in STORAGE_DTYPES
    ]
    store.put_many(items, None)
    found = pages(store.catalog)
    assert {page.dtype: page.blocks for page in found} == dict.fromkeys(STORAGE_DTYPES, 2)
    assert len(found) == len(STORAGE_DTYPES)


def test_a_block_larger_than_a_page_has_its_own(tmp_path):
    with TensorStore(tmp_path / "db", verify=True, page_nbytes=64) as store:
        items = [(_schema(str(s), (s,)), _values((s,), seed=s)) for s in (3, 17, 4)]
        made = store.put_many(items, None)
        assert [page.blocks for page in pages(store.catalog)] == [1, 1, 1]
        assert store.dense(made[1]).tobytes() == items[1][1].tobytes()


def test_equal_blocks_are_stored_once(store):
    first, second = _version(store, "a"), _version(store, "b")
    zeros = np.zeros((64, 8), np.float32)
    store.put(_schema("x", (64, 8), (4, 8)), zeros, first.id)
    (page,) = pages(store.catalog)
    assert page.blocks == 1
    before = _page_bytes(store)
    again = store.put(_schema("y", (64, 8), (4, 8)), zeros, second.id)
    own = store.put(_schema("x", (2, 8), (4, 8)), zeros[:2])
    assert _page_bytes(store) == before
    assert store.dense(again).tobytes() == zeros.tobytes()
    assert store.dense(own).shape == (2, 8)
    assert [len(run) for run in store.read(again).runs] == [1] * 16


def test_importing_again_adds_no_pages(store):
    items = [(_schema(str(n), (9, 5), (2, 5)), _values((9, 5), seed=n)) for n in range(5)]
    store.put_many(items, _version(store).id)
    before = _page_bytes(store), len(pages(store.catalog))
    made = store.put_many(items, _version(store).id)
    assert (_page_bytes(store), len(pages(store.catalog))) == before
    assert [len(store.read(t).runs) for t in made] == [1] * 5
    changed = items[0][1].copy()
    changed.view(np.uint32)[0, 0] ^= 1
    store.put_many([(items[0][0], changed), *items[1:]], _version(store).id)
    assert pages(store.catalog)[-1].blocks == 1


def test_same_bytes_in_another_shape_or_dtype_are_other_blocks(store):
    values = _values((6,), "float16")
    made = [
        store.put(_schema("a", (2, 3), dtype="float16"), values.reshape(2, 3)),
        store.put(_schema("b", (3, 2), dtype="float16"), values.reshape(3, 2)),
        store.put(_schema("c", (6,), dtype="bfloat16"), values.view(np.uint16)),
    ]
    assert [store.dense(t).tobytes() for t in made] == [values.tobytes()] * 3
    assert [store.dense(t).shape for t in made] == [(2, 3), (3, 2), (6,)]
    assert store.catalog.rows("SELECT count(*) FROM stored_block") == [(3,)]


def test_partitions_stay_below_the_limit(store, monkeypatch):
    monkeypatch.setattr(module, "PARTITION_ELEMENTS", 32)
    made = _put(store, "x", (21, 3), (3, 3))
    assert partitions(store.catalog, made.id) == [Partition(0, 3), Partition(3, 3), Partition(6, 1)]
    assert partitions(store.catalog, _put(store, "none", (0, 3), (3, 3)).id) == []


@pytest.mark.parametrize(
    ("schema", "values", "error", "message"),
    [
        (TensorSchema("x", (), ()), np.zeros(()), SchemaError, "at least one axis"),
        (TensorSchema("x", ("n",), ("n",)), np.zeros(3), SchemaError, "has no number yet"),
        (TensorSchema("x", (3,), (3,)), np.zeros(3), InputError, "found .* of float64"),
        (TensorSchema("x", (3,), (3,)), np.zeros(4, "f4"), InputError, r"expected \(3,\) of"),
        (TensorSchema("x", (3,), (3,)), np.zeros(3, ">f4"), InputError, "expected .* of float32"),
        (TensorSchema("x", (1,), (2**30,), "int8"), np.zeros(1, "i1"), SchemaError, "smaller"),
        (TensorSchema("x", (1, 1), (2**40, 2**40)), np.zeros((1, 1), "f4"), SchemaError, "smaller"),
    ],
)
def test_unfit_values_are_refused_and_nothing_is_stored(store, schema, values, error, message):
    good = (_schema("good", (2,)), _values((2,)))
    with pytest.raises(error, match=message):
        store.put_many([good, (schema, values)], None)
    assert tensors(store.catalog) == []


def test_names_taken_are_refused_and_nothing_is_stored(store):
    kept = _put(store, "x", (3,), seed=1)
    items = [(_schema(n, (4,)), _values((4,), seed=2)) for n in ("y", "x")]
    with pytest.raises(CatalogError, match="'x' is there already"):
        store.put_many(items, None)
    assert tensors(store.catalog) == [kept]
    assert store.dense(kept).tobytes() == _values((3,), seed=1).tobytes()


def test_interrupt_leaves_the_catalog_as_it_was(tmp_path):
    with TensorStore(tmp_path / "db", verify=True, page_nbytes=64) as store:
        kept = _put(store, "kept", (40,), (8,), seed=1)
        before = list(store.catalog.rows("SELECT * FROM stored_block")), pages(store.catalog)

        def items():
            for number in range(5):
                yield _schema(str(number), (40,), (8,)), _values((40,), seed=number + 7)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.put_many(items(), None)
        assert tensors(store.catalog) == [kept]
        assert (
            list(store.catalog.rows("SELECT * FROM stored_block")),
            pages(store.catalog),
        ) == before
        kept_bytes = sum(page.nbytes for page in pages(store.catalog))
        removed = _page_bytes(store) - kept_bytes
        assert store.vacuum() == removed > 0
        assert store.dense(kept).tobytes() == _values((40,), seed=1).tobytes()


def test_one_tensor_in_memory_at_a_time(store):
    alive = []

    class Watched(np.ndarray):
        def __del__(self):
            if self.base is None or not isinstance(self.base, Watched):
                alive.remove(id(self))

    def items():
        for number in range(4):
            assert alive == []
            values = np.full((100,), number, np.float32).view(Watched)
            alive.append(id(values))
            item = (_schema(str(number), (100,), (10,)), values)
            del values
            yield item
            del item

    assert len(store.put_many(items(), None)) == 4


def test_vacuum_keeps_what_is_used(store):
    old, new = _version(store), _version(store)
    shared = [(_schema("shared", (8,)), _values((8,), seed=1))]
    store.put_many([*shared, (_schema("gone", (9,)), _values((9,), seed=2))], old.id)
    kept = store.put_many([*shared, (_schema("kept", (7,)), _values((7,), seed=3))], new.id)
    own = _put(store, "own", (6,), seed=4)
    assert store.vacuum() == 0
    drop_version(store.catalog, old.label)
    assert store.vacuum() == 0
    drop_tensor(store.catalog, "own")
    page = pages(store.catalog)[-1]
    assert store.vacuum() == page.nbytes
    assert [store.dense(t).tobytes() for t in kept] == [
        _values((8,), seed=1).tobytes(),
        _values((7,), seed=3).tobytes(),
    ]
    drop_version(store.catalog, new.label)
    assert store.vacuum() > 0
    assert (_page_bytes(store), pages(store.catalog)) == (0, [])
    assert _put(store, "own", (6,), seed=4).schema == own.schema
    assert store.dense(tensor(store.catalog, "own")).tobytes() == _values((6,), seed=4).tobytes()


def test_vacuum_inside_a_transaction_is_refused(store):
    _put(store, "x", (3,))
    with pytest.raises(StorageError, match="inside a transaction"), store.catalog.transaction():
        store.vacuum()
    assert store.dense(tensor(store.catalog, "x")).shape == (3,)


def test_threads_may_write_and_read(store):
    def work(number):
        made = _put(store, str(number), (50, 4), (7, 4), seed=number)
        results[number] = store.dense(made).tobytes()

    results = {}
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: _values((50, 4), seed=n).tobytes() for n in range(4)}


def test_cut_gives_views_where_it_can():
    values = _values((6, 4))
    pieces = list(cut.cut(_schema("x", (6, 4), (4, 4)), values))
    assert [np.shares_memory(piece, values) for piece in pieces] == [True, False]
