"""What an operator returns: the node's schema, in the dtype that is computed with."""

from __future__ import annotations

from dataclasses import replace

from gpudb.plan.node import Node
from gpudb.types import TensorSchema


def computed(node: Node) -> TensorSchema:
    """Half types are widened when they are read."""
    schema = node.schema
    half = schema.dtype in ("float16", "bfloat16")
    return replace(schema, dtype="float32") if half else schema
