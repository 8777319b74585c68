"""RoBERTa, XLM-RoBERTa and CamemBERT: BERT whose places are counted from behind the padding id.

Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019; Conneau et al.,
"Unsupervised Cross-lingual Representation Learning at Scale", 2019.
"""

from __future__ import annotations

import re

from gpudb.models.architecture import Architecture, Config, ScanWeight, whole_number
from gpudb.models.encoder_layers import (
    EncoderLayers,
    TextEmbeddings,
    bert_layers,
    check_plain,
    encoder_of,
)
from gpudb.models.heads import always, masked_words, sequence_classifier, token_classifier
from gpudb.plan.node import Node

# Buffers that checkpoints carry.
_UNUSED = re.compile(r"embeddings\.(position_ids|token_type_ids)")


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    embeddings, encoder = _parts(config)
    return embeddings.shapes() | encoder.shapes()


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    name = name.removeprefix("roberta.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """As BERT."""
    check_plain(config)
    embeddings, encoder = _parts(config)
    return encoder.build(embeddings.build(scan, encoder.eps, encoder.dropout), scan)


def _parts(config: Config) -> tuple[TextEmbeddings, EncoderLayers]:
    encoder = encoder_of(config, bert_layers(config))
    return TextEmbeddings.of(config, encoder.width, _skipped(config)), encoder


def _skipped(config: Config) -> int:
    """Rows of the table of places before that of the first token."""
    return whole_number(config, "pad_token_id", 0) + 1


HEADS = {
    "SequenceClassification": sequence_classifier("classifier.dense", "classifier.out_proj"),
    "TokenClassification": token_classifier(),
    "MaskedLM": masked_words(
        "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias", fn=always("gelu")
    ),
}
HEAD_NAMES = ("pooler.", "lm_head.", "classifier.", "qa_outputs.")

ROBERTA = Architecture(
    name="roberta",
    model_types=("roberta", "xlm-roberta", "camembert"),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings") - _skipped(config),
    heads=HEADS,
    head_names=HEAD_NAMES,
)
