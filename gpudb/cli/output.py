"""Writing a result: a table to look at, or JSON, CSV and Parquet to work on."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from gpudb.cli.values import cell_text, json_text, to_json
from gpudb.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "json", "jsonl", "csv", "parquet")
TERMINAL_ROWS = 200
"""Rows shown on a terminal; a pipe or a file gets all of them."""
WIDEST = 60
"""Columns wider than this are not padded, so that one long text does not stretch every line."""
CHUNK = 1024


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Options ``--format`` and ``--output``."""
    parser.add_argument(
        "--format", choices=FORMATS, help="default: by the name of --output, else table"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to this file")


def check_output(args: argparse.Namespace) -> None:
    """Settle the format before anything runs."""
    if args.format is None:
        suffix = args.output.suffix[1:].lower() if args.output else ""
        args.format = suffix if suffix in FORMATS else "table"
    if args.format == "parquet" and args.output is None:
        args.parser.error("--format parquet needs --output FILE")


def emit(table: pa.Table, args: argparse.Namespace) -> None:
    """Write ``table`` as ``args.format`` to ``args.output`` or stdout; see :func:`check_output`."""
    table = _with_unique_names(table)
    if args.output is None:
        write = show_table if args.format == "table" else TEXT_WRITERS[args.format]
        write(table, sys.stdout)
    else:
        _write_file(table, args.format, args.output)


def show_table(table: pa.Table, stream: TextIO) -> None:
    """A drawn table on a terminal, aligned plain text elsewhere."""
    if stream.isatty():
        _draw(table, stream)
    else:
        write_aligned(table, stream)


def write_aligned(table: pa.Table, stream: TextIO) -> None:
    """Plain text in columns, two blanks apart; every row is one line."""
    from rich.cells import cell_len

    if not table.num_columns:
        return
    rows = [list(table.column_names), *_cell_rows(table)]
    widths = [min(WIDEST, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (c + " " * (w - cell_len(c)) for c, w in zip(row, widths, strict=True))
        stream.write("  ".join(padded).rstrip() + "\n")


def write_json(table: pa.Table, stream: TextIO) -> None:
    """One JSON list of objects; NaN and infinity become null."""
    separator = "[\n"
    for row in _rows(table):
        stream.write(separator + _object(row))
        separator = ",\n"
    stream.write("\n]\n" if table.num_rows else "[]\n")


def write_jsonl(table: pa.Table, stream: TextIO) -> None:
    """One JSON object on each line."""
    for row in _rows(table):
        stream.write(_object(row) + "\n")


def write_csv(table: pa.Table, stream: TextIO) -> None:
    """CSV with a heading; nested values as JSON text, null as an empty field."""
    import pyarrow as pa
    from pyarrow import csv

    columns = [_csv_column(c) for c in table.columns]
    flat = pa.table(columns, names=table.column_names)
    stream.write(_csv_text(csv, flat.slice(0, 0), heading=True))
    for start in range(0, flat.num_rows, CHUNK):
        stream.write(_csv_text(csv, flat.slice(start, CHUNK), heading=False))


TEXT_WRITERS: Mapping[str, Callable[[pa.Table, TextIO], None]] = {
    "table": write_aligned,
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
}


def write_text(text: str, path: Path) -> None:
    """Write a file of text; a failure leaves an older file as it was."""
    with _replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _write_file(table: pa.Table, kind: str, path: Path) -> None:
    with _replacing(path) as partial:
        if kind == "parquet":
            from pyarrow import parquet

            parquet.write_table(table, partial)
        else:
            with partial.open("w", encoding="utf-8", newline="") as stream:
                TEXT_WRITERS[kind](table, stream)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path``, renamed at the end, so that a failure leaves an older file as is."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; name a file in a folder that exists "
            "and can be written"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _draw(table: pa.Table, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(header_style="bold")
    for field in table.schema:
        side: Literal["left", "right"] = "right" if _is_number(field.type) else "left"
        drawn.add_column(Text(field.name), justify=side, overflow="fold")
    for row in _cell_rows(table.slice(0, TERMINAL_ROWS)):
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(file=stream)
    console.print(drawn)
    hidden = table.num_rows - TERMINAL_ROWS
    if hidden > 0:
        console.print(Text(f"{hidden:,} more rows; use LIMIT, --output FILE or a pipe to see them"))


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _cell_rows(table: pa.Table) -> Iterator[list[str]]:
    columns = [_cells(c) for c in table.columns]
    yield from (list(row) for row in zip(*columns, strict=True))


def _cells(column: pa.ChunkedArray) -> list[str]:
    from pyarrow import types

    if types.is_float32(column.type) or types.is_float16(column.type):
        # Python would show the digits of the nearest double, e.g. 0.10000000149011612
        return ["NULL" if v is None else f"{v:.7g}" for v in column.to_pylist()]
    return [cell_text(v) for v in column.to_pylist()]


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=CHUNK):
        yield from batch.to_pylist()


def _object(row: dict[str, Any]) -> str:
    return json.dumps({k: to_json(v) for k, v in row.items()}, ensure_ascii=False, allow_nan=False)


def _csv_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_float16(kind):
        return column.cast(pa.float32())
    plain = _is_number(kind) or types.is_boolean(kind) or types.is_string(kind)
    if plain or types.is_large_string(kind) or types.is_date(kind) or types.is_timestamp(kind):
        return column
    values = [None if v is None else _csv_cell(v) for v in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.string())])


def _csv_cell(value: Any) -> str:
    plain = to_json(value)
    return plain if isinstance(plain, str) else json_text(value)


def _csv_text(csv: Any, table: pa.Table, *, heading: bool) -> str:
    buffer = io.BytesIO()
    csv.write_csv(table, buffer, csv.WriteOptions(include_header=heading))
    return buffer.getvalue().decode("utf-8")


def _with_unique_names(table: pa.Table) -> pa.Table:
    """Number repeated column names, as objects and Parquet files need: ``a``, ``a_2``."""
    names: list[str] = []
    for name in table.column_names:
        candidate, count = name, 1
        while candidate in names:
            count += 1
            candidate = f"{name}_{count}"
        names.append(candidate)
    return table.rename_columns(names)
