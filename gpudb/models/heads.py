"""Heads: what is computed from an encoder's hidden states for a task, and the names of its outputs.

Architectures call the same few steps by different names, so each lists its heads in terms of the
functions here. A head ends in logits; :mod:`gpudb.models.answers` makes probabilities of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gpudb.errors import CheckpointError
from gpudb.models.architecture import (
    SEQUENCES,
    Architecture,
    Config,
    Head,
    HeadKind,
    ScanWeight,
    activation,
    linear,
    positive_number,
    whole_number,
)
from gpudb.models.steps import linear_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.sequence import Pool
from gpudb.plan.tensor import Input, LayerNorm, Map
from gpudb.types import TensorSchema

WORDS = "embeddings.word_embeddings.weight"
"""The embeddings of words, which the last step of a masked language model shares."""


@dataclass(frozen=True, slots=True)
class FoundHead:
    """The head of one checkpoint."""

    head: Head
    labels: tuple[str, ...]
    """Names of the outputs; empty where they are the words of the vocabulary."""
    outputs: int


def find_head(
    architecture: Architecture, config: Config, vectors: Mapping[str, int]
) -> FoundHead | None:
    """The head that the config's class has; None where gpudb knows none, or its weights lack.

    Parameters
    ----------
    architecture
        Of the checkpoint.
    config
        Its ``architectures`` names the class, e.g. ``BertForSequenceClassification``.
    vectors
        Our name -> extent, of the weights in the checkpoint that have one axis.

    Raises
    ------
    CheckpointError
        The labels are damaged, or more or fewer than the head has outputs.
    """
    head = architecture.heads.get(_task(config))
    if head is None or head.sign not in vectors:
        return None
    outputs = vectors[head.sign] if head.outputs is None else whole_number(config, head.outputs)
    labels = () if head.kind == "fill_mask" else read_labels(config, outputs)
    return FoundHead(head, labels, outputs)


def read_labels(config: Config, outputs: int) -> tuple[str, ...]:
    """``id2label`` in the order of the outputs; without it ``LABEL_0``, … as in transformers.

    Raises
    ------
    CheckpointError
        It does not give every output a name of its own.
    """
    named = config.get("id2label")
    if named is None:
        return tuple(f"LABEL_{number}" for number in range(outputs))
    expected = f"expected a text for each of 0 to {outputs - 1}, the outputs of the head"
    if not isinstance(named, dict) or not all(isinstance(text, str) for text in named.values()):
        raise CheckpointError(f"config.json: id2label is {named!r:.200}; {expected}")
    if named.keys() != {str(number) for number in range(outputs)}:
        raise CheckpointError(
            f"config.json: id2label has {len(named)} labels, with the numbers "
            f"{', '.join(map(str, named))!s:.200}; {expected}"
        )
    labels = tuple(named[str(number)] for number in range(outputs))
    if twice := [label for label, count in Counter(labels).items() if count > 1]:
        raise CheckpointError(
            f"config.json: id2label gives several outputs the label {', '.join(twice)}; "
            "every label must be there once"
        )
    return labels


def head_plan(head: Head, config: Config, scan: ScanWeight, hidden: Node) -> Node:
    """From the inputs of the encoder to logits.

    A text is classified by one row. Only masked tokens need the words of the vocabulary,
    which are many: such a head reads the hidden states of those as its input ``rows``.
    """
    rows = hidden
    if head.kind == "classify":
        rows = Pool(hidden, SEQUENCES, head.pooling(config))
    elif head.kind == "fill_mask":
        shape = ("tokens", hidden.schema.shape[1])
        rows = Input(TensorSchema("rows", shape, shape, "float32"))
    return head.build(config, scan, rows)


Function: TypeAlias = Callable[[Config], str]
"""Config -> function of the plan."""


def always(fn: str) -> Function:
    """The same function for every config."""
    return lambda config: fn


def hidden_act(config: Config) -> str:
    """The function that the config names for all layers."""
    return activation(config, "hidden_act")


TANH = always("tanh")


def sequence_classifier(
    dense: str, out: str, fn: Function = TANH, width: str = "hidden_size"
) -> Head:
    """Two linear steps with ``fn`` between, over the first token.

    Parameters
    ----------
    dense, out
        Names of the steps.
    fn
        Between them.
    width
        Key of the config.
    """

    def weights(config: Config, outputs: int) -> dict[str, tuple[int, ...]]:
        extent = whole_number(config, width)
        return {**linear_shapes(dense, extent, extent), **linear_shapes(out, outputs, extent)}

    def build(config: Config, scan: ScanWeight, rows: Node) -> Node:
        return project(Map(project(rows, scan, dense), fn(config)), scan, out)

    return Head("classify", f"{out}.bias", weights, build)


def token_classifier(out: str = "classifier", width: str = "hidden_size") -> Head:
    """One linear step over every token."""
    return linear_head("tag", out, width)


def linear_head(kind: HeadKind, out: str, width: str = "hidden_size") -> Head:
    """One linear step, called ``out``; ``width`` is the config's key of what it takes."""
    return Head(
        kind,
        f"{out}.bias",
        lambda config, outputs: linear_shapes(out, outputs, whole_number(config, width)),
        lambda config, scan, rows: project(rows, scan, out),
    )


def masked_words(
    dense: str,
    norm: str,
    decoder: str,
    bias: str,
    *,
    fn: Function = hidden_act,
    width: str = "hidden_size",
    inner: str = "hidden_size",
) -> Head:
    """A linear step, ``fn`` and layer norm, then a product with the embeddings of all words.

    Parameters
    ----------
    dense, norm, decoder
        Names of the steps.
    bias
        Name of the decoder's bias where its weight is that of the embeddings; where
        ``tie_word_embeddings`` is false, it has a weight and a bias of its own.
    fn
        After the first of them.
    width, inner
        Keys of the config: width of the hidden states, and of the embeddings.
    """

    def weights(config: Config, outputs: int) -> dict[str, tuple[int, ...]]:
        extent = whole_number(config, inner)
        shapes = linear_shapes(dense, extent, whole_number(config, width))
        shapes |= {f"{norm}.{part}": (extent,) for part in ("weight", "bias")}
        if is_tied(config):
            return {**shapes, bias: (outputs,)}
        return {**shapes, **linear_shapes(decoder, outputs, extent)}

    def build(config: Config, scan: ScanWeight, rows: Node) -> Node:
        eps = positive_number(config, "layer_norm_eps", 1e-12)
        x: Node = Map(project(rows, scan, dense), fn(config))
        x = LayerNorm(x, scan(f"{norm}.weight"), scan(f"{norm}.bias"), eps)
        if is_tied(config):
            return linear(x, scan(WORDS), scan(bias))
        return project(x, scan, decoder)

    return Head("fill_mask", bias, weights, build)


def is_tied(config: Config) -> bool:
    """Whether masked words are guessed with the weight of the embeddings."""
    return config.get("tie_word_embeddings", True) is not False


def _task(config: Config) -> str:
    """``SequenceClassification`` of ``["BertForSequenceClassification"]``."""
    classes = config.get("architectures")
    named = classes[0] if isinstance(classes, list) and classes else ""
    return named.partition("For")[2] if isinstance(named, str) else ""
