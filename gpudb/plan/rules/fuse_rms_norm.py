"""The norm of rows by their mean square is one pass over each row, not five.

In half precision it is also the only way: squares would overflow before their mean is taken.
"""

from __future__ import annotations

from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.fused import RmsNorm
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.reduce import Reduce
from gpudb.plan.relational import Join
from gpudb.plan.tensor import Map, Zip


def fuse_rms_norm(plan: Node) -> Node:
    """Turn ``x / sqrt(mean(x²) + eps) * gamma`` into one step where nobody reads its inside."""
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        if not isinstance(original, Zip) or count[id(original.left)] > 1:
            return node
        match node:
            case Zip(
                left=Join(
                    left=x,
                    right=Map(
                        child=ZipScalar(
                            child=Reduce(child=Map(child=squared, fn="square"), axis=1, fn="mean"),
                            fn="add",
                            value=eps,
                        ),
                        fn="sqrt",
                    ),
                    on=((0, 0),),
                    kernel="divide",
                ),
                right=gamma,
                fn="multiply",
            ) if squared is x and x.schema.ndim == 2 and gamma.schema.ndim == 1:
                return RmsNorm(x, gamma, eps)
        return node

    return rewrite(plan, fuse)
