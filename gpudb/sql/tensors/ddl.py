"""CREATE TENSOR and DROP TENSOR, which DuckDB's parser does not know.

The text that DuckDB splits into statements has ``TABLE gpudb_tensor.x`` for ``TENSOR x``.
"""

from __future__ import annotations

import re

import duckdb
from sqlglot import exp

SCHEMA = "gpudb_tensor"
"""Stands before the name of what is meant as a tensor."""

_WORD = re.compile(rb'"(?:[^"]|"")*"|\w+|\S')
_MARKED = re.compile(
    rf"\bTABLE(\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?){SCHEMA}\.", re.IGNORECASE | re.DOTALL
)
_BEFORE = (["create"], ["create", "or", "replace"], ["drop"])
_BETWEEN = (["if", "not", "exists"], ["if", "exists"])


def for_duckdb(text: str) -> str:
    """The text with TENSOR in a form that DuckDB can parse; strings and comments stay."""
    if "tensor" not in text.lower():
        return text
    encoded = text.encode()  # DuckDB counts bytes
    words = [
        (at, match.group().decode().lower())
        for at, kind in duckdb.tokenize(text)
        if kind != duckdb.token_type.comment and (match := _WORD.match(encoded, at))
    ]
    pieces, done, start = [], 0, 0
    for number, (at, word) in enumerate(words):
        if word == ";":
            start = number + 1
        if word != "tensor" or [w for _, w in words[start:number]] not in _BEFORE:
            continue
        after = number + 1
        for between in _BETWEEN:
            if [w for _, w in words[after : after + len(between)]] == between:
                after += len(between)
                break
        if after < len(words):
            name = words[after][0]
            pieces += [encoded[done:at], b"TABLE", encoded[at + 6 : name], f"{SCHEMA}.".encode()]
            done = name
    return b"".join([*pieces, encoded[done:]]).decode()


def as_written(text: str) -> str:
    """A statement before :func:`for_duckdb`."""
    return _MARKED.sub(r"TENSOR\1", text, count=1)


def target(table: object) -> str | None:
    """The name after TENSOR; None where a table is meant."""
    if isinstance(table, exp.Table) and table.db.lower() == SCHEMA:
        return str(table.name)
    return None
