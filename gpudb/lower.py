"""Logical plan -> physical plan: for each node, the operator that does it."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

from gpudb.errors import UnsupportedError
from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.block_join_gemm import BlockJoinGemm
from gpudb.exec.operators.coalesce_panels import CoalescePanels
from gpudb.exec.operators.concat_rows import ConcatRows
from gpudb.exec.operators.dense_gemm import DenseGemm
from gpudb.exec.operators.embedding_norm import EmbeddingNormRows
from gpudb.exec.operators.gather_rows import GatherRows
from gpudb.exec.operators.layer_norm import LayerNormRows
from gpudb.exec.operators.linear_gemm import LinearGemm
from gpudb.exec.operators.map_blocks import MapBlocks
from gpudb.exec.operators.pair_attention import PairContext, PairScores, PairSoftmax
from gpudb.exec.operators.pool_rows import NormalizeRows, PoolRows
from gpudb.exec.operators.read_input import ReadInput
from gpudb.exec.operators.reblock_grid import ReblockGrid
from gpudb.exec.operators.residual_norm import ResidualNormRows
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.exec.operators.sequence_attention import SequenceAttention
from gpudb.exec.operators.slice_columns import SliceColumns
from gpudb.exec.operators.zip_blocks import ZipBlocks
from gpudb.plan import fused, sequence, tensor
from gpudb.plan.node import Node, walk
from gpudb.plan.rules import NEEDED, optimize
from gpudb.types import TensorSchema

Ops = tuple[PhysicalOp, ...]


def lower(plan: Node) -> PhysicalOp:
    """Choose a physical operator for every node; shared nodes stay shared.

    Raises
    ------
    UnsupportedError
        A node has no physical operator.
    """
    done: dict[int, PhysicalOp] = {}
    for node in walk(optimize(plan, NEEDED)):
        done[id(node)] = physical(node, tuple(done[id(child)] for child in node.children))
    return next(reversed(done.values()))


@singledispatch
def physical(node: Node, children: Ops) -> PhysicalOp:
    """The operator for one node over its lowered children."""
    raise UnsupportedError(
        f"{type(node).__name__} has no physical operator; report the plan that contains it"
    )


@physical.register
def _(node: tensor.Scan, children: Ops) -> PhysicalOp:
    return ScanBlocks(children, _computed(node), node.schema, node.tests)


@physical.register
def _(node: tensor.Input, children: Ops) -> PhysicalOp:
    return ReadInput(children, _computed(node))


@physical.register
def _(node: tensor.Gather, children: Ops) -> PhysicalOp:
    return GatherRows(children, _computed(node))


@physical.register
def _(node: tensor.Matmul, children: Ops) -> PhysicalOp:
    if node.left.schema.is_one_block and node.right.schema.is_one_block:
        return DenseGemm(children, _computed(node), node.transpose_right)
    return BlockJoinGemm(children, _computed(node), node.transpose_right)


@physical.register
def _(node: tensor.Map, children: Ops) -> PhysicalOp:
    return MapBlocks(children, _computed(node), node.fn)


@physical.register
def _(node: tensor.Zip, children: Ops) -> PhysicalOp:
    return ZipBlocks(children, _computed(node), node.fn)


@physical.register
def _(node: tensor.LayerNorm, children: Ops) -> PhysicalOp:
    return LayerNormRows(children, _computed(node), node.eps)


@physical.register
def _(node: tensor.ConcatRows, children: Ops) -> PhysicalOp:
    return ConcatRows(children, _computed(node))


@physical.register
def _(node: tensor.Columns, children: Ops) -> PhysicalOp:
    return SliceColumns(children, _computed(node), node.start, node.stop)


@physical.register
def _(node: tensor.Reblock, children: Ops) -> PhysicalOp:
    return ReblockGrid(children, _computed(node))


@physical.register
def _(node: tensor.Coalesce, children: Ops) -> PhysicalOp:
    return CoalescePanels(children, _computed(node))


@physical.register
def _(node: sequence.Scores, children: Ops) -> PhysicalOp:
    return PairScores(children, _computed(node), node.heads, node.scale)


@physical.register
def _(node: sequence.Softmax, children: Ops) -> PhysicalOp:
    return PairSoftmax(children, _computed(node))


@physical.register
def _(node: sequence.Context, children: Ops) -> PhysicalOp:
    return PairContext(children, _computed(node))


@physical.register
def _(node: sequence.Attention, children: Ops) -> PhysicalOp:
    return SequenceAttention(children, _computed(node), node.heads, node.scale)


@physical.register
def _(node: sequence.Pool, children: Ops) -> PhysicalOp:
    return PoolRows(children, _computed(node), node.kind, None)


@physical.register
def _(node: sequence.PoolNormalize, children: Ops) -> PhysicalOp:
    return PoolRows(children, _computed(node), node.kind, node.eps)


@physical.register
def _(node: sequence.Normalize, children: Ops) -> PhysicalOp:
    return NormalizeRows(children, _computed(node), node.eps)


@physical.register
def _(node: fused.Linear, children: Ops) -> PhysicalOp:
    return LinearGemm(children, _computed(node), node.activation)


@physical.register
def _(node: fused.ResidualNorm, children: Ops) -> PhysicalOp:
    return ResidualNormRows(children, _computed(node), node.eps)


@physical.register
def _(node: fused.EmbeddingNorm, children: Ops) -> PhysicalOp:
    return EmbeddingNormRows(children, _computed(node), node.eps)


def _computed(node: Node) -> TensorSchema:
    """The schema of what an operator returns: half types are widened when they are read."""
    schema = node.schema
    half = schema.dtype in ("float16", "bfloat16")
    return replace(schema, dtype="float32") if half else schema
