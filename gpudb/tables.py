"""User tables: immutable Parquet files in the database folder, or scanned where they lie."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import pyarrow as pa
import pyarrow.parquet as pq

from gpudb.catalog import LISTINGS, TablePart, UserTable, listing
from gpudb.catalog import tables as catalog_tables
from gpudb.errors import InputError, StorageError
from gpudb.store import TensorStore

TABLES = "tables"
SQL_TYPES = {
    pa.float16(): "FLOAT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.bool_(): "BOOLEAN",
    pa.string(): "VARCHAR",
}
EXPECTED = (
    "expected an Arrow table, record batch or reader, a pandas, polars or cuDF frame, or the path "
    "of a Parquet file"
)


class UserTables:
    """The user's tables of one database, for Python and for SQL."""

    def __init__(self, store: TensorStore) -> None:
        self._store = store
        self._catalog = store.catalog

    def names(self) -> list[str]:
        """All tables."""
        return [t.name for t in catalog_tables.tables(self._catalog)]

    def schema(self, name: str) -> pa.Schema:
        """Columns of a table."""
        return _schema(catalog_tables.table(self._catalog, name))

    def create(
        self, name: str, data: object, *, replace: bool = False, if_not_exists: bool = False
    ) -> None:
        """Store a table.

        Parameters
        ----------
        name
            Its name, in any case.
        data
            An Arrow table, record batch or reader, a pandas, polars or cuDF frame, or anything else
            with ``__arrow_c_stream__``; a path, or a list of paths, of Parquet files, which are
            copied.
        replace
            Take the place of a table of that name.
        if_not_exists
            Leave a table of that name as it is.
        """
        if not isinstance(name, str):
            raise InputError(f"the name of a table is a {type(name).__name__}; expected a string")
        taken = name.lower() in (n.lower() for n in self.names())
        if taken and if_not_exists and not replace:
            return
        reader = as_reader(data)
        if not reader.schema.names:
            raise InputError(f"table {name!r}: found no columns; expected at least one")
        with self._catalog.transaction():
            old = catalog_tables.drop_table(self._catalog, name) if taken and replace else None
            part = self._write(reader)
            try:
                catalog_tables.add_table(
                    self._catalog, name, schema=_serialised(reader.schema), parts=[part]
                )
            except BaseException:
                self._remove([part])
                raise
        if old is not None:
            self._remove(old.parts)

    def link(self, name: str, paths: Sequence[str | os.PathLike[str]]) -> None:
        """Record a table that is scanned where it lies, in Parquet files of one schema."""
        parts, schemas = [], []
        for path in map(Path, paths):
            meta = _metadata(path)
            schemas.append(meta.schema.to_arrow_schema())
            nbytes = path.stat().st_size
            parts.append(TablePart(str(path.absolute()), meta.num_rows, nbytes, True))
        if not parts or any(not s.equals(schemas[0]) for s in schemas):
            raise InputError(
                f"table {name!r}: expected one or more Parquet files with the same columns, found "
                f"{[str(s.names) for s in schemas]}"
            )
        catalog_tables.add_table(self._catalog, name, schema=_serialised(schemas[0]), parts=parts)

    def insert(self, name: str, data: object) -> None:
        """Add rows to a table; columns must have its names and types, in its order."""
        table = catalog_tables.table(self._catalog, name)
        reader, expected = as_reader(data), _schema(table)
        if _columns(reader.schema) != _columns(expected):
            raise InputError(
                f"table {name!r} has the columns {_columns(expected)}; found "
                f"{_columns(reader.schema)}"
            )
        with self._catalog.transaction():
            part = self._write(reader)
            try:
                catalog_tables.add_part(self._catalog, name, part)
            except BaseException:
                self._remove([part])
                raise

    def drop(self, name: str, *, if_exists: bool = False) -> None:
        """Forget a table and remove its files; files that were only linked stay."""
        if if_exists and name.lower() not in (n.lower() for n in self.names()):
            return
        self._remove(catalog_tables.drop_table(self._catalog, name).parts)

    def views(self) -> Mapping[str, str]:
        """Table name -> SQL that reads it."""
        return {table.name: self._select(table) for table in catalog_tables.tables(self._catalog)}

    def catalog(self) -> Mapping[str, Callable[[], pa.Table]]:
        """Name under schema ``gpudb`` -> its rows: models, tensors, blocks, pages and so on."""
        return {name: partial(self._listing, name) for name in LISTINGS}

    def change_counter(self) -> tuple[int, int]:
        """Changes whenever the catalog does."""
        return self._catalog.change_counter()

    def _listing(self, name: str) -> pa.Table:
        columns, rows = listing(self._catalog, name)
        fields = [pa.field(column, LISTING_TYPES.get(column, pa.string())) for column in columns]
        arrays = [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(fields)]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def _select(self, table: UserTable) -> str:
        files = [
            part.file if part.external else str(self._store.folder / part.file)
            for part in table.parts
        ]
        listed = ", ".join(_quoted(file) for file in files)
        # Parquet has no arrays of fixed length: vectors come back as lists and are cast.
        casts = [
            f"CAST({_name(f.name)} AS {SQL_TYPES[f.type.value_type]}[{f.type.list_size}]) "
            f"AS {_name(f.name)}"
            for f in _schema(table)
            if pa.types.is_fixed_size_list(f.type)
            and f.type.value_type in SQL_TYPES
            and f.type.list_size  # DuckDB has no arrays of length 0
        ]
        replaced = f" REPLACE ({', '.join(casts)})" if casts else ""
        return f"SELECT *{replaced} FROM read_parquet([{listed}])"

    def _write(self, reader: pa.RecordBatchReader) -> TablePart:
        """Write a Parquet file: under a temporary name, synced, then renamed."""
        folder = self._store.folder / TABLES
        file = folder / f"{uuid.uuid4().hex}.parquet"
        temporary = file.with_suffix(".tmp")
        rows = 0
        try:
            folder.mkdir(exist_ok=True)
            with temporary.open("wb") as handle:
                with pq.ParquetWriter(handle, reader.schema, compression="zstd") as writer:
                    for batch in reader:
                        writer.write_batch(batch)
                        rows += batch.num_rows
                handle.flush()
                os.fsync(handle.fileno())
            temporary.rename(file)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(
                f"{folder}: the table cannot be written ({error.strerror or error}); free some "
                "space or check permissions, then try again. Nothing was stored"
            ) from error
        except pa.ArrowException as error:
            temporary.unlink(missing_ok=True)
            raise InputError(
                f"the table cannot be stored as Parquet ({error}); its columns are "
                f"{_columns(reader.schema)}: cast those that do not fit"
            ) from error
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return TablePart(f"{TABLES}/{file.name}", rows, file.stat().st_size, False)

    def _remove(self, parts: Sequence[TablePart]) -> None:
        for part in parts:
            if not part.external:
                (self._store.folder / part.file).unlink(missing_ok=True)


LISTING_TYPES: Mapping[str, pa.DataType] = {
    **dict.fromkeys(
        (
            "version", "parameters", "bytes", "width", "layers", "elements", "number",
            "first_block", "row", "rows", "blocks",
        ),
        pa.int64(),
    ),
    **dict.fromkeys(("shape", "block", "key"), pa.list_(pa.int64())),
    **dict.fromkeys(("keys", "labels"), pa.list_(pa.string())),
    **dict.fromkeys(("error", "mean_cosine", "least_cosine"), pa.float64()),
    "created": pa.timestamp("us"),
}  # fmt: skip
"""Column of a catalog table -> its type; the others are strings."""


def as_reader(data: object) -> pa.RecordBatchReader:
    """Whatever people hold a table in, as a stream of Arrow batches.

    Raises
    ------
    InputError
        It is no table.
    """
    if isinstance(data, str | os.PathLike):
        return _parquet_reader([Path(data)])
    if (
        isinstance(data, list | tuple)
        and data
        and all(isinstance(p, str | os.PathLike) for p in data)
    ):
        return _parquet_reader([Path(p) for p in data])
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return data.to_reader()
    try:
        if _is_frame(data, "pandas"):
            return pa.Table.from_pandas(data, preserve_index=False).to_reader()
        if _is_frame(data, "cudf"):
            return data.to_arrow(preserve_index=False).to_reader()
        if hasattr(data, "__arrow_c_stream__"):
            return _without_views(pa.RecordBatchReader.from_stream(data))
    except pa.ArrowException as error:
        raise InputError(
            f"found {type(data).__name__}, which does not become an Arrow table ({error}); "
            f"{EXPECTED}"
        ) from error
    raise InputError(f"found {type(data).__name__} for a table; {EXPECTED}")


def _without_views(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Dictionaries of string views, as polars has them, as texts: Parquet cannot write those."""
    text = pa.large_string()
    schema = pa.schema([f.with_type(text) if _has_views(f.type) else f for f in reader.schema])
    if schema.equals(reader.schema):
        return reader

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            columns = [
                # Arrow cannot take from views, so they are cast before the indices pick.
                c.dictionary.cast(text).take(c.indices) if _has_views(c.type) else c
                for c in batch.columns
            ]
            yield pa.record_batch(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _has_views(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type))


def _is_frame(data: Any, library: str) -> TypeGuard[Any]:
    """True for a DataFrame of a library, which need not be installed."""
    kind = type(data)
    return kind.__module__.partition(".")[0] == library and kind.__name__ == "DataFrame"


def _parquet_reader(paths: list[Path]) -> pa.RecordBatchReader:
    files = []
    for path in paths:
        _metadata(path)
        files.append(pq.ParquetFile(path))
    schema = files[0].schema_arrow
    if any(not f.schema_arrow.equals(schema) for f in files):
        raise InputError(f"{[str(p) for p in paths]}: the files have different columns")

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            with file:
                yield from file.iter_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def _metadata(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {EXPECTED}") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); {EXPECTED}") from error


def _schema(table: UserTable) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(table.schema))


def _serialised(schema: pa.Schema) -> bytes:
    return bytes(schema.remove_metadata().serialize())


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{f.name} {f.type}" for f in schema)


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
