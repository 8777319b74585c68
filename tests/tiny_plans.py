"""Small plans, the arrays they read, and one way to run them: shared by the tests of the core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import ceil, prod
from typing import Any

import numpy as np

from gpudb.backend import Backend
from gpudb.exec.batch import grid_keys
from gpudb.exec.missing import dense_result
from gpudb.exec.prepared import PreparedPlan, prepare
from gpudb.lower import lower
from gpudb.models.architectures import bert, deberta, mpnet, t5, transformer_encoder
from gpudb.plan.node import Node, walk
from gpudb.plan.rules import RULES, Rule, optimize
from gpudb.plan.tensor import Scan
from gpudb.types import HostArray, Sizes, TensorSchema
from tests import backend_under_test

BERT_CONFIG: dict[str, Any] = {
    "hidden_size": 8,
    "intermediate_size": 12,
    "vocab_size": 23,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}
DEBERTA_CONFIG: dict[str, Any] = {
    **BERT_CONFIG,
    "model_type": "deberta-v2",
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 4,
}
MPNET_CONFIG: dict[str, Any] = {**BERT_CONFIG, "relative_attention_num_buckets": 32}
T5_CONFIG: dict[str, Any] = {
    "model_type": "t5",
    "vocab_size": 23,
    "d_model": 8,
    "d_kv": 3,
    "d_ff": 12,
    "num_heads": 2,
    "num_layers": 2,
    "relative_attention_num_buckets": 32,
}
TORCH_CONFIG: dict[str, Any] = {
    "d_model": 8,
    "nhead": 2,
    "num_layers": 2,
    "dim_feedforward": 12,
    "activation": "relu",
    "norm_first": False,
    "layer_norm_eps": 1e-5,
    "final_norm": False,
}


@dataclass
class Arrays:
    """Dense arrays by name, and the blocks that plans read them in: the source of a plan."""

    dense: dict[str, HostArray] = field(default_factory=dict)
    blocks: dict[str, HostArray] = field(default_factory=dict)
    stored: dict[str, HostArray] = field(default_factory=dict)
    """Name -> keys of the blocks that are stored."""

    def scan(
        self,
        name: str,
        values: HostArray,
        block: tuple[int, ...] | None = None,
        dtype: str = "",
        sparse: bool = False,
    ) -> Scan:
        """Keep an array; a scan of it in blocks of ``block`` (None: one block).

        With ``sparse``, blocks that are all zero are left out.
        """
        whole = tuple(max(1, e) for e in values.shape)
        schema = TensorSchema(name, values.shape, block or whole, dtype or values.dtype.name)
        blocks = cut(values, schema.block_numbers)
        keys = grid_keys(schema)
        if sparse:
            there = blocks.any(axis=tuple(range(1, blocks.ndim)))
            blocks, keys = blocks[there], keys[there]
        self.dense[name], self.blocks[name], self.stored[name] = values, blocks, keys
        return Scan(schema)

    def keys(self, name: str) -> HostArray:
        return self.stored[name]

    def runs(self, name: str, rows: HostArray) -> list[HostArray]:
        """The chosen blocks, in two runs where there are several."""
        blocks = self.blocks[name][rows]
        half = (len(blocks) + 1) // 2
        return [part for part in (blocks[:half], blocks[half:]) if len(part)]

    def read(self, name: str, rows: HostArray) -> HostArray:
        """The chosen blocks in one new array."""
        return self.blocks[name][rows]


@dataclass
class Encoder:
    """A random encoder: its plan as imported, its weights, and one batch of input."""

    plan: Node
    config: Mapping[str, Any]
    arrays: Arrays
    inputs: dict[str, HostArray]
    sizes: Sizes

    @property
    def offsets(self) -> HostArray:
        return self.inputs["sequences"]


def cut(dense: HostArray, block: tuple[int, ...]) -> HostArray:
    """Zero-padded blocks in row-major order, one loop per block."""
    grid = tuple(ceil(e / b) for e, b in zip(dense.shape, block, strict=True))
    out = np.zeros((prod(grid), *block), dense.dtype)
    for number, key in enumerate(product(*map(range, grid))):
        part = dense[tuple(slice(k * b, (k + 1) * b) for k, b in zip(key, block, strict=True))]
        out[(number, *map(slice, part.shape))] = part
    return out


def prepared(
    plan: Node,
    arrays: Arrays,
    rules: tuple[Rule, ...] = RULES,
    backend: Backend | None = None,
) -> PreparedPlan:
    """The plan after ``rules``, ready to run."""
    return prepare(lower(optimize(plan, rules)), backend or backend_under_test.backend(), arrays)


def blocks_of(
    ready: PreparedPlan,
    inputs: Mapping[str, HostArray] | None = None,
    sizes: Sizes | None = None,
) -> HostArray:
    """The blocks of one run, on the host."""
    on_device = {name: ready.backend.to_device(x) for name, x in (inputs or {}).items()}
    return ready.backend.to_host(ready.run(on_device, sizes or {}).data)


def compute(
    plan: Node,
    arrays: Arrays,
    rules: tuple[Rule, ...] = RULES,
    inputs: Mapping[str, HostArray] | None = None,
    sizes: Sizes | None = None,
) -> HostArray:
    """The dense result of a plan."""
    ready = prepared(plan, arrays, rules)
    on_device = {name: ready.backend.to_device(x) for name, x in (inputs or {}).items()}
    result = ready.run(on_device, sizes or {})
    return dense_result(ready.backend, result, ready.steps[-1].op.out.bind(sizes or {}))


def sizes_of(offsets: HostArray) -> dict[str, int]:
    """Numbers behind the named extents, for sequences with these offsets."""
    lengths = [int(b - a) for a, b in pairwise(offsets)]
    return {
        "tokens": int(offsets[-1]),
        "sequences": len(lengths),
        "offsets": len(offsets),
        "pairs": sum(n * n for n in lengths),
        "longest": max(lengths, default=0),
    }


def offsets_of(lengths: list[int]) -> HostArray:
    """Cumulative offsets of sequences of these lengths."""
    return np.array([sum(lengths[:i]) for i in range(len(lengths) + 1)], np.int32)


def bert_encoder(
    lengths: list[int],
    block: tuple[int, int] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    **config: Any,
) -> Encoder:
    """A BERT with random weights; ``block`` cuts matrices, and vectors by its first extent."""
    return token_encoder(bert, {**BERT_CONFIG, **config}, lengths, block, seed, dtype)


def mpnet_encoder(
    lengths: list[int],
    block: tuple[int, int] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    **config: Any,
) -> Encoder:
    """An MPNet, as :func:`bert_encoder`."""
    return token_encoder(mpnet, {**MPNET_CONFIG, **config}, lengths, block, seed, dtype)


def t5_encoder(
    lengths: list[int],
    block: tuple[int, int] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    **config: Any,
) -> Encoder:
    """The encoder of a T5, as :func:`bert_encoder`."""
    return token_encoder(t5, {**T5_CONFIG, **config}, lengths, block, seed, dtype)


def deberta_encoder(
    lengths: list[int],
    block: tuple[int, int] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    **config: Any,
) -> Encoder:
    """A DeBERTa of the second version, as :func:`bert_encoder`."""
    return token_encoder(deberta, {**DEBERTA_CONFIG, **config}, lengths, block, seed, dtype)


def token_encoder(
    module: Any,
    config: Mapping[str, Any],
    lengths: list[int],
    block: tuple[int, int] | None = None,
    seed: int = 0,
    dtype: str = "float32",
) -> Encoder:
    """An encoder of token ids with random weights; ``module`` is that of its architecture."""
    random = np.random.default_rng(seed)
    arrays, scans = _weights(module.weights(config), block, random, dtype)
    offsets = offsets_of(lengths)
    sizes = sizes_of(offsets)
    tokens = sizes["tokens"]
    starts = np.repeat(offsets[:-1], np.diff(offsets))
    types = config.get("type_vocab_size") or 1
    inputs = {
        "token_ids": random.integers(0, config["vocab_size"], tokens, dtype=np.int32),
        "type_ids": random.integers(0, types, tokens, dtype=np.int32),
        "position_ids": (np.arange(tokens) - starts).astype(np.int32),
        "sequences": offsets,
    }
    return Encoder(module.build(config, scans.__getitem__), config, arrays, inputs, sizes)


def torch_encoder(
    lengths: list[int],
    block: tuple[int, int] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    **config: Any,
) -> Encoder:
    """A ``torch.nn.TransformerEncoder`` with random weights."""
    settings = {**TORCH_CONFIG, **config}
    random = np.random.default_rng(seed)
    arrays, scans = _weights(transformer_encoder.weights(settings), block, random, dtype)
    offsets = offsets_of(lengths)
    rows = random.standard_normal((int(offsets[-1]), settings["d_model"])).astype(dtype)
    plan = transformer_encoder.build(settings, scans.__getitem__)
    return Encoder(plan, settings, arrays, {"rows": rows, "sequences": offsets}, sizes_of(offsets))


def kinds(plan: Node) -> list[str]:
    """Names of the node classes of a plan, in the order they run."""
    return [type(node).__name__ for node in walk(plan)]


def nodes_of(plan: Node, kind: type[Node]) -> Iterator[Any]:
    """All nodes of one class."""
    return (node for node in walk(plan) if isinstance(node, kind))


def _weights(
    shapes: Mapping[str, tuple[int, ...]],
    block: tuple[int, int] | None,
    random: np.random.Generator,
    dtype: str,
) -> tuple[Arrays, dict[str, Scan]]:
    arrays = Arrays()
    scans = {}
    for name, shape in shapes.items():
        centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        values = (centre + 0.3 * random.standard_normal(shape)).astype(dtype)
        scans[name] = arrays.scan(name, values, None if block is None else block[: len(shape)])
    return arrays, scans
