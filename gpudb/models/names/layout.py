"""The layout of weights in TensorFlow and Flax, as PyTorch's: both put inputs before outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from gpudb.models.formats.weight import Weight

HEADS_OUT = frozenset({"query", "key", "value"})
"""Layers that may give their outputs by head: kernel ``(width, heads, d)``, bias ``(heads, d)``."""
HEADS_IN = frozenset({"out", "attention_output"})
"""Layers that may take their inputs by head: kernel ``(heads, d, width)``."""

CONVOLUTION = (2, 3, 1, 0)  # rows, columns, inputs, outputs -> PyTorch's outputs, inputs, rows, ...


def torch_layout(weight: Weight, parts: Sequence[str]) -> Weight:
    """The same bytes, read as PyTorch's layer of that kind holds them.

    Parameters
    ----------
    weight
        As it lies in the file.
    parts
        Its name there, cut at the slashes: ``[..., layer, kind]``.

    Returns
    -------
    Weight
        A linear kernel ``(inputs, outputs)`` as ``(outputs, inputs)``, heads merged; a convolution
        as ``(outputs, inputs, rows, columns)``; anything else as it is.
    """
    layer, kind = (["", *parts])[-2:]
    shape = weight.shape
    if kind == "bias" and layer in HEADS_OUT and len(shape) == 2:
        return replace(weight, shape=(prod(shape),))
    if kind != "kernel":
        return weight
    match shape:
        case (inputs, outputs):
            return _linear(weight, inputs, outputs)
        case (width, heads, columns) if layer in HEADS_OUT:
            return _linear(weight, width, heads * columns)
        case (heads, columns, width) if layer in HEADS_IN:
            return _linear(weight, heads * columns, width)
        case (rows, columns, inputs, outputs):
            return replace(weight, shape=(outputs, inputs, rows, columns), axes=CONVOLUTION)
    return weight


def _linear(weight: Weight, inputs: int, outputs: int) -> Weight:
    return replace(weight, shape=(outputs, inputs), axes=(1, 0))
