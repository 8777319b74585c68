"""The stored tensors of a database, as SQL finds, computes and changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from gpudb.backend import host_array
from gpudb.catalog import NamedTensor, StoredTensor
from gpudb.catalog.models import model_names
from gpudb.catalog.models import version as find_version
from gpudb.catalog.tensors import check_keys, drop_tensor, name_keys, rename_tensor, tensor, tensors
from gpudb.errors import CatalogError, InputError
from gpudb.plan.node import Node
from gpudb.relation.block_file_reader import BlockFiles, as_paths
from gpudb.relation.block_lists import BlockName, block_lists
from gpudb.relation.block_rows import placed
from gpudb.relation.engine import TensorEngine
from gpudb.relation.tensor_relation import TensorRelation, scan
from gpudb.report import PlanReport
from gpudb.store import TensorStore
from gpudb.store.panels import row_panels
from gpudb.types import STORAGE_DTYPES, HostArray, TensorSchema


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
        return [*self.own_names(), *(f"{model}/" for model in model_names(self._store.catalog))]

    def own_names(self) -> list[str]:
        """Tensors that belong to no model."""
        return [found.schema.name for found in tensors(self._store.catalog)]

    def relation(self, name: str, model: str | None) -> TensorRelation:
        """A tensor of its own or of a model, as an expression to compute with."""
        catalog = self._store.catalog
        if model is None:
            return scan(tensor(catalog, name), name, self._engine)
        version = find_version(catalog, model)
        stored = tensor(catalog, name, version.id)
        return scan(stored, f"{version.label}/{name}", self._engine)

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
        schema, batches = self._engine.batches(plan, sources)
        with catalog.transaction():
            taken = self._own(name).schema.name if replace and self._has(name) else None
            # The plan may read the tensor it replaces, so that goes last.
            arriving = name if taken is None else f"{name} (arriving)"
            stored = self._store.put_blocks(schema.renamed(arriving), batches)
            if taken is not None:
                drop_tensor(catalog, taken)
                rename_tensor(catalog, stored.id, name)
            if keys:
                name_keys(catalog, stored.id, keys)
        return len(self._store.keys(stored))

    def store(
        self,
        name: str,
        values: Any,
        *,
        block: tuple[int, ...] | None,
        sparse: bool,
        keys: Sequence[str] | None,
    ) -> None:
        """Store an array, an expression or files, see :meth:`gpudb.Database.create_tensor`."""
        catalog = self._store.catalog
        if paths := as_paths(values):
            files = BlockFiles.open(name, paths, self._engine.backend)
            self._store_files(files, block=block, sparse=sparse, keys=keys)
            return
        if keys is not None:
            ndim = values.ndim if isinstance(values, TensorRelation) else np.ndim(values)
            check_keys(TensorSchema(name, (1,) * ndim, (1,) * ndim), keys)
        with catalog.transaction():
            if isinstance(values, TensorRelation):
                if values.engine is not self._engine:
                    raise InputError(
                        f"{values.schema.name} belongs to another database; store what its "
                        "collect() returns"
                    )
                values.store(name, block=block, sparse=sparse)
            else:
                schema, elements = _as_stored(name, values, block)
                self._store.put(schema, elements, sparse=sparse)
            if keys is not None:
                name_keys(catalog, tensor(catalog, name).id, keys)

    def _store_files(
        self,
        files: BlockFiles,
        *,
        block: tuple[int, ...] | None,
        sparse: bool,
        keys: Sequence[str] | None,
    ) -> None:
        schema = files.schema
        if block not in (None, schema.block):
            raise InputError(
                f"tensor {schema.name!r}: block is {block}, its files have blocks of "
                f"{schema.block}; store it as it is, then reblock() it"
            )
        if keys is not None:
            check_keys(schema, keys)
        with self._store.catalog.transaction():
            stored = self._store.put_blocks(schema, files.batches(), sparse=sparse)
            if keys is not None:
                name_keys(self._store.catalog, stored.id, keys)

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
        return name.lower() in (own.lower() for own in self.own_names())

    def _own(self, name: str) -> StoredTensor:
        catalog = self._store.catalog
        try:
            return tensor(catalog, name)
        except CatalogError:
            alike = [t for t in tensors(catalog) if t.schema.name.lower() == name.lower()]
            if len(alike) != 1:
                raise
            return alike[0]


def _as_stored(
    name: str, values: Any, block: tuple[int, ...] | None
) -> tuple[TensorSchema, HostArray]:
    """A schema for an array, and its elements as they are stored."""
    try:
        on_gpu = hasattr(values, "__cuda_array_interface__")
        array = host_array(values) if on_gpu else np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"tensor {name!r}: found {type(values).__name__}, which does not become an array "
            f"({error}); expected an array of NumPy or on a GPU, an expression, or Parquet files"
        ) from error
    dtype = array.dtype.name
    if dtype not in STORAGE_DTYPES or array.ndim == 0:
        raise InputError(
            f"tensor {name!r}: found {dtype} of shape {array.shape}; expected at least one axis "
            f"and one of {', '.join(STORAGE_DTYPES)}"
        )
    blocks = block if block is not None else row_panels(array.shape, dtype)
    elements = np.ascontiguousarray(array, STORAGE_DTYPES[dtype])
    return TensorSchema(name, array.shape, blocks, dtype), elements
