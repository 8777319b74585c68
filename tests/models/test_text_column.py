from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.errors import InputError
from gpudb.models.text_column import as_text_column
from tests import cudf_objects

TEXTS = ["a", None, "", "ünï ☃ 😀", "a", "nul\0"]
WHOLE = [text for text in TEXTS if text is not None]


class OnlyArray:
    """An Arrow array behind the C data interface, and nothing else."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self.array.__arrow_c_array__(requested_schema)


class Broken:
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise RuntimeError("no stream today")


def with_gaps() -> dict[str, object]:
    arrow = pa.array(TEXTS)
    return {
        "list": TEXTS,
        "tuple": tuple(TEXTS),
        "object array": np.array(TEXTS, dtype=object),
        "pandas str": pd.Series(TEXTS),
        "pandas object": pd.Series(TEXTS, dtype=object),
        "pandas category": pd.Series(TEXTS, dtype="category"),
        "pandas python": pd.Series(TEXTS, dtype="string[python]"),
        "pandas index": pd.Index(TEXTS),
        "polars": pl.Series(TEXTS),
        "polars categorical": pl.Series(TEXTS, dtype=pl.Categorical),
        "arrow": arrow,
        "chunks": pa.chunked_array([arrow[:2], arrow[2:2], arrow[2:]]),
        "large": arrow.cast(pa.large_string()),
        "view": arrow.cast(pa.string_view()),
        "dictionary": arrow.dictionary_encode(),
        "dictionary chunks": pa.chunked_array([arrow[:3], arrow[3:]]).dictionary_encode(),
        "slice": pa.array(["x", *TEXTS, "y"])[1:-1],
        "c array": OnlyArray(arrow),
        "cudf": cudf_objects.Series(arrow.cast(pa.large_string())),
        "cudf category": cudf_objects.Series(arrow.dictionary_encode()),
    }


@pytest.mark.parametrize("kind", with_gaps())
def test_kinds_with_nulls(kind: str) -> None:
    column = as_text_column(with_gaps()[kind])
    assert column.type == pa.large_string()
    assert column.to_pylist() == TEXTS


@pytest.mark.parametrize(
    "column",
    [
        np.array(WHOLE),
        np.array(WHOLE, dtype=np.dtypes.StringDType()),
        np.array(WHOLE * 2, dtype=object)[::2],
    ],
)
def test_numpy_strings(column: np.ndarray[Any, Any]) -> None:
    assert as_text_column(column).to_pylist() == column.tolist()


@pytest.mark.parametrize(
    "column",
    [
        [],
        (),
        np.array([], dtype=str),
        pd.Series([], dtype=object),
        pl.Series([], dtype=pl.String),
        pa.array([], pa.string()),
        pa.chunked_array([], pa.string()),
        pa.nulls(0),
    ],
)
def test_empty(column: object) -> None:
    found = as_text_column(column)
    assert (found.type, len(found)) == (pa.large_string(), 0)


@pytest.mark.parametrize(
    "column",
    [[None, None], pa.nulls(2), pl.Series([None, None]), pd.Series([np.nan, pd.NA], dtype=object)],
)
def test_only_nulls(column: object) -> None:
    found = as_text_column(column)
    assert (found.type, found.null_count) == (pa.large_string(), 2)


def test_large_strings_are_not_copied() -> None:
    array = pa.array(["a", "b"], pa.large_string())
    assert as_text_column(array).chunk(0).buffers()[2].address == array.buffers()[2].address


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("one text", "str"),
        (b"bytes", "bytes"),
        (None, "NoneType"),
        (3, "int"),
        ({"a": 1}, "dict"),
        ({"a"}, "set"),
        ((text for text in ["a"]), "generator"),
        ([1, 2], "row 0 is int"),
        (["a", b"b"], "row 1 is bytes"),
        (["a", None, ["b"]], "row 2 is list"),
        (["a", float("nan")], "row 1 is float"),
        (np.array(["a", 1.5], dtype=object), "row 1 is float"),
        (np.array([1, 2]), "int64"),
        (np.array([b"a"]), "S1"),
        (np.array([["a"]]), "shape"),
        (np.array("a"), "shape"),
        (pd.Series([1, 2]), "int64"),
        (pd.Series(["a", 1], dtype=object), "row 1 is int"),
        (pd.Series([1, 2], dtype="category"), "dictionary"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "timestamp"),
        (pd.DataFrame({"a": ["x"]}), "struct"),
        (pl.Series([1, 2]), "int64"),
        (pl.Series([["a"]]), "list"),
        (pl.Series([object()], dtype=pl.Object), "polars"),
        (pl.DataFrame({"a": ["x"]}), "struct"),
        (pa.table({"a": ["x"]}), "struct"),
        (pa.array([b"a"]), "binary"),
        (pa.array([1]), "int64"),
        (pa.array([["a"]]), "list"),
        (pa.array([1]).dictionary_encode(), "dictionary"),
        (pa.scalar("a"), "StringScalar"),
        (OnlyArray(pa.array([1])), "int64"),
        (Broken(), "no stream today"),
    ],
)
def test_everything_else_is_refused(column: object, found: str) -> None:
    with pytest.raises(InputError, match="expected") as caught:
        as_text_column(column, "reviews.text")
    assert str(caught.value).startswith("reviews.text: ")
    assert found in str(caught.value)


@pytest.mark.parametrize("wrap", [list, tuple, lambda v: np.array(v, dtype=object)])
def test_lone_surrogates(wrap: Any) -> None:
    with pytest.raises(InputError, match="row 2 holds a lone surrogate"):
        as_text_column(wrap(["a", None, "b\ud800", "\udfff"]))


def test_invalid_utf8_in_arrow() -> None:
    offsets = pa.py_buffer(np.array([0, 1], np.int32))
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff")])
    with pytest.raises(InputError, match="the Arrow data is damaged"):
        as_text_column(broken)


@settings(max_examples=50)
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), max_size=20))
def test_any_text_survives(texts: list[str | None]) -> None:
    for column in (texts, pa.array(texts, pa.string()), pl.Series(texts, dtype=pl.String)):
        assert as_text_column(column).to_pylist() == texts
