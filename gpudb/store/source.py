"""Stored tensors as the source of a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpudb.catalog import StoredTensor
from gpudb.store.tensors import TensorStore
from gpudb.types import HostArray


@dataclass(frozen=True, slots=True)
class StoredSource:
    """What a plan's scans read."""

    store: TensorStore
    find: Callable[[str], StoredTensor]
    """Name in the plan -> the stored tensor."""

    def keys(self, name: str) -> HostArray:
        """Keys ``(n, ndim)`` of the blocks that are stored, row-major."""
        return self.store.keys(self.find(name))

    def runs(self, name: str, rows: HostArray) -> tuple[HostArray, ...]:
        """Blocks by their number among the keys, as views ``(n_i, *block)``."""
        return self.store.read(self.find(name), rows).runs

    def read(self, name: str, rows: HostArray) -> HostArray:
        """The same blocks in an array of their own ``(n, *block)``; nothing else stays."""
        return self.store.read_copy(self.find(name), rows)
