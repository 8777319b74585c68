"""Steps along an axis: sums, extremes, moments, softmax, layer-norm."""

from __future__ import annotations

from typing import Self

from gpudb.plan.reduce import Reduce, RowSoftmax
from gpudb.plan.tensor import LayerNorm
from gpudb.relation.arguments import axis_of, number
from gpudb.relation.expression import Expression


class Reductions(Expression):
    """Combine the elements along an axis, wherever blocks cut it. The axis vanishes.

    A vector becomes a tensor of the shape ``(1,)``.
    """

    __slots__ = ()

    def sum(self, axis: int) -> Self:
        """Sum along an axis."""
        return self._reduce(axis, "sum")

    def mean(self, axis: int) -> Self:
        """Mean along an axis."""
        return self._reduce(axis, "mean")

    def max(self, axis: int) -> Self:
        """Largest element along an axis; NaN where one is NaN."""
        return self._reduce(axis, "max")

    def min(self, axis: int) -> Self:
        """Smallest element along an axis; NaN where one is NaN."""
        return self._reduce(axis, "min")

    def argmax(self, axis: int) -> Self:
        """Position of the first largest element along an axis, int64."""
        return self._reduce(axis, "argmax")

    def var(self, axis: int) -> Self:
        """Variance along an axis: mean squared distance from the mean."""
        return self._reduce(axis, "variance")

    def norm(self, axis: int) -> Self:
        """Euclidean norm along an axis."""
        return self._reduce(axis, "norm")

    def count(self, axis: int) -> Self:
        """Number of elements along an axis, int64."""
        return self._reduce(axis, "count")

    def softmax(self) -> Self:
        """Softmax along the last axis."""
        return self._of(RowSoftmax(self.plan))

    def layer_norm(self, gamma: Expression, beta: Expression, eps: float = 1e-5) -> Self:
        """Centre and scale along the last axis, then times ``gamma`` plus ``beta``.

        Parameters
        ----------
        gamma, beta
            Vectors over the last axis.
        eps
            Added to the variance.
        """
        nodes = self._node(gamma), self._node(beta)
        return self._over(LayerNorm(self.plan, *nodes, number(eps)), gamma, beta)

    def _reduce(self, axis: int, fn: str) -> Self:
        return self._of(Reduce(self.plan, axis_of(axis, self.schema, fn), fn))
