"""How near the vectors of a rounded model are to those of the model as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from gpudb.backend.numpy import NumpyBackend
from gpudb.catalog import Version
from gpudb.catalog.models import record_cosines, tokenizer
from gpudb.catalog.tensors import tensor
from gpudb.errors import MemoryBudgetError
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.encoder import Encoder
from gpudb.models.formats.weight import Weight
from gpudb.models.limits import NUMPY_TOKEN_BUDGET, Limits
from gpudb.models.plans import Plans
from gpudb.models.tokenizer import TextTokenizer
from gpudb.plan.serialize import plan_to_json
from gpudb.plan.tensor import Scan
from gpudb.settings import Settings
from gpudb.store import StoredSource, TensorStore
from gpudb.types import HostArray, TensorSchema

TEXTS = (
    "A tensor is a table of equal blocks.",
    "What is the capital of France?",
    "The film was long, loud and, in the end, surprisingly tender.",
    "def mean(values): return sum(values) / len(values)",
    "Die Katze saß auf der Matte und schlief.",
    "Shares fell 3.2 % on Tuesday after the company cut its forecast for 2024.",
    "short",
    "In the beginning the meeting had no agenda, and nobody minded: the first hour went to coffee, "
    "the second to the question of who had called it, and the third to lunch.",
)
"""What accuracy is measured on: questions, sentences, code, one word, another language."""


@dataclass(frozen=True, slots=True)
class Cosines:
    """Of the vectors of :data:`TEXTS` by a rounded model with those by the model as it came."""

    texts: int
    mean: float
    least: float


@dataclass(frozen=True, slots=True)
class WeightSource:
    """The weights of a checkpoint where they lie, one block each: the source of a plan."""

    weights: Mapping[str, Weight]

    def keys(self, name: str) -> HostArray:
        """Of the one block."""
        return np.zeros((1, len(self.weights[name].shape)), np.int32)

    def runs(self, name: str, rows: HostArray) -> tuple[HostArray, ...]:
        """A view of the file."""
        return (self.weights[name].array()[None],) if len(rows) else ()

    def read(self, name: str, rows: HostArray) -> HostArray:
        """A copy."""
        return self.weights[name].array()[None][rows].copy()


def scan_as_it_lies(name: str, weight: Weight) -> Scan:
    """The step that reads a weight through :class:`WeightSource`."""
    return Scan(TensorSchema.one_block(name, weight.shape, weight.dtype))


def compare_vectors(
    store: TensorStore,
    version: Version,
    original: Plans,
    weights: Mapping[str, Weight],
    limits: Limits | None,
) -> Cosines | None:
    """Embed :data:`TEXTS` with a stored model and with the checkpoint; record how near they are.

    Parameters
    ----------
    store
        Has the model's tensors.
    version
        The model, which has a tokenizer.
    original
        The checkpoint's plans over scans of :func:`scan_as_it_lies`.
    weights
        The checkpoint's, by name.
    limits
        What it may take; None for one thread and all memory.

    Returns
    -------
    Cosines or None
        None where the model does not fit the limits.
    """
    backend, function = NumpyBackend(), EmbedFunction(**version.function)
    limits = limits or Limits(1, NUMPY_TOKEN_BUDGET, backend.memory_nbytes())
    assert version.tokenizer is not None  # as the caller knows
    text = tokenizer(store.catalog, version.tokenizer)
    rounded = Encoder(
        version=version,
        backend=backend,
        limits=limits,
        source=StoredSource(store, lambda name: tensor(store.catalog, name, version.id)),
        tokenizer=TextTokenizer(text, function.max_tokens, limits.threads),
        function=function,
    )
    dense = original.dense
    as_it_came = replace(
        rounded,
        version=replace(version, plan=plan_to_json(original.hidden)),
        source=WeightSource(weights),
        function=function if dense is None else replace(function, dense=plan_to_json(dense)),
    )
    try:
        cosines = _cosines(rounded, as_it_came)
    except MemoryBudgetError:
        return None
    record_cosines(store.catalog, version.id, cosines.mean, cosines.least)
    return cosines


def _cosines(rounded: Encoder, original: Encoder) -> Cosines:
    texts = pa.chunked_array([pa.array(TEXTS, pa.large_string())])
    a, b = (
        encoder.embed(texts, Settings())[0].astype(np.float64) for encoder in (rounded, original)
    )
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return Cosines(len(TEXTS), float(cosines.mean()), float(cosines.min()))
