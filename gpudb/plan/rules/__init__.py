"""Rewrites, in the order they run. A rule takes a plan and returns an equal plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gpudb.plan.node import Node
from gpudb.plan.rules.align_blocks import align_blocks
from gpudb.plan.rules.coalesce_panels import coalesce_panels
from gpudb.plan.rules.drop_dropout import drop_dropout
from gpudb.plan.rules.fuse_attention_bias import fuse_attention_bias
from gpudb.plan.rules.fuse_embedding_norm import fuse_embedding_norm
from gpudb.plan.rules.fuse_gated import fuse_gated
from gpudb.plan.rules.fuse_linear import fuse_linear
from gpudb.plan.rules.fuse_pool_normalize import fuse_pool_normalize
from gpudb.plan.rules.fuse_residual_norm import fuse_residual_norm
from gpudb.plan.rules.fuse_rms_norm import fuse_rms_norm
from gpudb.plan.rules.merge_projections import merge_projections
from gpudb.plan.rules.push_key_filters import push_key_filters
from gpudb.plan.rules.recognise_attention import recognise_attention
from gpudb.plan.rules.recognise_products import recognise_products
from gpudb.plan.rules.share_repeated import share_repeated

Rule: TypeAlias = Callable[[Node], Node]

RULES: tuple[Rule, ...] = (
    drop_dropout,
    share_repeated,
    push_key_filters,
    recognise_products,
    recognise_attention,
    coalesce_panels,
    fuse_embedding_norm,
    fuse_residual_norm,
    fuse_rms_norm,
    fuse_gated,
    fuse_linear,
    merge_projections,
    fuse_attention_bias,
    fuse_pool_normalize,
    align_blocks,
    share_repeated,  # two readers of one result may have had it cut alike
)

RELATIONAL: tuple[Rule, ...] = (
    drop_dropout,
    share_repeated,
    push_key_filters,
    recognise_products,
    align_blocks,
    share_repeated,
)
"""The rules that leave a plan in the blocks it is written in: nothing is read as one block."""

NEEDED: tuple[Rule, ...] = (drop_dropout, align_blocks, share_repeated)
"""What is left without the rules that make a plan faster: no plan can be lowered with less, but for
the last, which keeps one result from being cut twice."""


def optimize(plan: Node, rules: tuple[Rule, ...] = RULES) -> Node:
    """Apply each rule once, in order."""
    for rule in rules:
        plan = rule(plan)
    return plan
