"""Tables, JSON, CSV and Parquet of one result."""

from __future__ import annotations

import argparse
import csv
import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from gpudb.cli import output
from gpudb.errors import InputError

VECTOR = [float(np.float32(x)) for x in (0.25, -0.5, np.nan, np.inf)]
TABLE = pa.table(
    {
        "id": pa.array([1, 2, None], pa.int64()),
        "text": pa.array(['a "quoted", text', "שלום\n👩‍👩‍👧", ""]),
        "vector": pa.array([VECTOR, None, VECTOR], pa.list_(pa.float32(), 4)),
        "price": pa.array([Decimal("1.50"), None, Decimal("-2.00")]),
        "at": pa.array([datetime(2024, 2, 29), None, None], pa.timestamp("us")),
        "half": pa.array(np.array([0.5, 1, 2], np.float16)),
    }
)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _text(kind: str, table: pa.Table = TABLE) -> str:
    stream = io.StringIO()
    output.TEXT_WRITERS[kind](table, stream)
    return stream.getvalue()


@pytest.mark.parametrize("rows", [0, 1, 3, output.CHUNK - 1, output.CHUNK, output.CHUNK + 1])
def test_json_and_jsonl_hold_the_same_rows(rows: int) -> None:
    table = TABLE.take(pa.array(np.arange(rows) % 3))
    listed = json.loads(_text("json", table))
    assert listed == [json.loads(line) for line in _text("jsonl", table).splitlines()]
    assert [r["id"] for r in listed] == table.column("id").to_pylist()
    assert all(r["vector"] in ([0.25, -0.5, None, None], None) for r in listed)


@pytest.mark.parametrize("rows", [0, 1, 3, output.CHUNK + 1])
def test_csv_reads_back(rows: int) -> None:
    table = TABLE.take(pa.array(np.arange(rows) % 3))
    heading, *read = list(csv.reader(io.StringIO(_text("csv", table))))
    assert heading == table.column_names
    assert [r[1] for r in read] == table.column("text").to_pylist()
    assert [json.loads(r[2]) if r[2] else None for r in read] == [
        r["vector"] for r in json.loads(_text("json", table))
    ]


def test_aligned_text_has_one_line_for_each_row() -> None:
    lines = _text("table").splitlines()
    assert len(lines) == 4
    assert lines[0].split() == TABLE.column_names
    assert "שלום\\n" in lines[2]
    assert lines[3].startswith("NULL")
    assert lines == [line.rstrip() for line in lines]


def test_long_text_does_not_stretch_other_lines() -> None:
    table = pa.table({"a": ["x" * 5000, "y"], "b": ["1", "2"]})
    assert _text("table", table).splitlines()[2] == "y".ljust(output.WIDEST) + "  2"


def test_float32_is_shown_without_the_digits_of_a_double() -> None:
    assert _text("table", pa.table({"x": pa.array([0.1, None], pa.float32())})) == "x\n0.1\nNULL\n"


def test_vectors_are_shortened_in_tables_only() -> None:
    table = pa.table({"v": pa.array([[0.5] * 384])})
    assert "… 384 values" in _text("table", table)
    assert json.loads(_text("json", table))[0]["v"] == [0.5] * 384


def test_terminal_gets_a_drawn_table_and_the_first_rows() -> None:
    stream = _Terminal()
    output.show_table(pa.table({"[bold]n": list(range(output.TERMINAL_ROWS + 5))}), stream)
    text = stream.getvalue()
    assert "[bold]n" in text
    assert "━" in text
    assert "5 more rows" in text


def test_no_columns() -> None:
    assert _text("table", pa.table({})) == ""


def test_parquet_keeps_types_and_repeated_names(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([TABLE["id"], TABLE["vector"], TABLE["id"]], ["a", "v", "a"])
    output.emit(twice, argparse.Namespace(format="parquet", output=tmp_path / "x.parquet"))
    read = parquet.read_table(tmp_path / "x.parquet")
    assert read.column_names == ["a", "v", "a_2"]
    assert read.column("v").type == pa.list_(pa.float32(), 4)
    assert list(tmp_path.iterdir()) == [tmp_path / "x.parquet"]


def test_failed_write_keeps_the_older_file(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder"):
        output.emit(TABLE, argparse.Namespace(format="csv", output=target))
    with pytest.raises(InputError, match=r"cannot write .*name a file in a folder that exists"):
        output.emit(TABLE, argparse.Namespace(format="json", output=tmp_path / "no" / "x.json"))
    assert list(tmp_path.iterdir()) == [target]
