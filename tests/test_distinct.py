"""Distinct rows of columns, and answers for every row again."""

from __future__ import annotations

import pyarrow as pa
import pytest

from gpudb.distinct import by_row, distinct_rows, distinct_texts

COLUMNS = [[], ["a"], [None], ["a", "a"], ["a", None, "b"], ["b", "a", "b", None], ["", "é", "a"]]


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("texts", COLUMNS, ids=repr)
def test_every_row_gets_the_answer_of_its_text(texts: list[str | None], chunks: int) -> None:
    parts = [texts[:1], texts[1:]] if chunks == 2 else [texts]
    column = pa.chunked_array([pa.array(part, pa.large_string()) for part in parts])
    distinct, numbers = distinct_texts(column)
    assert distinct.type == pa.large_string()
    assert numbers.type == pa.int32()
    assert distinct.to_pylist() == list(dict.fromkeys(t for t in texts if t is not None))
    answers = pa.array([f"{text}!" for text in distinct.to_pylist()], pa.string())
    expected = [None if text is None else f"{text}!" for text in texts]
    assert by_row(answers, numbers).to_pylist() == expected


@pytest.mark.parametrize("pairs", [[("a", "b")], [("a", "b"), ("a", None), ("a", "b"), ("b", "a")]])
def test_pairs(pairs: list[tuple[str, str | None]]) -> None:
    columns = [pa.chunked_array([pa.array(c, pa.large_string())]) for c in zip(*pairs, strict=True)]
    distinct, numbers = distinct_rows(columns)
    whole = [pair for pair in pairs if None not in pair]
    found = list(zip(*(column.to_pylist() for column in distinct), strict=True))
    assert found == list(dict.fromkeys(whole))
    answers = by_row(pa.array(range(len(found))), numbers).to_pylist()
    assert answers == [found.index(pair) if pair in whole else None for pair in pairs]
