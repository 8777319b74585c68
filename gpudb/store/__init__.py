"""Tensors on disk: the catalog and the pages together."""

from __future__ import annotations

from gpudb.store.source import StoredSource
from gpudb.store.tensors import Blocks, TensorStore

__all__ = ["Blocks", "StoredSource", "TensorStore"]
