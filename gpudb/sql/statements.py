"""What kind of thing a statement is, and so who does it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import sqlglot
from duckdb import StatementType
from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.sql.calls import FUNCTION
from gpudb.sql.explain import COMMENTS as _COMMENTS

_CALL = re.compile(rf"\b{FUNCTION}\b", re.IGNORECASE)


class Kind(Enum):
    """Who does a statement."""

    DUCKDB = auto()
    """DuckDB, as it stands."""
    EXPLAIN = auto()
    CREATE = auto()
    INSERT = auto()
    DROP = auto()


_READS = {
    StatementType.SELECT,
    StatementType.CALL,
    StatementType.COPY,
    StatementType.EXECUTE,
    StatementType.LOAD,
    StatementType.MULTI,
    StatementType.PRAGMA,
    StatementType.PREPARE,
    StatementType.RELATION,
    StatementType.SET,
    StatementType.VARIABLE_SET,
}
_OURS = {
    StatementType.EXPLAIN: Kind.EXPLAIN,
    StatementType.INSERT: Kind.INSERT,
    StatementType.DROP: Kind.DROP,
}
INSTEAD: Mapping[Any, str] = {
    StatementType.UPDATE: "CREATE OR REPLACE TABLE t AS SELECT * REPLACE (… AS column) FROM t",
    StatementType.DELETE: "CREATE OR REPLACE TABLE t AS SELECT * FROM t WHERE …",
    StatementType.ALTER: "CREATE OR REPLACE TABLE t AS SELECT … FROM t",
    StatementType.ATTACH: "read the other file with read_parquet('…'), or create a table from it",
}
"""Statement -> the one to write instead."""


def classify(kind: Any, text: str) -> Kind:
    """Who does a statement of DuckDB's type ``kind``.

    Raises
    ------
    UnsupportedError
        It would change something in a way that would not be stored; the message says what to
        write instead.
    """
    if kind in _OURS:
        return _OURS[kind]
    if kind in _READS:
        return Kind.DUCKDB
    if kind == StatementType.CREATE:
        return _classify_create(text)
    name = str(kind).rpartition(".")[2]
    instead = INSTEAD.get(kind, "see the README for what SQL can change")
    raise UnsupportedError(f"{name} is not supported: stored tables do not change; use {instead}")


def _classify_create(text: str) -> Kind:
    words = re.sub(rf"^{_COMMENTS}", "", text, flags=re.DOTALL).upper().split(maxsplit=6)
    words = [w for w in words if w not in ("CREATE", "OR", "REPLACE")]
    if words[:1] in (["TEMP"], ["TEMPORARY"], ["MACRO"], ["FUNCTION"]):
        return Kind.DUCKDB
    if words[:1] == ["TABLE"]:
        return Kind.CREATE
    if words[:1] == ["VIEW"]:
        raise UnsupportedError(
            "CREATE VIEW is not stored; use CREATE TEMP VIEW for this session, or "
            "CREATE TABLE … AS SELECT …"
        )
    raise UnsupportedError(
        f"CREATE {words[0] if words else ''} is not supported; gpudb stores tables: "
        "CREATE TABLE … AS SELECT …"
    )


def mentions_call(text: str) -> bool:
    """False when there is surely no model call; true when the statement must be parsed."""
    return _CALL.search(text) is not None


def parse(text: str) -> exp.Expr:
    """One statement as a tree; every ``?`` becomes ``$1``, ``$2``, … in the order of the text.

    Raises
    ------
    SqlError
        sqlglot cannot read it.
    """
    try:
        tokens = sqlglot.tokenize(text, read="duckdb")
        pieces, at, number = [], 0, 0
        for token in tokens:
            if token.token_type == sqlglot.TokenType.PLACEHOLDER and token.text == "?":
                number += 1
                pieces += [text[at : token.start], f"${number}"]
                at = token.end + 1
        return sqlglot.parse_one("".join([*pieces, text[at:]]), read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise SqlError(f"a statement with {FUNCTION}() cannot be parsed: {error}") from error
