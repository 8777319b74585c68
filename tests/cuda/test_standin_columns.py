"""The stand-ins for rmm and pylibcudf: limits of memory, list columns, joins, Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda.standin import stubs

KIB = 1024


@pytest.fixture
def cp() -> Iterator[Any]:
    pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin(device_nbytes=256 * KIB) as module:
        yield module


@pytest.fixture
def plc(cp: Any) -> Any:
    import pylibcudf

    return pylibcudf


@pytest.fixture
def rmm(cp: Any) -> Any:
    import rmm

    return rmm


def numbers(cp: Any, column: Any) -> list[Any]:
    """The values of a column, read through CuPy."""
    from tests.cuda.standin.plc.types import dtype_of

    flat = cp.asarray(column.data()).view(dtype_of(column.type()))
    return list(flat[column.offset() : column.offset() + column.size()].get())


def column(cp: Any, plc: Any, values: Any) -> Any:
    return plc.Column.from_cuda_array_interface(cp.asarray(values))


# rmm


def test_a_pool_keeps_its_maximum(cp: Any, rmm: Any) -> None:
    pool = rmm.mr.PoolMemoryResource(
        rmm.mr.CudaMemoryResource(), initial_pool_size=4 * KIB, maximum_pool_size=8 * KIB
    )
    rmm.mr.set_current_device_resource(pool)
    cp.cuda.set_allocator(rmm.allocators.cupy.rmm_cupy_allocator)
    x = cp.empty(4 * KIB, np.uint8)
    y = cp.empty(4 * KIB, np.uint8)
    assert pool.pool_size() == 8 * KIB
    with pytest.raises(MemoryError, match="Maximum pool size exceeded"):
        cp.empty(1, np.uint8)
    del x
    z = cp.empty(4 * KIB, np.uint8)
    assert (z.get() == 0xFF).all()
    assert y.size == z.size


def test_a_pool_over_more_than_the_device_has(rmm: Any) -> None:
    with pytest.raises(MemoryError, match="bad_alloc"):
        rmm.mr.PoolMemoryResource(rmm.mr.CudaMemoryResource(), initial_pool_size=512 * KIB)


def test_limits_and_statistics(cp: Any, rmm: Any) -> None:
    counted = rmm.mr.StatisticsResourceAdaptor(rmm.mr.CudaMemoryResource())
    limited = rmm.mr.LimitingResourceAdaptor(counted, allocation_limit=KIB)
    rmm.mr.set_current_device_resource(limited)
    cp.cuda.set_allocator(rmm.allocators.cupy.rmm_cupy_allocator)
    x = cp.empty(1000, np.uint8)
    assert limited.get_allocated_bytes() == KIB  # rounded up to 256 bytes
    with pytest.raises(MemoryError, match="Exceeded memory limit"):
        cp.empty(1, np.uint8)
    del x
    assert limited.get_allocated_bytes() == 0
    counts = counted.allocation_counts
    assert (counts.current_bytes, counts.peak_bytes, counts.total_count) == (0, KIB, 1)


def test_results_of_libcudf_count_as_well(cp: Any, plc: Any, rmm: Any) -> None:
    keys = plc.Table([column(cp, plc, np.arange(300))])
    limited = rmm.mr.LimitingResourceAdaptor(rmm.mr.CudaMemoryResource(), KIB)
    rmm.mr.set_current_device_resource(limited)
    with pytest.raises(MemoryError):
        plc.join.inner_join(keys, keys, plc.types.NullEquality.EQUAL)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda rmm: rmm.mr.PoolMemoryResource(initial_pool_size=256),
        lambda rmm: rmm.mr.PoolMemoryResource(rmm.mr.CudaMemoryResource(), pool_size=256),
        lambda rmm: rmm.mr.set_current_device_resource("pool"),
        lambda rmm: rmm.mr.LimitingResourceAdaptor(512),
    ],
)
def test_wrong_calls_of_rmm(rmm: Any, mistake: Any) -> None:
    with pytest.raises(TypeError):
        mistake(rmm)


def test_sizes_of_a_pool_are_whole_blocks(rmm: Any) -> None:
    with pytest.raises(ValueError, match="multiple of 256"):
        rmm.mr.PoolMemoryResource(rmm.mr.CudaMemoryResource(), initial_pool_size=100)


# Columns


def test_blocks_as_a_list_column_without_a_copy(cp: Any, plc: Any) -> None:
    blocks = cp.asarray(np.arange(24, dtype=np.float32).reshape(3, 8))
    lists = plc.Column.from_cuda_array_interface(blocks)
    assert lists.type() == plc.DataType(plc.TypeId.LIST)
    assert lists.size() == 3
    assert numbers(cp, lists.list_view().offsets()) == [0, 8, 16, 24]
    child = lists.list_view().child()
    back = cp.asarray(child.data()).view(np.float32).reshape(3, 8)
    assert back.data.ptr == blocks.data.ptr
    assert np.array_equal(back.get(), blocks.get())


def test_a_list_column_from_its_parts(cp: Any, plc: Any) -> None:
    offsets = column(cp, plc, np.array([0, 2, 5], np.int32))
    child = column(cp, plc, np.arange(5, dtype=np.float32))
    kind = plc.DataType(plc.TypeId.LIST)
    lists = plc.Column(kind, 2, None, None, 0, 0, [offsets, child])
    assert lists.list_view().child() is child
    later = plc.Column(kind, 1, None, None, 0, 1, [offsets, child])
    assert numbers(cp, later.list_view().get_sliced_child()) == [2, 3, 4]
    child = plc.Column(child.type(), 3, child.data(), None, 0, 2, [])
    shorter = plc.Column(kind, 1, None, None, 0, 1, [column(cp, plc, np.int32([0, 1, 3])), child])
    assert numbers(cp, shorter.list_view().get_sliced_child()) == [3, 4]


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda cp, plc: column(cp, plc, np.ones(3, np.float16)), ValueError),
        (lambda cp, plc: plc.Column.from_cuda_array_interface(np.ones(3)), TypeError),
        (
            lambda cp, plc: plc.Column.from_cuda_array_interface(cp.zeros((3, 4)).T),
            ValueError,
        ),
        (
            lambda cp, plc: plc.Column(
                plc.DataType(plc.TypeId.INT32), 4, plc.gpumemoryview(cp.zeros(1)), None, 0, 0, []
            ),
            ValueError,
        ),
        (
            lambda cp, plc: plc.Column(
                *(plc.DataType(plc.TypeId.LIST), 2, None, None, 0, 0),
                [column(cp, plc, np.zeros(2, np.int32)), column(cp, plc, np.zeros(2))],
            ),
            ValueError,
        ),
        (lambda cp, plc: column(cp, plc, np.zeros(3)).list_view(), TypeError),
        (lambda cp, plc: plc.DataType(1), TypeError),
        (lambda cp, plc: plc.Column(plc.DataType(plc.TypeId.INT32), 0), TypeError),
    ],
    ids=[
        "float16",
        "host",
        "strided",
        "too_short",
        "too_few_offsets",
        "no_list",
        "no_type_id",
        "missing",
    ],
)
def test_columns_that_are_wrong(cp: Any, plc: Any, mistake: Any, error: type) -> None:
    with pytest.raises(error):
        mistake(cp, plc)


# Functions


def test_a_join_gives_all_pairs_in_no_order(cp: Any, plc: Any) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 9, (40, 2)), rng.integers(0, 9, (30, 2))
    tables = [
        plc.Table([column(cp, plc, np.ascontiguousarray(t[:, i])) for i in range(2)])
        for t in (left, right)
    ]
    orders = []
    for _ in range(2):
        maps = plc.join.inner_join(*tables, plc.types.NullEquality.EQUAL)
        assert maps[0].type().id() is plc.TypeId.INT32
        orders.append(list(zip(*(numbers(cp, m) for m in maps), strict=True)))
    want = [(i, j) for i in range(40) for j in range(30) if (left[i] == right[j]).all()]
    assert sorted(orders[0]) == sorted(orders[1]) == want
    assert orders[0] != orders[1]
    assert want not in orders


def test_a_join_of_other_types(cp: Any, plc: Any) -> None:
    left, right = (plc.Table([column(cp, plc, np.arange(3, dtype=t))]) for t in ("i4", "i8"))
    with pytest.raises(TypeError, match="types"):
        plc.join.inner_join(left, right, plc.types.NullEquality.EQUAL)
    with pytest.raises(TypeError):
        plc.join.inner_join(left, left)


def test_sorting_is_stable(cp: Any, plc: Any) -> None:
    first, second = np.array([2, 1, 2, 1, 0]), np.array([1, 5, 0, 5, 9])
    table = plc.Table([column(cp, plc, first), column(cp, plc, second)])
    order = plc.types.Order.ASCENDING
    got = plc.sorting.stable_sorted_order(
        table, [order, order], [plc.types.NullOrder.AFTER, plc.types.NullOrder.AFTER]
    )
    assert numbers(cp, got) == [4, 1, 3, 2, 0]


def test_gathering_and_concatenating_lists(cp: Any, plc: Any) -> None:
    lists = column(cp, plc, np.arange(12, dtype=np.int64).reshape(4, 3))
    rows = column(cp, plc, np.array([3, 0], np.int32))
    policy = plc.copying.OutOfBoundsPolicy.DONT_CHECK
    (got,) = plc.copying.gather(plc.Table([lists]), rows, policy).columns()
    assert numbers(cp, got.list_view().child()) == [9, 10, 11, 0, 1, 2]
    both = plc.concatenate.concatenate([got, lists])
    assert both.size() == 6
    assert numbers(cp, both.list_view().offsets()) == [0, 3, 6, 9, 12, 15, 18]
    assert numbers(cp, both.list_view().child())[:7] == [9, 10, 11, 0, 1, 2, 0]


def test_gathering_rows_that_are_not_there(cp: Any, plc: Any) -> None:
    table = plc.Table([column(cp, plc, np.arange(3))])
    policy = plc.copying.OutOfBoundsPolicy.DONT_CHECK
    with pytest.raises(IndexError):
        plc.copying.gather(table, column(cp, plc, np.array([3], np.int32)), policy)
    with pytest.raises(TypeError, match="int32"):
        plc.copying.gather(table, column(cp, plc, np.array([0])), policy)


def test_libcudf_waits_and_so_cannot_be_captured(cp: Any, plc: Any) -> None:
    table = plc.Table([column(cp, plc, np.arange(3))])
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        with pytest.raises(RuntimeError, match="Capture"):
            plc.join.inner_join(table, table, plc.types.NullEquality.EQUAL)


def test_parquet_and_back(cp: Any, plc: Any, tmp_path: Path) -> None:
    from pyarrow import parquet as files

    io = plc.io
    table = plc.Table(
        [
            column(cp, plc, np.arange(4)),
            column(cp, plc, np.arange(12, dtype=np.float32).reshape(4, 3)),
        ]
    )
    metadata = io.types.TableInputMetadata(table)
    for given, name in zip(metadata.column_metadata, ("id", "block"), strict=True):
        given.set_name(name)
    file = tmp_path / "x.parquet"
    builder = io.parquet.ParquetWriterOptions.builder(io.types.SinkInfo([file]), table)
    io.parquet.write_parquet(builder.metadata(metadata).row_group_size_rows(3).build())
    assert files.ParquetFile(file).num_row_groups == 2
    source = io.types.SourceInfo([file])
    read = io.parquet.read_parquet(io.parquet.ParquetReaderOptions.builder(source).build())
    assert read.column_names() == ["id", "block"]
    assert numbers(cp, read.columns[0]) == [0, 1, 2, 3]
    assert numbers(cp, read.columns[1].list_view().child()) == list(range(12))


# Stubs


@pytest.mark.skipif(not stubs.is_installed("pylibcudf"), reason="stubs are not installed")
def test_members_of_enums_are_those_of_the_stubs(plc: Any) -> None:
    types = plc.types
    for enum in (types.TypeId, types.NullEquality, types.NullOrder, types.Order):
        for member in enum:
            assert stubs.has(f"pylibcudf.types.{enum.__name__}.{member.name}")
    assert not stubs.has("pylibcudf.types.TypeId.TENSOR")


@pytest.mark.skipif(not stubs.is_installed("pylibcudf"), reason="stubs are not installed")
def test_names_and_arguments_are_those_of_the_stubs(cp: Any, plc: Any) -> None:
    with pytest.raises(AttributeError):
        _ = plc.Tabel
    with pytest.raises(NotImplementedError):
        _ = plc.join.left_join
    table = plc.Table([column(cp, plc, np.arange(3))])
    with pytest.raises(TypeError, match="nulls"):
        plc.join.inner_join(table, table, nulls=plc.types.NullEquality.EQUAL)
