"""The base of every physical operator.

An operator works in two phases. ``join`` sees keys only: it runs once, when a plan is prepared,
and decides which blocks meet. ``run`` sees values only: it runs for every batch and launches the
GEMMs and kernels over what ``join`` decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys, grid_keys
from gpudb.types import HostArray, Sizes, TensorSchema


class Source(Protocol):
    """Where the stored tensors of a plan come from, by the name they have in it."""

    def keys(self, name: str) -> Keys:
        """Keys of the blocks that are stored, in row-major order; the others are zero."""

    def runs(self, name: str, rows: HostArray) -> Sequence[HostArray]:
        """The blocks with these numbers in ``keys``, as views ``(n_i, *block)``, in order."""

    def read(self, name: str, rows: HostArray) -> HostArray:
        """The same blocks in an array of their own ``(n, *block)``: memory ends with it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a running operator may touch."""

    backend: Backend
    source: Source
    inputs: Mapping[str, Array]
    """Relations handed in for this run, by name: one block each, without the block axis."""
    sizes: Sizes = field(default_factory=dict)
    """Numbers for the plan's named extents."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of an operator takes, counted from shapes."""

    flops: int = 0
    """Floating-point operations; a multiply-add is two."""
    read: int = 0
    """Bytes read at least."""
    written: int = 0
    """Bytes written at least."""
    scratch: int = 0
    """Bytes held while it runs, beside its inputs and its result."""

    def of_share(self, share: float) -> Cost:
        """What is left where only this share of the blocks is worked on; scratch may stay."""
        flops, read, written = (round(share * n) for n in (self.flops, self.read, self.written))
        return Cost(flops, read, written, self.scratch)


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel, or one product of matrices, that an operator starts on a GPU."""

    name: str
    """What it does; empty where it does all that its operator does."""
    flops: int
    read: int
    """Bytes that it reads; what several of its blocks read counts once, the rest come from L2."""
    written: int
    product: tuple[int, int, int] | None = None
    """Rows, columns and inner extent, of a product: the library's, which has tensor cores."""

    @property
    def moved(self) -> int:
        """Bytes read and written."""
        return self.read + self.written


@dataclass(frozen=True, slots=True)
class Pairing:
    """How many blocks met in a join, for EXPLAIN."""

    pairs: int
    """Pairs of blocks that are worked on."""
    skipped: int = 0
    """Pairs that would be there if no block were missing."""
    launches: int = 1
    """Batched GEMMs or kernel calls that the pairs were coalesced into."""
    pruned: int = 0
    """Pairs that meet, but whose result nobody asked for."""

    @property
    def share(self) -> float:
        """Of the pairs that full grids would have, those worked on; 1 where there are none."""
        possible = self.pairs + self.skipped + self.pruned
        return self.pairs / possible if possible else 1.0


@dataclass(frozen=True, slots=True)
class Joined:
    """What ``join`` decided."""

    keys: Keys
    """Keys of the result's blocks, in row-major order."""
    rows: tuple[HostArray, ...] = ()
    """Row numbers that ``run`` needs; each operator says which."""
    pairing: Pairing | None = None
    """For joins."""
    _found: dict[tuple[int, int], HostArray] = field(default_factory=dict, init=False, repr=False)

    def blocks_at(self, axis: int, key: int) -> HostArray:
        """Numbers of the blocks with this key along an axis: looked for once."""
        if (axis, key) not in self._found:
            self._found[axis, key] = lasting(np.flatnonzero(self.keys[:, axis] == key))
        return self._found[axis, key]


def lasting(rows: HostArray) -> HostArray:
    """The same row numbers, read-only: a device uploads them once, see ``Device.rows``."""
    if isinstance(rows.base, np.ndarray):
        rows.base.flags.writeable = False
    rows.flags.writeable = False
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """A stored tensor that is too large to be there at once: its rows, some at a time."""

    parts: Iterator[tuple[int, Array]]
    """Number of the first row, and rows ``(r, …)`` of it and the following; taken once."""

    def __iter__(self) -> Iterator[tuple[int, Array]]:
        return self.parts


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some blocks of a result, and what it takes to compute them without the rest."""

    first: int
    """Blocks ``first`` to ``last - 1`` of the result."""
    last: int
    joined: Joined
    """Like that of the whole, with row numbers that count the blocks of ``rows``."""
    rows: tuple[HostArray, ...]
    """For each input, the numbers of the blocks that are needed, rising."""
    nbytes: int
    """Most bytes held meanwhile: these blocks, what is computed, and scratch."""
    adds: bool = False
    """The result is added to that of the part before, which has the same blocks."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PhysicalOp:
    """One step of a physical plan."""

    children: tuple[PhysicalOp, ...]
    out: TensorSchema

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        """Decide which blocks meet. Unless it says otherwise, the result is a full grid.

        ``keys`` are those of each input, in row-major order: of a full grid, unless the operator
        :attr:`takes_missing` blocks.
        """
        return Joined(grid_keys(self.out))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        """Inputs ``(n_i, *block_i)`` -> ``(n, *block)``, in the order of ``joined.keys``."""
        raise NotImplementedError

    @property
    def panelled(self) -> tuple[int, ...]:
        """Places of the inputs, one block each, that may come as :class:`Panels`."""
        return ()

    def run_panels(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        """Like :meth:`run`, one of the :attr:`panelled` inputs being :class:`Panels`."""
        raise NotImplementedError

    def panel_scratch(self, sizes: Sizes) -> int:
        """Bytes that :meth:`run_panels` holds more than :meth:`run`, panels aside."""
        return 0

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        """Cut the work into parts of at most ``room`` bytes where blocks are small enough for it.

        Parts cover the result's blocks in order. None for an operator that needs its inputs whole.
        """
        return None

    def run_part(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        """Like :meth:`run`, over the blocks of one part."""
        return self.run(ctx, joined, *inputs)

    def cost(self, sizes: Sizes) -> Cost:
        """Count one run. Unless it says otherwise: every input read, the result written."""
        return Cost(read=self.input_nbytes(sizes), written=self.out.bind(sizes).nbytes)

    def launches(self, sizes: Sizes) -> tuple[Launch, ...]:
        """What one run starts on a GPU. Unless it says otherwise: one kernel; none for a view."""
        if self.is_view:
            return ()
        cost = self.cost(sizes)
        return (Launch("", cost.flops, cost.read, cost.written),)

    def input_nbytes(self, sizes: Sizes) -> int:
        """Bytes of all inputs."""
        return sum(child.out.bind(sizes).nbytes for child in self.children)

    def detail(self) -> str:
        """What EXPLAIN says beside the name."""
        return ""

    def described(self) -> str:
        """Equal for operators that do the same to the same inputs."""
        own = (f.name for f in fields(self) if f.name not in ("children", "out"))
        return f"{type(self).__name__}[{', '.join(repr(getattr(self, name)) for name in own)}]"

    @property
    def takes_missing(self) -> bool:
        """True when ``join`` copes with inputs that lack blocks; else zeros are filled in first."""
        return False

    @property
    def is_view(self) -> bool:
        """True when the result shares the memory of the first input."""
        return False

    @property
    def is_layout(self) -> bool:
        """True for a step that only reads or arranges; over stored tensors it is done once."""
        return False
