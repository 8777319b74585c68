"""Put the rows of several relations one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array
from gpudb.exec.operator import Context, Joined, PhysicalOp


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConcatRows(PhysicalOp):
    """One block each -> one block; a copy."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        return ctx.backend.concat([x[0] for x in inputs])[None]

    @property
    def is_layout(self) -> bool:
        return True
