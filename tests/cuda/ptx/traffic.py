"""Bytes and 32-byte sectors that a kernel moves, per array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.cuda.ptx.cache import SECTOR


@dataclass(slots=True)
class ArrayTraffic:
    """What was moved of one array."""

    read_nbytes: int = 0
    written_nbytes: int = 0
    read_sectors: int = 0
    """Sectors of each warp's access, counted every time: what leaves the first cache at most."""
    written_sectors: int = 0
    moved_sectors: int = 0
    """Read from memory and written to it, behind the cache that the launch was given."""

    def add(self, nbytes: int, sectors: int, write: bool) -> None:
        """Count one access of some threads."""
        if write:
            self.written_nbytes += nbytes
            self.written_sectors += sectors
        else:
            self.read_nbytes += nbytes
            self.read_sectors += sectors


@dataclass(slots=True)
class Traffic:
    """What a launch did."""

    arrays: list[ArrayTraffic] = field(default_factory=list)
    """One per argument that is an array; those of one allocation share theirs."""
    instructions: int = 0
    """Carried out, summed over threads."""
    steps: int = 0
    """Carried out, each for many threads at once."""


def sectors(addresses: Any, warps: Any) -> int:
    """How many pairs of warp and sector there are; threads come warp by warp."""
    sector = addresses // SECTOR
    new_warp, step = warps[1:] != warps[:-1], sector[1:] - sector[:-1]
    if (new_warp | (step >= 0)).all():
        return 1 + int(np.count_nonzero(new_warp | (step != 0)))
    order = np.lexsort((sector, warps))
    sector, warps = sector[order], warps[order]
    changes = (warps[1:] != warps[:-1]) | (sector[1:] != sector[:-1])
    return 1 + int(np.count_nonzero(changes))
