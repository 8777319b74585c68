"""ONNX: the weights in the graph of an exported encoder, under PyTorch's names.

The graph is read, never run; it says which module each weight belongs to
(:mod:`gpudb.models.formats.onnx_names`). Exporters: ``torch.onnx.export``, with and without
``dynamo``, and ``optimum``, which calls it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from gpudb.errors import UnsupportedError
from gpudb.models.formats.checked import broken, map_file
from gpudb.models.formats.format import Format
from gpudb.models.formats.onnx_message import OnnxGraph, parse_model
from gpudb.models.formats.onnx_names import named_weights
from gpudb.models.formats.onnx_tensor import TensorReader
from gpudb.models.formats.weight import Weight

NAMES = ("model.onnx", "encoder_model.onnx")
FOLDER = "onnx"
"""Where optimum and sentence-transformers put the files beside other formats."""

QUANTISED = re.compile(
    "(DynamicQuantize|DequantizeLinear|QuantizeLinear|QLinear|QAttention|QGemm|MatMulInteger"
    "|ConvInteger|MatMulNBits|MatMulBnb4).*"
)
"""Kinds of nodes that compute with quantised numbers."""
TIED_BIAS = ".decoder.bias"
"""Heads of masked words have their bias under two names, with and without ``decoder``; exporters
with ``dynamo`` keep this one."""
ONNX_RUNTIME = "com.microsoft"
"""Who defined the nodes that ONNX Runtime's optimiser makes of several."""


def find_onnx(folder: Path, names: frozenset[str]) -> Path | None:
    """The model file in ``folder``, or in its folder ``onnx``."""
    places = [place / name for place in (folder, folder / FOLDER) for name in NAMES]
    return next((place for place in places if place.is_file()), None)


def read_onnx(file: Path) -> dict[str, Weight]:
    """The weights of an exported model, memory-mapped, with PyTorch's names and layout.

    Raises
    ------
    CheckpointError
        The file is cut, damaged, no ONNX model, or refers to data that is not in its folder.
    UnsupportedError
        The graph is quantised, or rewritten for ONNX Runtime.
    """
    weights: dict[str, Weight] = {}
    try:
        graph = parse_model(map_file(file).data)
        _check_supported(file, graph)
        _check_order(graph)
        for name, weight in named_weights(graph.nodes, _tensors(file, graph)):
            _add(weights, replace(weight, name=name))
    except ValueError as error:
        raise broken(file, str(error), "an ONNX model") from error
    for name in [name for name in weights if name.endswith(TIED_BIAS)]:
        other = f"{name.removesuffix(TIED_BIAS)}.bias"
        weights.setdefault(other, replace(weights[name], name=other))
    return weights


def _tensors(file: Path, graph: OnnxGraph) -> dict[str, Weight]:
    reader = TensorReader(file)
    found = ((name, reader.read(message, name)) for name, message in graph.tensors.items())
    return {name: weight for name, weight in found if weight is not None}


def _add(weights: dict[str, Weight], weight: Weight) -> None:
    """Put a weight under its name; it may be there already, but with the same numbers."""
    other = weights.setdefault(weight.name, weight)
    if other.data is weight.data and other.axes == weight.axes:  # nothing to read
        return
    same = (weight.dtype, weight.shape) == (other.dtype, other.shape)
    if not same or weight.array().tobytes() != other.array().tobytes():
        raise broken(weight.file, f"two different tensors for {weight.name!r}", "one of each name")


def _check_supported(file: Path, graph: OnnxGraph) -> None:
    for node in graph.nodes:
        if QUANTISED.fullmatch(node.kind):
            raise UnsupportedError(
                f"{file}: node {node.name!r} is a {node.kind}: the model is quantised; gpudb reads "
                "float32, float16 and bfloat16: use the file it was quantised from"
            )
        if node.domain == ONNX_RUNTIME:
            raise UnsupportedError(
                f"{file}: node {node.name!r} is a {node.kind} of ONNX Runtime, whose optimiser "
                "merges layers; use the file as it was exported, before it was optimised"
            )
    if graph.sparse:
        raise UnsupportedError(
            f"{file}: {graph.sparse} sparse tensors; gpudb reads dense ones: export the model anew"
        )


def _check_order(graph: OnnxGraph) -> None:
    """Check that each node reads what is there before it: nothing goes round in a circle."""
    known = {"", *graph.inputs, *graph.tensors}  # the empty name is an input left out
    for node in graph.nodes:
        if unknown := set(node.inputs) - known:
            raise ValueError(
                f"node {node.name!r} reads {min(unknown)!r}, which is not made before it"
            )
        known.update(node.outputs)


ONNX = Format("ONNX", find_onnx, read_onnx)
