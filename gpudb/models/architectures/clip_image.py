"""The tower of CLIP that reads images: ViT with one more norm before the layers."""

from __future__ import annotations

import re

from gpudb.models.architecture import Architecture, Config, ScanWeight
from gpudb.models.architectures.clip import layers_of, projected, projection_shapes
from gpudb.models.patches import Patches
from gpudb.models.pre_norm import pre_norm_layers
from gpudb.models.steps import norm, norm_shapes
from gpudb.plan.node import Node
from gpudb.plan.tensor import Constant, Zip
from gpudb.types import TensorSchema

_CLASS = "embeddings.class_embedding"
_PATCHES = "embeddings.patch_embedding.weight"
_PLACES = "embeddings.position_embedding.weight"
_FIRST_NORM = "pre_layrnorm"  # as transformers spells it
_LAST_NORM = "post_layernorm"
_PROJECTION = "visual_projection"
_UNUSED = re.compile(r"(text_model|text_projection)\..*|logit_scale|embeddings\.position_ids")


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    encoder, patches = layers_of(config), Patches.of(config)
    return {
        _CLASS: (encoder.width,),
        _PATCHES: (encoder.width, *patches.kernel),
        _PLACES: (patches.places, encoder.width),
        **norm_shapes(_FIRST_NORM, encoder.width),
        **encoder.shapes(),
        **norm_shapes(_LAST_NORM, encoder.width),
        **projection_shapes(config, _PROJECTION),
    }


def rename(name: str) -> str | None:
    """Take the name of the tower off."""
    name = name.removeprefix("vision_model.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Patches, a norm, the layers; the last norm is for vectors alone."""
    encoder = layers_of(config)
    zeros = Constant(TensorSchema.one_block("zeros", (1, encoder.width)), (0.0,) * encoder.width)
    x = Patches.of(config).embed(
        scan(_PATCHES), None, Zip(zeros, scan(_CLASS), "add"), scan(_PLACES)
    )
    return pre_norm_layers(encoder, norm(x, scan, _FIRST_NORM, encoder.eps), scan)


def vectors(config: Config, scan: ScanWeight, rows: Node) -> Node:
    """``image_embeds`` of transformers, or ``pooler_output`` without a projection."""
    eps = layers_of(config).eps
    return projected(config, scan, norm(rows, scan, _LAST_NORM, eps), _PROJECTION)


CLIP_IMAGE = Architecture(
    name="clip_image",
    model_types=("clip_vision_model",),
    reads="images",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: Patches.of(config).places,
    head_names=("classifier.",),
    pooling="cls",
    vectors=vectors,
)
