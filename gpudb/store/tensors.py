"""Tensors in and out of a database folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gpudb.catalog import Catalog, Location, Partition, StoredTensor
from gpudb.catalog.blocks import forget_unused_pages, pages
from gpudb.catalog.tensors import (
    add_partitions,
    add_tensor,
    block_numbers,
    locations,
    use_blocks,
)
from gpudb.closing import Closing
from gpudb.errors import CatalogError, StorageError
from gpudb.storage import PAGE_NBYTES, PageStore
from gpudb.storage.files import mapped_array
from gpudb.store.cut import check_schema, check_values, cut, is_zero, join, keys_at, numbers_of
from gpudb.store.folder import CATALOG, PAGES, prepare_folder
from gpudb.store.pack import Packer
from gpudb.types import HostArray, TensorSchema, storage_dtype

PARTITION_ELEMENTS = 2**30
"""Most elements in one partition: half of what libcudf's int32 sizes can count."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """A tensor as it lies on disk."""

    schema: TensorSchema
    keys: HostArray
    """(blocks, ndim) int32 grid coordinates, row-major; blocks that are not there are zero."""
    runs: tuple[HostArray, ...]
    """(blocks of the run, \\*block) read-only views, in the order of ``keys``: one for each
    stretch of blocks that lie together in a page."""


class TensorStore(Closing):
    """One database folder: a catalog, and the pages its tensors are in.

    Parameters
    ----------
    folder
        The folder, made when it is new; None for a temporary one that :meth:`close` removes.
    verify
        Compare a page with its hash when it is first opened.
    read_only
        Open an existing folder without changing anything in it.
    page_nbytes
        Bytes of block data in one page, unless a single block is larger.

    Raises
    ------
    StorageError
        If the folder is not a database or cannot be used.
    CatalogError
        If the catalog in it cannot be used.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        verify: bool,
        read_only: bool = False,
        page_nbytes: int = PAGE_NBYTES,
    ) -> None:
        self._temporary = TemporaryDirectory(prefix="gpudb-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary else Path(folder or "")
        prepare_folder(self.folder, read_only=read_only)
        self.catalog = Catalog(self.folder / CATALOG, read_only)
        self.pages = PageStore(self.folder / PAGES, verify=verify)
        self._page_nbytes = page_nbytes

    def put(
        self,
        schema: TensorSchema,
        values: HostArray,
        version: int | None = None,
        *,
        sparse: bool = False,
    ) -> StoredTensor:
        """Store one dense tensor; see :meth:`put_many`."""
        return self.put_many([(schema, values)], version, sparse=sparse)[0]

    def put_many(
        self,
        tensors: Iterable[tuple[TensorSchema, HostArray]],
        version: int | None,
        *,
        sparse: bool = False,
    ) -> list[StoredTensor]:
        """Store dense tensors, all or none; blocks that are stored already cost nothing.

        Parameters
        ----------
        tensors
            Schemas (rank >= 1) with values of their shape, in their storage dtype; taken one at a
            time. New blocks are written in this order, so that tensors given one after the other
            lie one after the other.
        version
            Id of the version they belong to; None for tensors of their own.
        sparse
            Leave out the blocks in which every bit is 0: what is missing counts as zero.

        Raises
        ------
        CatalogError
            If there is a tensor of that name already.
        StorageError
            If the folder cannot be written to.
        """
        with self.catalog.transaction():
            packer = Packer(self.catalog, self.pages, self._page_nbytes)
            stored: list[StoredTensor] = []
            used: list[list[tuple[int, bytes]]] = []
            for schema, values in tensors:
                check_values(schema, values)
                stored.append(add_tensor(self.catalog, schema, version))
                numbers = [
                    number
                    for number, block in enumerate(cut(schema, values))
                    if not (sparse and is_zero(block))
                ]
                hashes = packer.add(schema, values, numbers)
                used.append(list(zip(numbers, hashes, strict=True)))
                del values  # or two tensors would be in memory while the next one is made
            packer.flush()
            for tensor, blocks in zip(stored, used, strict=True):
                use_blocks(self.catalog, tensor.id, blocks)
                add_partitions(self.catalog, tensor.id, _partitions(tensor.schema))
        return stored

    def put_blocks(
        self,
        schema: TensorSchema,
        batches: Iterable[tuple[HostArray, HostArray]],
        version: int | None = None,
        *,
        sparse: bool = False,
    ) -> StoredTensor:
        """Store a tensor that comes in blocks, some at a time, all or nothing.

        One batch is in memory at a time, and one page. Nobody else writes to the catalog until the
        last batch has come.

        Parameters
        ----------
        schema
            What is stored; its padding is the caller's promise: zeros.
        batches
            Keys ``(n, ndim)`` and blocks ``(n, *block)`` in the storage dtype; keys rise in
            row-major order, over all batches. Blocks that never come count as zero.
        version, sparse
            As for :meth:`put_many`.

        Raises
        ------
        InputError
            If blocks have another shape or dtype, or keys do not rise or lie outside the grid.
        CatalogError, StorageError
            As for :meth:`put_many`.
        """
        check_schema(schema)
        with self.catalog.transaction():
            packer = Packer(self.catalog, self.pages, self._page_nbytes)
            stored = add_tensor(self.catalog, schema, version)
            used: list[tuple[int, bytes]] = []
            last = -1
            for keys, blocks in batches:
                numbers = numbers_of(schema, keys, blocks, after=last)
                last = int(numbers[-1]) if len(numbers) else last
                chosen = np.ascontiguousarray(blocks)
                if sparse:
                    there = np.array([not is_zero(block) for block in chosen], np.bool_)
                    numbers, chosen = numbers[there], chosen[there]
                hashes = packer.add_blocks(schema, chosen)
                used += zip(numbers.tolist(), hashes, strict=True)
                del blocks, chosen  # or two batches would be in memory while the next one is made
            packer.flush()
            use_blocks(self.catalog, stored.id, used)
            add_partitions(self.catalog, stored.id, _partitions(schema))
        return stored

    def put_chosen(
        self, schema: TensorSchema, values: HostArray, numbers: Sequence[int]
    ) -> StoredTensor:
        """Store a tensor of its own of which only some blocks are there; the others are zero.

        Parameters
        ----------
        schema, values
            As for :meth:`put_many`.
        numbers
            Row-major grid positions of the blocks that are there, rising.
        """
        check_values(schema, values)
        with self.catalog.transaction():
            stored = add_tensor(self.catalog, schema, None)
            self._write(stored, values, numbers)
            add_partitions(self.catalog, stored.id, _partitions(schema))
        return stored

    def add_blocks(self, tensor: StoredTensor, values: HostArray, numbers: Sequence[int]) -> None:
        """Store blocks that a tensor lacks; all or none.

        Raises
        ------
        CatalogError
            If it has one of them already.
        """
        check_values(tensor.schema, values)
        with self.catalog.transaction():
            taken = set(block_numbers(self.catalog, tensor.id)).intersection(numbers)
            if taken:
                key = tuple(keys_at(tensor.schema, [min(taken)])[0].tolist())
                raise CatalogError(
                    f"tensor {tensor.schema.name!r} has a block at {key} already, and "
                    f"{len(taken)} of the {len(numbers)} in all; blocks are added at keys that it "
                    "lacks: create the tensor again to change others"
                )
            self._write(tensor, values, numbers)

    def _write(self, tensor: StoredTensor, values: HostArray, numbers: Sequence[int]) -> None:
        packer = Packer(self.catalog, self.pages, self._page_nbytes)
        hashes = packer.add(tensor.schema, values, numbers)
        packer.flush()
        use_blocks(self.catalog, tensor.id, list(zip(numbers, hashes, strict=True)))

    def keys(self, tensor: StoredTensor) -> HostArray:
        """Grid coordinates of the blocks a tensor has, (blocks, ndim) int32, row-major."""
        return keys_at(tensor.schema, block_numbers(self.catalog, tensor.id))

    def read(self, tensor: StoredTensor, rows: HostArray | None = None) -> Blocks:
        """The blocks of a tensor, as views of the pages: nothing is copied.

        Parameters
        ----------
        tensor
            Which tensor.
        rows
            Numbers of the wanted blocks in :meth:`keys`; None for all.
        """
        schema = tensor.schema
        block = schema.block_numbers
        keys, places = self.keys(tensor), self._places(tensor, rows)
        keys = keys if rows is None else keys[rows]
        runs = tuple(
            self.pages.run(page, first, count, prod(block)).reshape(count, *block)
            for page, first, count in _runs(places)
        )
        return Blocks(schema, keys, runs)

    def read_copy(self, tensor: StoredTensor, rows: HostArray) -> HostArray:
        """Some blocks of a tensor, ``(n, *block)``, in an array of their own.

        Read from the files without mapping them: what :meth:`read` hands out stays in the memory
        of the process as long as the store is open, this only as long as somebody holds it.
        """
        block = tensor.schema.block_numbers
        dtype = storage_dtype(tensor.schema.dtype)
        blocks = mapped_array(len(rows) * prod(block), dtype).reshape(len(rows), prod(block))
        done = 0
        for page, first, count in _runs(self._places(tensor, rows)):
            self.pages.read_run(page, first, blocks[done : done + count])
            done += count
        return blocks.reshape(len(rows), *block)

    def dense(self, tensor: StoredTensor) -> HostArray:
        """The whole tensor, without padding, in the storage dtype: a new array."""
        blocks = self.read(tensor)
        each = (block for run in blocks.runs for block in run)
        return join(blocks.schema, blocks.keys, each)

    def vacuum(self) -> int:
        """Remove the pages no tensor uses, and what interrupted writers left; bytes removed.

        Raises
        ------
        StorageError
            If called inside a transaction, whose end is not known yet.
        """
        if self.catalog.in_transaction:
            raise StorageError("vacuum inside a transaction; call it after the transaction")
        # The rows first: a crash in between leaves pages without rows, never rows without pages.
        with self.catalog.transaction():
            forget_unused_pages(self.catalog)
        # Under the write lock nobody writes a page; a page made since is kept by its row.
        with self.catalog.transaction():
            return self.pages.remove_unreferenced({page.hash for page in pages(self.catalog)})

    def verify(self) -> int:
        """Compare every page with its hash; how many there are.

        Raises
        ------
        StorageError
            If a page is missing or damaged.
        """
        found = pages(self.catalog)
        for page in found:
            self.pages.verify(page.hash)
        return len(found)

    def _places(self, tensor: StoredTensor, rows: HostArray | None) -> list[Location]:
        """Where the blocks with these numbers lie; None for all."""
        places = locations(self.catalog, tensor.id)
        return list(places if rows is None else (places[row] for row in rows.tolist()))

    def close(self) -> None:
        """Close the catalog and the pages; a temporary folder is removed."""
        self.pages.close()
        self.catalog.close()
        if self._temporary:
            self._temporary.cleanup()


def _runs(places: Sequence[Location]) -> Iterator[tuple[str, int, int]]:
    """Page, first row and length of each maximal stretch of consecutive rows."""
    start = 0
    for stop in range(1, len(places) + 1):
        first, last = places[start], places[stop - 1]
        if stop == len(places) or places[stop] != Location(last.page, last.row + 1):
            yield first.page, first.row, stop - start
            start = stop


def _partitions(schema: TensorSchema) -> Iterator[Partition]:
    """The blocks of a tensor in stretches of at most ``PARTITION_ELEMENTS`` elements."""
    most = PARTITION_ELEMENTS // prod(schema.block_numbers)
    for first in range(0, schema.blocks, most):
        yield Partition(first, min(most, schema.blocks - first))
