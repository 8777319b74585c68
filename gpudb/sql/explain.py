"""EXPLAIN and its options, of which DuckDB's parser does not know all."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from gpudb.errors import UnsupportedError
from gpudb.report import RENDERERS

COMMENTS = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
"""A pattern of what may stand before any word."""
RELATIONAL = "relational"
_HEAD = re.compile(rf"{COMMENTS}EXPLAIN\b{COMMENTS}", re.IGNORECASE | re.DOTALL)
_ANALYZE = re.compile(r"ANALY[ZS]E\b", re.IGNORECASE)
_OPTIONS = re.compile(
    r"\(\s*(?P<options>(?:ANALY[ZS]E|FORMAT|RELATIONAL)\b[^()]*)\)", re.IGNORECASE
)
_OFF = ("false", "off", "0")
_WORD = re.compile(rb"\w+|\S")


@dataclass(frozen=True, slots=True)
class Explain:
    """An EXPLAIN taken apart."""

    statement: str
    """What is explained."""
    analyze: bool
    format: str
    """A key of :data:`RENDERERS`, ``"relational"`` having become :attr:`relational`; another word
    is for DuckDB."""
    relational: bool

    def check(self) -> None:
        """Refuse what cannot be told of a statement that calls a model.

        Raises
        ------
        UnsupportedError
            A format that gpudb does not write, or ANALYZE of a plan that is not what runs.
        """
        if self.format not in RENDERERS:
            raise UnsupportedError(
                f"EXPLAIN (FORMAT {self.format.upper()}) of a statement that calls a model; "
                f"formats are {', '.join(f.upper() for f in RENDERERS)}"
            )
        if self.relational and self.analyze:
            raise UnsupportedError(
                "EXPLAIN (ANALYZE, RELATIONAL): RELATIONAL shows the plan before any rule, which "
                "is not what runs; leave one of them out"
            )


def split_explain(text: str) -> Explain:
    """Take an EXPLAIN apart, which :func:`for_duckdb` may have gone over.

    Options are a list in brackets: ``ANALYZE``, ``FORMAT name``, ``RELATIONAL``.
    """
    head = _HEAD.match(text)
    assert head is not None  # DuckDB's parser said it is an EXPLAIN
    rest = text[head.end() :]
    analyze, relational, form = False, False, "text"
    if options := _OPTIONS.match(rest):
        rest = rest[options.end() :]
        analyze, relational, form = _read(options["options"])
    elif word := _ANALYZE.match(rest):
        rest, analyze = rest[word.end() :], True
    return Explain(rest.strip().rstrip(";"), analyze, form, relational)


def for_duckdb(text: str) -> str:
    """The text, with options of EXPLAIN that hold ``RELATIONAL`` in a form that DuckDB can parse.

    DuckDB's parser splits a text into statements; it refuses an option that it does not know, but
    leaves the name of a format to whoever runs the statement, and takes one format only. So
    ``(RELATIONAL, FORMAT JSON)`` becomes ``(FORMAT relational_json)``. DuckDB's own lexer finds
    the words, so that strings and comments stay as they are.
    """
    if RELATIONAL not in text.lower():
        return text
    encoded = text.encode()  # DuckDB counts bytes
    tokens = [
        (at, match.group().decode().lower())
        for at, kind in duckdb.tokenize(text)
        if kind != duckdb.token_type.comment and (match := _WORD.match(encoded, at))
    ]
    pieces, done = [], 0
    for number, (_, word) in enumerate(tokens):
        first = number == 0 or tokens[number - 1][1] == ";"
        if not first or word != "explain" or [w for _, w in tokens[number + 1 :][:1]] != ["("]:
            continue
        start = tokens[number + 1][0]
        end = next((at for at, w in tokens[number + 1 :] if w == ")"), start)
        options = encoded[start + 1 : end].decode()
        if RELATIONAL not in (o.strip().lower() for o in options.split(",")):
            continue
        analyze, _, form = _read(options)
        listed = f"({'ANALYZE, ' if analyze else ''}FORMAT {RELATIONAL}_{form}"
        pieces += [encoded[done:start], listed.encode()]
        done = end
    return b"".join([*pieces, encoded[done:]]).decode()


def as_written(text: str) -> str:
    """A statement before :func:`for_duckdb`, up to the order of its options."""
    if not (head := _HEAD.match(text)) or not (options := _OPTIONS.match(text, head.end())):
        return text
    words = re.sub(rf"\bFORMAT {RELATIONAL}_(\w+)", r"RELATIONAL, FORMAT \1", options.group())
    return text[: head.end()] + words.replace(", FORMAT text", "") + text[options.end() :]


def _read(options: str) -> tuple[bool, bool, str]:
    """ANALYZE, RELATIONAL and the format of a list of options."""
    analyze, relational, form = False, False, "text"
    for option in options.split(","):
        name, _, value = " ".join(option.lower().split()).partition(" ")
        value = value.strip("'\"")
        if name == RELATIONAL:
            relational = True
        elif name == "format":
            marked = re.fullmatch(rf"{RELATIONAL}(?:_(\w+))?", value)
            relational = relational or marked is not None
            form = (marked[1] or "text") if marked else value
        else:
            analyze = value not in _OFF
    return analyze, relational, form
