"""The relational operators: blocks are rows, their grid coordinates are key columns."""

from __future__ import annotations

from typing import Any, Self

from gpudb.errors import InputError
from gpudb.plan.elementwise import Cast, FilterElements
from gpudb.plan.reduce import SegmentAggregate
from gpudb.plan.relational import Aggregate, FilterKeys, Join, Project, Rekey
from gpudb.plan.tensor import Gather, Map
from gpudb.relation.arguments import axes_of, axis_of, key_axis, key_tests, number, whole
from gpudb.relation.expression import Expression


class Algebra(Expression):
    """Filter, join, aggregate and their kin."""

    __slots__ = ()

    def filter(self, *tests: tuple[Any, str, Any], **equal: Any) -> Self:
        """Keep the blocks whose keys pass all tests; the others become zero. The shape stays.

        Parameters
        ----------
        tests
            ``("i1", ">=", 2)``, ``("i0", "in", (1, 3))``, ``("i0", "<=", "i1")``; an axis may be
            given instead of the name of its key column. ``==`` is read as ``=``.
        equal
            ``i0=3``, or ``i0=(1, 3)`` for one of several.

        Examples
        --------
        ``x.filter(i0=3)`` keeps one row of blocks, ``x.filter(("i0", "<=", "i1"))`` the blocks on
        and above the diagonal.
        """
        return self._of(FilterKeys(self.plan, key_tests(tests, equal, self.schema)))

    def where(self, compare: str, value: float) -> Self:
        """Keep the elements that compare with a number as asked; the others become zero."""
        compare = "=" if compare == "==" else compare
        return self._of(FilterElements(self.plan, compare, number(value)))

    def join(self, other: Expression, on: Any, kernel: str) -> Self:
        """Join on key columns; a kernel makes one block of each pair of blocks.

        Parameters
        ----------
        other
            The right side.
        on
            Pairs ``[(axis of this tensor, axis of the other), …]``, or an axis number for the
            same on both sides; ``()`` joins every block with every other.
        kernel
            A name in :data:`gpudb.plan.relational.JOIN_KERNELS`.

        Returns
        -------
        Self
            The axes of this tensor, then those of the other that are not joined; see
            :class:`gpudb.plan.relational.Join`.
        """
        node = self._node(other)
        pairs = tuple(
            (axis_of(left, self.schema, "join"), axis_of(right, other.schema, "join"))
            for left, right in _pairs(on)
        )
        return self._over(Join(self.plan, node, pairs, kernel), other)

    def aggregate(self, keep: Any, fn: str) -> Self:
        """Group blocks by the key columns ``keep`` and combine each group element by element.

        Parameters
        ----------
        keep
            Axes, in any order; the result has them in the order of this tensor.
        fn
            A name in :data:`gpudb.plan.relational.AGGREGATES`.
        """
        kept = tuple(sorted(axes_of(keep, self.schema, "aggregate")))
        return self._of(Aggregate(self.plan, kept, fn))

    def project(self, **at: int) -> Self:
        """Keep the blocks at one key of some key columns and drop these: ``x.project(i1=0)``.

        An axis whose blocks are longer than 1 stays, as a single block.
        """
        if not at:
            raise InputError("project: no key column; write for example project(i1=0)")
        dropped = (
            (key_axis(column, self.schema, "project"), whole(block, f"project: {column}"))
            for column, block in at.items()
        )
        return self._of(Project(self.plan, tuple(sorted(dropped))))

    def rekey(self, *keys: Any) -> Self:
        """Give blocks other keys; what is in them stays.

        Parameters
        ----------
        keys
            For each new key column ``(axis, scale, offset)``: ``scale`` times the old key of that
            axis, plus ``offset``. An axis number alone keeps the key.
        """
        written = []
        for key in keys:
            parts = tuple(key) if isinstance(key, tuple | list) else (key, 1, 0)
            if len(parts) != 3:
                raise InputError(f"rekey: found {key!r:.100}; expected (axis, scale, offset)")
            axis = axis_of(parts[0], self.schema, "rekey")
            scale, offset = (whole(part, "rekey: scale and offset") for part in parts[1:])
            written.append((axis, scale, offset))
        return self._of(Rekey(self.plan, tuple(written)))

    def map(self, fn: str) -> Self:
        """Apply a function to every element; names in :data:`gpudb.plan.tensor.MAP_FUNCTIONS`."""
        return self._of(Map(self.plan, fn))

    def cast(self, dtype: str) -> Self:
        """The same numbers as float32, float64, int32 or int64, as NumPy's ``astype``."""
        return self._of(Cast(self.plan, dtype))

    def take(self, rows: Expression) -> Self:
        """Join row numbers ``(n,)`` with the rows of this tensor ``(r, …)`` -> ``(n, …)``."""
        return self._over(Gather(self.plan, self._node(rows)), rows)

    def segment(self, segments: Expression, count: int, fn: str) -> Self:
        """Group rows ``(n, …)`` by a column of segment numbers ``(n,)`` -> ``(count, …)``.

        Parameters
        ----------
        segments
            One whole number per row, ``0 <= number < count``, in any order.
        count
            Number of segments; one without rows gives zeros.
        fn
            A name in :data:`gpudb.plan.reduce.SEGMENT_FUNCTIONS`.
        """
        node = self._node(segments)
        segmented = SegmentAggregate(self.plan, node, whole(count, "segment: count"), fn)
        return self._over(segmented, segments)


def _pairs(on: Any) -> list[tuple[Any, Any]]:
    """What ``join`` takes as pairs of axes."""
    if not isinstance(on, tuple | list):
        return [(on, on)]
    for pair in on:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(
                f"join: found {on!r:.100}; expected pairs [(left axis, right axis), …], or one axis"
            )
    return [(left, right) for left, right in on]
