"""``gpudb sql`` and ``gpudb explain``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gpudb.cli.options import (
    DEFAULT_DATABASE,
    MEMORY,
    Commands,
    add_command,
    add_database_options,
    open_database,
)
from gpudb.cli.output import add_output_options, check_output, emit, write_text
from gpudb.cli.values import parse_parameter

EXPLAIN_FORMATS = ("text", "json", "html")
QUERY_DATABASE = (
    f"the database folder; without -d, {DEFAULT_DATABASE} if it is there, else one in memory"
)


def add_to(commands: Commands) -> None:
    """Add both commands."""
    sql = add_command(
        commands,
        "sql",
        "run a SQL statement",
        "gpudb sql -d my.gpudb --param q='light and funny' --format json \\\n"
        "    \"SELECT text, cosine(embed('minilm', text), embed('minilm', \\$q)) AS score\n"
        "     FROM 'reviews.parquet' ORDER BY score DESC LIMIT 10\"",
        "The dialect is DuckDB's, with embed(model, text) and cosine(a, b).",
    )
    _add_statement(sql, required=True)
    add_output_options(sql)
    sql.set_defaults(run=run_sql)

    explain = add_command(
        commands,
        "explain",
        "show how a statement or a model runs",
        "gpudb explain -d my.gpudb --analyze \"SELECT embed('minilm', 'hello')\" -o plan.html",
        "docs/explain.md says how to read it.",
    )
    _add_statement(explain, required=False)
    explain.add_argument("--analyze", action="store_true", help="run it and show what it took")
    explain.add_argument("--model", metavar="NAME", help="explain this model, not a statement")
    explain.add_argument(
        "--relational", action="store_true", help="show the models' plans before any rule only"
    )
    explain.add_argument(
        "--format", choices=EXPLAIN_FORMATS, help="default: by the name of --output, else text"
    )
    explain.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to this file")
    explain.set_defaults(run=run_explain)


def _add_statement(parser: argparse.ArgumentParser, *, required: bool) -> None:
    nargs = None if required else "?"
    parser.add_argument("statement", metavar="SQL", nargs=nargs, help="- reads it from stdin")
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        dest="params",
        action="append",
        type=parse_parameter,
        default=[],
        help="value of $NAME: a number, true, false, null, a JSON list, or else text",
    )
    add_database_options(parser, default=None, note=QUERY_DATABASE)


def run_sql(args: argparse.Namespace) -> int:
    """Run a statement and write its rows."""
    check_output(args)
    _choose_database(args)
    with open_database(args) as db:
        result = db.sql(_statement(args), dict(args.params) or None)
        emit(result.arrow(), args)
    return 0


def run_explain(args: argparse.Namespace) -> int:
    """Write a plan."""
    if (args.statement is None) == (args.model is None):
        args.parser.error("give either a SQL statement or --model NAME")
    if args.model is not None and args.analyze:
        args.parser.error("--analyze runs a statement; it cannot be combined with --model")
    if args.relational and args.analyze:
        args.parser.error("--relational shows a plan that is not what runs; leave out --analyze")
    if args.format is None:
        suffix = args.output.suffix[1:].lower() if args.output else ""
        args.format = suffix if suffix in EXPLAIN_FORMATS else "text"
    _choose_database(args)
    with open_database(args, must_exist=True) as db:
        text = db.explain(
            args.model if args.model is not None else f"{_statement(args)}\n",
            dict(args.params) or None,
            analyze=args.analyze,
            relational=args.relational,
            format=args.format,
        )
    text = text.rstrip("\n") + "\n"
    if args.output is None:
        sys.stdout.write(text)
    else:
        write_text(text, args.output)
    return 0


def _choose_database(args: argparse.Namespace) -> None:
    if args.db is None:
        args.db = DEFAULT_DATABASE if Path(DEFAULT_DATABASE).exists() else MEMORY


def _statement(args: argparse.Namespace) -> str:
    text: str = sys.stdin.read() if args.statement == "-" else args.statement
    return text
