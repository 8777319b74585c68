"""EXPLAIN and its options: taken apart, refused, rendered, and left to DuckDB."""

from __future__ import annotations

import json
from itertools import product
from xml.etree import ElementTree

import duckdb
import pytest

import gpudb
from gpudb.errors import CatalogError, InputError, SqlError, UnsupportedError
from gpudb.report import from_json, to_json, to_text
from gpudb.sql.explain import Explain, as_written, for_duckdb, split_explain
from tests.tiny_model import write_tiny_model

CALL = "SELECT embed('tiny', text) AS e FROM (VALUES ('the cat'), ('dog'), ('dog')) t(text)"


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    with gpudb.connect(folder / "db", device="auto", threads=2) as database:
        database.import_model(write_tiny_model(folder / "model"), "tiny")
        yield database


@pytest.mark.parametrize(
    ("text", "analyze", "form", "relational"),
    [
        ("EXPLAIN SELECT 1", False, "text", False),
        ("explain analyse SELECT 1;", True, "text", False),
        ("-- a\nEXPLAIN /* b */ ANALYZE SELECT 1", True, "text", False),
        ("EXPLAIN (ANALYZE, FORMAT HTML) SELECT 1", True, "html", False),
        ("EXPLAIN (format 'json', analyze false) SELECT 1", False, "json", False),
        ("EXPLAIN (RELATIONAL) SELECT 1", False, "text", True),
        ("EXPLAIN ( FORMAT json , Relational ) SELECT 1", False, "json", True),
        ("EXPLAIN (FORMAT relational_html) SELECT 1", False, "html", True),
        ("EXPLAIN (FORMAT graphviz) SELECT 1", False, "graphviz", False),
    ],
)
def test_an_explain_is_taken_apart(text, analyze, form, relational):
    assert split_explain(text) == Explain("SELECT 1", analyze, form, relational)
    assert split_explain(for_duckdb(text)) == Explain("SELECT 1", analyze, form, relational)


def test_brackets_that_are_no_options_belong_to_the_statement():
    assert split_explain("EXPLAIN (SELECT 1)").statement == "(SELECT 1)"
    assert split_explain("EXPLAIN ANALYZE (SELECT 1)") == Explain("(SELECT 1)", True, "text", False)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'EXPLAIN (RELATIONAL) SELECT 1'",
        "SELECT 1 -- ; EXPLAIN (RELATIONAL) SELECT 1",
        "SELECT $$; EXPLAIN (RELATIONAL) SELECT 1$$",
        "SELECT relational FROM (SELECT 1 AS relational)",
        "EXPLAIN (FORMAT JSON) SELECT 'RELATIONAL'",
        "EXPLAIN (SELECT relational FROM t)",
        "EXPLAIN (RELATIONAL",
        "EXPLAIN (",
        "relational",
        "",
    ],
)
def test_what_is_no_option_is_left_as_it_is(text):
    assert for_duckdb(text) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("EXPLAIN (RELATIONAL) SELECT ';'; SELECT 2", 2),
        ("SELECT 'é👩' ;\n explain /* ( */ (relational, format html) SELECT 1;", 2),
        ("EXPLAIN (ANALYZE, RELATIONAL) SELECT 1", 1),
    ],
)
def test_duckdb_splits_what_it_would_refuse(text, count):
    with pytest.raises(duckdb.Error):
        duckdb.extract_statements(text)
    statements = duckdb.extract_statements(for_duckdb(text))
    assert len(statements) == count
    explain = next(s.query for s in statements if "explain" in s.query.lower())
    assert split_explain(explain.strip()).relational
    assert "FORMAT relational" not in as_written(explain)


def test_text_json_and_page_tell_the_same(db):
    result = db.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {CALL}")
    assert (result.columns, result.rows) == (["plan"], 1)
    report = from_json(result.fetchone()[0])
    assert report == result.report
    assert to_json(report) == result.plan_text
    (plan,) = report.plans
    assert (plan.name, plan.run.workers, plan.counts["distinct_texts"]) == ("tiny@1", 1, 2)
    assert sum(s.share for s in plan.steps) == pytest.approx(1)
    assert plan.run.peak_nbytes <= plan.run.projected_nbytes
    assert [p.engine for p in report.parts] == ["duckdb", "model", "duckdb"]
    assert [p.plan for p in report.parts] == [None, 0, None]
    assert result.stats.flops == sum(s.flops for s in plan.steps) > 0
    text = db.sql(f"EXPLAIN ANALYZE {CALL}")
    assert [row for (row,) in text.fetchall()] == text.plan_text.split("\n")
    assert to_text(text.report) == text.plan_text
    page = db.sql(f"EXPLAIN (ANALYZE, FORMAT HTML) {CALL}").plan_text
    ElementTree.fromstring(page.partition("\n")[2])
    assert "LinearGemm" in page


def test_a_plan_without_a_run(db):
    report = db.sql(f"EXPLAIN {CALL}").report
    assert report.seconds is None
    assert all(s.seconds is None for s in report.plans[0].steps)
    assert "note: auto -> jit: " in to_text(report)


def test_every_query_with_a_model_has_a_report(db):
    assert db.sql(CALL).report.plans[0].run.runs >= 1
    assert db.sql("SELECT 1").report is None


def test_memory_limit_makes_batches_smaller_and_says_so(db, tmp_path):
    texts = [" ".join(words) for words in product(("cat", "dog", "mat"), repeat=4)]
    free = db.embed("tiny", texts).stats
    limit = free.resident_nbytes + free.projected_nbytes // 3
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2, memory_limit=limit) as small:
        small.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        stats = small.embed("tiny", texts).stats
        plan = small._library.report("tiny", stats)  # DuckDB itself would need more
    assert any(note.endswith("memory_limit") for note in plan.notes)
    assert plan.run.peak_nbytes <= plan.run.projected_nbytes <= limit


def test_relational_shows_joins_and_aggregates_only(db):
    text = db.sql(f"EXPLAIN (RELATIONAL) {CALL}").plan_text
    assert "relational plan of tiny@1" in text
    assert "Aggregate(child=" in text
    assert "Softmax" in text
    assert "physical" not in text
    report = from_json(db.sql(f"EXPLAIN (RELATIONAL, FORMAT JSON) {CALL}").plan_text)
    assert [len(p.texts) for p in report.plans] == [1]
    assert (
        db.explain("tiny", relational=True) == db.explain(CALL, relational=True).partition("\n")[2]
    )


def test_duckdb_explains_what_calls_no_model(db):
    assert "PROJECTION" in db.sql("EXPLAIN (FORMAT JSON) SELECT 1").plan_text
    assert json.loads(db.explain("SELECT 1", format="json"))
    assert "digraph" in db.explain("SELECT 1", format="graphviz")
    analyzed = db.sql("EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1")
    assert analyzed.columns == ["explain_key", "explain_value"]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (f"EXPLAIN (FORMAT graphviz) {CALL}", UnsupportedError, "formats are TEXT, JSON, HTML"),
        (f"EXPLAIN (ANALYZE, RELATIONAL) {CALL}", UnsupportedError, "leave one of them out"),
        ("EXPLAIN (RELATIONAL) SELECT 1", UnsupportedError, "calls none"),
        ("EXPLAIN (COSTS) SELECT 1", SqlError, "costs"),
        ("EXPLAIN (FORMAT nonsense) SELECT 1", SqlError, "nonsense"),
    ],
)
def test_what_cannot_be_explained_is_refused(db, text, kind, message):
    with pytest.raises(kind, match=message):
        db.sql(text)


def test_the_python_door(db):
    assert "physical plan of tiny@1" in db.explain("tiny")
    assert db.explain("tiny@1", stored=True).count("logical plan of tiny@1") == 2
    assert from_json(db.explain("tiny", format="json")).title == "tiny@1"
    assert "seconds" in db.explain("SELECT embed('tiny', $t)", {"t": "cat"}, analyze=True)
    with pytest.raises(CatalogError, match="no model 'nobody'"):
        db.explain("nobody")
    with pytest.raises(InputError, match="analyze runs a statement"):
        db.explain("tiny", analyze=True)
    for what in ("tiny", CALL):
        with pytest.raises(InputError, match="expected one of text, json, html"):
            db.explain(what, format="no) SELECT")
