"""Columns of sequences, whatever they are held in: the same as packed values and offsets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import InputError
from gpudb.models.sequence_column import as_sequences
from tests import cudf_objects
from tests.tiny_model import CONFIG, write_tiny_model

IDS = [[2, 4, 3], [], [5], [2, 6, 7, 8, 3], []]
ROWS = [[[1.0, 2.0], [3.0, -0.0]], [], [[5.0, 6.0]]]


def columns(values: list[Any]) -> dict[str, Any]:
    arrow = pa.array(values)
    inner = arrow.type.value_type
    return {
        "list": values,
        "tuple": tuple(values),
        "arrow": arrow,
        "large": arrow.cast(pa.large_list(inner)),
        "chunks": pa.chunked_array([arrow[:1], arrow[1:1], arrow[1:]]),
        "slice": pa.array([values[0], *values, values[0]])[1:-1],
        "pandas": pd.Series(values),
        "pandas arrow": pd.Series(arrow, dtype=pd.ArrowDtype(arrow.type)),
        "polars": pl.Series(values),
        "cudf": cudf_objects.Series(arrow),
    }


@pytest.mark.parametrize("kind", columns(IDS))
def test_token_ids(kind: str) -> None:
    values, offsets = as_sequences(columns(IDS)[kind], None)
    np.testing.assert_array_equal(values, np.concatenate([np.array(i, int) for i in IDS]))
    np.testing.assert_array_equal(offsets, np.cumsum([0, *map(len, IDS)]))


@pytest.mark.parametrize("kind", columns(ROWS))
def test_rows(kind: str) -> None:
    values, offsets = as_sequences(columns(ROWS)[kind], 2)
    np.testing.assert_array_equal(values, [row for rows in ROWS for row in rows])
    np.testing.assert_array_equal(offsets, [0, 2, 2, 3])


@pytest.mark.parametrize(
    ("column", "width", "offsets"),
    [
        (pa.array([], pa.list_(pa.int32())), None, [0]),
        ([], None, [0]),
        ([[], []], None, [0, 0, 0]),
        (pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2)), None, [0, 2, 4]),
        (pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int8(), 2))[1:], None, [0, 2, 4]),
        ([], 3, [0]),
        ([[], []], 3, [0, 0, 0]),
        (pa.array([[[1.0] * 3]] * 2, pa.list_(pa.list_(pa.float32(), 3))), 3, [0, 1, 2]),
    ],
)
def test_edges(column: Any, width: int | None, offsets: list[int]) -> None:
    values, found = as_sequences(column, width)
    np.testing.assert_array_equal(found, offsets)
    assert values.shape == (offsets[-1], *([] if width is None else [width]))


@pytest.mark.parametrize(
    ("column", "width", "message"),
    [
        ([[1], None], None, "a sequence is null, in row 1"),
        ([[1], [None]], None, "elements of int64, 1 of them null"),
        ([1, 2], None, "found int64 for a sequence"),
        ([["a"]], None, "elements of string"),
        ([[[1.0]]], None, "elements of list"),
        ([[True]], None, "elements of bool"),
        ([[1.0]], 1, "found double for a row"),
        ([[[1.0, 2.0], [3.0]]], 2, "row 1 has 1 numbers; expected 2"),
        ([[None]], 2, "found null for a row|a row is null"),
        (3, None, "found int;"),
        (object(), None, "found object;"),
        ([[1], "a"], None, "does not become Arrow"),
        (cudf_objects.DataFrame(pa.table({"x": IDS}), [0] * 5), None, "found struct"),
    ],
)
def test_what_is_no_such_column(column: Any, width: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_sequences(column, width)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(device="numpy", threads=1) as opened:
        opened.import_model(write_tiny_model(tmp_path), "tiny")
        yield opened


@pytest.mark.parametrize("kind", ["list", "arrow", "polars", "pandas", "cudf"])
def test_infer_over_a_column(db: gpudb.Database, kind: str) -> None:
    offsets = np.cumsum([0, *map(len, IDS)])
    flat = np.concatenate([np.array(i, int) for i in IDS])
    expected, _ = db.infer("tiny", {"token_ids": flat}, offsets)
    found, statistics = db.infer("tiny", columns(IDS)[kind])
    np.testing.assert_array_equal(found, expected)
    assert (statistics.texts, statistics.tokens) == (len(IDS), len(flat))


def test_a_column_is_checked_as_other_inputs_are(db: gpudb.Database) -> None:
    last = CONFIG["vocab_size"] - 1
    db.infer("tiny", [[last]])
    with pytest.raises(InputError, match=f"integers from 0 to {last}"):
        db.infer("tiny", [[last + 1]])
    with pytest.raises(InputError, match="the longest sequence has 13 rows"):
        db.infer("tiny", [[2] * 13])


def test_offsets_belong_to_a_mapping(db: gpudb.Database) -> None:
    with pytest.raises(InputError, match="a mapping needs offsets"):
        db.infer("tiny", {"token_ids": [2, 3]})
    with pytest.raises(InputError, match="a LIST column has its own"):
        db.infer("tiny", [[2, 3]], [0, 2])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.uint64])
@pytest.mark.parametrize("offsets", [[], [1, 2], [0, 2, 1, 2], [[0, 2]]])
def test_offsets_start_at_zero_and_do_not_fall(
    db: gpudb.Database, offsets: list[Any], dtype: type
) -> None:
    with pytest.raises(InputError, match="start at 0 and do not fall"):
        db.infer("tiny", {"token_ids": [2, 3]}, np.array(offsets, dtype))
    found, _ = db.infer("tiny", {"token_ids": [2, 3]}, np.array([0, 0, 2, 2], dtype))
    assert found.shape[0] == 2
