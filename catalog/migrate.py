"""Bring a catalog file to the schema this version of gpudb knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpudb.errors import CatalogError

APPLICATION_ID = 0x67707564
"""``gpud`` in ASCII: marks a SQLite file as a gpudb catalog."""


def scripts() -> tuple[str, ...]:
    """The migrations in order; number n takes ``user_version`` from n-1 to n."""
    folder = Path(__file__).parent / "migrations"
    return tuple(file.read_text("utf-8") for file in sorted(folder.glob("*.sql")))


def check(connection: sqlite3.Connection, path: Path, known: int) -> int:
    """``user_version`` of the file, once it is known to be a catalog or empty.

    Raises
    ------
    CatalogError
        If the file is not SQLite, is another program's database, or is newer than ``known``.
    """
    try:
        application, version, objects = _state(connection)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise CatalogError(
            f"{path} is not a SQLite file ({error}); expected a gpudb catalog: give another "
            "folder, or restore the file from a backup"
        ) from error
    is_new = application == 0 and version == 0 and objects == 0
    if application != APPLICATION_ID and not is_new:
        raise CatalogError(
            f"{path} is a SQLite database of another program (application id {application}, "
            f"expected {APPLICATION_ID}); give another folder"
        )
    if version > known:
        raise CatalogError(
            f"{path} has catalog version {version}; this gpudb knows versions up to {known}: "
            "upgrade gpudb"
        )
    return version


def _state(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Application, version and number of objects, at one moment: others may be making the file."""
    connection.execute("BEGIN")
    try:
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return _pragma(connection, "application_id"), _pragma(connection, "user_version"), objects
    finally:
        connection.execute("ROLLBACK")


def migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Apply the migrations the file does not have yet, all in one transaction.

    The connection must be in autocommit mode. A migration that fails leaves the file as it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again under the lock: another process may have just done the work.
        version = _pragma(connection, "user_version")
        for number, script in enumerate(migrations[version:], start=version + 1):
            # executescript would commit; the statements are run one by one instead.
            for statement in statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def statements(script: str) -> Iterator[str]:
    """The statements of a script; each ends at the end of a line."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
