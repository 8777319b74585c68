"""Root-mean-square norm, as steps of the algebra that there are."""

from __future__ import annotations

from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.node import Node
from gpudb.plan.reduce import Reduce
from gpudb.plan.relational import Join
from gpudb.plan.tensor import Map, Zip


def rms_norm(x: Node, gamma: Node, eps: float) -> Node:
    """Group by row: mean of squares; join back, divide by its root and scale by column.

    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
    """
    squares = Reduce(Map(x, "square"), 1, "mean")
    root = Map(ZipScalar(squares, "add", eps), "sqrt")
    return Zip(Join(x, root, ((0, 0),), "divide"), gamma, "multiply")
