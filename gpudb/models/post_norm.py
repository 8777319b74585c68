"""Encoder layers as in BERT, whatever their weights are called: a norm after each residual sum."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.models.architecture import ScanWeight, feed_forward
from gpudb.models.steps import linear_shapes, norm, norm_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, Zip


@dataclass(frozen=True, slots=True)
class PostNormLayer:
    """What follows the contexts of a layer, by the names of its weights."""

    out: str
    attention_norm: str
    up: str
    down: str
    norm: str

    @classmethod
    def as_in_bert(cls, layer: str, **names: str) -> PostNormLayer:
        """The names of BERT, but for those that are given."""
        usual = {
            "out": f"{layer}.attention.output.dense",
            "attention_norm": f"{layer}.attention.output.LayerNorm",
            "up": f"{layer}.intermediate.dense",
            "down": f"{layer}.output.dense",
            "norm": f"{layer}.output.LayerNorm",
        }
        return cls(**{**usual, **names})

    def shapes(self, width: int, wide: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight."""
        return {
            **linear_shapes(self.out, width, width),
            **norm_shapes(self.attention_norm, width),
            **linear_shapes(self.up, wide, width),
            **linear_shapes(self.down, width, wide),
            **norm_shapes(self.norm, width),
        }

    def build(
        self, x: Node, context: Node, scan: ScanWeight, fn: str, eps: float, dropout: float
    ) -> Node:
        """The projected contexts added to the layer's input, then the feed-forward net."""
        attended = Dropout(project(context, scan, self.out), dropout)
        x = norm(Zip(attended, x, "add"), scan, self.attention_norm, eps)
        dense = [scan(f"{n}.{kind}") for n in (self.up, self.down) for kind in ("weight", "bias")]
        fed = Dropout(feed_forward(x, dense, fn), dropout)
        return norm(Zip(fed, x, "add"), scan, self.norm, eps)
