"""Operators for the nodes of :mod:`gpudb.plan.tensor`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.coalesce_panels import CoalescePanels
from gpudb.exec.operators.concat_rows import ConcatRows
from gpudb.exec.operators.constant_block import ConstantBlock
from gpudb.exec.operators.contract_blocks import ContractBlocks
from gpudb.exec.operators.dense_gemm import DenseGemm
from gpudb.exec.operators.gather_rows import GatherRows
from gpudb.exec.operators.layer_norm import LayerNormCut, LayerNormRows
from gpudb.exec.operators.map_blocks import MapBlocks
from gpudb.exec.operators.read_input import ReadInput
from gpudb.exec.operators.reblock_grid import ReblockGrid
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.exec.operators.slice_columns import SliceColumns
from gpudb.exec.operators.zip_blocks import ZipBlocks
from gpudb.lower.computed import computed
from gpudb.lower.two_forms import rows_are_whole
from gpudb.plan import tensor
from gpudb.plan.node import Node


def lower_tensor(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    out = computed(node)
    match node:
        case tensor.Scan():
            return ScanBlocks(children, out, node.tensor, node.tests, node.scales)
        case tensor.Input():
            return ReadInput(children, out)
        case tensor.Constant(values=values):
            return ConstantBlock(children, out, values)
        case tensor.Gather():
            return GatherRows(children, out)
        case tensor.Matmul():
            if node.left.schema.is_one_block and node.right.schema.is_one_block:
                return DenseGemm(children, out, node.transpose_right)
            contracted = (1, node.inner)
            return ContractBlocks(children, out, (contracted,), contracted)
        case tensor.Map():
            return MapBlocks(children, out, node.fn)
        case tensor.Zip():
            first = node.left.schema.ndim - node.right.schema.ndim
            on = tuple((first + axis, axis) for axis in range(node.right.schema.ndim))
            return ZipBlocks(children, out, node.fn, on)
        case tensor.LayerNorm():
            layer_norm = LayerNormRows if rows_are_whole(node.child.schema) else LayerNormCut
            return layer_norm(children, out, node.eps)
        case tensor.ConcatRows():
            return ConcatRows(children, out)
        case tensor.Columns():
            return SliceColumns(children, out, node.start, node.stop)
        case tensor.Reblock():
            return ReblockGrid(children, out)
        case tensor.Coalesce():
            return CoalescePanels(children, out)
    return None
