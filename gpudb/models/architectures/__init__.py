"""The architectures gpudb knows."""

from __future__ import annotations

from functools import cache

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import Architecture, Config
from gpudb.models.architectures.albert import ALBERT
from gpudb.models.architectures.bart import BART
from gpudb.models.architectures.bert import BERT
from gpudb.models.architectures.clip_image import CLIP_IMAGE
from gpudb.models.architectures.clip_text import CLIP_TEXT
from gpudb.models.architectures.deberta import DEBERTA
from gpudb.models.architectures.distilbert import DISTILBERT
from gpudb.models.architectures.electra import ELECTRA
from gpudb.models.architectures.gte import GTE
from gpudb.models.architectures.modernbert import MODERNBERT
from gpudb.models.architectures.mpnet import MPNET
from gpudb.models.architectures.nomic_bert import NOMIC_BERT
from gpudb.models.architectures.roberta import ROBERTA
from gpudb.models.architectures.t5 import T5
from gpudb.models.architectures.transformer_encoder import TRANSFORMER_ENCODER
from gpudb.models.architectures.vit import VIT

ARCHITECTURES: tuple[Architecture, ...] = (
    ALBERT,
    BART,
    BERT,
    CLIP_IMAGE,
    CLIP_TEXT,
    DEBERTA,
    DISTILBERT,
    ELECTRA,
    GTE,
    MODERNBERT,
    MPNET,
    NOMIC_BERT,
    ROBERTA,
    T5,
    TRANSFORMER_ENCODER,
    VIT,
)


def find_architecture(config: Config) -> Architecture:
    """The architecture that a checkpoint's config names.

    Raises
    ------
    CheckpointError
        The config names none.
    UnsupportedError
        gpudb does not know it; the message lists those it knows.
    """
    known = ", ".join(kind for a in ARCHITECTURES for kind in a.model_types)
    found = config.get("model_type")
    if not isinstance(found, str):
        raise CheckpointError(
            f"config.json: model_type is {found!r}; expected the name of an architecture: {known}"
        )
    for architecture in ARCHITECTURES:
        if found in architecture.model_types:
            return architecture
    raise UnsupportedError(f"config.json: model_type is {found!r}; gpudb knows {known}")


@cache
def architecture_named(name: str) -> Architecture:
    """The architecture that the catalog keeps under a name."""
    return next(a for a in ARCHITECTURES if a.name == name)
