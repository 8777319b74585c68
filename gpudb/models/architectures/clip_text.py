"""The tower of CLIP that reads texts: a token sees those before it, not those behind."""

from __future__ import annotations

import re
from math import inf

from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    token_input,
    whole_number,
)
from gpudb.models.architectures.clip import layers_of, projected, projection_shapes
from gpudb.models.pre_norm import pre_norm_layers
from gpudb.models.steps import norm, norm_shapes
from gpudb.plan.node import Node
from gpudb.plan.tensor import Constant, Gather, Zip
from gpudb.types import TensorSchema

_WORDS = "embeddings.token_embedding.weight"
_PLACES = "embeddings.position_embedding.weight"
_PROJECTION = "text_projection"
_UNUSED = re.compile(r"(vision_model|visual_projection)\..*|logit_scale|embeddings\.position_ids")


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    encoder = layers_of(config)
    return {
        _WORDS: (whole_number(config, "vocab_size"), encoder.width),
        _PLACES: (_places(config), encoder.width),
        **encoder.shapes(),
        **norm_shapes("final_layer_norm", encoder.width),
        **projection_shapes(config, _PROJECTION),
    }


def rename(name: str) -> str | None:
    """Take the name of the tower off."""
    name = name.removeprefix("text_model.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings of tokens and places, the layers, and a norm behind the last."""
    encoder = layers_of(config)
    words = Gather(scan(_WORDS), token_input("token_ids"))
    x: Node = Zip(words, Gather(scan(_PLACES), token_input("position_ids")), "add")
    # By distance from query to key: what comes behind a token is not seen.
    seen = Constant(TensorSchema.one_block("seen", (1, 3)), (0.0, 0.0, -inf))
    x = pre_norm_layers(encoder, x, scan, relative=seen)
    return norm(x, scan, "final_layer_norm", encoder.eps)


def vectors(config: Config, scan: ScanWeight, rows: Node) -> Node:
    """``text_embeds`` of transformers, or ``pooler_output`` without a projection."""
    return projected(config, scan, rows, _PROJECTION)


def _places(config: Config) -> int:
    return whole_number(config, "max_position_embeddings")


CLIP_TEXT = Architecture(
    name="clip_text",
    model_types=("clip_text_model",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=_places,
    # transformers looks for the first end token (or, in older configs, the largest id, which is the
    # same one): what is behind it is padding. Here texts are not padded, and the tokenizer ends
    # each with that token, also those that it cuts.
    pooling="last",
    vectors=vectors,
)
