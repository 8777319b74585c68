"""Encoder layers with a norm before each branch, as in mBART, ViT and CLIP."""

from __future__ import annotations

from gpudb.models.architecture import ScanWeight, feed_forward
from gpudb.models.attention import self_attention
from gpudb.models.post_norm import norm, project
from gpudb.models.post_norm_encoder import PostNormEncoder
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, Matmul, Zip


def pre_norm_layers(
    encoder: PostNormEncoder,
    x: Node,
    scan: ScanWeight,
    *,
    biased: bool = True,
    relative: Node | None = None,
) -> Node:
    """Through all layers, ``(tokens, width)`` -> ``(tokens, width)``, with no norm behind.

    Parameters
    ----------
    encoder
        The layers: the same weights as with norms behind the branches.
    x
        What goes in.
    scan
        Reads a weight.
    biased
        Queries, keys and values have a bias.
    relative
        Added to scores by distance, see :func:`self_attention`.
    """

    def branch(x: Node, result: Node) -> Node:
        return Zip(x, Dropout(result, encoder.dropout), "add")

    def projected(x: Node, name: str) -> Node:
        if biased:
            return project(x, scan, name)
        return Matmul(x, scan(f"{name}.weight"), transpose_right=True)

    for layer in encoder.layers:
        rest = layer.rest
        normed = norm(x, scan, rest.attention_norm, encoder.eps)
        query, key, value = (projected(normed, n) for n in (layer.query, layer.key, layer.value))
        context = self_attention(
            query, key, value, encoder.heads, encoder.attention_dropout, relative=relative
        )
        x = branch(x, project(context, scan, rest.out))
        normed = norm(x, scan, rest.norm, encoder.eps)
        dense = [scan(f"{n}.{kind}") for n in (rest.up, rest.down) for kind in ("weight", "bias")]
        x = branch(x, feed_forward(normed, dense, encoder.fn))
    return x
