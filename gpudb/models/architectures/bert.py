"""BERT and the encoders that share its architecture: MiniLM, E5, BGE, GTE-base.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2018.
"""

from __future__ import annotations

import re

from gpudb.models.architecture import Architecture, Config, ScanWeight, whole_number
from gpudb.models.encoder_layers import (
    TextEmbeddings,
    bert_layers,
    check_plain,
    encoder_of,
)
from gpudb.models.heads import masked_words, sequence_classifier, token_classifier
from gpudb.plan.node import Node

# Buffers that checkpoints carry.
_UNUSED = re.compile(r"embeddings\.(position_ids|token_type_ids)")
_PREFIXES = ("bert.", "model.", "0.auto_model.")
_OLD_NORM_NAMES = {"gamma": "weight", "beta": "bias"}


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    encoder = encoder_of(config, bert_layers(config))
    return TextEmbeddings.of(config, encoder.width).shapes() | encoder.shapes()


def rename(name: str) -> str | None:
    """Take the prefix of a task model off; old checkpoints call weight and bias gamma and beta."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if _UNUSED.fullmatch(name):
        return None
    stem, _, last = name.rpartition(".")
    if stem.endswith("LayerNorm"):
        last = _OLD_NORM_NAMES.get(last, last)
    return f"{stem}.{last}" if stem else last


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings, then layers of attention and feed-forward, each with residual and norm."""
    check_plain(config)
    encoder = encoder_of(config, bert_layers(config))
    embeddings = TextEmbeddings.of(config, encoder.width)
    return encoder.build(embeddings.build(scan, encoder.eps, encoder.dropout), scan)


PREDICTIONS = masked_words(
    "cls.predictions.transform.dense",
    "cls.predictions.transform.LayerNorm",
    "cls.predictions.decoder",
    "cls.predictions.bias",
)
HEADS = {
    "SequenceClassification": sequence_classifier("pooler.dense", "classifier"),
    "TokenClassification": token_classifier(),
    "MaskedLM": PREDICTIONS,
    "PreTraining": PREDICTIONS,
}

BERT = Architecture(
    name="bert",
    model_types=("bert",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings"),
    heads=HEADS,
    head_names=("pooler.", "cls.", "classifier.", "qa_outputs."),
)
