"""Read row panels, which lie side by side, as one block."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoalescePanels(PhysicalOp):
    """``(n, rows, …)`` -> ``(1, n·rows, …)``, the padding of the last panel cut off: a view."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (panels,) = inputs
        rows = self.out.numbers[0]
        return panels.reshape(-1, *panels.shape[2:])[:rows][None]

    def cost(self, sizes: Sizes) -> Cost:
        return Cost()

    @property
    def is_view(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True
