"""Global, shared and local memory: every access is checked for bounds and alignment."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from tests.cuda.ptx.cache import Sectors
from tests.cuda.ptx.errors import Fault
from tests.cuda.ptx.traffic import ArrayTraffic

SHARED_WINDOW = 1 << 60
LOCAL_WINDOW = 1 << 61
"""Where generic addresses of these spaces start; no array lies there."""

POISON = 0xFF
"""Bytes that nobody has written: NaN as floats."""


def check_alignment(addresses: Any, nbytes: int) -> None:
    """Raise a fault unless every address is a multiple of the size of the access."""
    if nbytes > 1:
        bad = addresses & (nbytes - 1)
        if bad.any():
            raise Fault(f"misaligned access of {nbytes} bytes", int(np.flatnonzero(bad)[0]))


class Region:
    """One allocation of global memory: the owner of an array's memory."""

    def __init__(self, owner: Any, name: str) -> None:
        self.base = owner.ctypes.data
        self.nbytes = owner.nbytes
        self.end = self.base + owner.nbytes
        self.name = name
        self.traffic = ArrayTraffic()
        self._owner = owner
        self._bytes = _bytes_of(owner)
        self._views: dict[Any, tuple[Any, int]] = {}

    @cached_property
    def sectors(self) -> Sectors:
        """What a cache knows about it; on a device it starts with a sector."""
        return Sectors(self.nbytes)

    def view(self, dtype: Any) -> tuple[Any, int]:
        """Its elements as a type, and the address of the first one that is aligned."""
        if dtype not in self._views:
            skip = -self.base % dtype.itemsize
            whole = max(0, self.nbytes - skip) // dtype.itemsize * dtype.itemsize
            self._views[dtype] = (self._bytes[skip : skip + whole].view(dtype), self.base + skip)
        return self._views[dtype]


class GlobalMemory:
    """All regions that a kernel may touch."""

    def __init__(self, regions: Iterable[Region]) -> None:
        self.regions = sorted(regions, key=lambda r: (r.base, r.nbytes))

    def find(self, addresses: Any, nbytes: int) -> list[tuple[Region, Any]]:
        """Regions and which of the accesses are in them; ``slice(None)``: all."""
        low, high = int(addresses.min()), int(addresses.max())
        for region in self.regions:
            if region.base <= low and high + nbytes <= region.end:
                return [(region, slice(None))]
        return self._find_each(addresses, nbytes)

    def _find_each(self, addresses: Any, nbytes: int) -> list[tuple[Region, Any]]:
        found = []
        missing = np.ones(len(addresses), bool)
        for region in self.regions:
            inside = (addresses >= region.base) & (addresses + nbytes <= region.end)
            if inside.any():
                found.append((region, np.flatnonzero(inside)))
                missing &= ~inside
        if missing.any():
            at = int(np.flatnonzero(missing)[0])
            raise Fault(self._outside(int(addresses[at]), nbytes), at)
        return found

    def _outside(self, address: int, nbytes: int) -> str:
        near = min(
            self.regions,
            key=lambda r: max(r.base - address, address + nbytes - r.end),
            default=None,
        )
        if near is None:
            return f"access of {nbytes} bytes outside every array"
        past = address + nbytes - near.end
        where = (
            f"{past} bytes past the end of" if past > 0 else f"{near.base - address} bytes before"
        )
        return f"out-of-bounds access of {nbytes} bytes, {where} {near.name}"


class BlockMemory:
    """Memory of each block (shared) or thread (local) of a batch, one row each."""

    def __init__(self, rows: int, nbytes: int, what: str) -> None:
        self.nbytes = nbytes
        self.what = what
        self.stride = -(-nbytes // 16) * 16
        self._bytes = np.full(rows * self.stride, POISON, np.uint8)
        self._views: dict[Any, Any] = {}

    def places(self, rows: Any, addresses: Any, nbytes: int) -> Any:
        """Bytes of the whole memory that the accesses start at."""
        bad = (addresses < 0) | (addresses + nbytes > self.nbytes)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            byte = int(addresses[at])
            raise Fault(f"{self.what} access of {nbytes} bytes at byte {byte} of {self.nbytes}", at)
        return rows * self.stride + addresses

    def view(self, dtype: Any) -> Any:
        """Its elements as a type."""
        if dtype not in self._views:
            self._views[dtype] = self._bytes.view(dtype)
        return self._views[dtype]


def owner_of(array: Any) -> Any:
    """The array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _bytes_of(owner: Any) -> Any:
    if owner.nbytes == 0:
        return np.zeros(0, np.uint8)
    # An owner that is not C-contiguous is in another order, but without gaps.
    flat = owner.ravel(order="K") if owner.flags.f_contiguous else owner.reshape(-1)
    if not np.shares_memory(flat, owner):
        raise ValueError("an array whose memory has gaps")
    return flat.view(np.uint8)
