"""The head of a checkpoint: found among its weights, and as the catalog keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from gpudb.catalog import StoredHead
from gpudb.models.architecture import Architecture
from gpudb.models.checkpoint import Checkpoint
from gpudb.models.formats.weight import Weight
from gpudb.models.head_function import HeadFunction, read_head_function
from gpudb.models.heads import FoundHead, find_head
from gpudb.models.names import torch_weights
from gpudb.plan.node import Node
from gpudb.plan.serialize import plan_to_json


def head_of(checkpoint: Checkpoint, architecture: Architecture) -> FoundHead | None:
    """What the checkpoint computes beside hidden states."""
    named = our_names(checkpoint, architecture)
    vectors = {n: w.shape[0] for n, w in named if n is not None and len(w.shape) == 1}
    return find_head(architecture, checkpoint.config, vectors)


def our_names(
    checkpoint: Checkpoint, architecture: Architecture
) -> Iterator[tuple[str | None, Weight]]:
    """Each weight with our name for it; None for what no plan uses."""
    for name, weight in torch_weights(checkpoint.weights):
        yield None if name is None else architecture.rename(name), weight


def stored_head(checkpoint: Checkpoint, head: FoundHead, plan: Node) -> StoredHead:
    """As the catalog keeps it, with what makes answers of its logits."""
    if head.head.kind == "classify":
        function = read_head_function(
            checkpoint.config, head.outputs, checkpoint.activation, checkpoint.pair_types
        )
    else:
        function = HeadFunction(mask=checkpoint.mask_token)
    return StoredHead(head.head.kind, plan_to_json(plan), head.labels, asdict(function))
