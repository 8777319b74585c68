"""One axis as two, and two as one: other keys over the same memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SplitAxisView(PhysicalOp):
    """``(n, …, b, …)`` -> ``(n, …, b / inner, inner, …)``; blocks stay in row-major order."""

    axis: int

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        (old,) = keys
        parts = self.out.grid_along(self.axis + 1)
        outer, inner = np.divmod(old[:, self.axis], max(1, parts))
        new = (old[:, : self.axis], outer[:, None], inner[:, None], old[:, self.axis + 1 :])
        return Joined(np.concatenate(new, axis=1))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        at = 1 + self.axis
        pair = self.out.block_numbers[self.axis : self.axis + 2]
        return x.reshape(*x.shape[:at], *pair, *x.shape[at + 1 :])

    def cost(self, sizes: Sizes) -> Cost:
        return Cost()

    def detail(self) -> str:
        outer, inner = self.out.shape[self.axis : self.axis + 2]
        return f"axis {self.axis} as {outer}×{inner}"

    @property
    def takes_missing(self) -> bool:
        return True

    @property
    def is_view(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MergeAxesView(PhysicalOp):
    """``(n, …, a, b, …)`` -> ``(n, …, a·b, …)``; blocks stay in row-major order."""

    axis: int

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        (old,) = keys
        parts = self.children[0].out.grid_along(self.axis + 1)
        merged = old[:, self.axis] * parts + old[:, self.axis + 1]
        new = (old[:, : self.axis], merged[:, None], old[:, self.axis + 2 :])
        return Joined(np.concatenate(new, axis=1))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        at = 1 + self.axis
        return x.reshape(*x.shape[:at], self.out.block_numbers[self.axis], *x.shape[at + 2 :])

    def cost(self, sizes: Sizes) -> Cost:
        return Cost()

    def detail(self) -> str:
        return f"axes {self.axis} and {self.axis + 1} as one"

    @property
    def takes_missing(self) -> bool:
        return True

    @property
    def is_view(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True
