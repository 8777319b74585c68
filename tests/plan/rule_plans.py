"""For each rule a small plan that it rewrites, over arrays to compute it with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudb.models.architecture import SEQUENCES, linear
from gpudb.models.attention import self_attention
from gpudb.models.rms_norm import rms_norm
from gpudb.plan.fused import Linear
from gpudb.plan.node import Node
from gpudb.plan.relational import Aggregate, FilterKeys, Join
from gpudb.plan.sequence import Attention, Normalize, Pool
from gpudb.plan.tensor import (
    Coalesce,
    Columns,
    Dropout,
    Gather,
    Input,
    LayerNorm,
    Map,
    Matmul,
    Scan,
    Zip,
)
from gpudb.types import TensorSchema
from tests.tiny_plans import Arrays

WIDTH = 6
ROWS = 9
IDS = Input(TensorSchema("ids", ("tokens",), ("tokens",), "int32"))


class Weights(Arrays):
    """Random arrays, made when a plan asks for them."""

    def matrix(self, name: str, block: tuple[int, int] = (WIDTH, WIDTH)) -> Scan:
        random = np.random.default_rng(len(self.dense))
        return self.scan(name, random.standard_normal((WIDTH, WIDTH)), block)

    def vector(self, name: str, block: int = WIDTH) -> Scan:
        random = np.random.default_rng(len(self.dense))
        return self.scan(name, random.standard_normal(WIDTH), (block,))


def rows() -> Input:
    """The relation that the plans read; each call makes another node."""
    return Input(TensorSchema("x", ("tokens", WIDTH), ("tokens", WIDTH), "float64"))


def drop_dropout(w: Weights) -> Node:
    return Dropout(Map(Dropout(rows(), 0.1), "exp"), 0.2)


def share_repeated(w: Weights) -> Node:
    x = rows()
    return Zip(Map(Map(x, "exp"), "tanh"), Map(Map(x, "exp"), "relu"), "add")


def push_key_filters(w: Weights) -> Node:
    product = Matmul(w.matrix("left", (2, 3)), w.matrix("right", (3, 2)))
    sums = Map(Zip(product, w.matrix("added", (2, 2)), "add"), "relu")
    return FilterKeys(sums, ((0, ">", 0), (1, "=", 1)))


def recognise_products(w: Weights) -> Node:
    joined = Join(w.matrix("left", (2, 3)), w.matrix("right", (3, 2)), ((1, 0),), "matmul")
    return Aggregate(joined, (0, 2), "sum")


def recognise_attention(w: Weights) -> Node:
    x = rows()
    attended = self_attention(x, Map(x, "tanh"), Map(x, "relu"), 2, 0.0)
    assert isinstance(attended.children[0], Dropout)
    return type(attended)(attended.children[0].child, attended.children[1], SEQUENCES)


def coalesce_panels(w: Weights) -> Node:
    return Matmul(rows(), w.matrix("panels", (4, WIDTH)), transpose_right=True)


def fuse_embedding_norm(w: Weights) -> Node:
    ids = IDS
    words, types, positions = (Gather(w.matrix(n), ids) for n in ("words", "types", "positions"))
    summed = Zip(Zip(words, types, "add"), positions, "add")
    return LayerNorm(summed, w.vector("gamma"), w.vector("beta"), 1e-12)


def fuse_residual_norm(w: Weights) -> Node:
    x = rows()
    fed = linear(x, w.matrix("weight"), w.vector("bias"))
    return LayerNorm(Zip(fed, x, "add"), w.vector("gamma"), w.vector("beta"), 1e-5)


def fuse_rms_norm(w: Weights) -> Node:
    return rms_norm(rows(), w.vector("gamma"), 1e-6)


def fuse_linear(w: Weights) -> Node:
    return Map(linear(rows(), w.matrix("weight"), w.vector("bias")), "gelu")


def fuse_gated(w: Weights) -> Node:
    gate, up = (Matmul(rows(), w.matrix(name), transpose_right=True) for name in ("gate", "up"))
    return Zip(Map(gate, "silu"), up, "multiply")


def merge_projections(w: Weights) -> Node:
    x = rows()
    parts = [
        Linear(x, Coalesce(w.matrix(name)), w.vector(f"{name} bias"))
        for name in ("query", "key", "value")
    ]
    return Zip(Zip(parts[0], parts[1], "multiply"), parts[2], "add")


def fuse_attention_bias(w: Weights) -> Node:
    bias = w.scan("bias", np.random.default_rng(5).standard_normal(3 * WIDTH))
    weight = w.scan("weight", np.random.default_rng(6).standard_normal((3 * WIDTH, WIDTH)))
    merged = Linear(rows(), weight, bias)
    query, key, value = (Columns(merged, i * WIDTH, (i + 1) * WIDTH) for i in range(3))
    return Attention(query, key, value, SEQUENCES, 2, 0.5)


def fuse_pool_normalize(w: Weights) -> Node:
    return Normalize(Pool(rows(), SEQUENCES, "mean"), 1e-12)


def align_blocks(w: Weights) -> Node:
    product = Matmul(w.matrix("left", (2, 4)), w.matrix("right", (4, 3)))
    odd = Matmul(product, w.matrix("odd", (2, 5)))
    return LayerNorm(odd, w.vector("gamma", 4), w.vector("beta"), 1e-5)


PLANS: dict[str, Callable[[Weights], Node]] = {
    plan.__name__: plan
    for plan in (
        drop_dropout,
        share_repeated,
        push_key_filters,
        recognise_products,
        recognise_attention,
        coalesce_panels,
        fuse_embedding_norm,
        fuse_residual_norm,
        fuse_rms_norm,
        fuse_gated,
        fuse_linear,
        merge_projections,
        fuse_attention_bias,
        fuse_pool_normalize,
        align_blocks,
    )
}
