"""Pages on disk: immutable, content-addressed files of blocks."""

from __future__ import annotations

from gpudb.storage.encode import MAX_BLOCK_ELEMENTS, PAGE_NBYTES
from gpudb.storage.pages import Page, PageStore

__all__ = ["MAX_BLOCK_ELEMENTS", "PAGE_NBYTES", "Page", "PageStore"]
