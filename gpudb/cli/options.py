"""What several commands share: help layout, the database option, and opening the database."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gpudb.errors import CatalogError

if TYPE_CHECKING:
    from gpudb.database import Database

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

MEMORY = ":memory:"
DEFAULT_DATABASE = "db.gpudb"


def add_command(
    commands: Commands, name: str, summary: str, example: str, detail: str = ""
) -> argparse.ArgumentParser:
    """A subcommand whose ``--help`` ends with an example."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.{detail and ' '}{detail}",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(parser=parser)
    return parser


def add_database_options(
    parser: argparse.ArgumentParser, default: str | None = DEFAULT_DATABASE, note: str = ""
) -> None:
    """Where the database is and what it may use."""
    text = note or f"the database folder (default: {default})"
    parser.add_argument("-d", "--db", metavar="PATH", default=default, help=text)
    group = parser.add_argument_group("resources")
    group.add_argument(
        "--device", help="auto, cuda, jit, numpy, null (default: $GPUDB_DEVICE, or auto)"
    )
    group.add_argument("--memory-limit", metavar="SIZE", help='most memory to use, e.g. "4GB"')
    group.add_argument(
        "--threads", type=int, metavar="N", help="worker threads (default: $GPUDB_THREADS)"
    )


@contextmanager
def open_database(args: argparse.Namespace, *, must_exist: bool = False) -> Iterator[Database]:
    """What ``-d`` names, for a ``with`` block; with ``must_exist``, it is never created.

    A new database that a failed command has put nothing into is removed again.
    """
    import gpudb

    path = args.db
    new = path != MEMORY and not Path(path).exists()
    if must_exist and new:
        raise CatalogError(
            f"there is no database at {path}; create one with "
            f"`gpudb import-model FOLDER --name NAME -d {path}`, or name another with -d"
        )
    with gpudb.connect(
        path, device=args.device, memory_limit=args.memory_limit, threads=args.threads
    ) as db:
        try:
            yield db
        except BaseException:
            if new and not (db.models() or db.tables() or db.tensors()):
                db.close()
                shutil.rmtree(path)
            raise
