"""What BERT and its relatives share: embeddings that are added up, then layers of one kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpudb.errors import UnsupportedError
from gpudb.models.architecture import (
    Config,
    ScanWeight,
    activation,
    dropout_rate,
    flag,
    head_count,
    layer_count,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.attention import self_attention
from gpudb.models.post_norm import PostNormLayer
from gpudb.models.steps import linear_shapes, norm, norm_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.reshape import Slice
from gpudb.plan.tensor import Dropout, Gather, Zip

Attend = Callable[[Node, Node, Node], Node]
"""Query, key, value -> context, ``(tokens, width)`` each."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer, by name."""

    query: str
    key: str
    value: str
    rest: PostNormLayer


@dataclass(frozen=True, slots=True)
class EncoderLayers:
    """Layers of one width. A layer may stand there more than once: its weights are then shared.

    :meth:`build` has norms behind the branches; before them: :mod:`gpudb.models.pre_norm`.
    """

    layers: Sequence[Layer]
    width: int
    wide: int
    heads: int
    fn: str
    eps: float
    dropout: float
    attention_dropout: float
    biased: bool = True
    """Queries, keys and values have a bias."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            for name in (layer.query, layer.key, layer.value):
                shapes |= linear_shapes(name, self.width, self.width, self.biased)
            shapes |= layer.rest.shapes(self.width, self.wide)
        return shapes

    def build(self, x: Node, scan: ScanWeight, attend: Attend | None = None) -> Node:
        """Through all layers, ``(tokens, width)`` -> ``(tokens, width)``."""
        attend = attend or self._attend
        for layer in self.layers:
            names = (layer.query, layer.key, layer.value)
            context = attend(*(project(x, scan, name, self.biased) for name in names))
            x = layer.rest.build(x, context, scan, self.fn, self.eps, self.dropout)
        return x

    def _attend(self, query: Node, key: Node, value: Node) -> Node:
        return self_attention(query, key, value, self.heads, self.attention_dropout)


def encoder_of(config: Config, layers: Sequence[Layer]) -> EncoderLayers:
    """Layers with the sizes of a config that calls them as BERT's does."""
    width = whole_number(config, "hidden_size")
    return EncoderLayers(
        layers,
        width,
        whole_number(config, "intermediate_size"),
        head_count(config, "num_attention_heads", width),
        activation(config, "hidden_act"),
        positive_number(config, "layer_norm_eps", 1e-12),
        dropout_rate(config, "hidden_dropout_prob"),
        dropout_rate(config, "attention_probs_dropout_prob"),
    )


def bert_layers(config: Config) -> list[Layer]:
    """Layers whose weights are called as BERT's."""
    names = (f"encoder.layer.{i}" for i in range(layer_count(config, "num_hidden_layers")))
    return [
        Layer(
            query=f"{name}.attention.self.query",
            key=f"{name}.attention.self.key",
            value=f"{name}.attention.self.value",
            rest=PostNormLayer.as_in_bert(name),
        )
        for name in names
    ]


@dataclass(frozen=True, slots=True)
class TextEmbeddings:
    """Embeddings of tokens, of their places and perhaps of their types, added up and normed."""

    words: int
    """Tokens in the vocabulary."""
    positions: int
    """Rows of the table of places."""
    width: int
    types: int = 0
    """Token types; 0 for none."""
    skipped: int = 0
    """Rows of the table of places before that of the first token: they are for padding."""

    @classmethod
    def of(cls, config: Config, width: int, skipped: int = 0) -> TextEmbeddings:
        """Those of a config that calls them as BERT's does."""
        return cls(
            whole_number(config, "vocab_size"),
            whole_number(config, "max_position_embeddings", skipped + 1),
            width,
            whole_number(config, "type_vocab_size"),
            skipped,
        )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight."""
        rows = {"word": self.words, "position": self.positions, "token_type": self.types}
        tables = {
            f"embeddings.{name}_embeddings.weight": (count, self.width)
            for name, count in rows.items()
            if count
        }
        return tables | norm_shapes("embeddings.LayerNorm", self.width)

    def build(self, scan: ScanWeight, eps: float, dropout: float) -> Node:
        """``(tokens, width)``."""
        places = scan("embeddings.position_embeddings.weight")
        if self.skipped:
            places = Slice(places, (self.skipped, 0), (self.positions, self.width))
        x: Node = Gather(scan("embeddings.word_embeddings.weight"), token_input("token_ids"))
        if self.types:
            types = scan("embeddings.token_type_embeddings.weight")
            x = Zip(x, Gather(types, token_input("type_ids")), "add")
        x = Zip(x, Gather(places, token_input("position_ids")), "add")
        return Dropout(norm(x, scan, "embeddings.LayerNorm", eps), dropout)


def check_plain(config: Config) -> None:
    """Refuse what configs of this family can ask for and gpudb does not compute."""
    kind = config.get("position_embedding_type", "absolute")
    if kind != "absolute":
        raise UnsupportedError(
            f"config.json: position_embedding_type is {kind!r}; gpudb computes 'absolute' only"
        )
    if flag(config, "is_decoder") or flag(config, "add_cross_attention"):
        raise UnsupportedError(
            "config.json describes a decoder (is_decoder or add_cross_attention); "
            "gpudb runs encoders: use an encoder checkpoint"
        )
