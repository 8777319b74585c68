"""What the threads of a batch of blocks share, and who they are."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from tests.cuda.ptx.accesses import space_of
from tests.cuda.ptx.cache import SECTOR
from tests.cuda.ptx.dtypes import DTYPES
from tests.cuda.ptx.errors import PtxError
from tests.cuda.ptx.memory import BlockMemory, Region
from tests.cuda.ptx.program import PtxKernel
from tests.cuda.ptx.races import WARP, RaceCheck
from tests.cuda.ptx.traffic import sectors


class Lanes:
    """Threads that run a step: their numbers in the batch, ascending."""

    __slots__ = ("batch", "n", "numbers")

    def __init__(self, numbers: Any, batch: Batch) -> None:
        self.numbers = numbers
        self.n = len(numbers)
        self.batch = batch

    def pick(self, which: Any) -> Lanes:
        """Some of them."""
        return Lanes(self.numbers[which], self.batch)


class Batch:
    """Blocks that run together.

    Parameters
    ----------
    launch
        Kernel, extents, memory and parameters.
    numbers
        Of the blocks.
    """

    def __init__(self, launch: Any, numbers: Any) -> None:
        self.numbers = numbers
        self.memory = launch.memory
        self.parameters = launch.parameters
        self.cache = launch.cache
        self._grid, self._block = launch.grid, launch.block
        threads = prod(self._block)
        self.n = len(numbers) * threads
        self.block = np.repeat(np.arange(len(numbers)), threads)
        """Place of each thread's block in the batch."""
        self._in_block = np.tile(np.arange(threads), len(numbers))
        self.lane = self._in_block % WARP
        self.warp = self.block * -(-threads // WARP) + self._in_block // WARP
        self.everybody = Lanes(np.arange(self.n), self)
        self.shared = BlockMemory(len(numbers), launch.shared_nbytes, "shared")
        self.races = self._race_check(launch) if launch.check and launch.shared_nbytes else None
        self.partners: dict[Any, Any] = {}
        """Of shuffles that all threads have made, to be made again."""
        self._local_nbytes = launch.kernel.local_nbytes

    @cached_property
    def local(self) -> BlockMemory:
        """Memory of each thread."""
        return BlockMemory(self.n, self._local_nbytes, "local")

    def special(self, name: str) -> Any:
        """A special register of all threads.

        Raises
        ------
        PtxError
            It is not known.
        """
        base, _, axis = name.partition(".")
        if axis:
            place = "xyz".index(axis)
            values = {
                "%tid": _along(self._in_block, self._block, place),
                "%ctaid": _along(self.numbers[self.block], self._grid, place),
                "%ntid": np.full(self.n, self._block[place]),
                "%nctaid": np.full(self.n, self._grid[place]),
            }[base]
        elif name == "%laneid":
            values = self.lane
        elif name == "%warpid":
            values = self._in_block // WARP
        elif name.startswith("%lanemask_"):
            values = _lane_mask(name.removeprefix("%lanemask_"), self.lane)
        else:
            raise PtxError(f"the special register {name} is not known")
        return values.astype(np.uint32)

    def lane_bits(self, numbers: Any) -> Any:
        """For each warp of the batch, which of its lanes are among these threads."""
        weights = 2.0 ** self.lane[numbers]  # each lane once: their sum is exact
        bits = np.bincount(self.warp[numbers], weights, int(self.warp[-1]) + 1)
        return bits.astype(np.uint32)

    def count(self, region: Region, addresses: Any, numbers: Any, nbytes: int, write: bool) -> None:
        """Add an access to the region's traffic; on a device, regions start with a sector."""
        places = addresses - region.base
        touched = sectors(places, self.warp[numbers])
        region.traffic.add(nbytes * len(addresses), touched, write)
        if self.cache is not None:
            moved = self.cache.moved(region.sectors, places // SECTOR, write)
            region.traffic.moved_sectors += moved

    def _race_check(self, launch: Any) -> RaceCheck:
        granule = _granule(launch.kernel)
        nbytes = len(self.numbers) * self.shared.stride
        return RaceCheck(nbytes, granule, self.n, self.warp, prod(self._block))


def _along(number: Any, extents: tuple[int, int, int], place: int) -> Any:
    return number // prod(extents[:place]) % extents[place]


def _lane_mask(which: str, lane: Any) -> Any:
    one = np.uint64(1) << lane.astype(np.uint64)
    below, all_lanes = one - np.uint64(1), np.uint64(2**32 - 1)
    return {
        "eq": one,
        "lt": below,
        "le": below | one,
        "gt": all_lanes ^ (below | one),
        "ge": all_lanes ^ below,
    }[which]


def _granule(kernel: PtxKernel) -> int:
    """Bytes of the smallest access to shared memory: 4, nearly always."""
    sizes = [
        DTYPES[i.type].itemsize
        for i in kernel.code
        if i.opcode in ("ld", "st", "atom", "red") and space_of(i) in ("shared", "generic")
    ]
    return min(sizes, default=4)
