"""Encoder layers with a norm before each branch, as in mBART, ViT and CLIP."""

from __future__ import annotations

from gpudb.models.architecture import ScanWeight, feed_forward
from gpudb.models.attention import self_attention
from gpudb.models.encoder_layers import EncoderLayers
from gpudb.models.steps import norm, project
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, Zip


def pre_norm_layers(
    encoder: EncoderLayers,
    x: Node,
    scan: ScanWeight,
    *,
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
    relative
        Added to scores by distance, see :func:`self_attention`.
    """

    def branch(x: Node, result: Node) -> Node:
        return Zip(x, Dropout(result, encoder.dropout), "add")

    for layer in encoder.layers:
        rest = layer.rest
        normed = norm(x, scan, rest.attention_norm, encoder.eps)
        query, key, value = (
            project(normed, scan, n, encoder.biased) for n in (layer.query, layer.key, layer.value)
        )
        context = self_attention(
            query, key, value, encoder.heads, encoder.attention_dropout, relative=relative
        )
        x = branch(x, project(context, scan, rest.out))
        normed = norm(x, scan, rest.norm, encoder.eps)
        dense = [scan(f"{n}.{kind}") for n in (rest.up, rest.down) for kind in ("weight", "bias")]
        x = branch(x, feed_forward(normed, dense, encoder.fn))
    return x
