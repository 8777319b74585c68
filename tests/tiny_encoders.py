"""A small encoder of every architecture, with random weights, as a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from gpudb.models.architectures import (
    albert,
    bart,
    bert,
    clip_image,
    clip_text,
    deberta,
    distilbert,
    electra,
    gte,
    modernbert,
    mpnet,
    nomic_bert,
    roberta,
    t5,
    transformer_encoder,
    vit,
)
from gpudb.models.patches import Patches
from gpudb.types import HostArray
from tests.tiny_plans import (
    BERT_CONFIG,
    DEBERTA_CONFIG,
    MPNET_CONFIG,
    T5_CONFIG,
    TORCH_CONFIG,
    offsets_of,
)

WORDS = 23
NARROW = {**BERT_CONFIG, "embedding_size": 6}
DISTILBERT_CONFIG: dict[str, Any] = {
    "vocab_size": WORDS,
    "max_position_embeddings": 16,
    "dim": 8,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 12,
    "activation": "gelu",
}
BART_CONFIG: dict[str, Any] = {
    "model_type": "bart",
    "vocab_size": WORDS,
    "d_model": 8,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 12,
    "max_position_embeddings": 10,
    "activation_function": "gelu",
}
NOMIC_CONFIG = {**BERT_CONFIG, "hidden_act": "silu"}
VIT_CONFIG: dict[str, Any] = {**BERT_CONFIG, "image_size": 6, "patch_size": 3, "num_channels": 2}
CLIP_CONFIG: dict[str, Any] = {
    **VIT_CONFIG,
    "vocab_size": WORDS,
    "hidden_act": "quick_gelu",
    "projection_dim": 5,
}
ENCODERS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "albert": (albert, "albert", {**NARROW, "num_hidden_groups": 1, "inner_group_num": 2}),
    "bart": (bart, "bart", BART_CONFIG),
    "bert": (bert, "bert", BERT_CONFIG),
    "clip_image": (clip_image, "clip_vision_model", CLIP_CONFIG),
    "clip_text": (clip_text, "clip_text_model", CLIP_CONFIG),
    "deberta": (
        deberta,
        "deberta-v2",
        {**DEBERTA_CONFIG, "position_biased_input": False, "type_vocab_size": 0},
    ),
    "deberta, first": (deberta, "deberta", {**DEBERTA_CONFIG, "model_type": "deberta"}),
    "distilbert": (distilbert, "distilbert", DISTILBERT_CONFIG),
    "electra": (electra, "electra", NARROW),
    "gte": (gte, "gte", {**BERT_CONFIG, "type_vocab_size": 1}),
    "mbart": (bart, "mbart", {**BART_CONFIG, "model_type": "mbart"}),
    "modernbert": (
        modernbert,
        "modernbert",
        {**BERT_CONFIG, "hidden_activation": "gelu", "local_attention": 4},
    ),
    "mpnet": (mpnet, "mpnet", MPNET_CONFIG),
    "nomic_bert": (nomic_bert, "nomic_bert", NOMIC_CONFIG),
    "nomic_bert, neighbours": (
        nomic_bert,
        "nomic_bert",
        {**NOMIC_CONFIG, "rotary_emb_interleaved": True},
    ),
    "roberta": (roberta, "roberta", {**BERT_CONFIG, "pad_token_id": 1}),
    "t5": (t5, "t5", {**T5_CONFIG, "feed_forward_proj": "gated-gelu"}),
    "torch": (transformer_encoder, "torch.nn.TransformerEncoder", TORCH_CONFIG),
    "vit": (vit, "vit", VIT_CONFIG),
    "vit, colours": (vit, "vit", {**VIT_CONFIG, "num_channels": 3}),
}
"""Module, ``model_type`` and the rest of the config, by what tests call it."""


def write_encoder(name: str, folder: Path) -> None:
    """Random weights and the config, as a checkpoint."""
    module, kind, config = ENCODERS[name]
    random = np.random.default_rng(len(name))
    weights = {
        n: (0.3 * random.standard_normal(shape)).astype(np.float32)
        for n, shape in module.weights({**config, "model_type": kind}).items()
    }
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**config, "model_type": kind}))


def batch(name: str, lengths: list[int], seed: int = 0) -> tuple[dict[str, HostArray], HostArray]:
    """Inputs of sequences of these lengths, and their offsets; images all have one length."""
    module, _, config = ENCODERS[name]
    random, offsets = np.random.default_rng(seed), offsets_of(lengths)
    if module is transformer_encoder:
        rows = random.standard_normal((offsets[-1], config["d_model"])).astype(np.float32)
        return {"rows": rows}, offsets
    if module in (vit, clip_image):
        patches = Patches.of(config)
        shape = (patches.channels, patches.height, patches.width)
        images = [random.standard_normal(shape).astype(np.float32) for _ in lengths]
        rows = np.concatenate([patches.cut(image) for image in images])
        return {"rows": rows}, np.arange(len(lengths) + 1) * patches.places
    return {"token_ids": random.integers(2, WORDS, offsets[-1])}, offsets
