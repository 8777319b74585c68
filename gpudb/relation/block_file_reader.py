"""Parquet files of one tensor, checked, as blocks to store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gpudb.backend import Backend
from gpudb.errors import InputError
from gpudb.exec.batch import Keys
from gpudb.exec.block_table import elements_inside
from gpudb.exec.missing import positions
from gpudb.relation.block_files import KEY, arrow_schema, column_names, element_type, parsed
from gpudb.types import HostArray, TensorSchema, storage_dtype

EXPECTED = "expected a Parquet file that parquet() of a tensor wrote"


def as_paths(values: object) -> list[str]:
    """The paths that stand for a tensor: one, or a list of nothing else; else empty."""
    if isinstance(values, str | os.PathLike):
        return [os.fspath(values)]
    if isinstance(values, list | tuple) and all(isinstance(v, str | os.PathLike) for v in values):
        return [os.fspath(v) for v in values]
    return []


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a file, read at once."""

    path: str
    row_group: int
    keys: Keys
    numbers: HostArray
    """``(n,)`` row-major positions of the keys."""


@dataclass(frozen=True, slots=True)
class BlockFiles:
    """A tensor in one or more files, whose keys are known to be right."""

    schema: TensorSchema
    parts: tuple[_Part, ...]
    """In the order of their first keys."""
    backend: Backend

    @classmethod
    def open(cls, name: str, paths: Sequence[str], backend: Backend) -> BlockFiles:
        """Read and check metadata and keys; blocks come later.

        Raises
        ------
        InputError, SchemaError
            A file is no such file, or belongs to another tensor; keys are missing, doubled or
            outside the grid.
        """
        with ExitStack() as stack:
            files = [stack.enter_context(_opened(path)) for path in paths]
            texts = [_metadata(path, file) for path, file in zip(paths, files, strict=True)]
            if len(set(texts)) > 1:
                raise InputError(
                    f"tensor {name!r}: {list(paths)} say {sorted(set(texts))}; expected files of "
                    "one tensor, written at once"
                )
            schema, blocks = parsed(texts[0], name)
            for path, file in zip(paths, files, strict=True):
                _check_columns(path, file.schema_arrow, schema)
            parts = [
                _part(path, file, group, schema)
                for path, file in zip(paths, files, strict=True)
                for group in range(file.num_row_groups)
            ]
        _check_keys(schema, parts, blocks)
        parts = [part for part in parts if len(part.keys)]
        return cls(schema, tuple(sorted(parts, key=lambda p: int(p.numbers.min()))), backend)

    def batches(self) -> Iterator[tuple[Keys, HostArray]]:
        """Keys and blocks, in row-major order; blocks are padded with zeros and as stored.

        One row group at a time; all at once where their keys overlap.

        Raises
        ------
        InputError, DeviceError
            A block has another number of elements than its place, or nulls.
        """
        last = [int(part.numbers.max()) for part in self.parts]
        first = [int(part.numbers.min()) for part in self.parts]
        if all(end < start for end, start in zip(last, first[1:], strict=False)):
            for part in self.parts:
                yield self._sorted([part])
        else:
            yield self._sorted(self.parts)

    def _sorted(self, parts: Sequence[_Part]) -> tuple[Keys, HostArray]:
        order = np.argsort(np.concatenate([part.numbers for part in parts]))
        keys = np.concatenate([part.keys for part in parts])
        blocks = [self._blocks(part) for part in parts]
        if len(parts) == 1 and np.all(np.diff(order) == 1):
            return keys, blocks[0]
        return keys[order], np.concatenate(blocks)[order]

    def _blocks(self, part: _Part) -> HostArray:
        schema = self.schema
        offsets, elements = self._lists(part)
        extents, inside = elements_inside(part.keys, schema)
        wrong = np.flatnonzero(np.diff(offsets) != extents)
        if len(wrong):
            row = wrong[0]
            raise InputError(
                f"{part.path}: the block at {tuple(part.keys[row].tolist())} has "
                f"{np.diff(offsets)[row]} elements; expected {extents[row]}, what of a block of "
                f"{schema.block} lies inside {schema}"
            )
        shape = (len(part.keys), *schema.block_numbers)
        stored = elements.view(storage_dtype(schema.dtype))
        if inside is None:
            return stored.reshape(shape)
        blocks = np.zeros(shape, stored.dtype)
        blocks[inside] = stored
        return blocks

    def _lists(self, part: _Part) -> tuple[HostArray, HostArray]:
        """Offsets that start at 0, and the elements of the rows: on a GPU, read by cuDF."""
        if self.backend.name == "cuda":
            from gpudb.backend.cuda.block_files import read_lists

            return read_lists(part.path, part.row_group, element_type(self.schema).name)
        with _opened(part.path) as file, _reading(part.path):
            table = file.read_row_group(part.row_group, columns=["block"])
            lists = table.column("block").combine_chunks()
        offsets = lists.offsets.to_numpy()
        inner = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
        if nulls := lists.null_count + inner.null_count:
            raise InputError(f"{part.path}: {nulls} blocks or elements are null, expected none")
        return offsets - offsets[0], inner.to_numpy()


def _opened(path: str) -> pq.ParquetFile:
    with _reading(path):
        return pq.ParquetFile(path)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {EXPECTED}") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); {EXPECTED}") from error


def _metadata(path: str, file: pq.ParquetFile) -> str:
    found = (file.metadata.metadata or {}).get(KEY.encode())
    if found is None:
        raise InputError(
            f"{path}: nothing in its metadata is called {KEY!r}; {EXPECTED}. A table without it "
            "is stored with create_table"
        )
    return str(found.decode(errors="replace"))


def _check_columns(path: str, found: pa.Schema, schema: TensorSchema) -> None:
    expected = arrow_schema(schema)
    same = found.names == expected.names and all(
        mine.type == theirs.type for mine, theirs in zip(found, expected, strict=True)
    )
    if not same:
        raise InputError(
            f"{path}: found the columns {_listed(found)}; expected {_listed(expected)}, for "
            f"metadata that says {schema}"
        )


def _listed(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def _part(path: str, file: pq.ParquetFile, group: int, schema: TensorSchema) -> _Part:
    names = column_names(schema)[:-1]
    with _reading(path):
        columns = file.read_row_group(group, columns=names).columns
    if nulls := sum(column.null_count for column in columns):
        raise InputError(f"{path}: {nulls} keys are null, expected none")
    keys = np.stack([column.to_numpy() for column in columns], axis=1)
    outside = ((keys < 0) | (keys >= np.array(schema.grid))).any(1)
    if outside.any():
        raise InputError(
            f"{path}: no block has the key {tuple(keys[outside.argmax()].tolist())}; the grid of "
            f"{schema} is {schema.grid}"
        )
    return _Part(path, group, keys, positions(keys, schema.grid))


def _check_keys(schema: TensorSchema, parts: Sequence[_Part], blocks: int) -> None:
    numbers = np.concatenate([np.empty(0, np.int64), *(part.numbers for part in parts)])
    distinct, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        key = np.unravel_index(distinct[counts.argmax()], schema.grid)
        raise InputError(
            f"tensor {schema.name!r}: {counts.max()} rows have the key "
            f"{tuple(map(int, key))}; expected each block once"
        )
    if len(numbers) != blocks:
        raise InputError(
            f"tensor {schema.name!r}: found {len(numbers)} blocks, its files had {blocks} "
            "together; give all of them"
        )
