"""Encoder layers as in BERT, whatever their weights are called: a norm after each residual sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpudb.models.architecture import ScanWeight, feed_forward, linear
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, LayerNorm, Zip


@dataclass(frozen=True, slots=True)
class PostNormLayer:
    """The weights of one layer, by name, and what is computed from them."""

    query: str
    key: str
    value: str
    out: str
    attention_norm: str
    up: str
    down: str
    norm: str

    def shapes(self, width: int, wide: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name in (self.query, self.key, self.value, self.out):
            shapes |= linear_shapes(name, width, width)
        shapes |= linear_shapes(self.up, wide, width) | linear_shapes(self.down, width, wide)
        return shapes | norm_shapes(self.attention_norm, width) | norm_shapes(self.norm, width)

    def build(
        self,
        x: Node,
        scan: ScanWeight,
        attend: Callable[[Node, Node, Node], Node],
        fn: str,
        eps: float,
        dropout: float,
    ) -> Node:
        """Attention and feed-forward; ``attend`` makes contexts of query, key and value."""
        query, key, value = (project(x, scan, n) for n in (self.query, self.key, self.value))
        attended = project(attend(query, key, value), scan, self.out)
        x = norm(Zip(Dropout(attended, dropout), x, "add"), scan, self.attention_norm, eps)
        dense = [scan(f"{n}.{kind}") for n in (self.up, self.down) for kind in ("weight", "bias")]
        fed = Dropout(feed_forward(x, dense, fn), dropout)
        return norm(Zip(fed, x, "add"), scan, self.norm, eps)


def linear_shapes(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    """Weight and bias of a linear step."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """Weight and bias of a layer-norm."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def project(x: Node, scan: ScanWeight, name: str) -> Node:
    """The linear step of this name."""
    return linear(x, scan(f"{name}.weight"), scan(f"{name}.bias"))


def norm(x: Node, scan: ScanWeight, name: str, eps: float) -> Node:
    """The layer-norm of this name."""
    return LayerNorm(x, scan(f"{name}.weight"), scan(f"{name}.bias"), eps)
