"""Options of ``embed``: prompts, fewer dimensions, vectors of fewer bits; in Python and in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.embed_options import EmbedOptions
from gpudb.errors import InputError, UnsupportedError
from gpudb.types import HostArray
from tests.tiny_model import write_tiny_model

TEXTS = ["the cat sat", None, "a", "dogs ran", "the cat sat"]
PROMPTS = {"query": "the dog ", "none": ""}
WIDTH = 24


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gpudb.Database]:
    """Models ``unit``, whose vectors have length 1, and ``plain``, with prompts."""
    root = tmp_path_factory.mktemp("options")
    with gpudb.connect(root / "db", device="numpy", threads=1) as found:
        folder = write_tiny_model(root / "model")
        prompts = {"prompts": PROMPTS, "default_prompt_name": None}
        (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
        found.import_model(folder, "unit")
        modules = json.loads((folder / "modules.json").read_text())
        (folder / "modules.json").write_text(json.dumps(modules[:2]))
        found.import_model(folder, "plain")
        pooling = {"pooling_mode": "mean", "include_prompt": False}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        found.import_model(folder, "apart")
        found.create_table("notes", pa.table({"id": range(len(TEXTS)), "text": TEXTS}))
        yield found


def embedded(db: gpudb.Database, model: str, texts: Any = TEXTS, **options: Any) -> HostArray:
    found: HostArray = db.embed(model, texts, **options).numpy("embedding")
    return found


@pytest.mark.parametrize("dimensions", [1, 7, WIDTH - 1, WIDTH])
def test_fewer_dimensions_have_length_one_again(db: gpudb.Database, dimensions: int) -> None:
    whole, found = embedded(db, "unit"), embedded(db, "unit", dimensions=dimensions)
    assert found.shape == (len(TEXTS), dimensions)
    cut = whole[:, :dimensions].astype(np.float64)
    expected = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), [t is None for t in TEXTS])


def test_vectors_of_any_length_are_only_cut(db: gpudb.Database) -> None:
    whole, found = embedded(db, "plain"), embedded(db, "plain", dimensions=5)
    np.testing.assert_array_equal(found, whole[:, :5])


def test_a_prompt_stands_before_each_text(db: gpudb.Database) -> None:
    texts = ["cat", "the mat"]
    before = [PROMPTS["query"] + text for text in texts]
    asked = embedded(db, "unit", texts, prompt="query")
    np.testing.assert_array_equal(asked, embedded(db, "unit", before))
    assert not np.allclose(asked, embedded(db, "unit", texts), atol=1e-3)
    plain = embedded(db, "unit", texts, prompt="none")
    np.testing.assert_array_equal(plain, embedded(db, "unit", texts))


@pytest.mark.parametrize(
    ("model", "options", "kind", "message"),
    [
        ("unit", {"prompt": "passage"}, InputError, "no prompt 'passage'.*are: 'query', 'none'"),
        ("unit", {"dimensions": WIDTH + 1}, InputError, f"is {WIDTH + 1}; .*'unit' have {WIDTH}"),
        ("unit", {"dimensions": True}, InputError, "dimensions is True"),
        ("unit", {"dtype": "uint8"}, InputError, "expected one of float32, float16, int8, binary"),
        ("unit", {"dtype": ["int8"]}, InputError, "expected one of float32"),
        ("apart", {"prompt": "query"}, UnsupportedError, "include_prompt is false"),
    ],
)
def test_options_that_a_model_does_not_have(
    db: gpudb.Database, model: str, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        db.embed(model, TEXTS, **options)


def test_a_prompt_without_text_is_pooled_anyway(db: gpudb.Database) -> None:
    np.testing.assert_array_equal(embedded(db, "apart", prompt="none"), embedded(db, "apart"))


@pytest.mark.parametrize(
    ("dtype", "kind", "width"),
    [("float16", pa.float16(), 9), ("int8", pa.int8(), 9), ("binary", pa.uint8(), 2)],
)
def test_vectors_of_fewer_bits(
    db: gpudb.Database, dtype: str, kind: pa.DataType, width: int
) -> None:
    whole = embedded(db, "unit", dimensions=9)[[0, 2, 3]].astype(np.float64)
    column = db.embed("unit", TEXTS, dimensions=9, dtype=dtype).arrow()["embedding"]
    assert column.type == pa.list_(kind, width)
    assert column.null_count == 1
    found = np.array([column[i].as_py() for i in (0, 2, 3)])
    if dtype == "float16":
        np.testing.assert_allclose(found, whole, rtol=2**-11, atol=1e-7)
    elif dtype == "int8":
        step = np.abs(whole).max(axis=1, keepdims=True) / 127
        assert (abs(found * step - whole) <= 0.5001 * step).all()
        assert np.abs(found).max(axis=1).tolist() == [127] * 3
    else:
        signs = np.unpackbits(found.astype(np.uint8), axis=1)
        np.testing.assert_array_equal(signs[:, :9], whole > 0)
        assert not signs[:, 9:].any()


@pytest.mark.parametrize("dtype", ["float16", "int8", "binary"])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_numbers_that_a_dtype_does_not_have(dtype: str, odd: float) -> None:
    vectors = np.array([[1, -2], [odd, 3]], np.float32)
    with pytest.raises(UnsupportedError, match=f"that {dtype} does not have"):
        EmbedOptions(dtype=dtype).applied("m", vectors, unit=False)
    kept = EmbedOptions(1).applied("m", vectors, unit=False)
    np.testing.assert_array_equal(kept, vectors[:, :1])


def test_too_large_for_float16() -> None:
    with pytest.raises(UnsupportedError, match="too large"):
        EmbedOptions(dtype="float16").applied("m", np.full((1, 2), 1e5, np.float32), unit=False)


def test_zeros_and_no_vectors() -> None:
    for dtype in ("float16", "int8", "binary"):
        for rows in (0, 2):
            zeros = np.zeros((rows, 8), np.float32)
            found = EmbedOptions(4, dtype=dtype).applied("m", zeros, unit=True)
            assert found.shape == (rows, EmbedOptions(4, dtype=dtype).width("m", 8))


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ("", {}),
        (", 6", {"dimensions": 6}),
        (", dimensions => 6, prompt => 'query'", {"dimensions": 6, "prompt": "query"}),
        (", dtype := 'int8'", {"dtype": "int8"}),
        (", 13, dtype => 'binary'", {"dimensions": 13, "dtype": "binary"}),
    ],
)
def test_sql_says_the_same(db: gpudb.Database, written: str, options: dict[str, Any]) -> None:
    expected = db.embed("unit", TEXTS, **options).arrow()["embedding"]
    found = db.sql(f"SELECT embed('unit', text{written}) AS e FROM notes ORDER BY id").arrow()["e"]
    assert found.to_pylist() == expected.to_pylist()
    assert found.type == expected.type
    # A text that needs no row takes another way.
    single = db.sql(f"SELECT embed('unit', 'a'{written}) AS e").arrow()["e"]
    np.testing.assert_allclose(single[0].as_py(), expected[2].as_py(), atol=1e-6)


def test_forms_of_one_text_are_one_run(db: gpudb.Database) -> None:
    result = db.sql(
        "SELECT embed('unit', text), embed('unit', text, 6), embed('unit', text, dtype => $d), "
        "embed('unit', text, prompt => 'query') FROM notes",
        {"d": "binary"},
    )
    assert result.stats.distinct_texts == 3 + 3  # without a prompt, and with one
    assert [len(x) for x in result.fetchone() or ()] == [WIDTH, 6, WIDTH // 8, WIDTH]
    assert "unit over distinct text, 6 dimensions" in result.plan_text
    assert "unit over distinct text, prompt 'query'" in result.plan_text


def test_vectors_of_int8_compare(db: gpudb.Database) -> None:
    cosines = db.sql(
        "SELECT cosine(embed('unit', text), embed('unit', 'a')) AS exact, "
        "cosine(embed('unit', text, dtype => 'int8'), embed('unit', 'a', dtype => 'int8')) AS near "
        "FROM notes WHERE text IS NOT NULL"
    )
    np.testing.assert_allclose(cosines.numpy("near"), cosines.numpy("exact"), atol=0.02)


def test_signs_that_differ_are_counted_in_sql(db: gpudb.Database) -> None:
    found = db.sql(
        "SELECT list_sum(list_transform(list_zip(a, b), lambda p: bit_count(xor(p[1], p[2])))) "
        "FROM (SELECT embed('unit', 'a', dtype => 'binary') AS a, "
        "embed('unit', 'dogs ran', dtype => 'binary') AS b)"
    )
    a, b = embedded(db, "unit", ["a", "dogs ran"])
    assert found.fetchall() == [(int(((a > 0) != (b > 0)).sum()),)]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        ("embed('unit', text, 25)", InputError, "dimensions is 25"),
        ("embed('unit', text, prompt => 'x')", InputError, "no prompt 'x'"),
        (
            "embed('unit', text, dtype => 'float16')",
            UnsupportedError,
            "'int8', or .*Database.embed",
        ),
    ],
)
def test_sql_refuses_before_a_row_is_read(
    db: gpudb.Database, call: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        db.sql(f"SELECT {call} FROM notes")


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "binary"])
@pytest.mark.parametrize("dimensions", [None, 1, 8, 9])
def test_options_leave_vectors_that_they_do_not_change(dimensions: int | None, dtype: str) -> None:
    options = EmbedOptions(dimensions, dtype=dtype)
    vectors = np.linspace(-1, 1, 18, dtype=np.float32).reshape(2, 9)
    assert options.leaves(9) == (options.applied("m", vectors, True) is vectors)
