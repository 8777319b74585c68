"""Weights of products packed once, on devices that have a layout of their own for them."""

from __future__ import annotations

from dataclasses import replace

from gpudb.exec.graph import Step, order_steps
from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.dense_gemm import DenseGemm
from gpudb.exec.operators.linear_gemm import LinearGemm
from gpudb.exec.operators.pack_weight import PackWeight


def pack_weights(root: PhysicalOp, dtype: str | None) -> PhysicalOp:
    """Put a packing step between each stored float32 matrix and the products that multiply by it.

    Parameters
    ----------
    root
        A physical plan.
    dtype
        Of packed elements; None for a device that reads weights as they are.
    """
    if dtype is None:
        return root
    steps = order_steps(root)
    made: list[PhysicalOp] = []
    packed: dict[int, PhysicalOp] = {}
    for step in steps:
        children = [made[i] for i in step.inputs]
        weight = step.inputs[1] if _multiplies_by_rows(step.op) else None
        if weight is not None and _can_be_packed(steps[weight]):
            if weight not in packed:
                out = replace(made[weight].out, dtype=dtype)
                packed[weight] = PackWeight((made[weight],), out)
            children[1] = packed[weight]
        made.append(replace(step.op, children=tuple(children)))
    return made[-1]


def _can_be_packed(weight: Step) -> bool:
    """A stored matrix in float32: other dtypes are computed with as they are."""
    return weight.constant and weight.op.out.dtype == "float32"


def _multiplies_by_rows(op: PhysicalOp) -> bool:
    return isinstance(op, LinearGemm) or (isinstance(op, DenseGemm) and op.transpose_right)
