"""Linear steps after the pooling: sentence-transformers' module ``Dense``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gpudb.errors import CheckpointError
from gpudb.models.architecture import ScanWeight, linear
from gpudb.models.formats.weight import Weight
from gpudb.plan.node import Node, rewrite
from gpudb.plan.serialize import plan_from_json
from gpudb.plan.tensor import Input, Map, Matmul
from gpudb.types import TensorSchema

WEIGHT, BIAS = "linear.weight", "linear.bias"


@dataclass(frozen=True, slots=True)
class Dense:
    """``activation(x @ weight.T + bias)`` over pooled vectors."""

    name: str
    """How the names of its tensors begin: ``dense.0.``, …"""
    inputs: int
    outputs: int
    activation: str | None
    weights: Mapping[str, Weight]
    """Name of a tensor -> weight."""

    def over(self, x: Node, scan: ScanWeight) -> Node:
        """The step over ``(sequences, inputs)``."""
        weight = scan(f"{self.name}{WEIGHT}")
        bias = f"{self.name}{BIAS}"
        y = (
            linear(x, weight, scan(bias))
            if bias in self.weights
            else Matmul(x, weight, transpose_right=True)
        )
        return y if self.activation is None else Map(y, self.activation)


def dense_steps(modules: Iterable[Dense], x: Node, scan: ScanWeight) -> Node:
    """The steps of modules over vectors ``(sequences, width)``.

    Raises
    ------
    CheckpointError
        A step takes vectors of another width than the one before gives.
    """
    for module in modules:
        if x.schema.shape[1] != module.inputs:
            raise CheckpointError(
                f"{module.name[:-1]}: in_features is {module.inputs}, the vectors before it have "
                f"{x.schema.shape[1]} numbers; check the module's config.json"
            )
        x = module.over(x, scan)
    return x


def pooled_rows(width: int) -> Input:
    """What a plan of the steps after the pooling begins with: ``(sequences, width)``."""
    return Input(TensorSchema("pooled", ("sequences", width), ("sequences", width)))


def after_pooling(plan: str, pooled: Node) -> Node:
    """A plan over :func:`pooled_rows`, as JSON, put over those of another plan."""
    return rewrite(
        plan_from_json(plan), lambda _, node: pooled if isinstance(node, Input) else node
    )
