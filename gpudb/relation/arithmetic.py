"""Python's operators."""

from __future__ import annotations

from typing import Self

from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.tensor import Map
from gpudb.relation.arguments import number
from gpudb.relation.expression import Expression
from gpudb.relation.products import matmul, zipped


class Arithmetic(Expression):
    """Element by element with a tensor or a number; ``@`` as NumPy's ``matmul``.

    Two tensors of other shapes are broadcast as in NumPy: a vector over the last axis on the right
    is joined as it is, anything else is repeated first. A number on the left of ``+`` or ``*``
    gives the same plan as on the right.
    """

    __slots__ = ()

    __array_ufunc__ = None
    """NumPy's scalars and arrays leave their operators to those below."""

    def __add__(self, other: Expression | float) -> Self:
        return self._zip("add", other)

    def __radd__(self, other: float) -> Self:
        return self._zip("add", other)

    def __sub__(self, other: Expression | float) -> Self:
        return self._zip("subtract", other)

    def __rsub__(self, other: float) -> Self:
        return self._of(ZipScalar(self.plan, "subtract", number(other), swapped=True))

    def __mul__(self, other: Expression | float) -> Self:
        return self._zip("multiply", other)

    def __rmul__(self, other: float) -> Self:
        return self._zip("multiply", other)

    def __truediv__(self, other: Expression | float) -> Self:
        return self._zip("divide", other)

    def __rtruediv__(self, other: float) -> Self:
        return self._of(ZipScalar(self.plan, "divide", number(other), swapped=True))

    def maximum(self, other: Expression | float) -> Self:
        """The larger of two elements, or of an element and a number; NaN where one is NaN."""
        return self._zip("maximum", other)

    def minimum(self, other: Expression | float) -> Self:
        """The smaller of two elements, or of an element and a number; NaN where one is NaN."""
        return self._zip("minimum", other)

    def __neg__(self) -> Self:
        return self._of(Map(self.plan, "negative"))

    def __abs__(self) -> Self:
        return self._of(Map(self.plan, "abs"))

    def __matmul__(self, other: Expression) -> Self:
        return self._over(matmul(self.plan, self._node(other)), other)

    def __rmatmul__(self, other: object) -> Self:
        node = self._node(other)  # an array or a list, which are refused with what to do
        return self._of(matmul(node, self.plan))

    def _zip(self, fn: str, other: Expression | float) -> Self:
        if isinstance(other, Expression):
            return self._over(zipped(self.plan, self._node(other), fn), other)
        return self._of(ZipScalar(self.plan, fn, number(other)))
