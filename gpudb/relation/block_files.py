"""A tensor as a Parquet file: its block table, and its schema in the file's metadata.

One row per block that is there: key columns ``i0``, ``i1``, … (int32), and ``block``, a list of the
elements that lie inside the tensor. Half types are lists of their 16 bits (uint16). Every device
writes the same; on a GPU, cuDF does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gpudb.backend import Array, Backend
from gpudb.catalog import StoredTensor
from gpudb.errors import SchemaError, StorageError
from gpudb.exec.batch import BlockBatch, Keys
from gpudb.exec.block_table import block_table, elements_inside, list_offsets
from gpudb.store import TensorStore
from gpudb.types import HostArray, TensorSchema, storage_dtype

KEY = "gpudb.tensor"
"""Name of the entry in a file's metadata."""
VERSION = 1
BATCH_NBYTES = 2**28
"""About how many bytes of blocks are written at once."""


def column_names(schema: TensorSchema) -> list[str]:
    """Of the block table."""
    return [*(f"i{axis}" for axis in range(schema.ndim)), "block"]


def element_type(schema: TensorSchema) -> np.dtype[np.generic]:
    """Type of the elements in a file: Parquet's float16 is not known to cuDF."""
    stored = storage_dtype(schema.dtype)
    return np.dtype(np.uint16) if stored == np.float16 else stored


def described(schema: TensorSchema, blocks: int) -> str:
    """The metadata of files that hold ``blocks`` blocks of a tensor together."""
    content = {
        "version": VERSION,
        "shape": schema.numbers,
        "block": schema.block_numbers,
        "dtype": schema.dtype,
        "blocks": blocks,
    }
    return json.dumps(content)


def parsed(text: str, name: str) -> tuple[TensorSchema, int]:
    """What :func:`described` wrote: the schema under a name, and how many blocks there are.

    Raises
    ------
    SchemaError
        It is something else.
    """
    try:
        content = json.loads(text)
        shape, block, dtype, blocks = (content[k] for k in ("shape", "block", "dtype", "blocks"))
        numbers = [*shape, *block, blocks]
        known = content["version"] == VERSION and isinstance(dtype, str)
    except (ValueError, TypeError, LookupError):
        known = False
    if not known or not shape or not all(type(n) is int for n in numbers):
        raise SchemaError(
            f"tensor {name!r}: found metadata {text!r:.200}; expected version {VERSION}, shape, "
            "block, dtype and blocks of a tensor that gpudb wrote"
        )
    return TensorSchema(name, tuple(shape), tuple(block), dtype), blocks


def stored_batches(
    store: TensorStore, tensor: StoredTensor, backend: Backend
) -> Iterator[BlockBatch]:
    """A stored tensor as it is stored, half types too, on the device; at least one batch."""
    keys = store.keys(tensor)
    for rows in _steps(len(keys), tensor.schema):
        yield BlockBatch(keys[rows], backend.to_device(store.read_copy(tensor, rows)))


def batch_parts(batch: BlockBatch, schema: TensorSchema) -> Iterator[BlockBatch]:
    """A batch cut into smaller ones, at least one; views."""
    for rows in _steps(len(batch.keys), schema):
        part = slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)
        yield BlockBatch(batch.keys[part], batch.data[part])


def write_blocks(
    path: str | os.PathLike[str],
    schema: TensorSchema,
    blocks: int,
    batches: Iterable[BlockBatch],
    backend: Backend,
) -> None:
    """Write a tensor's block table as one Parquet file; what lay there is replaced.

    Parameters
    ----------
    path
        The file.
    schema
        Of the tensor, bound; ``dtype`` is that of the blocks.
    blocks
        How many there are in all.
    batches
        Some blocks at a time, at least once, on the device; rows follow in this order.
    backend
        The device.

    Raises
    ------
    StorageError
        The file cannot be written; what lay there is as it was.
    """
    metadata = {KEY: described(schema, blocks)}
    with _arriving(Path(path)) as file:
        if backend.name == "cuda":
            from gpudb.backend.cuda.block_files import write_lists

            write_lists(file, column_names(schema), _lists(schema, batches), metadata)
            return
        with pq.ParquetWriter(
            file,
            arrow_schema(schema).with_metadata(metadata),
            compression="zstd",
            use_dictionary=False,
            write_statistics=column_names(schema)[:-1],
        ) as writer:
            for batch in batches:
                bits = backend.to_host(batch.data).view(element_type(schema))
                writer.write_table(block_table(batch.keys, bits, schema))


def arrow_schema(schema: TensorSchema) -> pa.Schema:
    """Columns of the block table, as a file has them."""
    *axes, block = column_names(schema)
    elements = pa.list_(pa.from_numpy_dtype(element_type(schema)))
    return pa.schema([*((axis, pa.int32()) for axis in axes), (block, elements)])


def _lists(
    schema: TensorSchema, batches: Iterable[BlockBatch]
) -> Iterator[tuple[Keys, Array, HostArray, HostArray | None]]:
    """Keys, elements with padding, offsets without, and which elements are none; None for all."""
    for batch in batches:
        extents, inside = elements_inside(batch.keys, schema)
        chosen = None if inside is None else np.flatnonzero(inside)
        yield batch.keys, batch.data.reshape(-1), list_offsets(extents), chosen


def _steps(blocks: int, schema: TensorSchema) -> Iterator[HostArray]:
    """Numbers of the blocks of each batch; one without any where there are none."""
    step = max(1, BATCH_NBYTES // max(1, schema.block_nbytes))
    for start in range(0, max(1, blocks), step):
        yield np.arange(start, min(blocks, start + step))


@contextmanager
def _arriving(path: Path) -> Iterator[str]:
    """A file beside ``path`` that takes its place when it is complete."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
        yield os.fspath(temporary)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: the tensor cannot be written ({error.strerror or error}); free some space, "
            "or check that the folder is there and may be written to, then try again"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
