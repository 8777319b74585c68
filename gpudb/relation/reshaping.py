"""Steps that move elements and compute nothing: blocks, axes, slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import Any, Self

from gpudb.errors import InputError, UnsupportedError
from gpudb.plan.reshape import Broadcast, Concat, MergeAxes, Slice, SplitAxis, Transpose
from gpudb.plan.tensor import Reblock
from gpudb.relation.arguments import axes_of, axis_of, whole, wholes
from gpudb.relation.axes import drop_axis, spread
from gpudb.relation.expression import Expression
from gpudb.store.panels import row_panels
from gpudb.types import TensorSchema


class Reshaping(Expression):
    """Other blocks, other axes, other extents, the same numbers."""

    __slots__ = ()

    def reblock(self, *block: Any) -> Self:
        """The same tensor cut into blocks of another extent: one number per axis."""
        return self._of(Reblock(self.plan, wholes(_unpacked(block), "reblock")))

    def tile(self, axis: int, size: int) -> Self:
        """Cut one axis into tiles of ``size``; blocks stay as they are along the others."""
        block = list(self.schema.block)
        block[axis_of(axis, self.schema, "tile")] = whole(size, "tile: size")
        return self._of(Reblock(self.plan, tuple(block)))

    def concat(self, tensors: Expression | Sequence[Expression], axis: int = 0) -> Self:
        """Others after this tensor along an axis; cut like this one."""
        others = [tensors] if isinstance(tensors, Expression) else list(tensors)
        parts = (self.plan, *(self._node(other) for other in others))
        return self._over(Concat(parts, axis_of(axis, self.schema, "concat")), *others)

    def transpose(self, *order: Any) -> Self:
        """Axis ``order[d]`` becomes axis ``d``; no order turns all axes around."""
        axes = axes_of(_unpacked(order), self.schema, "transpose")
        return self._of(Transpose(self.plan, axes or tuple(reversed(range(self.ndim)))))

    @property
    def T(self) -> Self:
        """All axes turned around."""
        return self.transpose()

    def broadcast_to(self, shape: Any, block: Any = None) -> Self:
        """Repeat along new axes in front and along axes of extent 1, as NumPy broadcasts.

        Parameters
        ----------
        shape
            Of the result.
        block
            Of the result; it is that of this tensor along axes that are not repeated. None cuts
            the repeated axes into row panels.
        """
        extents = wholes(shape, "broadcast_to: shape")
        if block is not None:
            blocks = wholes(block, "broadcast_to: block")
            return self._of(Broadcast(self.plan, extents, blocks))
        cut = row_panels(extents, self.dtype) if extents else ()
        panels = TensorSchema("panels", extents, cut)
        return self._of(spread(self.plan, extents, panels))

    def split_axis(self, axis: int, inner: int) -> Self:
        """One axis of extent ``n`` becomes two: ``(n / inner, inner)``, row-major."""
        found = axis_of(axis, self.schema, "split_axis")
        return self._of(SplitAxis(self.plan, found, whole(inner, "split_axis: inner")))

    def merge_axes(self, axis: int) -> Self:
        """An axis and the next become one, row-major."""
        return self._of(MergeAxes(self.plan, axis_of(axis, self.schema, "merge_axes")))

    def __getitem__(self, index: Any) -> Self:
        """Positions and ranges along the axes, as NumPy's basic indexing with step 1.

        One slice; each integer then drops its axis, which takes a reblock and a projection. A
        vector at an integer has the shape ``(1,)``.
        """
        entries = self._entries(index)
        starts, stops, dropped = [], [], []
        for axis, (entry, extent) in enumerate(zip(entries, self.shape, strict=True)):
            if isinstance(entry, slice):
                start, stop = _range(entry, extent)
            else:
                start = self._position(entry, axis, extent)
                stop = start + 1
                dropped.append(axis)
            starts.append(start)
            stops.append(stop)
        plan = self.plan
        if (*starts,) != (0,) * self.ndim or (*stops,) != self.shape:
            plan = Slice(plan, tuple(starts), tuple(stops))
        for axis in reversed(dropped):
            plan = drop_axis(plan, axis)
        return self._of(plan)

    def __iter__(self) -> Iterator[Self]:
        return (self[row] for row in range(self.shape[0]))

    def _entries(self, index: Any) -> list[Any]:
        """One slice or integer per axis."""
        entries = list(index) if isinstance(index, tuple) else [index]
        places = [i for i, entry in enumerate(entries) if isinstance(entry, EllipsisType)]
        if len(places) > 1:
            raise InputError(f"found {len(places)} times ... in []; expected it at most once")
        at = places[0] if places else len(entries)
        missing = self.ndim - (len(entries) - len(places))
        if missing < 0:
            raise InputError(
                f"found {len(entries) - len(places)} indices for {self.schema.name} "
                f"({self.schema}); expected at most {self.ndim}"
            )
        return [*entries[:at], *[slice(None)] * missing, *entries[at + len(places) :]]

    def _position(self, entry: object, axis: int, extent: int) -> int:
        if entry is None or isinstance(entry, bool) or not hasattr(entry, "__index__"):
            raise UnsupportedError(
                f"[]: found {type(entry).__name__} for axis {axis}; expected an integer or a "
                "slice; take() gathers rows, where() keeps elements, broadcast_to() adds axes"
            )
        position = whole(entry, "[]")
        if not -extent <= position < extent:
            raise InputError(
                f"[]: position {position} along axis {axis} of {self.schema.name} "
                f"({self.schema}); expected {-extent} to {extent - 1}"
            )
        return position % extent


def _range(entry: slice, extent: int) -> tuple[int, int]:
    if entry.step is not None and whole(entry.step, "[]: step") != 1:
        raise UnsupportedError(
            f"[]: found step {entry.step}; only step 1 is possible: take() gathers other rows"
        )
    for bound in (entry.start, entry.stop):
        if bound is not None:
            whole(bound, "[]: slice")
    start, stop, _ = entry.indices(extent)
    return start, max(start, stop)


def _unpacked(values: tuple[Any, ...]) -> Any:
    """``f(1, 2)`` and ``f((1, 2))`` mean the same."""
    return values[0] if len(values) == 1 and isinstance(values[0], tuple | list) else values
