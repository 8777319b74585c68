"""Results in every form people want them in."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest

from gpudb.errors import DeviceError, InputError, UnsupportedError
from gpudb.result import Result

VECTORS = [[1.0, 2.0], None, [5.0, 6.0]]


def _vectors(values: Any = VECTORS, width: int = 2, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, pa.list_(kind or pa.float32(), width))


@pytest.fixture
def result() -> Result:
    table = pa.table({"id": [3, 1, 2], "text": ["b", None, "ä\n🦆"], "v": _vectors()})
    return Result(table, stats={"a": 1}, tell=lambda: ("scan", None))


def test_facts(result: Result) -> None:
    assert result.columns == ["id", "text", "v"]
    assert (result.rows, len(result)) == (3, 3)
    assert result.stats == {"a": 1}
    assert result.plan_text == "scan"


def test_rows_as_tuples(result: Result) -> None:
    expected = [(3, "b", [1.0, 2.0]), (1, None, None), (2, "ä\n🦆", [5.0, 6.0])]
    assert result.fetchall() == list(result) == expected
    assert result.fetchone() == expected[0]


def test_no_rows_and_no_columns() -> None:
    empty = Result(pa.table({"x": pa.array([], pa.int64())}))
    assert (empty.fetchall(), empty.fetchone(), len(empty)) == ([], None, 0)
    assert empty.numpy("x").shape == (0,)
    assert "(0 rows)" in repr(empty)
    nothing = Result(pa.table({}))
    assert (nothing.fetchall(), nothing.fetchone(), nothing.columns) == ([], None, [])
    assert "(0 rows)" in repr(nothing)


def test_arrow_is_the_table_itself(result: Result) -> None:
    table = result.arrow()
    assert Result(table).arrow() is table
    assert pa.table(result).equals(table)  # through the stream interface


def test_pandas(result: Result) -> None:
    frame = result.pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame["id"].tolist() == [3, 1, 2]
    np.testing.assert_array_equal(frame["v"][2], [5.0, 6.0])


def test_polars(result: Result) -> None:
    frame = result.polars()
    assert isinstance(frame, polars.DataFrame)
    assert frame["v"].to_list() == VECTORS


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named(
    result: Result, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnsupportedError, match=f"pip install {library}"):
        getattr(result, library)()


def test_numpy_of_all_columns(result: Result) -> None:
    arrays = result.numpy()
    assert list(arrays) == result.columns
    assert arrays["id"].tolist() == [3, 1, 2]
    assert arrays["text"].tolist() == ["b", None, "ä\n🦆"]


def test_a_null_vector_is_a_row_of_nan(result: Result) -> None:
    found = result.numpy("v")
    assert (found.shape, found.dtype) == ((3, 2), np.dtype(np.float32))
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan], [5, 6]])


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_vectors_of_a_slice(first: int) -> None:
    values = [[float(i), -float(i)] for i in range(5)]
    found = Result(pa.table({"v": _vectors(values)}).slice(first, 2)).numpy("v")
    np.testing.assert_array_equal(found, np.array(values)[first : first + 2])


def test_vectors_in_several_chunks_and_none() -> None:
    column = pa.chunked_array([_vectors([[1, 2]]), _vectors([]), _vectors([None, [3, 4]])])
    found = Result(pa.table({"v": column})).numpy("v")
    np.testing.assert_array_equal(found, [[1, 2], [np.nan, np.nan], [3, 4]])
    none = pa.chunked_array([], pa.list_(pa.float32(), 2))
    assert Result(pa.table({"v": none})).numpy("v").shape == (0, 2)


def test_vectors_of_integers() -> None:
    whole = Result(pa.table({"v": _vectors([[1, 2], [3, 4]], 2, pa.int32())})).numpy("v")
    assert (whole.tolist(), whole.dtype) == ([[1, 2], [3, 4]], np.dtype(np.int32))
    with_null = Result(pa.table({"v": _vectors([[1, 2], None], 2, pa.int32())})).numpy("v")
    np.testing.assert_array_equal(with_null, [[1, 2], [np.nan, np.nan]])


def test_an_unknown_column_is_named_with_the_known_ones(result: Result) -> None:
    with pytest.raises(InputError, match="no column 'x'; columns are id, text, v"):
        result.numpy("x")


def test_columns_of_one_name_are_an_error_not_a_loss() -> None:
    twice = Result(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))
    assert twice.fetchall() == [(1, 2)]
    for column in (None, "a"):
        with pytest.raises(InputError, match="2 columns are called 'a'"):
            twice.numpy(column)
    with pytest.raises(InputError, match="2 columns are called 'a'"):
        twice.polars()
    assert twice.pandas().shape == (1, 2)


def test_text_of_a_result(result: Result) -> None:
    lines = repr(result).splitlines()
    assert lines[0].split() == ["id", "text", "v"]
    assert set(lines[1]) == {"-", " "}
    assert lines[3].split() == ["1", "NULL", "NULL"]
    assert "ä 🦆" in lines[4]
    assert lines[-1] == "(3 rows)"


def test_text_shows_the_head_of_many_rows() -> None:
    many = Result(pa.table({"n": range(12_345)}))
    lines = repr(many).splitlines()
    assert lines[2:12] == [str(i) for i in range(10)]
    assert lines[-1] == "(12,345 rows, first 10 shown)"
    assert repr(Result(pa.table({"n": [1]}))).endswith("(1 row)")


def test_long_values_are_cut() -> None:
    long = Result(pa.table({"t": ["x" * 1000], "v": pa.array([[0.123456789] * 300])}))
    shown = repr(long).splitlines()[2]
    assert len(shown) < 120
    assert "… 300 values" in shown
    assert "0.123457" in shown
    assert shown.split()[0].endswith("…")


def test_html_is_escaped() -> None:
    html = Result(pa.table({"<b>": ["<script>&", None]}))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;&amp;" in html
    assert "<th>&lt;b&gt;</th>" in html
    assert "(2 rows)" in html


def test_frames_of_cudf_need_a_gpu(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpudb.result.obstacle", lambda: "no driver answers")
    with pytest.raises(DeviceError, match=r"needs a GPU: no driver answers. arrow\(\)"):
        result.cudf()
