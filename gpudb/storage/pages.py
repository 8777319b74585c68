"""The page store: a folder of immutable files, each named by the hash of its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa

from gpudb.closing import Closing
from gpudb.errors import InputError, StorageError
from gpudb.storage.encode import RESTORE, PageView, decode, encode
from gpudb.storage.files import TEMPORARY, file_sha256, map_file, read_into, write_file
from gpudb.types import HostArray

SUFFIX = ".arrow"


@dataclass(frozen=True, slots=True)
class Page:
    """One page as its writer knows it."""

    hash: str
    """sha256 of the file's bytes, in hex."""
    dtype: str
    """Logical dtype of its elements."""
    nbytes: int
    """Size of the file, in bytes."""
    blocks: int
    """Blocks in the page."""


class PageStore(Closing):
    """The pages under one folder. Any number of threads may read it.

    Parameters
    ----------
    folder
        Where the pages lie, ``<first two hex digits>/<sha256>.arrow``; made by the first write.
    verify
        Compare the sha256 of a page with its name when it is first opened.
    """

    def __init__(self, folder: Path, *, verify: bool) -> None:
        self.folder = folder
        self._verify = verify
        self._open: dict[str, PageView] = {}
        self._lock = Lock()
        self._closed = False

    def write(self, blocks: Sequence[HostArray], dtype: str) -> Page:
        """Store ``blocks`` (storage elements, any shape) as one page, one row per block.

        A sound page with the same bytes is left alone; a damaged one is written again.

        Raises
        ------
        InputError
            If the blocks do not fit the dtype or have too many elements for one page.
        StorageError
            If the folder cannot be written to; nothing is left behind.
        """
        if not blocks:
            raise InputError("a page needs at least one block; found none")
        flat = [np.ascontiguousarray(block).reshape(-1) for block in blocks]
        leaf = flat[0] if len(flat) == 1 else np.concatenate(flat)
        return self.write_leaf(leaf, [block.size for block in flat], dtype)

    def write_leaf(self, leaf: HostArray, lengths: Sequence[int], dtype: str) -> Page:
        """Like :meth:`write`, for blocks that lie one after the other in ``leaf`` (1-D): no copy.

        Parameters
        ----------
        leaf
            (elements,) of the storage dtype.
        lengths
            Elements in each block.
        dtype
            Logical dtype.
        """
        pieces = encode(leaf, lengths, dtype)
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        page = Page(digest.hexdigest(), dtype, sum(p.nbytes for p in pieces), len(lengths))
        if not self.is_sound(page.hash):
            write_file(self.path(page.hash), pieces)
            with self._lock:
                self._open.pop(page.hash, None)
        return page

    def block(self, page_hash: str, row: int) -> HostArray:
        """(elements,) read-only view of the block in ``row``, in the storage dtype; no copy."""
        page = self._page(page_hash)
        _check_rows(page, page_hash, row, 1)
        return page.leaf[page.offsets[row] : page.offsets[row + 1]]

    def run(self, page_hash: str, first: int, count: int, elements: int) -> HostArray:
        """(count, elements) read-only view of ``count`` equal blocks from ``first`` on; no copy."""
        page = self._page(page_hash)
        start = _start(page, page_hash, first, count, elements)
        return page.leaf[start : start + count * elements].reshape(count, elements)

    def read_run(self, page_hash: str, first: int, out: HostArray) -> None:
        """Copy equal blocks from ``first`` on into ``out``, straight from the file.

        Unlike a view of the mapped page, nothing of the page stays in memory but ``out``.

        Parameters
        ----------
        page_hash
            The page.
        first
            Its first wanted row.
        out
            (count, elements) C-contiguous, of the storage dtype; filled.
        """
        page = self._page(page_hash)
        start = _start(page, page_hash, first, *out.shape)
        if out.dtype != page.leaf.dtype:
            raise StorageError(f"page {page_hash} holds {page.leaf.dtype}, not {out.dtype}")
        place = page.start + start * out.itemsize
        try:
            read_into(self.path(page_hash), place, out.reshape(-1).view(np.uint8).data)
        except (OSError, EOFError) as error:
            raise _unreadable(page_hash, self.path(page_hash), error) from error

    def dtype(self, page_hash: str) -> str:
        """Logical dtype of the elements of a page."""
        return self._page(page_hash).dtype

    def path(self, page_hash: str) -> Path:
        """The file of a page, whether it exists or not."""
        return self.folder / page_hash[:2] / f"{page_hash}{SUFFIX}"

    def verify(self, page_hash: str) -> None:
        """Compare the page's file, as it is now on disk, with its name.

        Raises
        ------
        StorageError
            If the file is missing, unreadable or its sha256 is not its name.
        """
        _verify(page_hash, self.path(page_hash))

    def is_sound(self, page_hash: str) -> bool:
        """True when the page's file is there and its sha256 is its name."""
        try:
            self.verify(page_hash)
        except StorageError:
            return False
        return True

    def remove_unreferenced(self, keep: set[str]) -> int:
        """Delete every page not in ``keep`` and what interrupted writers left; bytes removed.

        The caller makes sure that nobody writes pages meanwhile.
        """
        removed = 0
        for file in list(self._files()):
            if file.suffix == SUFFIX and file.stem in keep:
                continue
            try:
                nbytes = file.stat().st_size
                file.unlink()
            except OSError as error:
                raise StorageError(
                    f"cannot remove {file}: {error.strerror}; make the folder writable and "
                    "vacuum again"
                ) from error
            removed += nbytes
            with self._lock:
                self._open.pop(file.stem, None)
        return removed

    def close(self) -> None:
        """Release the mapped pages. Views handed out stay valid and keep their page mapped."""
        with self._lock:
            self._closed = True
            self._open.clear()

    def _files(self) -> Iterator[Path]:
        for suffix in (SUFFIX, TEMPORARY):
            yield from self.folder.glob(f"[0-9a-f][0-9a-f]/*{suffix}")

    def _page(self, page_hash: str) -> PageView:
        page = self._open.get(page_hash)
        return page if page is not None else self._first_open(page_hash)

    def _first_open(self, page_hash: str) -> PageView:
        with self._lock:
            if self._closed:
                raise StorageError(f"page {page_hash}: the page store is closed; open it again")
            page = self._open.get(page_hash)
            if page is None:
                data = _map(page_hash, self.path(page_hash))
                if self._verify:
                    _verify(page_hash, self.path(page_hash))
                page = self._open[page_hash] = decode(data, page_hash)
            return page


def _map(page_hash: str, path: Path) -> pa.Buffer:
    try:
        return map_file(path)
    except OSError as error:
        raise _unreadable(page_hash, path, error) from error


def _unreadable(page_hash: str, path: Path, error: OSError | EOFError) -> StorageError:
    if isinstance(error, FileNotFoundError):
        return StorageError(f"page {page_hash} is missing ({path}); {RESTORE}")
    reason = getattr(error, "strerror", None) or error
    return StorageError(
        f"page {page_hash} cannot be read ({path}): {reason}; "
        f"check the permissions of the folder, or {RESTORE}"
    )


def _verify(page_hash: str, path: Path) -> None:
    try:
        found, nbytes = file_sha256(path)
    except OSError as error:
        raise _unreadable(page_hash, path, error) from error
    if found != page_hash:
        raise StorageError(
            f"page {page_hash} is damaged: the sha256 of its {nbytes} bytes is {found}; {RESTORE}"
        )


def _start(page: PageView, page_hash: str, first: int, count: int, elements: int) -> int:
    """Where ``count`` blocks of ``elements`` from row ``first`` on begin in the leaf."""
    _check_rows(page, page_hash, first, count)
    lengths = np.diff(page.offsets[first : first + count + 1])
    if np.any(lengths != elements):
        raise StorageError(
            f"page {page_hash} holds blocks of {sorted(set(lengths.tolist()))} elements in "
            f"rows {first} to {first + count - 1}; blocks of {elements} were expected: "
            "restore the catalog and the pages from one backup"
        )
    return int(page.offsets[first])


def _check_rows(page: PageView, page_hash: str, first: int, count: int) -> None:
    rows = len(page.offsets) - 1
    if first < 0 or count < 1 or first + count > rows:
        raise StorageError(
            f"page {page_hash} has rows 0 to {rows - 1}; {count} from {first} on were asked for: "
            "restore the catalog and the pages from one backup"
        )
