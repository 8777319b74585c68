"""The argument parser: every command adds itself, none imports anything heavy here."""

from __future__ import annotations

import argparse

from gpudb import __version__
from gpudb.cli import bench, demo, doctor, import_model, predict, query, show

DESCRIPTION = """\
A columnar tensor database: run transformer encoders inside SQL.

A database is a folder; -d names it. Start with `gpudb demo`, or import a model of your own:

  gpudb import-model ./all-MiniLM-L6-v2 --name minilm -d my.gpudb
  gpudb sql -d my.gpudb "SELECT embed('minilm', text) FROM 'reviews.parquet' LIMIT 5"
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the ``gpudb`` command; ``args.run(args)`` runs what was chosen."""
    parser = argparse.ArgumentParser(
        prog="gpudb", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"gpudb {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    import_model.add_to(commands)
    query.add_to(commands)
    show.add_to(commands)
    predict.add_to(commands)
    bench.add_to(commands)
    demo.add_to(commands)
    doctor.add_to(commands)
    return parser
