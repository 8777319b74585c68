"""Weights of other frameworks with PyTorch's names and layout, one file per framework.

Names tell the framework, not the file format: an ``.npz`` may hold a Flax model. What comes out is
what ``Architecture.rename`` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from gpudb.models.formats.weight import Weight
from gpudb.models.names import flax, gluonnlp, llama_cpp, tensorflow
from gpudb.models.names.layout import torch_layout


def torch_weights(weights: Mapping[str, Weight]) -> Iterator[tuple[str | None, Weight]]:
    """Each weight with PyTorch's name for it, or None where it is the state of a training run.

    The weight keeps the name it has in the checkpoint; its shape is PyTorch's, its bytes stay where
    they are.
    """
    torch_name = _naming(weights)
    for name, weight in weights.items():
        if torch_name is None:
            yield name, weight
        else:
            parts = _parts(name)
            yield torch_name(parts), torch_layout(weight, parts)


def _naming(weights: Mapping[str, Weight]) -> Callable[[Sequence[str]], str | None] | None:
    """How names are translated; None for PyTorch's own."""
    if llama_cpp.WORDS in weights:
        return llama_cpp.names_of(weights).torch_name
    if any(gluonnlp.CELLS in _parts(name) for name in weights):
        return gluonnlp.torch_name
    kinds = {_parts(name)[-1] for name in weights}
    slashed = {_parts(name)[-1] for name in weights if "/" in name}
    if slashed & {"gamma", "beta"} or any(name.endswith(":0") for name in weights):
        return tensorflow.torch_name
    return flax.torch_name if "kernel" in kinds else None


def _parts(name: str) -> list[str]:
    name = name.removesuffix(":0").removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")
    return name.split("/" if "/" in name else ".")
