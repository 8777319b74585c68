"""What CLIP's two towers share: their layers, and what projects a vector to where both can meet.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021.
"""

from __future__ import annotations

from dataclasses import replace

from gpudb.models.architecture import (
    Config,
    ScanWeight,
    dropout_rate,
    layer_count,
    whole_number,
)
from gpudb.models.encoder_layers import EncoderLayers, Layer, encoder_of
from gpudb.models.post_norm import PostNormLayer
from gpudb.models.steps import linear_shapes, project
from gpudb.plan.node import Node


def layers_of(config: Config) -> EncoderLayers:
    """The layers of a tower, which have a norm before each branch."""
    count = layer_count(config, "num_hidden_layers")
    layers = [_layer(f"encoder.layers.{i}") for i in range(count)]
    return replace(
        encoder_of({"layer_norm_eps": 1e-5, **config}, layers),
        dropout=0.0,
        attention_dropout=dropout_rate(config, "attention_dropout"),
    )


def _layer(name: str) -> Layer:
    return Layer(
        query=f"{name}.self_attn.q_proj",
        key=f"{name}.self_attn.k_proj",
        value=f"{name}.self_attn.v_proj",
        rest=PostNormLayer(
            out=f"{name}.self_attn.out_proj",
            attention_norm=f"{name}.layer_norm1",
            up=f"{name}.mlp.fc1",
            down=f"{name}.mlp.fc2",
            norm=f"{name}.layer_norm2",
        ),
    )


def projection_shapes(config: Config, name: str) -> dict[str, tuple[int, ...]]:
    """Name and shape of the projection's weight; nothing where the config has no projection."""
    if "projection_dim" not in config:
        return {}
    outputs, inputs = (whole_number(config, key) for key in ("projection_dim", "hidden_size"))
    return linear_shapes(name, outputs, inputs, biased=False)


def projected(config: Config, scan: ScanWeight, rows: Node, name: str) -> Node:
    """Rows where both towers can meet; as they are where the config has no projection."""
    return project(rows, scan, name, biased=False) if projection_shapes(config, name) else rows
