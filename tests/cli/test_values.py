"""Parameters in, JSON and table cells out."""

from __future__ import annotations

import argparse
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.cli.values import cell_text, json_text, parse_parameter, to_json


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("q=light and funny", "q", "light and funny"),
        ("$q=x", "q", "x"),
        ("n=5", "n", 5),
        ("x=-1.5e3", "x", -1500.0),
        ("b=true", "b", True),
        ("b=null", "b", None),
        ("v=[1, 2.5]", "v", [1, 2.5]),
        ('t="5"', "t", "5"),
        ("t=", "t", ""),
        ("t=a=b", "t", "a=b"),
        ("t=[not json", "t", "[not json"),
        ("t=NaN", "t", "NaN"),
        ("größe=ü", "größe", "ü"),
    ],
)
def test_parameters(text: str, name: str, value: Any) -> None:
    assert parse_parameter(text) == (name, value)


@pytest.mark.parametrize("text", ["", "q", "=5", "a b=5", "1=2"])
def test_refused_parameters(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected NAME=VALUE"):
        parse_parameter(text)


def test_json_values() -> None:
    row = {
        "nan": [float("nan"), float("inf"), -0.0],
        "sum": Decimal(2**70),
        "price": Decimal("1.50"),
        "odd": Decimal("NaN"),
        "day": date(2024, 2, 29),
        "time": datetime(2024, 2, 29, 1, 2, 3),
        "span": timedelta(seconds=90),
        "bytes": b"\x00\xff",
        "map": [("a", 1)],
        "struct": {"x": None},
    }
    assert json.loads(json_text(row)) == {
        "nan": [None, None, -0.0],
        "sum": 2**70,
        "price": 1.5,
        "odd": None,
        "day": "2024-02-29",
        "time": "2024-02-29T01:02:03",
        "span": 90.0,
        "bytes": "00ff",
        "map": [["a", 1]],
        "struct": {"x": None},
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_json_is_always_valid(value: Any) -> None:
    assert json.loads(json_text(value)) == to_json(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (True, "True"),
        (0.1, "0.1"),
        ("two\nlines\tand \x1b[31mred", "two\\nlines\\tand \\x1b[31mred"),
        ("שלום 👩‍👩‍👧 é", "שלום 👩‍👩‍👧 é"),
        ([1.0, 2.0], "[1.0, 2.0]"),
        ([0.5] * 384, "[0.5000, 0.5000, 0.5000, 0.5000, … 384 values]"),
        ([], "[]"),
        (b"\x01\x02", "0102"),
        ({"a": [1]}, '{"a": [1]}'),
    ],
)
def test_cells(value: Any, text: str) -> None:
    assert cell_text(value) == text


@given(st.text())
def test_cells_are_one_line_without_control_characters(text: str) -> None:
    cell = cell_text(text)
    assert cell.splitlines() in ([cell], [])
    assert not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F for c in cell)
