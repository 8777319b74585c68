"""Read all that a database stores and compare it with its hashes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from gpudb.cli.options import open_database
from gpudb.errors import GpudbError

if TYPE_CHECKING:
    from gpudb.database import Database


def check_database(args: argparse.Namespace) -> int:
    """Write what was checked and what was found damaged; 0 if all is sound, else 1."""
    with open_database(args, must_exist=True) as db:
        damage = list(filter(None, [_pages(db), *(_table(db, name) for name in db.tables())]))
        history = db.history.trouble
        pages, tables = db.sql("SELECT page FROM gpudb.pages").rows, len(db.tables())
    sys.stdout.write("\n")
    if history:
        sys.stdout.write(f"history: {' '.join(history.split())}\n")
    for message in damage:
        sys.stdout.write(f"damaged: {' '.join(message.split())}\n")
    if not damage:
        sys.stdout.write(
            f"{args.db}: {pages:,} pages compared with their hashes and {tables:,} tables read; "
            "all sound\n"
        )
    return 1 if damage else 0


def _pages(db: Database) -> str:
    """What is wrong with the first damaged page; empty if none is."""
    try:
        db.verify()
    except GpudbError as error:
        return str(error)
    return ""


def _table(db: Database, name: str) -> str:
    """What is wrong with a table; empty if all of it can be read."""
    quoted = '"' + name.replace('"', '""') + '"'
    try:
        db.sql(f"SELECT count(COLUMNS(*)) FROM {quoted}")
    except GpudbError as error:
        return f"table {name}: {error}"
    return ""
