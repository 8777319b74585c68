"""What gpudb must know of a kind of encoder: its weights, and the plan they are used in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, TypeAlias

from gpudb.errors import CheckpointError
from gpudb.models.embed_function import PoolingName
from gpudb.plan.node import Node
from gpudb.plan.tensor import Input, Map, Matmul, Zip
from gpudb.types import TensorSchema

Config: TypeAlias = Mapping[str, Any]
"""The content of a checkpoint's ``config.json``."""

ScanWeight: TypeAlias = Callable[[str], Node]
"""Name of a weight -> the node that reads it."""


HeadKind: TypeAlias = Literal["classify", "tag", "fill_mask"]
"""What a head is for: a row of logits per text, per token, or per masked token."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is computed from hidden states for one task: logits, of so many outputs."""

    kind: HeadKind
    sign: str
    """The weight that tells whether a checkpoint has this head, ``(outputs,)``."""
    weights: Callable[[Config, int], dict[str, tuple[int, ...]]]
    """Config, outputs -> name and shape of every weight that is the head's own."""
    build: Callable[[Config, ScanWeight, Node], Node]
    """Config, weights, rows of hidden states ``(n, width)`` -> logits ``(n, outputs)``."""
    pooling: Callable[[Config], str] = lambda config: "cls"
    """Config -> the rows of a text that is classified: its first, or the mean of all."""
    outputs: str | None = None
    """Key of the config that says how many outputs there are, where ``sign`` is of another
    extent."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of encoder. To add one: one file that makes one of these, one line in the list."""

    name: str
    model_types: tuple[str, ...]
    """Values of ``model_type`` in ``config.json`` that mean this architecture."""
    reads: Literal["tokens", "rows", "images"]
    """What the encoder takes: token ids, rows of numbers, or such rows cut from images."""
    weights: Callable[[Config], dict[str, tuple[int, ...]]]
    """Config -> name and shape of every weight the plan uses."""
    rename: Callable[[str], str | None]
    """Name in a checkpoint -> our name, or None for what no plan uses.

    Names of TensorFlow and Flax come in PyTorch's form: :mod:`gpudb.models.names`.
    """
    build: Callable[[Config, ScanWeight], Node]
    """Config, weights -> plan from inputs to hidden states ``(tokens, width)``."""
    positions: Callable[[Config], int | None]
    """Config -> longest sequence, in tokens; None for any."""
    heads: Mapping[str, Head] = field(default_factory=dict)
    """Task of a checkpoint's class, e.g. ``SequenceClassification``, -> head."""
    head_names: tuple[str, ...] = ()
    """How our names of head weights begin; a checkpoint may carry other heads than the one used."""
    pooling: PoolingName | None = None
    """How a vector is made where the checkpoint does not say; None for the mean."""
    vectors: Callable[[Config, ScanWeight, Node], Node] | None = None
    """Config, weights, pooled rows ``(sequences, width)`` -> vectors, where the checkpoint does not
    say how they are made; None where pooled rows are the vectors."""


ACTIVATIONS: Mapping[str, str] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Name in a checkpoint's config -> function of the plan."""

SEQUENCES = Input(TensorSchema("sequences", ("offsets",), ("offsets",), "int32"))
"""The sequence relation, as cumulative offsets."""


MOST_LAYERS = 1000
"""Far above any encoder; a config that says more is damaged, and its weights are not listed."""


def whole_number(config: Config, key: str, least: int = 1) -> int:
    """An integer of the config.

    Raises
    ------
    CheckpointError
        It is missing, not an integer, or below ``least``.
    """
    value = config.get(key)
    if type(value) is not int or value < least:
        raise CheckpointError(
            f"config.json: {key} is {value!r}; expected a whole number of at least {least}"
        )
    return value


def layer_count(config: Config, key: str) -> int:
    """The number of layers, at most :data:`MOST_LAYERS`."""
    layers = whole_number(config, key)
    if layers > MOST_LAYERS:
        raise CheckpointError(
            f"config.json: {key} is {layers}; expected a whole number from 1 to {MOST_LAYERS}"
        )
    return layers


def positive_number(config: Config, key: str, default: float) -> float:
    """A number of the config that must be above zero; ``default`` when it is not there."""
    value = config.get(key, default)
    if not _is_number(value) or value <= 0:
        raise CheckpointError(f"config.json: {key} is {value!r}; expected a number above 0")
    return float(value)


def dropout_rate(config: Config, key: str) -> float:
    """A share of elements that training drops; 0.1 when it is not there."""
    value = config.get(key, 0.1)
    if not _is_number(value) or not 0 <= value <= 1:
        raise CheckpointError(f"config.json: {key} is {value!r}; expected a number from 0 to 1")
    return float(value)


def flag(config: Config, key: str) -> bool:
    """A switch of the config; off when it is not there."""
    value = config.get(key, False)
    if not isinstance(value, bool):
        raise CheckpointError(f"config.json: {key} is {value!r}; expected true or false")
    return value


def activation(config: Config, key: str) -> str:
    """The function a config names."""
    value = config.get(key)
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise CheckpointError(
            f"config.json: {key} is {value!r}; gpudb computes one of {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[value]


def head_count(config: Config, key: str, width: int) -> int:
    """The number of heads, which must divide ``width``."""
    heads = whole_number(config, key)
    if width % heads:
        raise CheckpointError(
            f"config.json: {key} is {heads}, which does not divide the width {width}; "
            "every head needs the same number of columns"
        )
    return heads


def _is_number(value: Any) -> bool:
    # JSON as Python reads it also knows NaN and Infinity.
    return type(value) in (int, float) and isfinite(value)


def token_input(name: str) -> Input:
    """A column with one int32 per token."""
    return Input(TensorSchema(name, ("tokens",), ("tokens",), "int32"))


def linear(x: Node, weight: Node, bias: Node) -> Node:
    """``x @ weight.T + bias``."""
    return Zip(Matmul(x, weight, transpose_right=True), bias, "add")


def feed_forward(x: Node, weights: Sequence[Node], fn: str) -> Node:
    """Two linear steps with ``fn`` between; ``weights`` are weight, bias, weight, bias."""
    up, up_bias, down, down_bias = weights
    return linear(Map(linear(x, up, up_bias), fn), down, down_bias)
