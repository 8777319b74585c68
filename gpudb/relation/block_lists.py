"""Single blocks of stored tensors as lists: what SQL reads of ``gpudb.blocks``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from gpudb.catalog import StoredTensor
from gpudb.catalog.models import version as find_version
from gpudb.catalog.tensors import block_numbers, tensor
from gpudb.exec.block_table import block_table
from gpudb.store import TensorStore
from gpudb.types import widen

CHUNK_NBYTES = 2**26
"""About how many bytes of blocks are read at once."""

BlockName = tuple[str | None, int | None, str, int]
"""Model and version, None for a tensor of its own; tensor; row-major grid position."""


def block_lists(store: TensorStore, names: Sequence[BlockName]) -> pa.ChunkedArray:
    """The elements of each block that lie inside its tensor, in the order of ``names``.

    Half types come as float32. Blocks of several dtypes come as float64.
    """
    order: dict[tuple[str | None, int | None, str], list[int]] = {}
    for row, (model, version, name, _) in enumerate(names):
        order.setdefault((model, version, name), []).append(row)
    chunks: list[pa.Array] = []
    for (model, version, name), rows in order.items():
        found = _tensor(store, model, version, name)
        chunks += _chunks(store, found, [names[row][3] for row in rows])
    types = {chunk.type for chunk in chunks}
    common = types.pop() if len(types) == 1 else pa.list_(pa.float64())
    lists = pa.chunked_array([chunk.cast(common) for chunk in chunks], common)
    places = np.empty(len(names), np.int64)
    places[[row for rows in order.values() for row in rows]] = np.arange(len(names))
    return lists.take(pa.array(places))


def _tensor(store: TensorStore, model: str | None, version: int | None, name: str) -> StoredTensor:
    owner = None if model is None else find_version(store.catalog, f"{model}@{version}").id
    return tensor(store.catalog, name, owner)


def _chunks(store: TensorStore, found: StoredTensor, numbers: list[int]) -> Iterator[pa.Array]:
    """Lists of the blocks at these grid positions, in their order."""
    schema = found.schema
    present = np.array(block_numbers(store.catalog, found.id), np.int64)
    rows = np.searchsorted(present, np.array(numbers, np.int64))
    step = max(1, CHUNK_NBYTES // max(1, schema.block_nbytes))
    for start in range(0, len(rows), step):
        wanted, back = np.unique(rows[start : start + step], return_inverse=True)
        blocks = store.read(found, wanted)
        values = np.concatenate(blocks.runs).reshape(len(wanted), *schema.block_numbers)
        table = block_table(blocks.keys, widen(values, schema.dtype), schema)
        yield from table.column("block").take(pa.array(back)).chunks
