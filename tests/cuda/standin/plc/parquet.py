"""``pylibcudf.io.parquet``: options as libcudf has them, files through pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet as files

from tests.cuda.standin.checked import like
from tests.cuda.standin.plc.column import Column, Table, from_host, offsets_of, on_stream, values_of
from tests.cuda.standin.plc.types import DataType, TypeId


@like("pylibcudf.io.types.SourceInfo")
class SourceInfo:
    def __init__(self, sources: Sequence[Any]) -> None:
        self._paths = [str(s) for s in sources]


@like("pylibcudf.io.types.SinkInfo")
class SinkInfo:
    def __init__(self, sinks: Sequence[Any]) -> None:
        self._paths = [str(s) for s in sinks]


@like("pylibcudf.io.types.ColumnInMetadata")
class ColumnInMetadata:
    def __init__(self, column: Any) -> None:
        self._name = ""
        self._children = [ColumnInMetadata(child) for child in column.children()]

    def child(self, i: int) -> Any:
        return self._children[i]

    def set_name(self, name: str) -> Any:
        self._name = name
        return self

    def get_name(self) -> str:
        return self._name


@like("pylibcudf.io.types.TableInputMetadata")
class TableInputMetadata:
    def __init__(self, table: Any) -> None:
        self._columns = [ColumnInMetadata(column) for column in table.columns()]

    @property
    def column_metadata(self) -> list[Any]:
        return self._columns


@like("pylibcudf.io.types.TableWithMetadata")
class TableWithMetadata:
    def __init__(self, tbl: Any, column_names: list[Any]) -> None:
        self.tbl = tbl
        self._names = column_names

    @property
    def columns(self) -> tuple[Any, ...]:
        return tuple(self.tbl.columns())

    def column_names(self, include_children: bool = False) -> list[Any]:
        if include_children:
            raise NotImplementedError("names of children are not in the stand-in")
        return list(self._names)


@like("pylibcudf.io.parquet.ParquetReaderOptions")
class ParquetReaderOptions:
    def __init__(self) -> None:
        self._source: Any = None
        self._columns: list[str] | None = None
        self._row_groups: list[list[int]] | None = None

    def set_row_groups(self, row_groups: list[list[int]]) -> None:
        if len(row_groups) != len(self._source._paths):
            raise RuntimeError("Row groups must be provided for every source")
        self._row_groups = row_groups

    @staticmethod
    def builder(source: Any) -> Any:
        return ParquetReaderOptionsBuilder()._over(source)


@like("pylibcudf.io.parquet.ParquetReaderOptionsBuilder")
class ParquetReaderOptionsBuilder:
    def __init__(self) -> None:
        self._options = ParquetReaderOptions()

    def _over(self, source: Any) -> Any:
        self._options._source = source
        return self

    def column_names(self, col_names: list[str]) -> Any:
        self._options._columns = list(col_names)
        return self

    def build(self) -> Any:
        return self._options


@like("pylibcudf.io.parquet.ParquetWriterOptions")
class ParquetWriterOptions:
    def __init__(self) -> None:
        self._sink: Any = None
        self._table: Any = None
        self._metadata: Any = None
        self._row_group_rows = 1_000_000

    @staticmethod
    def builder(sink: Any, table: Any) -> Any:
        return ParquetWriterOptionsBuilder()._over(sink, table)


@like("pylibcudf.io.parquet.ParquetWriterOptionsBuilder")
class ParquetWriterOptionsBuilder:
    def __init__(self) -> None:
        self._options = ParquetWriterOptions()

    def _over(self, sink: Any, table: Any) -> Any:
        self._options._sink, self._options._table = sink, table
        return self

    def metadata(self, metadata: Any) -> Any:
        self._options._metadata = metadata
        return self

    def row_group_size_rows(self, val: int) -> Any:
        self._options._row_group_rows = val
        return self

    def build(self) -> Any:
        return self._options


class DictionaryPolicy(IntEnum):
    """Of ``pylibcudf.io.types``."""

    NEVER = 0
    ADAPTIVE = 1
    ALWAYS = 2


@like("pylibcudf.io.parquet.ChunkedParquetWriterOptions")
class ChunkedParquetWriterOptions:
    def __init__(self) -> None:
        self._sink: Any = None
        self._metadata: Any = None
        self._pairs: list[Any] = []
        self._row_group_rows = 1_000_000
        self._dictionary = DictionaryPolicy.ADAPTIVE

    def set_dictionary_policy(self, policy: Any) -> None:
        self._dictionary = DictionaryPolicy(policy)

    @staticmethod
    def builder(sink: Any) -> Any:
        return ChunkedParquetWriterOptionsBuilder()._over(sink)


@like("pylibcudf.io.parquet.ChunkedParquetWriterOptionsBuilder")
class ChunkedParquetWriterOptionsBuilder:
    def __init__(self) -> None:
        self._options = ChunkedParquetWriterOptions()

    def _over(self, sink: Any) -> Any:
        self._options._sink = sink
        return self

    def metadata(self, metadata: Any) -> Any:
        self._options._metadata = metadata
        return self

    def key_value_metadata(self, metadata: Sequence[Any]) -> Any:
        if len(metadata) != len(self._options._sink._paths):
            raise RuntimeError("Mismatch between number of metadata and number of sinks")
        self._options._pairs = [dict(pairs) for pairs in metadata]
        return self

    def row_group_size_rows(self, val: int) -> Any:
        if val <= 0:
            raise RuntimeError("The maximum row group row count must be a positive integer.")
        self._options._row_group_rows = val
        return self

    def build(self) -> Any:
        return self._options


@like("pylibcudf.io.parquet.ChunkedParquetWriter")
class ChunkedParquetWriter:
    """The file is opened at the first table, and complete when it is closed."""

    def __init__(self) -> None:
        self._options: Any = None
        self._writer: Any = None

    @staticmethod
    def from_options(options: Any, stream: Any = None) -> Any:
        made = ChunkedParquetWriter()
        made._options = options
        return made

    def write(self, table: Any, partitions_info: Any = None) -> None:
        names = [c.get_name() for c in self._options._metadata.column_metadata]
        with on_stream(None):
            columns = {n: _to_arrow(c) for n, c in zip(names, table.columns(), strict=True)}
        rows = pa.table(columns)
        if self._writer is None:
            (path,) = self._options._sink._paths
            dictionary = self._options._dictionary is not DictionaryPolicy.NEVER
            # Like libcudf, without Arrow's schema.
            self._writer = files.ParquetWriter(
                path, rows.schema, use_dictionary=dictionary, store_schema=False
            )
        self._writer.write_table(rows, row_group_size=self._options._row_group_rows)

    def close(self, metadata_file_path: list[Any]) -> Any:
        (pairs,) = self._options._pairs
        self._writer.add_key_value_metadata(pairs)
        self._writer.close()
        return memoryview(b"")


def read_parquet(
    options: Any, stream: Any = None, mr: Any = None, parquet_metadatas: Any = None
) -> Any:
    names, paths = options._columns, options._source._paths
    if options._row_groups is None:
        parts = [files.read_table(path, columns=names) for path in paths]
    else:
        parts = [
            _row_groups(path, groups, names)
            for path, groups in zip(paths, options._row_groups, strict=True)
        ]
    table = pa.concat_tables(parts).combine_chunks()
    with on_stream(stream):
        columns = [_from_arrow(table.column(name)) for name in table.column_names]
    return TableWithMetadata(Table(columns), list(table.column_names))


def write_parquet(options: Any, stream: Any = None) -> Any:
    given = options._metadata.column_metadata if options._metadata else []
    columns = options._table.columns()
    names = [c.get_name() for c in given] or [f"_col{i}" for i in range(len(columns))]
    with on_stream(stream):
        table = pa.table({n: _to_arrow(c) for n, c in zip(names, columns, strict=True)})
    (path,) = options._sink._paths
    files.write_table(table, path, row_group_size=options._row_group_rows)
    return memoryview(b"")


def _to_arrow(column: Any) -> Any:
    if column.type().id() is not TypeId.LIST:
        return pa.array(values_of(column).copy())
    offsets = offsets_of(column)
    child = _to_arrow(column.list_view().get_sliced_child())
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), child)


def _row_groups(path: str, groups: list[int], names: list[str] | None) -> Any:
    try:
        return files.ParquetFile(path).read_row_groups(groups, columns=names)
    except (OSError, pa.ArrowException) as error:
        raise RuntimeError(f"CUDF failure: {error}") from error  # as libcudf's errors arrive


def _from_arrow(values: Any) -> Column:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    if not pa.types.is_list(array.type):
        filled = array.fill_null(0) if array.null_count else array
        return _with_nulls(from_host(filled.to_numpy(zero_copy_only=False)), array)
    offsets = array.offsets.to_numpy()
    inner = array.values.slice(offsets[0], offsets[-1] - offsets[0])
    children = [from_host((offsets - offsets[0]).astype(np.int32)), _from_arrow(inner)]
    lists = Column(DataType(TypeId.LIST), len(array), None, None, 0, 0, children)
    return _with_nulls(lists, array)


def _with_nulls(column: Any, array: Any) -> Any:
    """The same column with the array's nulls; masks are of bits, padded to 64 bytes."""
    if not array.null_count:
        return column
    bits = np.packbits(array.is_valid().to_numpy(zero_copy_only=False), bitorder="little")
    mask = from_host(np.resize(bits, -(-len(bits) // 64) * 64)).data()
    return Column(
        *(column.type(), column.size(), column.data(), mask, array.null_count, 0),
        column.children(),
    )
