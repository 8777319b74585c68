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
from gpudb.functions import FUNCTIONS
from gpudb.sql.connection import OUR_MACROS
from gpudb.sql.explain import COMMENTS as _COMMENTS

_CALL = re.compile(rf'\b({"|".join(FUNCTIONS)})\b"?{_COMMENTS}\(', re.IGNORECASE | re.DOTALL)


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
}
_MAY_CALL = {
    StatementType.SELECT,
    StatementType.COPY,
    StatementType.MULTI,
    StatementType.RELATION,
    StatementType.SET,
    StatementType.VARIABLE_SET,
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
    if kind == StatementType.DROP:
        return _classify_drop(text)
    name = str(kind).rpartition(".")[2].replace("_", " ")
    if kind not in INSTEAD:
        raise UnsupportedError(
            f"{name} is not supported; SQL can read, and CREATE TABLE … AS, INSERT and DROP TABLE"
        )
    raise UnsupportedError(
        f"{name} is not supported: stored tables do not change; use {INSTEAD[kind]}"
    )


def _classify_create(text: str) -> Kind:
    words = [w for w in _words(text) if w not in ("CREATE", "OR", "REPLACE")]
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


def _classify_drop(text: str) -> Kind:
    words = [w for w in _words(text) if w not in ("DROP", "IF", "EXISTS")]
    if words[:1] in (["TABLE"], ["VIEW"]):
        return Kind.DROP
    name = words[1].strip('"').lower() if len(words) > 1 else ""
    if words[:1] in (["MACRO"], ["FUNCTION"]) and name not in OUR_MACROS:
        return Kind.DUCKDB
    raise UnsupportedError(
        f"DROP {' '.join(words[:2])} is not supported; what can be dropped are tables, and "
        "temporary views and macros of your own"
    )


def _words(text: str) -> list[str]:
    """The first words in upper case, without comments."""
    return re.sub(_COMMENTS[:-1] + "+", " ", text, flags=re.DOTALL).upper().split(maxsplit=6)


def may_call(kind: Any, text: str) -> bool:
    """True when a statement that DuckDB does may call a model, and so must be parsed.

    Raises
    ------
    UnsupportedError
        A statement that would keep the call for later.
    """
    mentioned = _CALL.search(text)
    if mentioned is None:
        return False
    words = _words(text)
    if kind == StatementType.PREPARE or (kind == StatementType.CREATE and "TABLE" not in words):
        raise UnsupportedError(
            f"{mentioned[1].lower()} in {' '.join(words[:2])} would run later, without gpudb; keep "
            "its rows with CREATE TEMP TABLE … AS SELECT …"
        )
    return kind in _MAY_CALL or kind == StatementType.CREATE


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
        for token, after in zip(tokens, [*tokens[1:], None], strict=True):
            if token.token_type == sqlglot.TokenType.PLACEHOLDER and token.text == "?":
                number += 1
                pieces += [text[at : token.start], f"${number}"]
                at = token.end + 1
            elif token.text.upper() == "DIV" and after is not None and after.text == "(":
                # An operator to sqlglot, an ordinary name to DuckDB.
                pieces += [text[at : token.start], '"div"']
                at = token.end + 1
        return sqlglot.parse_one("".join([*pieces, text[at:]]), read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise SqlError(
            f"DuckDB can read this statement, the parser that splits it cannot: {_reason(error)}; "
            "write that part in another way, or put it in a CTE"
        ) from error


def _reason(error: sqlglot.errors.SqlglotError) -> str:
    """What sqlglot says, in one line and without colours."""
    if not isinstance(error, sqlglot.errors.ParseError) or not error.errors:
        return str(error)
    first = error.errors[0]
    return (
        f"{first['description']}, line {first['line']}, column {first['col']}, "
        f"at {first['highlight']!r}"
    )
