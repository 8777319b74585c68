"""Operators for the nodes of encoders: :mod:`gpudb.plan.sequence` and :mod:`gpudb.plan.fused`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.distance_blocks import DistanceBlocks
from gpudb.exec.operators.embedding_norm import EmbeddingNormRows
from gpudb.exec.operators.gated_rows import GatedRows
from gpudb.exec.operators.linear_gemm import LinearGemm
from gpudb.exec.operators.normalize_rows import NormalizeCut, NormalizeRows
from gpudb.exec.operators.pair_attention import (
    PairContext,
    PairDistanceScores,
    PairScores,
    PairSoftmax,
)
from gpudb.exec.operators.pool_rows import PoolRows
from gpudb.exec.operators.residual_norm import ResidualNormRows
from gpudb.exec.operators.rms_norm import RmsNormRows
from gpudb.exec.operators.rotary_rows import RotaryRows
from gpudb.exec.operators.sequence_attention import SequenceAttention
from gpudb.exec.operators.sequence_softmax_blocks import SequenceSoftmaxBlocks
from gpudb.lower.computed import computed
from gpudb.lower.two_forms import rows_are_whole
from gpudb.plan import fused, sequence
from gpudb.plan.node import Node


def lower_encoder(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    out = computed(node)
    match node:
        case sequence.Scores():
            return PairScores(children, out, node.heads, node.scale)
        case sequence.DistanceScores():
            return PairDistanceScores(children, out, node.heads, node.scale, node.by_key)
        case sequence.Softmax():
            return PairSoftmax(children, out)
        case sequence.ByDistance():
            return DistanceBlocks(children, out, node.offsets)
        case sequence.SequenceSoftmax():
            return SequenceSoftmaxBlocks(children, out, node.offsets)
        case sequence.Context():
            return PairContext(children, out)
        case sequence.Attention():
            given = (node.bias is not None, node.relative is not None)
            return SequenceAttention(children, out, node.heads, node.scale, *given)
        case sequence.Rotary():
            return RotaryRows(children, out, node.heads, node.base, node.part, node.interleaved)
        case sequence.Pool():
            return PoolRows(children, out, node.kind, None)
        case sequence.PoolNormalize():
            return PoolRows(children, out, node.kind, node.eps)
        case sequence.Normalize():
            normalize = NormalizeRows if rows_are_whole(node.child.schema) else NormalizeCut
            return normalize(children, out, node.eps)
        case fused.Linear():
            return LinearGemm(children, out, node.activation)
        case fused.ResidualNorm():
            return ResidualNormRows(children, out, node.eps)
        case fused.RmsNorm():
            return RmsNormRows(children, out, node.eps)
        case fused.EmbeddingNorm():
            return EmbeddingNormRows(children, out, node.eps)
        case fused.Gated():
            return GatedRows(children, out, node.fn)
    return None
