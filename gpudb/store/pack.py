"""New blocks into pages, in the order they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gpudb.catalog import Catalog, PageRecord
from gpudb.catalog.blocks import add_page, find_blocks
from gpudb.storage import PageStore
from gpudb.store.cut import block_hash, cut
from gpudb.types import HostArray, TensorSchema, storage_dtype


@dataclass(slots=True)
class _OpenPage:
    """A page being filled."""

    leaf: HostArray
    used: int = 0
    lengths: list[int] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)


class Packer:
    """Stores the blocks of many tensors, each distinct block once.

    Holds one page in memory per dtype; :meth:`flush` writes what is left.

    Parameters
    ----------
    catalog
        Where pages and blocks are recorded; in a transaction of the caller.
    pages
        Where pages are written.
    page_nbytes
        Bytes of block data in one page, unless a single block is larger.
    """

    def __init__(self, catalog: Catalog, pages: PageStore, page_nbytes: int) -> None:
        self._catalog = catalog
        self._pages = pages
        self._page_nbytes = page_nbytes
        self._open: dict[str, _OpenPage] = {}
        self._stored: set[bytes] = set()
        self._sound: dict[str, bool] = {}

    def add(self, schema: TensorSchema, values: HostArray, numbers: Sequence[int]) -> list[bytes]:
        """Store blocks of a dense tensor that are not stored yet; the hashes of all of them.

        ``numbers`` are the row-major positions of the wanted blocks, rising. The new ones lie one
        after the other: in one page when one page can hold them.
        """
        return self._add(schema, lambda: _chosen(schema, values, numbers))

    def add_blocks(self, schema: TensorSchema, blocks: HostArray) -> list[bytes]:
        """Like :meth:`add`, for ``(n, *block)`` contiguous blocks."""
        return self._add(schema, lambda: iter(blocks))

    def _add(self, schema: TensorSchema, blocks: Callable[[], Iterator[HostArray]]) -> list[bytes]:
        """Store what ``blocks()`` goes through: once for the hashes, once for the new ones."""
        hashes = [block_hash(block, schema.dtype) for block in blocks()]
        self._look_up([h for h in hashes if h not in self._stored])
        missing = set(hashes) - self._stored
        if missing:
            self._reserve(schema.dtype, len(missing) * schema.block_nbytes)
            for digest, block in zip(hashes, blocks(), strict=True):
                if digest not in self._stored:
                    self._stored.add(digest)
                    self._append(schema.dtype, digest, block.reshape(-1))
        return hashes

    def flush(self) -> None:
        """Write every page that has blocks, full or not."""
        for dtype in list(self._open):
            self._close(dtype)

    def _look_up(self, hashes: list[bytes]) -> None:
        """Note which blocks are stored already. Those in a damaged page are not: they move."""
        for digest, location in find_blocks(self._catalog, hashes).items():
            page = location.page
            if page not in self._sound:
                self._sound[page] = self._pages.is_sound(page)
            if self._sound[page]:
                self._stored.add(digest)

    def _reserve(self, dtype: str, nbytes: int) -> None:
        """Start a new page when the rest of the open one is too small."""
        page = self._open.get(dtype)
        if page is not None and page.used * page.leaf.itemsize + nbytes > self._page_nbytes:
            self._close(dtype)

    def _append(self, dtype: str, digest: bytes, block: HostArray) -> None:
        self._reserve(dtype, block.nbytes)
        if block.nbytes > self._page_nbytes:
            self._write(dtype, block, [block.size], [digest])
            return
        page = self._open.get(dtype)
        if page is None:
            stored = storage_dtype(dtype)
            page = _OpenPage(np.empty(self._page_nbytes // stored.itemsize, stored))
            self._open[dtype] = page
        page.leaf[page.used : page.used + block.size] = block
        page.used += block.size
        page.lengths.append(block.size)
        page.hashes.append(digest)

    def _close(self, dtype: str) -> None:
        page = self._open.pop(dtype)
        self._write(dtype, page.leaf[: page.used], page.lengths, page.hashes)

    def _write(self, dtype: str, leaf: HostArray, lengths: list[int], hashes: list[bytes]) -> None:
        page = self._pages.write_leaf(leaf, lengths, dtype)
        places = [
            (digest, row, length * leaf.itemsize)
            for row, (digest, length) in enumerate(zip(hashes, lengths, strict=True))
        ]
        add_page(self._catalog, PageRecord(page.hash, dtype, page.nbytes, page.blocks), places)


def _chosen(schema: TensorSchema, values: HostArray, numbers: Sequence[int]) -> Iterator[HostArray]:
    wanted = iter(numbers)
    number = next(wanted, -1)
    for position, block in enumerate(cut(schema, values)):
        if position == number:
            yield block
            number = next(wanted, -1)
