"""Products of pairs of blocks of any rank, as batched matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from gpudb.backend import Array, Backend
from gpudb.exec.pairs import On, free_axes
from gpudb.kernels.permute_axes import permute_axes


@dataclass(frozen=True, slots=True)
class ProductAxes:
    """What each axis of a left and of a right block does in a product.

    Joined axes are batch axes, but for one, which is summed over; the others are rows of the left
    and columns of the right matrix. A result block has the axes of the left one without the summed
    axis, then the columns.
    """

    batch: On
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    summed: tuple[int, int]

    @classmethod
    def of(cls, left_ndim: int, right_ndim: int, on: On, summed: tuple[int, int]) -> ProductAxes:
        """For blocks of these ranks."""
        batch = tuple(pair for pair in on if pair != summed)
        joined = {left for left, _ in on}
        rows = tuple(axis for axis in range(left_ndim) if axis not in joined)
        return cls(batch, rows, free_axes(right_ndim, on), summed)

    @property
    def left_order(self) -> tuple[int, ...]:
        """Batch axes, rows, pairs, summed axis; number 0 is the axis of the pairs."""
        left = [axis for axis, _ in self.batch]
        return _shifted(left, self.rows, None, self.summed[0])

    @property
    def right_order(self) -> tuple[int, ...]:
        """Batch axes, pairs, summed axis, columns."""
        right = [axis for _, axis in self.batch]
        return _shifted(right, None, self.summed[1], self.columns)

    @property
    def transposed_order(self) -> tuple[int, ...]:
        """Batch axes, columns, pairs, summed axis: the right matrix transposed."""
        right = [axis for _, axis in self.batch]
        return _shifted(right, self.columns, None, self.summed[1])

    @property
    def result_order(self) -> tuple[int, ...]:
        """Where the axes of a result block are, once the batch axes have come first."""
        found = [axis for axis, _ in self.batch] + list(self.rows)
        ordered = [found.index(axis) for axis in sorted(found)]
        return (*ordered, *range(len(found), len(found) + len(self.columns)))

    def result_block(self, left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
        """Extents of a result block, from those of a left and a right one."""
        kept = tuple(n for axis, n in enumerate(left) if axis != self.summed[0])
        return kept + tuple(right[axis] for axis in self.columns)

    def copied(self, left: Sequence[int], right: Sequence[int], inner: int) -> tuple[int, int, int]:
        """How many copies of a left, a right and a result block are rearranged: 0 or 1 of each."""
        a, b = (inner, *left), (inner, *right)
        transposes = _moves(b, self.right_order) and _moves(b, self.transposed_order)
        batch_first = self._unordered(left, right)
        return (
            int(_moves(a, self.left_order)),
            int(transposes),
            int(_moves(batch_first, self.result_order)),
        )

    def multiply(self, backend: Backend, left: Array, right: Array) -> Array:
        """Sum of the products of ``k`` pairs, for each of ``n`` result blocks.

        ``left`` is ``(n, k, *left block)``, ``right`` ``(n, k, *right block)``; one batched GEMM.
        """
        n, inner = left.shape[:2]
        block = left.shape[2:], right.shape[2:]
        transpose = not _moves(right.shape[1:], self.transposed_order)
        a = _arranged(backend, left, self.left_order)
        b = _arranged(backend, right, self.transposed_order if transpose else self.right_order)
        batch = n * prod(block[0][axis] for axis, _ in self.batch)
        rows = prod(block[0][axis] for axis in self.rows)
        columns = prod(block[1][axis] for axis in self.columns)
        summed = inner * block[0][self.summed[0]]
        product = backend.matmul(
            a.reshape(batch, rows, summed),
            b.reshape((batch, columns, summed) if transpose else (batch, summed, columns)),
            transpose,
        )
        product = product.reshape(n, *self._unordered(*block))
        return _arranged(backend, product, self.result_order).reshape(n, *self.result_block(*block))

    def _unordered(self, left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
        """Extents of a result block while the batch axes come first."""
        first = [axis for axis, _ in self.batch] + list(self.rows)
        return (*(left[axis] for axis in first), *(right[axis] for axis in self.columns))


def _shifted(*parts: Sequence[int] | int | None) -> tuple[int, ...]:
    """Block axes one up; None is the axis of the pairs, which comes before them."""
    order: list[int] = []
    for part in parts:
        if part is None:
            order.append(0)
        else:
            order += [a + 1 for a in ([part] if isinstance(part, int) else part)]
    return tuple(order)


def _moves(shape: Sequence[int], order: tuple[int, ...]) -> bool:
    """True when elements change places; an axis of extent 1 may go anywhere."""
    long = [axis for axis in order if shape[axis] != 1]
    return long != sorted(long)


def _arranged(backend: Backend, x: Array, order: tuple[int, ...]) -> Array:
    if not _moves(x.shape[1:], order):
        return x
    return backend.call(permute_axes, x, (0, *(axis + 1 for axis in order)))
