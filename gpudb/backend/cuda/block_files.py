"""Lists of block elements in Parquet files, written and read by cuDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import cupy as cp
import pylibcudf as plc

from gpudb.backend.cuda.columns import key_columns, sequence_column, sequence_views
from gpudb.errors import StorageError
from gpudb.types import HostArray

ELEMENTS_PER_ROW_GROUP = 1 << 27
"""cuDF's writer takes a million rows at a time unless told otherwise; of blocks, that is more than
it can address."""
ROWS_PER_GROUP = 1_000_000
"""The writer's own limit."""


def write_lists(
    path: str,
    names: Sequence[str],
    parts: Iterable[tuple[HostArray, Any, HostArray, HostArray | None]],
    metadata: Mapping[str, str],
) -> None:
    """Write keys and lists as one Parquet file.

    Parameters
    ----------
    path
        The file.
    names
        Of the key columns, then of the lists.
    parts
        At least one, each written in turn: keys ``(n, ndim)`` on the host, elements on the device,
        offsets of the lists ``(n + 1,)`` int32 on the host, and the numbers of the elements that
        are in lists, on the host; None for all.
    metadata
        Of the file.

    Raises
    ------
    StorageError
        cuDF cannot write the file.
    """
    writer: plc.io.parquet.ChunkedParquetWriter | None = None
    for keys, elements, offsets, chosen in parts:
        values = elements if chosen is None else cp.take(elements, cp.asarray(chosen))
        lists = sequence_column(values, cp.asarray(offsets))
        table = plc.Table([*key_columns(keys), lists])
        with _files_of_cudf(path):
            if writer is None:
                rows = ELEMENTS_PER_ROW_GROUP * max(1, len(keys)) // max(1, int(offsets[-1]))
                rows = max(1, min(rows, ROWS_PER_GROUP))
                options = writer_options(path, table, names, metadata, rows)
                writer = plc.io.parquet.ChunkedParquetWriter.from_options(options)
            writer.write(table)
    assert writer is not None  # there is at least one part
    with _files_of_cudf(path):
        writer.close([])


def read_lists(path: str, row_group: int, dtype: str) -> tuple[HostArray, HostArray]:
    """The offsets and elements of the column ``block`` of a row group, on the host.

    Raises
    ------
    DeviceError
        A list, or an element, is null.
    StorageError
        cuDF cannot read the file.
    """
    with _files_of_cudf(path):
        (column,) = plc.io.parquet.read_parquet(reader_options(path, row_group)).columns
    values, offsets = sequence_views(column, dtype)
    return cp.asnumpy(offsets), cp.asnumpy(values)


def writer_options(
    path: str, table: plc.Table, names: Sequence[str], metadata: Mapping[str, str], rows: int
) -> plc.io.parquet.ChunkedParquetWriterOptions:
    """How tables like this one are written, ``rows`` of them in a row group."""
    columns = plc.io.types.TableInputMetadata(table)
    for column, name in zip(columns.column_metadata, names, strict=True):
        column.set_name(name)
    columns.column_metadata[-1].child(1).set_name("element")
    options = (
        plc.io.parquet.ChunkedParquetWriterOptions.builder(plc.io.types.SinkInfo([path]))
        .metadata(columns)
        .key_value_metadata([metadata])
        .row_group_size_rows(rows)
        .build()
    )
    # Equal numbers are one entry of a dictionary, and -0.0 equals 0.0.
    options.set_dictionary_policy(plc.io.types.DictionaryPolicy.NEVER)
    return options


def reader_options(path: str, row_group: int) -> plc.io.parquet.ParquetReaderOptions:
    """How the column ``block`` of a row group is read."""
    source = plc.io.types.SourceInfo([path])
    options = plc.io.parquet.ParquetReaderOptions.builder(source).column_names(["block"]).build()
    options.set_row_groups([[row_group]])
    return options


@contextmanager
def _files_of_cudf(path: str) -> Iterator[None]:
    """What libcudf throws, as an error of ours."""
    try:
        yield
    except (RuntimeError, OverflowError) as error:
        raise StorageError(
            f"{path}: cuDF cannot write or read this file ({error}); check the disk. A row group "
            "must have fewer than 2**31 elements"
        ) from error
