"""One sample of every kind of node."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from math import inf

import gpudb.plan
from gpudb.plan.elementwise import Cast, FilterElements, ZipScalar
from gpudb.plan.fused import EmbeddingNorm, Gated, Linear, ResidualNorm, RmsNorm
from gpudb.plan.node import Node
from gpudb.plan.reduce import Reduce, RowSoftmax, SegmentAggregate
from gpudb.plan.relational import Aggregate, Contract, FilterKeys, Join, Project, Rekey
from gpudb.plan.reshape import Broadcast, Concat, MergeAxes, Slice, SplitAxis, Transpose
from gpudb.plan.sequence import (
    Attention,
    ByDistance,
    Context,
    DistanceScores,
    Normalize,
    Pool,
    PoolNormalize,
    Rotary,
    Scores,
    SequenceSoftmax,
    Softmax,
)
from gpudb.plan.tensor import (
    Coalesce,
    Columns,
    ConcatRows,
    Constant,
    Dropout,
    Gather,
    Input,
    LayerNorm,
    Map,
    Matmul,
    Reblock,
    Scan,
    Zip,
)
from gpudb.types import TensorSchema

WIDTH = 4


def node_classes() -> set[type[Node]]:
    """Every concrete node class that a module of the plan package defines."""
    modules = [
        import_module(m.name) for m in pkgutil.walk_packages(gpudb.plan.__path__, "gpudb.plan.")
    ]
    return {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Node) and kind is not Node
    }


def sample_nodes() -> list[Node]:
    """At least one node of every class, optional children with and without."""
    x = Input(TensorSchema("rows", ("tokens", WIDTH), ("tokens", WIDTH)))
    ids = Input(TensorSchema("ids", ("tokens",), ("tokens",), "int32"))
    offsets = Input(TensorSchema("sequences", ("offsets",), ("offsets",), "int32"))
    matrix = Scan(TensorSchema('müller\'s "w"', (WIDTH, WIDTH), (3, WIDTH), "bfloat16"))
    whole = Coalesce(matrix)
    vector = Scan(TensorSchema("v", (WIDTH,), (WIDTH,)))
    cube = Scan(TensorSchema("cube", (4, 6, 8), (2, 4, 3)))
    panels = Scan(TensorSchema("panels", (8, 5), (3, 2)))
    biases = Scan(TensorSchema("biases", (3 * WIDTH,), (3 * WIDTH,)))
    column = Scan(TensorSchema("column", (4,), (2,), "int64"))
    square = Scan(TensorSchema("square", (5, 2, 5), (3, 1, 3)))
    window = Constant(TensorSchema("window", (1, 3), (1, 3)), (-inf, 0.0, -inf))
    chosen = Constant(TensorSchema("chosen", (3,), (3,), "int32"), (5, 0, 1))
    product = Join(cube, panels, ((2, 0),), "matmul")
    scores = Scores(x, x, offsets, 2, 0.1)
    weights = Softmax(scores, offsets)
    return [
        x,
        ids,
        offsets,
        matrix,
        whole,
        vector,
        scores,
        weights,
        Context(weights, x, offsets),
        Attention(x, x, x, offsets, 2, 2**-0.5),
        Attention(x, x, x, offsets, 2, 2**-0.5, biases),
        window,
        Constant(TensorSchema("buckets", (2, 3), (2, 3), "int32"), (0, 5, 1, 2, 7, 3)),
        Scores(x, x, offsets, 2, 0.1, window),
        Attention(x, x, x, offsets, 2, 0.1, relative=window),
        DistanceScores(x, matrix, chosen, offsets, 2, 0.1, False),
        DistanceScores(x, matrix, chosen, offsets, 2, 0.1, True),
        Attention(x, x, x, offsets, 2, 0.1, biases, window),
        Rotary(x, ids, 2, 10_000.0, 2),
        Rotary(x, ids, 1, 500.0, 2, True),
        Pool(x, offsets, "max"),
        Normalize(x, 1e-12),
        PoolNormalize(x, offsets, "mean", 1e-12),
        Gather(whole, ids),
        Matmul(x, matrix),
        Matmul(x, matrix, True),
        Map(x, "gelu"),
        Zip(x, vector, "add"),
        Zip(x, x, "divide"),
        LayerNorm(x, vector, vector, 1e-5),
        Dropout(x, 0.1),
        ConcatRows((whole, whole)),
        Columns(x, 0, 2),
        Reblock(matrix, (2, 2)),
        Linear(x, whole, vector),
        Linear(x, whole, vector, "relu"),
        ResidualNorm(x, x, vector, vector, 1e-5),
        ResidualNorm(x, x, vector, vector, 1e-5, vector),
        RmsNorm(x, vector, 1e-6),
        Gated(x, x, "silu"),
        EmbeddingNorm((whole, whole), (ids, ids), vector, vector, 1e-12),
        cube,
        panels,
        column,
        product,
        Scan(cube.tensor, ((0, ">=", 1), (2, "in", (0, 2)), (0, "<=", "i1"))),
        Scan(
            TensorSchema("steps", (WIDTH, 5), (3, 2), "int8"),
            scales=TensorSchema("steps.scales", (WIDTH, 1), (3, 1)),
        ),
        FilterKeys(cube, ((1, "=", 0),)),
        Join(cube, vector, ((0, 0),), "multiply"),
        Contract(cube, panels, ((2, 0),), (2, 0)),
        Aggregate(product, (0, 1, 3), "sum"),
        Aggregate(cube, (), "max"),
        Project(cube, ((0, 1), (2, 0))),
        Rekey(cube, ((1, 1, 0), (0, 2, 1), (2, -1, 2))),
        Transpose(cube, (2, 0, 1)),
        Broadcast(vector, (5, WIDTH), (2, WIDTH)),
        Concat((cube, cube), 1),
        Slice(cube, (0, 1, 2), (4, 5, 2)),
        SplitAxis(cube, 2, 4),
        MergeAxes(cube, 0),
        Reduce(cube, 1, "variance"),
        SegmentAggregate(cube, column, 3, "mean"),
        RowSoftmax(cube),
        SequenceSoftmax(square, (0, 2, 2, 5)),
        ByDistance(window, (0, 2, 2, 5), 2, 3),
        FilterKeys(square, (((0, 2), "in", ((0, 0), (1, 1))),)),
        FilterElements(cube, ">", 0.5),
        ZipScalar(cube, "subtract", 1.0, True),
        Cast(column, "float32"),
    ]
