"""Projections of one input (query, key, value) are one GEMM against their panels side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from gpudb.plan.fused import Linear
from gpudb.plan.node import Node, rewrite, walk
from gpudb.plan.tensor import Columns, ConcatRows, Input


def merge_projections(plan: Node) -> Node:
    """Merge all linear steps without activation that read the same input.

    Not what a plan computes of weights alone: that is done once, when it is prepared, and merged
    it would be in memory for all layers at once.
    """
    readers: dict[Hashable, list[Linear]] = defaultdict(list)
    computed = _depend_on_inputs(plan)
    for node in walk(plan):
        if (
            isinstance(node, Linear)
            and node.activation is None
            and node.bias.schema.is_one_block
            and (id(node.x) in computed or not computed)
        ):
            dtypes = (node.weight.schema.dtype, node.bias.schema.dtype)
            readers[id(node.x), dtypes].append(node)
    groups = {id(n): group for group in readers.values() if len(group) > 1 for n in group}
    merged: dict[int, Linear] = {}

    def merge(original: Node, node: Node) -> Node:
        group = groups.get(id(original))
        if group is None or not isinstance(node, Linear):
            return node
        key = id(group)
        if key not in merged:
            weights = ConcatRows(tuple(member.weight for member in group))
            biases = ConcatRows(tuple(member.bias for member in group))
            merged[key] = Linear(node.x, weights, biases)
        widths = [member.schema.shape[1] for member in group]
        position = next(i for i, member in enumerate(group) if member is original)
        start = sum(w for w in widths[:position] if isinstance(w, int))
        width = widths[position]
        assert isinstance(width, int)  # the rows of a stored weight
        return Columns(merged[key], start, start + width)

    return rewrite(plan, merge)


def _depend_on_inputs(plan: Node) -> set[int]:
    """Nodes, by ``id``, whose result differs from run to run."""
    found: set[int] = set()
    for node in walk(plan):
        if isinstance(node, Input) or any(id(child) in found for child in node.children):
            found.add(id(node))
    return found
