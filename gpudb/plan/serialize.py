"""Plans as data: versioned JSON, one record per node, children by number. Never code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Any

from gpudb.errors import CatalogError, SchemaError
from gpudb.plan import elementwise, fused, reduce, relational, reshape, sequence, tensor
from gpudb.plan.node import Node, walk
from gpudb.types import TensorSchema

FORMAT = 1
"""Raised when an older gpudb could misread a newer plan."""

NODE_TYPES: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        tensor.Scan,
        tensor.Input,
        tensor.Constant,
        tensor.Gather,
        tensor.Matmul,
        tensor.Map,
        tensor.Zip,
        tensor.LayerNorm,
        tensor.Dropout,
        tensor.ConcatRows,
        tensor.Columns,
        tensor.Reblock,
        tensor.Coalesce,
        elementwise.FilterElements,
        elementwise.ZipScalar,
        elementwise.Cast,
        relational.FilterKeys,
        relational.Join,
        relational.Contract,
        relational.Aggregate,
        relational.Project,
        relational.Rekey,
        reshape.Transpose,
        reshape.Broadcast,
        reshape.Concat,
        reshape.Slice,
        reshape.SplitAxis,
        reshape.MergeAxes,
        reduce.Reduce,
        reduce.SegmentAggregate,
        reduce.RowSoftmax,
        sequence.Scores,
        sequence.DistanceScores,
        sequence.Softmax,
        sequence.SequenceSoftmax,
        sequence.ByDistance,
        sequence.Context,
        sequence.Attention,
        sequence.Rotary,
        sequence.Pool,
        sequence.Normalize,
        sequence.PoolNormalize,
        fused.Linear,
        fused.ResidualNorm,
        fused.RmsNorm,
        fused.EmbeddingNorm,
        fused.Gated,
    )
}


def plan_to_json(root: Node) -> str:
    """Text of a plan; equal plans give equal text."""
    numbers: dict[int, int] = {}
    records: list[dict[str, Any]] = []
    for node in walk(root):
        numbers[id(node)] = len(records)
        record: dict[str, Any] = {"op": type(node).__name__}
        for field in fields(node):
            record[field.name] = _encode(getattr(node, field.name), numbers)
        records.append(record)
    return json.dumps({"format": FORMAT, "nodes": records}, separators=(",", ":"))


def plan_from_json(text: str) -> Node:
    """Inverse of :func:`plan_to_json`.

    Raises
    ------
    CatalogError
        The text is not a plan, or a newer gpudb wrote it.
    """
    try:
        data = json.loads(text)
        found = data["format"]
        if found != FORMAT:
            raise CatalogError(
                f"plan format {found} found, this gpudb reads format {FORMAT}; "
                "upgrade gpudb or import the model again"
            )
        nodes: list[Node] = []
        for record in data["nodes"]:
            kind = NODE_TYPES[record["op"]]
            values = {k: _decode(v, nodes) for k, v in record.items() if k != "op"}
            nodes.append(kind(**values))
            _ = nodes[-1].schema  # a node over something that is no node has none
        return nodes[-1]
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        SchemaError,
    ) as error:
        raise CatalogError(
            f"a stored plan cannot be read ({type(error).__name__}: {error}); "
            "import the model again"
        ) from error


def fingerprint(root: Node) -> str:
    """SHA-256 of the plan's text: equal for structurally equal plans."""
    return hashlib.sha256(plan_to_json(root).encode()).hexdigest()


def _encode(value: Any, numbers: dict[int, int]) -> Any:
    if isinstance(value, Node):
        return {"node": numbers[id(value)]}
    if isinstance(value, TensorSchema):
        return {
            "tensor": [value.name, list(value.shape), list(value.block), value.dtype],
        }
    if isinstance(value, tuple):
        return [_encode(v, numbers) for v in value]
    return value


def _decode(value: Any, nodes: list[Node]) -> Any:
    if isinstance(value, dict):
        return _decode_reference(value, nodes)
    if isinstance(value, list):
        return tuple(_decode(v, nodes) for v in value)
    return value


def _decode_reference(value: dict[str, Any], nodes: list[Node]) -> Node | TensorSchema:
    if "tensor" in value:
        name, shape, block, dtype = value["tensor"]
        return TensorSchema(name, tuple(shape), tuple(block), dtype)
    number = int(value["node"])
    if not 0 <= number < len(nodes):  # a negative number would count from the end
        raise IndexError(f"node {number} is named before it is described")
    return nodes[number]
