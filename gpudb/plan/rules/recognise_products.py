"""A join that multiplies and an aggregate that sums over the inner key are one product.

Done together, a pair's product is added to its result block and forgotten; the pairs are never
stored, and where blocks lie together the whole is one GEMM.
"""

from __future__ import annotations

from gpudb.keys import renumbered
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.relational import PRODUCTS, Aggregate, Contract, Join
from gpudb.plan.tensor import Matmul


def recognise_products(plan: Node) -> Node:
    """Fuse ``Aggregate(Join(…, "matmul"), …, "sum")`` where nobody else reads the pairs."""
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        if not isinstance(original, Aggregate) or count[id(original.child)] > 1:
            return node
        match node:
            case Aggregate(child=Join(kernel=kernel) as join, fn="sum") if (
                kernel in PRODUCTS
                and node.dropped == (join.contracted[0],)
                and join.schema.ndim > 1  # of a dot product no axis would be left
            ):
                return _product(join) or node
        return node

    return rewrite(plan, fuse)


def _product(join: Join) -> Node | None:
    inner = join.contracted[0]
    kept = [axis for axis in range(join.schema.ndim) if axis != inner]
    tests = renumbered(join.tests, {axis: new for new, axis in enumerate(kept)})
    if tests is None:  # which parts of a sum are wanted is not known of the sum
        return None
    ranks = (join.left.schema.ndim, join.right.schema.ndim)
    if ranks == (2, 2) and len(join.on) == 1 and not tests:
        return Matmul(join.left, join.right, join.kernel == "matmul_transposed")
    return Contract(join.left, join.right, join.on, join.contracted, tests)
