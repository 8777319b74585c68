"""``pylibcudf.io.parquet``: options as libcudf has them, files through pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
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
    def __init__(self) -> None:
        self._name = ""

    def set_name(self, name: str) -> Any:
        self._name = name
        return self

    def get_name(self) -> str:
        return self._name


@like("pylibcudf.io.types.TableInputMetadata")
class TableInputMetadata:
    def __init__(self, table: Any) -> None:
        self._columns = [ColumnInMetadata() for _ in table.columns()]

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

    def columns(self, col_names: list[str]) -> Any:
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


def read_parquet(
    options: Any, stream: Any = None, mr: Any = None, parquet_metadatas: Any = None
) -> Any:
    parts = [files.read_table(p, columns=options._columns) for p in options._source._paths]
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


def _from_arrow(values: Any) -> Column:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    if array.null_count:
        raise NotImplementedError("nulls are not in the stand-in")
    if not pa.types.is_list(array.type):
        return from_host(array.to_numpy(zero_copy_only=False))
    offsets = array.offsets.to_numpy()
    children = [from_host((offsets - offsets[0]).astype(np.int32)), _from_arrow(array.flatten())]
    return Column(DataType(TypeId.LIST), len(array), None, None, 0, 0, children)
