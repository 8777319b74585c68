"""Messages of ONNX as graphs and nodes; https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

Read here rather than with the ``onnx`` package, which would copy all weights into memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from gpudb.models.formats.protobuf import fields, signed
from gpudb.types import HostArray

# Where the exporters of PyTorch say which module a node comes from.
SCOPES = "pkg.torch.onnx.name_scopes"
_QUOTED = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Message:
    """The fields of one message by their number, in the order of the file."""

    values: Mapping[int, list[int | memoryview]]

    @classmethod
    def parse(cls, content: memoryview) -> Message:
        """The fields of ``content``; nothing inside them is read.

        Raises
        ------
        ValueError
            The bytes are no message.
        """
        values: dict[int, list[int | memoryview]] = {}
        for number, value in fields(content):
            values.setdefault(number, []).append(value)
        return cls(values)

    def number(self, field: int, default: int = 0) -> int:
        """A field with a number."""
        value = self.values.get(field, [default])[-1]
        if not isinstance(value, int):
            raise ValueError(f"bytes in field {field}, which is a number")
        return signed(value)

    def numbers(self, field: int) -> list[int]:
        """A field with any count of numbers, each by itself or many together."""
        return [
            number
            for value in self.values.get(field, [])
            for number in ([signed(value)] if isinstance(value, int) else varints(value).tolist())
        ]

    def contents(self, field: int) -> list[memoryview]:
        """A field with texts, bytes or messages."""
        values = self.values.get(field, [])
        if any(isinstance(value, int) for value in values):
            raise ValueError(f"a number in field {field}, which has bytes")
        return [value for value in values if not isinstance(value, int)]

    def texts(self, field: int) -> tuple[str, ...]:
        """A field with any count of texts."""
        return tuple(str(value, "utf-8") for value in self.contents(field))

    def text(self, field: int) -> str:
        """A field with one text, empty where it is not there."""
        return ("", *self.texts(field))[-1]

    def messages(self, field: int) -> list[Message]:
        """A field with any count of messages."""
        return [Message.parse(content) for content in self.contents(field)]

    def pairs(self, field: int) -> dict[str, str]:
        """A field with keys and values, both texts."""
        return {entry.text(1): entry.text(2) for entry in self.messages(field)}


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """One operator of a graph."""

    kind: str
    domain: str
    """Who defined the kind; empty for ONNX itself."""
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scope: str
    """The PyTorch module it was exported from, e.g. ``encoder.layer.0.output.dense``, or empty."""
    attributes: Mapping[str, Message]

    def switch(self, name: str) -> bool:
        """An attribute that is 0 or 1, off when it is not there."""
        return name in self.attributes and self.attributes[name].number(3) != 0


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """The main graph of a model."""

    nodes: tuple[OnnxNode, ...]
    tensors: Mapping[str, Message]
    """Initialisers and constants by name, not yet read."""
    inputs: tuple[str, ...]
    sparse: int
    """How many initialisers are stored sparse."""


def parse_model(content: memoryview) -> OnnxGraph:
    """The graph of a model file.

    Raises
    ------
    ValueError
        The bytes are no ONNX model.
    """
    graphs = Message.parse(content).messages(7)
    if len(graphs) != 1:
        raise ValueError(f"{len(graphs)} graphs")
    (graph,) = graphs
    nodes = tuple(_node(message) for message in graph.messages(1))
    return OnnxGraph(
        nodes=nodes,
        tensors=_tensors(graph, nodes),
        inputs=tuple(message.text(1) for message in graph.messages(11)),
        sparse=len(graph.contents(15)),
    )


def varints(content: memoryview) -> HostArray:
    """Numbers written one behind another, ``(count,)`` int64.

    Raises
    ------
    ValueError
        The last one is cut, or one is longer than 64 bits take.
    """
    data = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    starts = np.concatenate([[0], ends + 1])
    lengths = ends - starts[:-1] + 1
    if starts[-1] != data.size or lengths.max(initial=0) > 10:
        raise ValueError("a list of numbers that is cut, or has one that is too long")
    numbers = np.zeros(len(ends), np.uint64)
    for place in range(lengths.max(initial=0)):
        longer = lengths > place
        bits = (data[starts[:-1][longer] + place] & 0x7F).astype(np.uint64)
        numbers[longer] |= bits << np.uint64(7 * place)
    return numbers.view(np.int64)


def _tensors(graph: Message, nodes: Iterable[OnnxNode]) -> dict[str, Message]:
    found = [(message.text(8), message) for message in graph.messages(5)]
    for node in nodes:
        if node.kind == "Constant" and "value" in node.attributes:
            found += zip(node.outputs, node.attributes["value"].messages(5), strict=True)
    tensors: dict[str, Message] = {}
    for name, message in found:
        if name in tensors:
            raise ValueError(f"two tensors called {name!r}")
        tensors[name] = message
    return tensors


def _node(message: Message) -> OnnxNode:
    name = message.text(3)
    if 2 not in message.values:
        raise ValueError(f"node {name!r} without a result")
    return OnnxNode(
        kind=message.text(4),
        domain=message.text(7),
        name=name,
        inputs=message.texts(1),
        outputs=message.texts(2),
        scope=_scope(name, message.pairs(9)),
        attributes={attribute.text(1): attribute for attribute in message.messages(5)},
    )


def _scope(name: str, metadata: Mapping[str, str]) -> str:
    """The module of a node: the scope around the innermost one, which is the operator's own."""
    if SCOPES in metadata:
        scopes = _QUOTED.findall(metadata[SCOPES])
        return scopes[-2] if len(scopes) > 1 else ""
    # The older exporter: "/encoder/layer.0/output/dense/MatMul"
    return ".".join(name.split("/")[1:-1]) if name.startswith("/") else ""
