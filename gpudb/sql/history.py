"""What was asked of a database: the newest statements, for ``gpudb.queries``.

They lie in a SQLite file of their own, so that recording one neither changes the catalog nor waits
for whoever writes it. Values of parameters are not recorded, and neither is an error message that
may quote them: they can be private (a password, a patient's text), while the text of a statement
is what its author chose to write down.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from gpudb.closing import Closing

FILE = "queries.sqlite"
KEPT = 10_000
"""Statements that are kept, the newest."""
LONGEST = 10_000
"""Characters that are kept of one statement."""
BUSY_SECONDS = 0.1
FORMAT = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS query (
  number INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL, seconds REAL NOT NULL,
  statement TEXT NOT NULL, rows INTEGER, device TEXT, models TEXT NOT NULL, texts INTEGER NOT NULL,
  tokens INTEGER NOT NULL, flops INTEGER NOT NULL, peak_bytes INTEGER NOT NULL, error TEXT
) STRICT
"""
_TYPES = {
    "number": pa.int64(),
    "started": pa.timestamp("us"),
    "seconds": pa.float64(),
    "statement": pa.string(),
    "rows": pa.int64(),
    "device": pa.string(),
    "models": pa.list_(pa.string()),
    "texts": pa.int64(),
    "tokens": pa.int64(),
    "flops": pa.int64(),
    "peak_bytes": pa.int64(),
    "error": pa.string(),
}
"""Columns of ``gpudb.queries``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement; the fields are the columns of ``gpudb.queries`` after the number."""

    started: datetime
    """UTC, without a zone."""
    seconds: float
    statement: str
    rows: int | None = None
    """That it returned or stored; None when it failed."""
    device: str | None = None
    """Where models ran; None when none did."""
    models: tuple[str, ...] = ()
    texts: int = 0
    tokens: int = 0
    flops: int = 0
    peak_bytes: int = 0
    """Most bytes of arrays that a model held at once."""
    error: str | None = None
    """None when it succeeded."""


_NAMES = ", ".join(f'"{field.name}"' for field in fields(Entry))
_VALUES = attrgetter(*(field.name for field in fields(Entry)))
_INSERT = f"INSERT INTO query ({_NAMES}) VALUES ({', '.join('?' * len(fields(Entry)))})"


class History(Closing):
    """The newest statements of a database.

    Recording never fails. What cannot be written (a read-only folder, a full disk, a damaged file,
    another process that writes) is kept in memory, written later if that becomes possible, and
    listed meanwhile; :attr:`trouble` says why.

    Parameters
    ----------
    path
        The file, made with the first statement; None keeps nothing at all.
    """

    def __init__(self, path: Path | None) -> None:
        self.trouble = ""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._waiting: deque[Entry] = deque(maxlen=KEPT)
        self._lock = Lock()

    def record(self, entry: Entry) -> None:
        """Keep a statement."""
        if self._path is None:
            return
        with self._lock:
            self._waiting.append(entry)
            self._write(self._path)

    def table(self) -> pa.Table:
        """The statements, oldest first."""
        with self._lock:
            rows = self._stored()
            last = rows[-1][0] if rows else 0
            rows += [(last + i, *_row(e)) for i, e in enumerate(self._waiting, start=1)]
        columns = list(zip(*map(_listed, rows[-KEPT:]), strict=True)) or [()] * len(_TYPES)
        arrays = [pa.array(c, t) for c, t in zip(columns, _TYPES.values(), strict=True)]
        return pa.table(dict(zip(_TYPES, arrays, strict=True)))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._drop_connection()

    def _write(self, path: Path) -> None:
        """Write what is waiting, all or nothing."""
        try:
            connection = self._connected(path)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, map(_row, self._waiting))
            connection.execute(
                "DELETE FROM query WHERE number <= (SELECT max(number) FROM query) - ?", (KEPT,)
            )
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"{path}: {error}; statements are kept in memory only"
            self._drop_connection()
        else:
            self.trouble = ""
            self._waiting.clear()

    def _stored(self) -> list[tuple[Any, ...]]:
        if self._path is None or not self._path.exists():
            return []
        try:
            newest = "SELECT * FROM query ORDER BY number DESC LIMIT ?"
            return self._connected(self._path).execute(newest, (KEPT,)).fetchall()[::-1]
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"{self._path}: {error}; statements are kept in memory only"
            self._drop_connection()
            return []

    def _connected(self, path: Path) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop_connection(self) -> None:
        """Closing undoes what was not committed."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _prepare(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, FORMAT):
        raise sqlite3.DatabaseError(f"its version is {found}, this gpudb knows {FORMAT}")
    if found == 0:
        # Losing the last statements to a power cut is fine; waiting for the disk is not.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("PRAGMA synchronous = OFF")


def _row(entry: Entry) -> tuple[Any, ...]:
    """Values as SQLite stores them."""
    started, seconds, statement, rows, device, models, *rest = _VALUES(entry)
    if len(statement) > LONGEST:
        statement = statement[:LONGEST] + "…"
    # A lone surrogate, which a statement may hold, is no UTF-8.
    readable = statement.encode("utf-8", "replace").decode("utf-8")
    return started.isoformat(), seconds, readable, rows, device, json.dumps(models), *rest


def _listed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values as SQL sees them."""
    number, started, seconds, statement, rows, device, models, *rest = row
    return (
        number, datetime.fromisoformat(started), seconds, statement, rows, device,
        json.loads(models), *rest,
    )  # fmt: skip
