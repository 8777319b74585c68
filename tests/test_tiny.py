"""The whole database in a few seconds: run this first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import CatalogError, SchemaError
from tests.tiny_model import write_tiny_model

TEXTS = ["the cat sat on the mat", "dogs", "", "a b c", "the cat sat on the mat"]


@pytest.fixture
def db(tmp_path):
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as database:
        database.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        table = pa.table({"id": range(len(TEXTS)), "stars": [5, 1, 3, 4, 4], "text": TEXTS})
        database.create_table("reviews", table)
        yield database


def test_an_encoder_answers_a_sql_query_over_a_table(db):
    rows = db.sql(
        "SELECT id, embed('tiny', text) AS e, cosine(e, embed('tiny', $q)) AS score "
        "FROM reviews WHERE stars >= 3 ORDER BY score DESC, id",
        {"q": "the cat sat on the mat"},
    )
    assert rows.columns == ["id", "e", "score"]
    assert rows.numpy("id").tolist()[:2] == [0, 4]
    np.testing.assert_allclose(rows.numpy("score")[:2], 1, atol=1e-6)
    vectors = rows.numpy("e")
    assert vectors.shape == (4, 24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_python_and_sql_give_the_same_vectors(db):
    by_sql = db.sql("SELECT embed('tiny', text) AS e FROM reviews").numpy("e")
    by_python = db.embed("tiny", TEXTS).numpy("embedding")
    np.testing.assert_allclose(by_sql, by_python, atol=1e-6)


def test_what_is_stored_is_there_the_next_time(db, tmp_path):
    before = db.embed("tiny", TEXTS).numpy("embedding")
    db.sql("CREATE TABLE vectors AS SELECT id, embed('tiny', text) AS e FROM reviews")
    db.close()
    with gpudb.connect(tmp_path / "db") as again:
        assert again.tables() == ["reviews", "vectors"]
        stored = again.sql("SELECT e FROM vectors ORDER BY id").numpy("e")
        np.testing.assert_allclose(stored, before, atol=1e-6)
        assert again.sql("SELECT typeof(e) FROM vectors LIMIT 1").fetchone() == ("FLOAT[24]",)


def test_the_catalog_is_tables(db):
    (row,) = db.sql("SELECT model, version, width, layers FROM gpudb.models").fetchall()
    assert row == ("tiny", 1, 24, 2)
    query = "SELECT count(*), sum(bytes) FROM gpudb.blocks WHERE model = 'tiny'"
    blocks, nbytes = db.sql(query).fetchone()
    assert (blocks, nbytes) == db.sql(
        "SELECT sum(blocks), sum(bytes) FROM gpudb.tensors WHERE model = 'tiny'"
    ).fetchone()


@pytest.mark.parametrize("block", [None, (2, 2), (3, 5), (64, 64)], ids=str)
def test_a_product_of_stored_tensors_equals_numpy(db, block):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((7, 5)), rng.standard_normal((5, 3))
    x, y = (db.create_tensor(n, v, block=block) for n, v in (("a", a), ("b", b)))
    np.testing.assert_allclose((x @ y).map("relu").collect(), np.maximum(a @ b, 0), atol=1e-12)


def test_a_tensor_of_a_model_is_an_expression_too(db):
    weight = db.tensor("encoder.layer.0.attention.self.query.weight", model="tiny")
    assert weight.shape == (24, 24)
    dense = weight.collect()
    np.testing.assert_allclose((weight @ weight).collect(), dense @ dense, atol=1e-5)


def test_mismatched_shapes_name_both_sides(db):
    a, b = db.create_tensor("a", np.ones((4, 3))), db.create_tensor("b", np.ones((4, 3)))
    with pytest.raises(SchemaError, match=r"a is 4×3 .* b is 4×3 .* inner extents 3 and 4"):
        a @ b


def test_an_unknown_model_says_what_there_is(db):
    with pytest.raises(CatalogError, match=r"no model 'mini'.*tiny"):
        db.sql("SELECT embed('mini', text) FROM reviews")


def test_explain_analyze_names_every_step(db):
    text = db.sql("EXPLAIN ANALYZE SELECT embed('tiny', text) FROM reviews").plan_text
    for name in ("EmbeddingNorm", "SequenceAttention", "LinearGemm", "PoolRows", "0 padded"):
        assert name in text


def test_the_null_device_plans_without_computing(tmp_path):
    with gpudb.connect(tmp_path / "db", device="null") as db:
        db.import_model(write_tiny_model(Path(tmp_path / "model")), "tiny")
        assert db.embed("tiny", ["the cat"]).numpy("embedding").shape == (1, 24)
        assert "on null" in db.explain("tiny")
