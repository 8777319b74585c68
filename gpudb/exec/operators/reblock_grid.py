"""Cut a tensor into blocks of another extent."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.reblock import reblock
from gpudb.types import Extent, Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReblockGrid(PhysicalOp):
    """A copy; needs the full grid."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        source = self.children[0].out
        # A named extent is one block along its axis, so the data says how long it is.
        sizes = {
            e: int(n) for e, n in zip(source.shape, x.shape[1:], strict=True) if isinstance(e, str)
        }
        extent = tuple(_number(e, sizes) for e in source.shape)
        return ctx.backend.call(
            reblock,
            x,
            extent,
            tuple(_number(e, sizes) for e in source.block),
            tuple(_number(e, sizes) for e in self.out.block),
        )

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes).nbytes
        read = self.input_nbytes(sizes)
        return Cost(read=read, written=out, scratch=read + out)

    def detail(self) -> str:
        return f"into {'×'.join(str(b) for b in self.out.block)}"

    @property
    def is_layout(self) -> bool:
        return True


def _number(extent: Extent, sizes: Sizes) -> int:
    return sizes[extent] if isinstance(extent, str) else extent
