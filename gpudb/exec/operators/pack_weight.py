"""Lay a stored matrix out as the device multiplies by it fastest."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array, Backend
from gpudb.exec.operator import Context, Joined, PhysicalOp


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PackWeight(PhysicalOp):
    """``(1, columns, inner)`` -> the same, packed: something only products can read."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        return ctx.backend.pack(inputs[0][0])

    def detail(self) -> str:
        return self.out.dtype

    @property
    def is_layout(self) -> bool:
        return True


def as_read(backend: Backend, weight: PhysicalOp, rows: Array) -> Array:
    """Rows of a weight that comes in panels, as the product reads that weight when it is whole."""
    return backend.pack(rows) if isinstance(weight, PackWeight) else rows
