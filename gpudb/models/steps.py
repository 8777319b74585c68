"""The steps of encoders by the names of their weights: linear steps and layer-norms."""

from __future__ import annotations

from gpudb.models.architecture import ScanWeight, linear
from gpudb.plan.node import Node
from gpudb.plan.tensor import LayerNorm, Matmul


def linear_shapes(
    name: str, outputs: int, inputs: int, biased: bool = True
) -> dict[str, tuple[int, ...]]:
    """Name and shape of the weight of a linear step, and of its bias."""
    shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": (outputs, inputs)}
    return {**shapes, f"{name}.bias": (outputs,)} if biased else shapes


def project(x: Node, scan: ScanWeight, name: str, biased: bool = True) -> Node:
    """The linear step of this name."""
    weight = scan(f"{name}.weight")
    if biased:
        return linear(x, weight, scan(f"{name}.bias"))
    return Matmul(x, weight, transpose_right=True)


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of the weights of a layer-norm."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def norm(x: Node, scan: ScanWeight, name: str, eps: float) -> Node:
    """The layer-norm of this name."""
    return LayerNorm(x, scan(f"{name}.weight"), scan(f"{name}.bias"), eps)
