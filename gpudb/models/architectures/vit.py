"""ViT: an image is a sequence of patches. Its rows are those of :mod:`gpudb.models.patches`.

Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
2020.
"""

from __future__ import annotations

import re
from dataclasses import replace

from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    flag,
    layer_count,
)
from gpudb.models.encoder_layers import EncoderLayers, Layer, encoder_of
from gpudb.models.heads import linear_head
from gpudb.models.patches import Patches
from gpudb.models.post_norm import PostNormLayer
from gpudb.models.pre_norm import pre_norm_layers
from gpudb.models.steps import norm, norm_shapes
from gpudb.plan.node import Node
from gpudb.plan.reshape import MergeAxes
from gpudb.plan.tensor import Dropout

_CLASS = "embeddings.cls_token"
_PLACES = "embeddings.position_embeddings"
_PATCHES = "embeddings.patch_embeddings.projection"
_UNUSED = re.compile(r"(pooler|decoder)\..*|embeddings\.mask_token")

# Names in files of transformers 4 -> those of its release 5.
_OLD_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.*)")
_OLD_PARTS = {
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    encoder, patches = _encoder(config), Patches.of(config)
    return {
        _CLASS: (1, 1, encoder.width),
        _PLACES: (1, patches.places, encoder.width),
        f"{_PATCHES}.weight": (encoder.width, *patches.kernel),
        f"{_PATCHES}.bias": (encoder.width,),
        **encoder.shapes(),
        **norm_shapes("layernorm", encoder.width),
    }


def rename(name: str) -> str | None:
    """Take the prefix of a task model off, and give layers their names of today."""
    name = name.removeprefix("vit.")
    if old := _OLD_LAYER.fullmatch(name):
        number, (part, _, kind) = old[1], old[2].rpartition(".")
        name = f"layers.{number}.{_OLD_PARTS.get(part, part)}.{kind}"
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Patches, layers with a norm before each branch, and one behind the last."""
    encoder = _encoder(config)
    x = Patches.of(config).embed(
        scan(f"{_PATCHES}.weight"),
        scan(f"{_PATCHES}.bias"),
        MergeAxes(scan(_CLASS), 0),
        MergeAxes(scan(_PLACES), 0),
    )
    x = Dropout(x, encoder.dropout)
    x = pre_norm_layers(encoder, x, scan)
    return norm(x, scan, "layernorm", encoder.eps)


def _encoder(config: Config) -> EncoderLayers:
    count = layer_count(config, "num_hidden_layers")
    layers = encoder_of(config, [_layer(f"layers.{i}") for i in range(count)])
    return replace(layers, biased="qkv_bias" not in config or flag(config, "qkv_bias"))


def _layer(name: str) -> Layer:
    return Layer(
        query=f"{name}.attention.q_proj",
        key=f"{name}.attention.k_proj",
        value=f"{name}.attention.v_proj",
        rest=PostNormLayer(
            out=f"{name}.attention.o_proj",
            attention_norm=f"{name}.layernorm_before",
            up=f"{name}.mlp.fc1",
            down=f"{name}.mlp.fc2",
            norm=f"{name}.layernorm_after",
        ),
    )


VIT = Architecture(
    name="vit",
    model_types=("vit",),
    reads="images",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: Patches.of(config).places,
    heads={"ImageClassification": linear_head("classify", "classifier")},
    head_names=("classifier.",),
    pooling="cls",
)
