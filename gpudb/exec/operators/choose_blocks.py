"""Steps that choose blocks or give them other keys: the data moves, the numbers stay.

All of them copy the chosen blocks, unless these are all there are, in the same order.
``joined.rows`` is (row of each result block), or empty where nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.grouping import result_block, result_keys
from gpudb.exec.missing import key_grid, positions
from gpudb.exec.operator import Context, Joined, PhysicalOp
from gpudb.keys import KeyTests, describe_tests, matching
from gpudb.types import HostArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Choose(PhysicalOp):
    @property
    def takes_missing(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        return ctx.backend.take(x, joined.rows[0]) if joined.rows else x


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FilterBlocks(_Choose):
    """Blocks whose keys pass all tests; the others are missing from the result."""

    tests: KeyTests

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        rows = np.flatnonzero(matching(keys[0], self.tests))
        return Joined(keys[0][rows], _moves(rows, len(keys[0])))

    def detail(self) -> str:
        return f"where {describe_tests(self.tests)}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProjectBlocks(_Choose):
    """Blocks at one key of some key columns, without these columns."""

    dropped: tuple[tuple[int, int], ...]

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        (there,) = keys
        tests = tuple((axis, "=", number) for axis, number in self.dropped)
        rows = np.flatnonzero(matching(there, tests))
        chosen = result_keys(there[rows], self.children[0].out, self._axes)
        return Joined(chosen, _moves(rows, len(there)))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        # Naming the base: super() without arguments does not work in a dataclass with slots.
        x = _Choose.run(self, ctx, joined, *inputs)
        return x.reshape(len(x), *result_block(x.shape[1:], self.children[0].out, self._axes))

    def detail(self) -> str:
        return ", ".join(f"i{axis} = {number}" for axis, number in self.dropped)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(axis for axis, _ in self.dropped)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RekeyBlocks(_Choose):
    """Other keys; moved only where that changes their row-major order.

    Padding that becomes interior is zero already.
    """

    rule: tuple[tuple[int, int, int], ...]

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        moved = [scale * keys[0][:, axis] + offset for axis, scale, offset in self.rule]
        new = np.stack(moved, axis=1)
        rows = np.argsort(positions(new, key_grid(self.out)), kind="stable")
        return Joined(new[rows], _moves(rows, len(new)))

    def detail(self) -> str:
        return ", ".join(_term(*term) for term in self.rule)


def _moves(rows: HostArray, count: int) -> tuple[HostArray, ...]:
    """The rows; nothing if they are all of ``count`` in order."""
    return () if np.array_equal(rows, np.arange(count)) else (rows,)


def _term(axis: int, scale: int, offset: int) -> str:
    factor = "" if scale == 1 else f"{scale}·"
    return f"{factor}i{axis}" + (f" + {offset}" if offset else "")
