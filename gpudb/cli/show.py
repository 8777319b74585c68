"""``gpudb ls`` and ``gpudb describe``: what a database holds."""

from __future__ import annotations

import argparse

from gpudb.cli.options import Commands, add_command, add_database_options, open_database
from gpudb.cli.output import add_output_options, check_output, emit

LISTS = ("models", "tables", "tensors", "pages")


def add_to(commands: Commands) -> None:
    """Add both commands."""
    listing = add_command(
        commands,
        "ls",
        "list models, tables, tensors or pages",
        "gpudb ls tensors -d my.gpudb --format csv",
    )
    listing.add_argument("what", nargs="?", default="models", choices=LISTS, help="default: models")
    add_database_options(listing)
    add_output_options(listing)
    listing.set_defaults(run=run_ls)

    describe = add_command(
        commands,
        "describe",
        "show a model's tensors or a table's columns",
        "gpudb describe minilm -d my.gpudb",
    )
    describe.add_argument("name", metavar="NAME", help="of a model or a table")
    add_database_options(describe)
    add_output_options(describe)
    describe.set_defaults(run=run_describe)


def run_ls(args: argparse.Namespace) -> int:
    """List one kind of thing."""
    check_output(args)
    with open_database(args, must_exist=True) as db:
        emit(db.sql(f"SELECT * FROM gpudb.{args.what}").arrow(), args)
    return 0


def run_describe(args: argparse.Namespace) -> int:
    """Describe one model or table."""
    check_output(args)
    with open_database(args, must_exist=True) as db:
        emit(db.describe(args.name).arrow(), args)
    return 0
