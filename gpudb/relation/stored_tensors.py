"""The stored tensors of a database, as SQL finds, computes and changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from gpudb.catalog import NamedTensor, StoredTensor
from gpudb.catalog.models import model_names
from gpudb.catalog.models import version as find_version
from gpudb.catalog.tensors import tensor, tensors
from gpudb.errors import CatalogError
from gpudb.plan.node import Node
from gpudb.relation.engine import TensorEngine
from gpudb.report import PlanReport
from gpudb.store import TensorStore


class StoredTensors:
    """Names, plans and changes for the SQL door.

    Parameters
    ----------
    store
        Where the tensors lie.
    engine
        What computes plans over them.
    """

    def __init__(self, store: TensorStore, engine: TensorEngine) -> None:
        self._store = store
        self._engine = engine

    def names(self) -> Sequence[str]:
        """Tensors of their own, then ``model/``: the beginning of the names of its tensors."""
        catalog = self._store.catalog
        own = [found.schema.name for found in tensors(catalog)]
        return [*own, *(f"{model}/" for model in model_names(catalog))]

    def find(self, name: str) -> NamedTensor:
        """The tensor ``x``, or ``model/x``; of its own names the case does not matter.

        Raises
        ------
        CatalogError
            There is none; the message lists those there are.
        """
        catalog = self._store.catalog
        model, slash, inner = name.partition("/")
        if slash:
            version = find_version(catalog, model)
            found, label = tensor(catalog, inner, version.id), f"{version.label}/{inner}"
        else:
            found = self._own(name)
            label = found.schema.name
        return NamedTensor(label, found, tuple(f"i{axis}" for axis in range(found.schema.ndim)))

    def compute(self, plan: Node, sources: Mapping[str, StoredTensor]) -> pa.Table:
        """The blocks of the result: key columns ``i0``, ``i1``, … and ``block``."""
        return self._engine.arrow(plan, sources)

    def report(
        self, plan: Node, sources: Mapping[str, StoredTensor], *, analyze: bool
    ) -> PlanReport:
        """How a plan runs; ``analyze`` runs it."""
        return self._engine.report(plan, sources, analyze=analyze)

    def _own(self, name: str) -> StoredTensor:
        catalog = self._store.catalog
        try:
            return tensor(catalog, name)
        except CatalogError:
            alike = [t for t in tensors(catalog) if t.schema.name.lower() == name.lower()]
            if len(alike) != 1:
                raise
            return alike[0]
