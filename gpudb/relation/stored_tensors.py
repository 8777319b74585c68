"""The stored tensors of a database, as SQL finds, computes and changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from gpudb.catalog import NamedTensor, StoredTensor
from gpudb.catalog.models import model_names
from gpudb.catalog.models import version as find_version
from gpudb.catalog.tensors import check_keys, drop_tensor, name_keys, tensor, tensors
from gpudb.errors import CatalogError
from gpudb.plan.node import Node
from gpudb.relation.block_lists import BlockName, block_lists
from gpudb.relation.block_rows import placed
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
        if slash and not self._has(name):
            version = find_version(catalog, model)
            found, label = tensor(catalog, inner, version.id), f"{version.label}/{inner}"
        else:
            found = self._own(name)
            label = found.schema.name
        return NamedTensor(label, found, found.key_names)

    def compute(self, plan: Node, sources: Mapping[str, StoredTensor]) -> pa.Table:
        """The blocks of the result: key columns ``i0``, ``i1``, … and ``block``."""
        return self._engine.arrow(plan, sources)

    def report(
        self, plan: Node, sources: Mapping[str, StoredTensor], *, analyze: bool
    ) -> PlanReport:
        """How a plan runs; ``analyze`` runs it."""
        return self._engine.report(plan, sources, analyze=analyze)

    def block_lists(self, names: Sequence[BlockName]) -> pa.ChunkedArray:
        """The elements of single blocks as lists; (model, version, tensor, position) each."""
        return block_lists(self._store, names)

    def create(
        self,
        name: str,
        plan: Node,
        sources: Mapping[str, StoredTensor],
        *,
        keys: Sequence[str] = (),
        replace: bool = False,
        if_not_exists: bool = False,
    ) -> int:
        """Store the result of a plan, the blocks that are there; how many.

        Parameters
        ----------
        name
            Of the new tensor.
        plan, sources
            What is computed.
        keys
            Names of the key columns; empty for i0, i1, ….
        replace
            Take the place of a tensor of that name.
        if_not_exists
            Leave a tensor of that name as it is, and compute nothing.
        """
        catalog = self._store.catalog
        if if_not_exists and self._has(name):
            return 0
        if keys:
            check_keys(plan.schema.renamed(name), keys)
        values, numbers, schema = self._engine.blocks(plan, sources)
        with catalog.transaction():
            if replace and self._has(name):
                drop_tensor(catalog, self._own(name).schema.name)
            stored = self._store.put_chosen(schema.renamed(name), values, numbers)
            if keys:
                name_keys(catalog, stored.id, keys)
        return len(numbers)

    def insert(self, name: str, rows: pa.Table) -> None:
        """Add blocks at keys that a tensor lacks, all or none.

        Parameters
        ----------
        name
            Of a tensor of its own.
        rows
            A column of keys per axis, then the blocks as lists of the elements inside the tensor.
        """
        tensor = self._own(name)
        self._store.add_blocks(tensor, *placed(tensor.schema, rows))

    def drop(self, name: str, *, if_exists: bool = False) -> None:
        """Forget a tensor of its own; vacuum frees its pages."""
        if not if_exists or self._has(name):
            drop_tensor(self._store.catalog, self._own(name).schema.name)

    def _has(self, name: str) -> bool:
        names = (found.schema.name.lower() for found in tensors(self._store.catalog))
        return name.lower() in names

    def _own(self, name: str) -> StoredTensor:
        catalog = self._store.catalog
        try:
            return tensor(catalog, name)
        except CatalogError:
            alike = [t for t in tensors(catalog) if t.schema.name.lower() == name.lower()]
            if len(alike) != 1:
                raise
            return alike[0]
