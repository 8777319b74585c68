"""What kind of thing a statement is, and how its text is taken apart."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.sql.explain import split_explain
from gpudb.sql.statements import Kind, classify, may_call, mentions_call, parse


def kind_of(text: str) -> object:
    return duckdb.extract_statements(text)[-1].type


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT 1", Kind.DUCKDB),
        ("FROM t", Kind.DUCKDB),
        ("WITH a AS (SELECT 1) FROM a", Kind.DUCKDB),
        ("VALUES (1)", Kind.DUCKDB),
        ("DESCRIBE t", Kind.DUCKDB),
        ("SUMMARIZE t", Kind.DUCKDB),
        ("SHOW TABLES", Kind.DUCKDB),
        ("SET threads = 1", Kind.DUCKDB),
        ("SET VARIABLE x = 1", Kind.DUCKDB),
        ("PRAGMA version", Kind.DUCKDB),
        ("CALL pragma_version()", Kind.DUCKDB),
        ("COPY (SELECT 1) TO 'x.csv'", Kind.DUCKDB),
        ("PREPARE p AS SELECT 1", Kind.DUCKDB),
        ("EXPLAIN SELECT 1", Kind.EXPLAIN),
        ("explain analyze select 1", Kind.EXPLAIN),
        ("INSERT INTO t VALUES (1)", Kind.INSERT),
        ("WITH a AS (SELECT 1) INSERT INTO t FROM a", Kind.INSERT),
        ("CREATE TABLE t AS SELECT 1", Kind.CREATE),
        ("create or replace table t as select 1", Kind.CREATE),
        ("CREATE/**/TABLE IF NOT EXISTS t AS SELECT 1", Kind.CREATE),
        ("-- first\nCREATE -- then\n TABLE t AS SELECT 1", Kind.CREATE),
        ("CREATE TEMP TABLE t AS SELECT 1", Kind.DUCKDB),
        ("CREATE OR REPLACE TEMPORARY TABLE t AS SELECT 1", Kind.DUCKDB),
        ("CREATE TEMP VIEW v AS SELECT 1", Kind.DUCKDB),
        ("CREATE MACRO f(x) AS x", Kind.DUCKDB),
        ("DROP TABLE t", Kind.DROP),
        ("DROP TABLE IF EXISTS t", Kind.DROP),
        ("drop view v", Kind.DROP),
        ("DROP MACRO mine", Kind.DUCKDB),
        ("DROP FUNCTION IF EXISTS mine", Kind.DUCKDB),
    ],
)
def test_who_does_a_statement(text: str, kind: Kind) -> None:
    assert classify(kind_of(text), text) is kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("UPDATE t SET a = 1", r"UPDATE is not supported.*CREATE OR REPLACE TABLE .* REPLACE"),
        ("DELETE FROM t", r"DELETE.*CREATE OR REPLACE TABLE t AS SELECT \* FROM t WHERE"),
        ("TRUNCATE t", "DELETE.*CREATE OR REPLACE"),
        ("ALTER TABLE t ADD COLUMN a INT", "ALTER.*CREATE OR REPLACE"),
        ("ATTACH 'x' AS y", "ATTACH.*read_parquet"),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "MERGE INTO is not supported"),
        ("BEGIN", "TRANSACTION is not supported; SQL can read"),
        ("VACUUM", "VACUUM is not supported"),
        ("EXPORT DATABASE 'x'", "EXPORT is not supported"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW is not stored; use CREATE TEMP VIEW"),
        ("CREATE INDEX i ON t(a)", "CREATE INDEX is not supported.*CREATE TABLE"),
        ("CREATE SCHEMA s", "CREATE SCHEMA is not supported"),
        ("DROP SCHEMA gpudb CASCADE", "DROP SCHEMA GPUDB is not supported"),
        ("DROP MACRO cosine", "DROP MACRO COSINE is not supported"),
        ('DROP MACRO IF EXISTS "embed"', "is not supported"),
    ],
)
def test_what_would_not_be_stored_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        classify(kind_of(text), text)


@pytest.mark.parametrize(
    ("text", "inner", "analyze"),
    [
        ("EXPLAIN SELECT 1", "SELECT 1", False),
        ("explain analyze SELECT 1;", "SELECT 1", True),
        ("EXPLAIN ANALYSE SELECT 1", "SELECT 1", True),
        ("-- c\n EXPLAIN /* x */ ANALYZE -- y\n SELECT 1", "-- y\n SELECT 1", True),
        ("EXPLAIN (FORMAT JSON) SELECT 1", "SELECT 1", False),
        ("EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1", "SELECT 1", True),
        ("EXPLAIN (SELECT 1)", "(SELECT 1)", False),
        ("EXPLAIN SELECT analyze FROM t", "SELECT analyze FROM t", False),
    ],
)
def test_explain_is_taken_off(text: str, inner: str, analyze: bool) -> None:
    explain = split_explain(text)
    assert (explain.statement, explain.analyze) == (inner, analyze)


@pytest.mark.parametrize(
    ("text", "numbered"),
    [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT '?', ? -- ?", "SELECT '?', $1 /* ? */"),
        ('SELECT "?", ?', 'SELECT "?", $1'),
        ("SELECT /* ? */ ?", "/* ? */ SELECT $1"),
        ("SELECT $a, $2", "SELECT $a, $2"),
        ("SELECT 'ä🦆', ?", "SELECT 'ä🦆', $1"),
    ],
)
def test_question_marks_are_numbered(text: str, numbered: str) -> None:
    assert parse(text).sql("duckdb") == numbered


@pytest.mark.parametrize("text", ["SELECT 5!, embed('m', t)", "SELECT 'open"])
def test_what_the_parser_cannot_read_is_one_error(text: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse(text)
    assert "\x1b" not in str(caught.value)


def test_only_statements_that_mention_a_call_are_parsed() -> None:
    assert mentions_call("SELECT Embed ('m', t)")
    assert not mentions_call("SELECT embedding FROM embeds")
    assert may_call(kind_of("SELECT embed('m', t)"), "SELECT embed('m', t)")
    assert not may_call(kind_of("SELECT 1"), "SELECT 1")
    temp = "CREATE TEMP TABLE x AS SELECT embed('m', t)"
    assert may_call(kind_of(temp), temp)


@pytest.mark.parametrize(
    "text",
    [
        "PREPARE p AS SELECT embed('m', t)",
        "CREATE TEMP VIEW v AS SELECT embed('m', t)",
        "CREATE MACRO f(t) AS embed('m', t)",
    ],
)
def test_a_call_is_not_kept_for_later(text: str) -> None:
    with pytest.raises(UnsupportedError, match="CREATE TEMP TABLE"):
        may_call(kind_of(text), text)


def test_a_parsed_statement_is_a_tree() -> None:
    assert isinstance(parse("SELECT 1"), exp.Select)
