"""The layout of columns, with the real pylibcudf over host memory: only computing needs a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.errors import DeviceError

DTYPES = ["float64", "float32", "float16", "uint16", "int64", "int32", "int8"]
BLOCKS = [(4, 2, 3), (1, 5), (3, 1, 1, 1), (0, 2, 2), (2, 64, 64)]
REAL = ("rmm", "pylibcudf")


@pytest.fixture(name="plc")
def _plc() -> Iterator[Any]:
    """CuPy is the stand-in, whose arrays are host memory; pylibcudf and what it needs are real."""
    import pylibcudf

    from tests.cuda.standin.install import standin

    real = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in REAL}
    with standin():
        for name in [n for n in sys.modules if n.partition(".")[0] in REAL]:
            del sys.modules[name]
        sys.modules.update(real)
        yield pylibcudf


def _array(shape: tuple[int, ...], dtype: str) -> Any:
    import cupy as cp

    return cp.asarray(np.arange(prod(shape)).reshape(shape).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", BLOCKS)
def test_blocks_are_a_list_column_and_back_in_the_same_memory(
    plc: Any, shape: tuple[int, ...], dtype: str
) -> None:
    from gpudb.backend.cuda.columns import list_columns, list_view

    x = _array(shape, dtype)
    (column,) = list_columns(x)
    assert isinstance(column, plc.Column)
    assert column.type().id() == plc.TypeId.LIST
    assert (column.size(), column.null_count()) == (shape[0], 0)
    found = list_view(column, shape[1:], dtype)
    assert (found.shape, found.dtype) == (x.shape, x.dtype)
    np.testing.assert_array_equal(found.get(), x.get())
    if shape[0]:
        assert found.data.ptr == x.data.ptr


def test_a_slice_of_a_column_keeps_its_place(plc: Any) -> None:
    from gpudb.backend.cuda.columns import list_columns, list_view

    x = _array((5, 2, 3), "float32")
    (whole,) = list_columns(x)
    part = plc.Column(whole.type(), 2, None, None, 0, 2, whole.children())
    found = list_view(part, (2, 3), "float32")
    np.testing.assert_array_equal(found.get(), x.get()[2:4])
    assert found.data.ptr == x.data.ptr + 2 * 6 * 4


def test_columns_are_cut_below_the_limit(plc: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpudb.backend.cuda import columns

    monkeypatch.setattr(columns, "MAX_ELEMENTS", 25)  # half of it: two blocks of six
    x = _array((5, 2, 3), "float32")
    parts = columns.list_columns(x)
    assert [part.size() for part in parts] == [2, 2, 1]
    found = [columns.list_view(part, (2, 3), "float32").get() for part in parts]
    np.testing.assert_array_equal(np.concatenate(found), x.get())


def test_no_column_holds_a_block_of_two_to_the_31(plc: Any) -> None:
    from gpudb.backend.cuda.columns import blocks_per_column

    assert blocks_per_column((32, 32)) == (2**31 - 1) // 2 // 1024
    assert blocks_per_column((2**15, 2**15)) == 1
    with pytest.raises(DeviceError, match="smaller blocks"):
        blocks_per_column((2**16, 2**15))


def test_rows_of_another_length_are_refused(plc: Any) -> None:
    from gpudb.backend.cuda.columns import list_columns, list_view

    (column,) = list_columns(_array((4, 6), "float32"))
    with pytest.raises(DeviceError, match="24 elements, expected 5 in every row"):
        list_view(column, (5,), "float32")


def test_keys_are_one_column_for_each_axis(plc: Any) -> None:
    from gpudb.backend.cuda.columns import column_view, key_columns

    keys = np.array([[0, 1], [2, 3], [4, 5]], np.int32)
    found = list(key_columns(keys))
    assert [c.type().id() for c in found] == [plc.TypeId.INT32] * 2
    for axis, column in enumerate(found):
        np.testing.assert_array_equal(column_view(column, "int32").get(), keys[:, axis])


OFFSETS = [[0], [0, 0], [0, 1], [0, 3, 3, 7], [0, 64]]


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
@pytest.mark.parametrize("offsets", OFFSETS)
def test_sequences_are_one_list_column_in_the_same_memory(
    plc: Any, offsets: list[int], dtype: str
) -> None:
    import cupy as cp

    from gpudb.backend.cuda.columns import sequence_column, sequence_views

    values, where = _array((offsets[-1] + 2,), dtype), cp.asarray(np.array(offsets, np.int32))
    column = sequence_column(values, where)
    assert isinstance(column, plc.Column)
    assert column.type().id() == plc.TypeId.LIST
    assert (column.size(), column.null_count()) == (len(offsets) - 1, 0)
    found = sequence_views(column, dtype)
    for mine, given in zip(found, (values, where), strict=True):
        np.testing.assert_array_equal(mine.get(), given.get())
        assert mine.dtype == given.dtype
        assert mine.data.ptr == given.data.ptr


@pytest.mark.parametrize("width", [0, 1, 3])
@pytest.mark.parametrize("offsets", OFFSETS)
def test_sequences_of_rows_are_lists_of_lists_in_the_same_memory(
    plc: Any, offsets: list[int], width: int
) -> None:
    import cupy as cp

    from gpudb.backend.cuda.columns import list_view, sequence_column

    rows, where = _array((offsets[-1], width), "float32"), cp.asarray(np.array(offsets, np.int32))
    column = sequence_column(rows, where)
    lists = column.list_view()
    assert (column.size(), lists.child().size()) == (len(offsets) - 1, offsets[-1])
    assert [c.type().id() for c in (column, lists.child())] == [plc.TypeId.LIST] * 2
    same = list_view(lists.child(), (width,), "float32")
    np.testing.assert_array_equal(same.get(), rows.get())
    assert not same.size or same.data.ptr == rows.data.ptr


def test_a_slice_of_sequences_counts_in_the_whole(plc: Any) -> None:
    import cupy as cp

    from gpudb.backend.cuda.columns import sequence_column, sequence_views

    values = _array((7,), "int32")
    whole = sequence_column(values, cp.asarray(np.array([0, 3, 3, 7], np.int32)))
    part = plc.Column(whole.type(), 2, None, None, 0, 1, whole.children())
    same, offsets = sequence_views(part, "int32")
    assert same.data.ptr == values.data.ptr
    np.testing.assert_array_equal(offsets.get(), [3, 3, 7])


def test_more_tokens_than_a_column_holds_are_refused(
    plc: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cupy as cp

    from gpudb.backend.cuda import columns

    monkeypatch.setattr(columns, "MAX_ELEMENTS", 6)
    offsets = cp.asarray(np.array([0, 6], np.int32))
    assert columns.sequence_column(_array((6,), "int32"), offsets).size() == 1
    with pytest.raises(DeviceError, match="7 values, cuDF takes 6 in a column"):
        columns.sequence_column(_array((7,), "int32"), offsets)


def test_nulls_among_sequences_are_refused(plc: Any) -> None:
    import cupy as cp

    from gpudb.backend.cuda.columns import sequence_column, sequence_views

    column = sequence_column(_array((3,), "int32"), cp.asarray(np.array([0, 1, 3], np.int32)))
    mask = plc.gpumemoryview(cp.asarray(np.full(64, 0b01, np.uint8)))
    with pytest.raises(DeviceError, match="1 rows or values are null"):
        sequence_views(column.with_mask(mask, 1), "int32")


def test_inputs_of_a_batch_share_their_offsets(plc: Any) -> None:
    """Columns over the memory that kernels read: writing new inputs there changes both."""
    import cupy as cp

    from gpudb.backend.cuda.columns import sequence_views
    from gpudb.backend.cuda.sequences import Sequences

    names = ("token_ids", "type_ids", "position_ids")
    arrays = {name: _array((7,), "int32") for name in names}
    arrays["rows"] = _array((7, 2), "float32")
    arrays["sequences"] = cp.asarray(np.array([0, 3, 7], np.int32))
    inputs = Sequences.of(arrays, "sequences")
    assert {name: inputs[name] for name in inputs} == arrays
    assert set(inputs.columns) == {*names, "rows"}
    for name in names:
        values, offsets = sequence_views(inputs.columns[name], "int32")
        assert values.data.ptr == arrays[name].data.ptr
        assert offsets.data.ptr == arrays["sequences"].data.ptr
    inputs["token_ids"].set(np.full(7, 5, np.int32))
    values, _ = sequence_views(inputs.columns["token_ids"], "int32")
    np.testing.assert_array_equal(values.get(), 5)


@pytest.mark.parametrize("rows", [0, 2])
def test_options_of_parquet_files(plc: Any, tmp_path: Path, rows: int) -> None:
    """Everything up to the writing and reading itself, which need a GPU."""
    import cupy as cp

    from gpudb.backend.cuda.block_files import reader_options, writer_options
    from gpudb.backend.cuda.columns import key_columns, sequence_column

    offsets = cp.asarray(np.arange(rows + 1, dtype=np.int32) * 3)
    lists = sequence_column(_array((rows * 3,), "float16"), offsets)
    table = plc.Table([*key_columns(np.zeros((rows, 2), np.int32)), lists])
    path = str(tmp_path / "x.parquet")
    Path(path).touch()
    written = writer_options(path, table, ["i0", "i1", "block"], {"gpudb.tensor": "{}"}, 1)
    assert isinstance(written, plc.io.parquet.ChunkedParquetWriterOptions)
    assert isinstance(reader_options(path, 0), plc.io.parquet.ParquetReaderOptions)
