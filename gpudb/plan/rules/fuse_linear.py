"""A product, its bias and the function after it are one GEMM with an epilogue."""

from __future__ import annotations

from gpudb.plan.fused import Linear
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.tensor import Map, Matmul, Zip


def fuse_linear(plan: Node) -> Node:
    """Turn ``fn(x @ w.T + b)`` into one step where nobody else reads what lies between."""
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        match original, node:
            case Zip(left=Matmul() as inner), Zip(
                left=Matmul(transpose_right=True) as product, right=bias, fn="add"
            ) if (
                count[id(inner)] == 1
                and bias.schema.ndim == 1
                and product.right.schema.is_one_block
            ):
                return Linear(product.left, product.right, bias)
            case Map(child=inner), Map(child=Linear(activation=None) as linear) if (
                count[id(inner)] == 1
            ):
                return Linear(linear.x, linear.weight, linear.bias, node.fn)
        return node

    return rewrite(plan, fuse)
