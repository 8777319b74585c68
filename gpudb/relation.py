"""The Python door: a lazy tensor that remembers its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gpudb.catalog import StoredTensor
from gpudb.errors import InputError, SchemaError
from gpudb.plan.explain import explain
from gpudb.plan.node import Node
from gpudb.plan.rules import optimize
from gpudb.plan.tensor import Map, Matmul, Scan, Zip
from gpudb.types import HostArray, TensorSchema

Sources = Mapping[str, StoredTensor]
"""Name in the plan -> the stored tensor it reads."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorRelation:
    """A tensor, or an expression over tensors that nothing has computed yet."""

    plan: Node = field(repr=False)
    sources: Sources = field(repr=False)
    _collect: Callable[[TensorRelation], HostArray] = field(repr=False)

    @property
    def schema(self) -> TensorSchema:
        """Shape, blocks and dtype of the result."""
        return self.plan.schema

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the result."""
        return self.plan.schema.numbers

    def map(self, fn: str) -> TensorRelation:
        """Apply a function to every element; names in ``gpudb.plan.tensor.MAP_FUNCTIONS``."""
        return TensorRelation(Map(self.plan, fn), self.sources, self._collect)

    def __matmul__(self, other: TensorRelation) -> TensorRelation:
        return self._with(other, Matmul(self.plan, _plan(other)))

    def __add__(self, other: TensorRelation) -> TensorRelation:
        return self._with(other, Zip(self.plan, _plan(other), "add"))

    def __sub__(self, other: TensorRelation) -> TensorRelation:
        return self._with(other, Zip(self.plan, _plan(other), "subtract"))

    def __mul__(self, other: TensorRelation) -> TensorRelation:
        return self._with(other, Zip(self.plan, _plan(other), "multiply"))

    def __truediv__(self, other: TensorRelation) -> TensorRelation:
        return self._with(other, Zip(self.plan, _plan(other), "divide"))

    def explain(self) -> str:
        """The logical plan, as written and after the rules."""
        return (
            f"logical plan\n{explain(self.plan)}\n\nafter the rules\n{explain(optimize(self.plan))}"
        )

    def collect(self) -> HostArray:
        """Compute it: a dense array; half types come as float32."""
        return self._collect(self)

    def __repr__(self) -> str:
        return f"<TensorRelation {self.plan.label()} -> {self.schema}>"

    def _with(self, other: TensorRelation, plan: Node) -> TensorRelation:
        both = {**self.sources, **other.sources}
        for name in self.sources.keys() & other.sources.keys():
            if self.sources[name].id != other.sources[name].id:
                raise SchemaError(f"two different tensors are called {name!r}; rename one of them")
        return TensorRelation(plan, both, self._collect)


def scan(tensor: StoredTensor, name: str, collect: Callable[..., HostArray]) -> TensorRelation:
    """A stored tensor under a name that is unique among all models."""
    return TensorRelation(Scan(tensor.schema.renamed(name)), {name: tensor}, collect)


def _plan(other: object) -> Node:
    if not isinstance(other, TensorRelation):
        raise InputError(
            f"found {type(other).__name__}; the other side must be a tensor of the database: "
            "store it with create_tensor"
        )
    return other.plan
