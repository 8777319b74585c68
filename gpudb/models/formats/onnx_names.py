"""PyTorch's names and layout for the initialisers of an exported graph.

Exporters fold the transposition of a linear layer's weight into the tensor, and what is folded
loses its name: ``onnx::MatMul_123`` or ``val_12``. Equal tensors, as in models not yet trained, are
stored once. So a weight gets the name of the module of each node that uses it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gpudb.models.formats.onnx_message import OnnxNode
from gpudb.models.formats.weight import Weight

# What PyTorch calls a parameter: modules and dots. Exporters' own names have none, or begin with
# "/"; only constants in the code of a module are called like parts of it.
_PARAMETER = re.compile(r"\w[\w-]*(\.(?!lifted_tensor_\d+$)[\w-]+)+")

_COUNTED = re.compile(r"_\d+$")

SAME = frozenset({"Identity", "Cast"})
"""Kinds of nodes that hand on the elements of a tensor in their order."""

PLACES: Mapping[str, Mapping[int, str]] = {
    "MatMul": {1: "weight"},
    "Gemm": {1: "weight", 2: "bias"},
    "Gather": {0: "weight"},
    "Conv": {1: "weight", 2: "bias"},
    "LayerNormalization": {1: "weight", 2: "bias"},
    "RMSNormalization": {1: "weight"},
    "Mul": {0: "weight", 1: "weight"},
    "Add": {0: "bias", 1: "bias"},
}
"""Kind of node -> number of an input -> which parameter of a module it is."""

MATRICES = frozenset({"MatMul", "Gemm", "Gather", "Conv"})
"""Kinds of nodes whose weight is one even without a name; what is added may be any constant."""

FLAT = (("MatMul", 1), ("Gemm", 1), ("Gather", 0))
"""Weights that are matrices in an encoder; these nodes multiply and look up others too."""

FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})
"""What weights are made of; integers are positions, shapes and so on."""


@dataclass(frozen=True, slots=True)
class Value:
    """An initialiser as a node sees it."""

    weight: Weight
    transposed: bool = False

    def as_torch(self, transpose: bool) -> Weight:
        """The tensor in PyTorch's layout, which is that of the node or its transposition."""
        if self.transposed == transpose:
            return self.weight
        rows, columns = self.weight.shape
        return replace(self.weight, shape=(columns, rows), axes=(1, 0))


def named_weights(
    nodes: Iterable[OnnxNode], tensors: Mapping[str, Weight]
) -> Iterator[tuple[str, Weight]]:
    """Name and tensor of each parameter, in PyTorch's layout; a name may come more than once.

    A matrix that nothing gives a name to keeps the one of the file.
    """
    nodes = tuple(nodes)
    tensors = {name: weight for name, weight in tensors.items() if weight.dtype in FLOATS}
    values = _values(nodes, tensors)
    biases = _biases(nodes, values)
    named = {name: weight for name, weight in tensors.items() if _PARAMETER.fullmatch(name)}
    yield from named.items()
    modules = {name.rpartition(".")[0] for name in named}
    for node, place, value in _uses(nodes, values):
        kind, own = PLACES[node.kind][place], value.weight.name
        scope = _without_count(node.scope, modules)
        name: str | None = None
        if own in named:
            name = _other_name(scope, kind, own)
        elif node.kind in MATRICES:
            name = _found_name(scope, kind, own, biases.get(node.outputs[0]))
        if name is not None:
            yield name, value.as_torch(_is_transposed(node, place))


def _uses(
    nodes: Iterable[OnnxNode], values: Mapping[str, Value]
) -> Iterator[tuple[OnnxNode, int, Value]]:
    """Each node that may use a parameter, the number of the input, and what it is."""
    for node in nodes:
        for place in PLACES.get(node.kind, ()):
            value = values.get(node.inputs[place]) if place < len(node.inputs) else None
            axes = 0 if value is None else len(value.weight.shape)
            if value is not None and (axes == 2 if (node.kind, place) in FLAT else axes > 0):
                yield node, place, value


def _without_count(scope: str, modules: Collection[str]) -> str:
    """The module behind ``query_1``, as the older exporter calls the second use of ``query``."""
    module = _COUNTED.sub("", scope)
    return module if scope not in modules and module in modules else scope


def _other_name(scope: str, kind: str, own: str) -> str | None:
    """The name of a tensor in the module that uses it, where that is not the one it is named after.

    A module may use a tensor of one inside it, or be called ``encoder.shared`` where it belongs to
    an encoder and is ``shared`` of the model.
    """
    module = own.rpartition(".")[0]
    if not scope or not own.endswith(kind) or f"{module}.".startswith(f"{scope}."):
        return None
    return None if scope.endswith(f".{module}") else f"{scope}.{kind}"


def _found_name(scope: str, kind: str, own: str, bias: str | None) -> str:
    """The name of a tensor that has lost its own."""
    within = f"{scope}." if scope else ""
    # Rather that of the module's bias: a weight may be called in_proj_weight, or be one of two.
    if kind == "weight" and bias is not None and bias.startswith(within):
        return f"{bias.removesuffix('bias')}weight"
    return f"{scope}.{kind}" if scope else own


def _values(nodes: Iterable[OnnxNode], tensors: Mapping[str, Weight]) -> dict[str, Value]:
    """Initialisers as they are, and where a node only turns them round."""
    values = {name: Value(weight) for name, weight in tensors.items()}
    for node in nodes:
        if len(node.inputs) != 1 or len(node.outputs) != 1 or node.inputs[0] not in values:
            continue
        value = values[node.inputs[0]]
        (output,) = node.outputs
        if node.kind in SAME:
            values[output] = value
        elif node.kind == "Transpose" and len(value.weight.shape) == 2 and _turns(node):
            values[output] = replace(value, transposed=not value.transposed)
    return values


def _turns(node: OnnxNode) -> bool:
    return "perm" not in node.attributes or node.attributes["perm"].numbers(8) == [1, 0]


def _biases(nodes: Iterable[OnnxNode], values: Mapping[str, Value]) -> dict[str, str]:
    """Result of a node -> name of the bias that is added to it, where that has a name."""
    biases = {}
    for node in nodes:
        if node.kind == "Add" and len(node.inputs) == 2:
            for one, other in (node.inputs, node.inputs[::-1]):
                if other in values:
                    biases[one] = values[other].weight.name
        elif node.kind == "Gemm" and len(node.inputs) == 3 and node.inputs[2] in values:
            biases.update((output, values[node.inputs[2]].weight.name) for output in node.outputs)
    return {output: name for output, name in biases.items() if name.endswith("bias")}


def _is_transposed(node: OnnxNode, place: int) -> bool:
    """Whether the node takes the weight the other way round than PyTorch keeps it."""
    if place != 1 or node.kind not in ("MatMul", "Gemm"):
        return False
    return not node.switch("transB")  # MatMul has no such switch
