"""Other axes in another order: of the keys, and inside each block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.lines import sort_keys
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.parts import block_parts
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.kernels.transpose_blocks import transpose_blocks
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TransposeBlocks(PhysicalOp):
    """One copy; ``joined.rows`` is (number of the input's block for each of the result)."""

    order: tuple[int, ...]

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        turned = keys[0][:, self.order]
        rows = sort_keys(turned)
        return Joined(turned[rows], (rows,))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        return ctx.backend.call(transpose_blocks, inputs[0], joined.rows[0], self.order)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(self, joined, room)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        chosen = min(out.nbytes, max(PIECE_NBYTES, out.block_nbytes))
        return Cost(read=self.input_nbytes(sizes), written=out.nbytes, scratch=chosen)

    def detail(self) -> str:
        return f"axes {', '.join(map(str, self.order))}"

    @property
    def takes_missing(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True
