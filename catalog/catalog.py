"""The catalog file: open, migrate, execute, transact."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from gpudb.catalog.migrate import check, migrate, scripts
from gpudb.closing import Closing
from gpudb.errors import CatalogError

BUSY_SECONDS = 30.0
RETRY_SECONDS = 0.01
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables


class Catalog(Closing):
    """A SQLite file and the one connection to it; threads take turns.

    Parameters
    ----------
    path
        The file; made when it does not exist, unless ``read_only``.
    read_only
        Open without any right to change the file. Where the folder cannot be written to and
        nobody has the catalog open, SQLite is told that it will not change meanwhile.
    busy_seconds
        How long to wait for another process that writes.

    Raises
    ------
    CatalogError
        If the file is not a gpudb catalog, is newer than this gpudb, or cannot be opened.
    """

    def __init__(
        self, path: Path, read_only: bool = False, *, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self.path = path
        self.read_only = read_only
        self._busy_seconds = busy_seconds
        self._lock = RLock()
        self._depth = 0
        _check_sqlite()
        migrations = scripts()
        with self._translated():
            self._connection = _connect(path, read_only, busy_seconds)
        try:
            with self._translated():
                self._prepare(migrations)
        except BaseException:
            self._connection.close()
            raise

    @property
    def in_transaction(self) -> bool:
        """True inside a :meth:`transaction` of this thread; waits for one of another thread."""
        with self._lock:
            return self._depth > 0

    def change_counter(self) -> tuple[int, int]:
        """A value that changes whenever any process has changed anything in the catalog."""
        with self._lock:
            others: int = self.rows("PRAGMA data_version")[0][0]
            return others, self._connection.total_changes

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement; all its rows."""
        with self._lock, self._translated():
            return self._connection.execute(sql, parameters).fetchall()

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one INSERT; the id of the new row."""
        with self._lock, self._translated():
            return self._connection.execute(sql, parameters).lastrowid or 0

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; how many rows it changed itself (cascades not counted)."""
        with self._lock, self._translated():
            return self._connection.execute(sql, parameters).rowcount

    def run_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of ``parameters``; how many rows it changed in all."""
        with self._lock, self._translated():
            return self._connection.executemany(sql, parameters).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what runs inside is committed at the end, or undone by any exception.

        Takes the file's write lock, so that other processes wait. Inside another transaction of
        the same thread it is a part of that one, and is undone alone if it fails.
        """
        with self._lock:
            inner = self._depth > 0
            mark = f"depth_{self._depth}"
            begin = f"SAVEPOINT {mark}" if inner else "BEGIN IMMEDIATE"
            undo = (f"ROLLBACK TO {mark}", f"RELEASE {mark}") if inner else ("ROLLBACK",)
            self._depth += 1
            try:
                self.run(begin)
                yield
                self.run(f"RELEASE {mark}" if inner else "COMMIT")
            except BaseException:
                # SQLite has already rolled back by itself after some errors, e.g. a full disk.
                if self._connection.in_transaction:
                    for statement in undo:
                        self.run(statement)
                raise
            finally:
                self._depth -= 1

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _prepare(self, migrations: Sequence[str]) -> None:
        version = check(self._connection, self.path, len(migrations))
        self.run("PRAGMA foreign_keys = ON")
        if self.read_only:
            if version < len(migrations):
                raise CatalogError(
                    f"{self.path} has catalog version {version}, this gpudb needs "
                    f"{len(migrations)}: open the database once without read_only to upgrade it"
                )
            return
        if not os.access(self.path, os.W_OK):
            raise CatalogError(
                f"{self.path} cannot be written to: make it writable, or open the database "
                "with read_only=True"
            )
        self._use_wal()
        # Vacuum deletes pages after its commit: a commit must not be lost with the power.
        self.run("PRAGMA synchronous = FULL")
        if version < len(migrations):
            migrate(self._connection, migrations)

    def _use_wal(self) -> None:
        """Write ahead, from now on; where others are about to, SQLite does not wait by itself."""
        last = monotonic() + self._busy_seconds
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or monotonic() > last:
                    raise
                sleep(RETRY_SECONDS)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's errors as errors that say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise CatalogError(f"{self.path}: {self._explain(error)}") from error

    def _explain(self, error: sqlite3.Error) -> str:
        match getattr(error, "sqlite_errorname", "").split("_")[:2]:
            case ["SQLITE", "BUSY" | "LOCKED"]:
                return (
                    f"another process has been writing for {self._busy_seconds:g} s; "
                    "try again when it has finished"
                )
            case ["SQLITE", "FULL" | "IOERR"]:
                return f"the catalog cannot be written ({error}); free some space and try again"
            case ["SQLITE", "READONLY"]:
                return (
                    "the catalog is open read-only; open the database without read_only, in a "
                    "folder that can be written to"
                )
            case ["SQLITE", "CANTOPEN"]:
                return f"the catalog cannot be opened ({error}); check the folder's permissions"
            case ["SQLITE", "CORRUPT" | "NOTADB"]:
                return f"the catalog is damaged ({error}); restore the folder from a backup"
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            return "the catalog is closed; open the database again"
        return f"SQLite refused a statement: {error}"


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise CatalogError(
            f"this Python comes with SQLite {sqlite3.sqlite_version}; the catalog needs "
            f"{'.'.join(map(str, OLDEST_SQLITE))} or newer: use a newer Python, e.g. from conda"
        )


def _connect(path: Path, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
    mode = "rwc"
    if read_only:
        mode = "ro"
        busy = path.with_name(path.name + "-wal").exists()
        # A catalog in WAL mode needs a file beside it even to be read; here none can be made.
        if not busy and not os.access(path.parent, os.W_OK):
            mode = "ro&immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
