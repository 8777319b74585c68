"""The plans that a checkpoint becomes."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.models.architecture import Architecture, ScanWeight
from gpudb.models.checkpoint import Checkpoint
from gpudb.models.dense import dense_steps, pooled_rows
from gpudb.models.heads import FoundHead, head_plan
from gpudb.plan.node import Node, walk
from gpudb.plan.tensor import Scan


@dataclass(frozen=True, slots=True)
class Plans:
    """What a version of a model computes."""

    hidden: Node
    """From inputs to one row per token."""
    head: Node | None
    """From inputs to logits."""
    dense: Node | None
    """From pooled rows to vectors, where these differ."""

    @property
    def weights(self) -> tuple[str, ...]:
        """Names in the order the plans read them: what is used together is stored together."""
        plans = [plan for plan in (self.hidden, self.head, self.dense) if plan is not None]
        nodes = (node for plan in plans for node in walk(plan))
        return tuple(dict.fromkeys(n.tensor.name for n in nodes if isinstance(n, Scan)))


def build_plans(
    checkpoint: Checkpoint, architecture: Architecture, head: FoundHead | None, scan: ScanWeight
) -> Plans:
    """The plans over weights that ``scan`` reads.

    Raises
    ------
    CheckpointError
        The steps after the pooling do not follow each other.
    """
    config = checkpoint.config
    hidden = architecture.build(config, scan)
    width = hidden.schema.shape[1]
    assert isinstance(width, int)  # plans of encoders end in rows of a known width
    pooled = pooled_rows(width)
    vectors: Node = pooled
    if architecture.vectors is not None and not checkpoint.says_pooling:
        vectors = architecture.vectors(config, scan, pooled)
    vectors = dense_steps(checkpoint.dense, vectors, scan)
    return Plans(
        hidden,
        None if head is None else head_plan(head.head, config, scan, hidden),
        None if vectors is pooled else vectors,
    )
