"""User tables and their files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gpudb.catalog.catalog import Catalog
from gpudb.catalog.records import TablePart, UserTable, now
from gpudb.errors import CatalogError, InputError

_SELECT = "SELECT id, name, schema, created, rows FROM user_table"


def add_table(
    catalog: Catalog, name: str, *, schema: bytes, parts: Sequence[TablePart]
) -> UserTable:
    """Record a user table; names differ in more than upper and lower case.

    Raises
    ------
    CatalogError
        If there is a table of that name.
    """
    if not name:
        raise InputError("a table needs a name; found an empty one")
    with catalog.transaction():
        if taken := catalog.rows(f"{_SELECT} WHERE name = ?", (name,)):
            raise CatalogError(
                f"table {taken[0][1]!r} is there already; drop it first, or choose another name"
            )
        table_id = catalog.insert(
            "INSERT INTO user_table (name, schema, created, rows) VALUES (?, ?, ?, ?)",
            (name, schema, now(), sum(part.rows for part in parts)),
        )
        catalog.run_many(
            "INSERT INTO user_table_part VALUES (?, ?, ?, ?, ?, ?)",
            (
                (table_id, number, part.file, part.rows, part.nbytes, part.external)
                for number, part in enumerate(parts)
            ),
        )
        return table(catalog, name)


def add_part(catalog: Catalog, name: str, part: TablePart) -> UserTable:
    """Record one more file of a table, after those it has."""
    with catalog.transaction():
        found = table(catalog, name)
        catalog.run(
            "INSERT INTO user_table_part VALUES (?, ?, ?, ?, ?, ?)",
            (found.id, len(found.parts), part.file, part.rows, part.nbytes, part.external),
        )
        catalog.run("UPDATE user_table SET rows = rows + ? WHERE id = ?", (part.rows, found.id))
        return table(catalog, name)


def table(catalog: Catalog, name: str) -> UserTable:
    """The table of that name, in any case.

    Raises
    ------
    CatalogError
        If there is none; the message lists those there are.
    """
    found = catalog.rows(f"{_SELECT} WHERE name = ?", (name,))
    if not found:
        names = ", ".join(t.name for t in tables(catalog))
        exist = f"tables are: {names}" if names else "there are none yet"
        raise CatalogError(f"no table {name!r}; {exist}; make one with create_table")
    return _record(catalog, found[0])


def tables(catalog: Catalog) -> list[UserTable]:
    """Every user table, by name."""
    return [_record(catalog, row) for row in catalog.rows(f"{_SELECT} ORDER BY name")]


def drop_table(catalog: Catalog, name: str) -> UserTable:
    """Forget a table; what it was. Its own files are the caller's to remove after the commit."""
    with catalog.transaction():
        dropped = table(catalog, name)
        catalog.run("DELETE FROM user_table WHERE id = ?", (dropped.id,))
        return dropped


def _record(catalog: Catalog, row: tuple[Any, ...]) -> UserTable:
    table_id, name, schema, created, rows = row
    parts = catalog.rows(
        "SELECT file, rows, nbytes, external FROM user_table_part "
        "WHERE user_table = ? ORDER BY number",
        (table_id,),
    )
    return UserTable(
        table_id,
        name,
        schema,
        datetime.fromisoformat(created),
        rows,
        tuple(TablePart(file, n, nbytes, bool(external)) for file, n, nbytes, external in parts),
    )
