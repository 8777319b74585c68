"""Linear steps after the pooling: sentence-transformers' module ``Dense``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import ScanWeight, linear, whole_number
from gpudb.models.files import read_json_object
from gpudb.models.formats import open_weights
from gpudb.models.formats.weight import Weight
from gpudb.models.weight_dtypes import WEIGHT_DTYPES
from gpudb.plan.node import Node, rewrite
from gpudb.plan.serialize import plan_from_json
from gpudb.plan.tensor import Input, Map, Matmul
from gpudb.types import TensorSchema

ACTIVATIONS: Mapping[str, str | None] = {
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.SiLU": "silu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.linear.Identity": None,
}
"""Class in a module's config -> function of the plan."""

DEFAULTS = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
    "use_residual": False,
}
"""Settings that change what is computed, and the only value gpudb computes."""

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


def read_dense(folder: Path, number: int) -> Dense:
    """Read the folder of a module, the ``number``-th of a model.

    Raises
    ------
    CheckpointError
        Its files are damaged, or contradict each other.
    UnsupportedError
        A setting that gpudb does not compute.
    """
    file = folder / "config.json"
    config = read_json_object(file)
    for key, default in DEFAULTS.items():
        if config.get(key, default) != default:
            raise UnsupportedError(
                f"{file}: {key} is {config[key]!r}; gpudb computes only {default!r}"
            )
    fn = config.get("activation_function")
    if not isinstance(fn, str) or fn not in ACTIVATIONS:
        raise UnsupportedError(
            f"{file}: activation_function is {fn!r}; gpudb computes one of {', '.join(ACTIVATIONS)}"
        )
    inputs, outputs = whole_number(config, "in_features"), whole_number(config, "out_features")
    weights = open_weights(folder).weights
    expected: dict[str, tuple[int, ...]] = {WEIGHT: (outputs, inputs)}
    if config.get("bias", True):
        expected[BIAS] = (outputs,)
    found = {name: weight.shape for name, weight in weights.items()}
    if found != expected:
        raise CheckpointError(
            f"{folder}: found the weights {found}; expected {expected}, as its config.json says"
        )
    kinds = {name: weight.dtype for name, weight in weights.items()}
    if not set(kinds.values()) <= set(WEIGHT_DTYPES):
        raise CheckpointError(
            f"{folder}: found the dtypes {kinds}; expected each to be one of "
            f"{', '.join(WEIGHT_DTYPES)}"
        )
    name = f"dense.{number}."
    return Dense(
        name, inputs, outputs, ACTIVATIONS[fn], {f"{name}{n}": w for n, w in weights.items()}
    )


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
