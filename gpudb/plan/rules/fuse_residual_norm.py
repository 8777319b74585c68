"""Bias, residual and layer-norm read and write each row once instead of three times."""

from __future__ import annotations

from gpudb.plan.fused import ResidualNorm
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.tensor import LayerNorm, Matmul, Zip


def fuse_residual_norm(plan: Node) -> Node:
    """Turn ``LayerNorm(x + residual)``, x a product with or without bias, into one step."""
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        # A sum that somebody else reads as well (pre-norm) has to exist anyway.
        if not isinstance(original, LayerNorm) or count[id(original.child)] > 1:
            return node
        match original.child, node:
            case Zip(left=a, right=b), LayerNorm(child=Zip(left=left, right=right, fn="add")):
                for inner, x, residual in ((a, left, right), (b, right, left)):
                    product, bias = _product_and_bias(x)
                    if (
                        product is not None
                        and count[id(inner)] == 1
                        and residual.schema.shape == x.schema.shape
                    ):
                        return ResidualNorm(
                            product, residual, node.gamma, node.beta, node.eps, bias
                        )
        return node

    return rewrite(plan, fuse)


def _product_and_bias(node: Node) -> tuple[Node | None, Node | None]:
    match node:
        case Matmul():
            return node, None
        case Zip(left=Matmul() as product, right=bias, fn="add") if bias.schema.ndim == 1:
            return product, bias
    return None, None
