"""The same numbers in another dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Joined, Part, PhysicalOp
from gpudb.exec.parts import block_parts
from gpudb.kernels.cast import cast


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CastBlocks(PhysicalOp):
    """Block by block; no copy when the dtype is that already."""

    @property
    def takes_missing(self) -> bool:
        return True

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        return Joined(keys[0])

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        return ctx.backend.call(cast, inputs[0], self.out.dtype)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(self, joined, room)

    def detail(self) -> str:
        return f"{self.children[0].out.dtype} to {self.out.dtype}"
