"""Runs the plans of expressions over the tensors of one database."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike

import numpy as np
import pyarrow as pa

from gpudb.backend import Backend
from gpudb.catalog import StoredTensor
from gpudb.catalog.tensors import tensor
from gpudb.errors import CatalogError, DeviceError
from gpudb.exec.batch import BlockBatch
from gpudb.exec.block_table import block_table
from gpudb.exec.missing import dense_result
from gpudb.exec.parallel import blas_threads
from gpudb.exec.placement import Placement
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.exec.profile import Profile
from gpudb.exec.report import Setting, report_plan
from gpudb.exec.spilled import SpilledPlan, can_spill, plan_spilled
from gpudb.lower import lower
from gpudb.lower.execution import Choice, choose_execution
from gpudb.machine import read_ceilings
from gpudb.plan.explain import explain
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, Rule, optimize
from gpudb.plan.serialize import fingerprint
from gpudb.plan.tensor import Reblock, Scan
from gpudb.relation.block_files import stored_batches, write_blocks
from gpudb.relation.device_tensor import DeviceTensor
from gpudb.report import PlanReport, PlanText
from gpudb.settings import Settings
from gpudb.store import StoredSource, TensorStore
from gpudb.types import HostArray, TensorSchema

PREPARED_KEPT = 32
"""Prepared plans that are kept for the next run."""

Sources = Mapping[str, StoredTensor]
"""Name in the plan -> the stored tensor it reads."""


class TensorEngine:
    """Computes expressions: optimise, lower, prepare, check the budget, run.

    Parameters
    ----------
    store
        Where the tensors lie.
    backend
        The device.
    memory_limit
        Most bytes that a run may hold.
    """

    def __init__(self, store: TensorStore, backend: Backend, memory_limit: int) -> None:
        self.backend = backend
        self.execution = Settings().execution
        self._store = store
        self._memory_limit = memory_limit
        self._prepared: OrderedDict[tuple[object, ...], PreparedPlan | SpilledPlan] = OrderedDict()

    def collect(self, plan: Node, sources: Sources) -> HostArray:
        """The dense result of a plan; half types come as float32."""
        ready = self._prepare(plan, sources)
        return self._dense(ready, plan.schema.name)

    def arrow(self, plan: Node, sources: Sources) -> pa.Table:
        """The result of a plan as a table: keys and blocks."""
        ready = self._prepare(plan, sources, as_cut=True)
        ready.placement.check(f"computing {plan.schema.name}")
        result = ready.batch() if isinstance(ready, SpilledPlan) else ready.run({}, {})
        return block_table(result.keys, self.backend.to_host(result.data), ready.schema)

    def on_device(self, plan: Node, sources: Sources) -> DeviceTensor:
        """The result of a plan where it was computed."""
        ready = self._prepare(plan, sources)
        ready.placement.check(f"computing {plan.schema.name}")
        result = ready.batch() if isinstance(ready, SpilledPlan) else ready.run({}, {})
        data = (
            self.backend.to_device(result.data) if isinstance(ready, SpilledPlan) else result.data
        )
        return DeviceTensor(BlockBatch(result.keys, data), ready.schema, self.backend)

    def parquet(self, plan: Node, sources: Sources, path: str | PathLike[str]) -> None:
        """Write the result as a file; a stored tensor as it is stored, without computing."""
        if not isinstance(plan, Scan):
            self.on_device(plan, sources).parquet(path)
            return
        self._check_computes(plan.schema.name)
        self._check_current(sources)
        stored = sources[plan.tensor.name]
        blocks = len(self._store.keys(stored))
        batches = stored_batches(self._store, stored, self.backend)
        write_blocks(path, stored.schema, blocks, batches, self.backend)

    def batches(
        self, plan: Node, sources: Sources
    ) -> tuple[TensorSchema, Iterable[tuple[HostArray, HostArray]]]:
        """The result in the blocks that the plan promises, as they are computed.

        Returns
        -------
        tuple
            What it is, and its blocks, some at a time: keys ``(n, ndim)`` in row-major order and
            ``(n, *block)``. Blocks that never come are zero.
        """
        self._check_computes(plan.schema.name)
        ready = self._prepare(plan, sources, as_cut=True, whole=False)
        ready.placement.check(f"storing {plan.schema.name}")
        if isinstance(ready, SpilledPlan):
            return ready.schema, ready.blocks()
        result = ready.run({}, {})
        return ready.schema, [(result.keys, self.backend.to_host(result.data))]

    def store(
        self,
        plan: Node,
        sources: Sources,
        name: str,
        *,
        block: tuple[int, ...] | None,
        sparse: bool,
    ) -> StoredTensor:
        """Compute a plan and store the result; ``block`` None keeps the blocks it comes in."""
        self._check_computes(name)
        cut = plan if block in (None, plan.schema.block) else Reblock(plan, tuple(block or ()))
        ready = self._prepare(cut, sources, as_cut=True, whole=False)
        if isinstance(ready, SpilledPlan):
            ready.placement.check(f"storing {name!r}")
            schema = replace(ready.schema, name=name)
            return self._store.put_blocks(schema, ready.blocks(), sparse=sparse)
        values = self.collect(plan, sources)
        schema = TensorSchema(name, values.shape, block or plan.schema.block, values.dtype.name)
        return self._store.put(schema, np.ascontiguousarray(values), sparse=sparse)

    def report(self, plan: Node, sources: Sources, *, analyze: bool) -> PlanReport:
        """The plan as written, after the rules, and as operators; ``analyze`` runs it, too."""
        profile = Profile(timed=True) if analyze else None
        ready = self._prepare(plan, sources)
        if analyze:
            self._dense(ready, plan.schema.name, profile)
        source = StoredSource(self._store, sources.__getitem__)
        choice = choose_execution(plan, source, self.execution)
        if isinstance(ready, SpilledPlan):
            choice = Choice("relational", "a plan in parts works on blocks")
        ceilings, why = read_ceilings()
        setting = Setting(
            sizes={},
            blas_threads=blas_threads(),
            projected_nbytes=ready.placement.needed_nbytes,
            ceilings=ceilings,
            ceilings_note=why,
        )
        return report_plan(
            ready.described if isinstance(ready, SpilledPlan) else ready,
            plan.schema.name,
            setting,
            profile,
            notes=(f"{choice.execution} execution: {choice.reason}",),
            texts=(
                PlanText("logical plan", explain(plan)),
                PlanText("after the rules", explain(optimize(plan, choice.rules))),
            ),
        )

    def close(self) -> None:
        """Forget the prepared plans: they hold views of pages."""
        self._prepared.clear()

    def _dense(
        self, ready: PreparedPlan | SpilledPlan, name: str, profile: Profile | None = None
    ) -> HostArray:
        ready.placement.check(f"computing {name}")
        if isinstance(ready, SpilledPlan):
            return ready.dense(profile)
        return dense_result(self.backend, ready.run({}, {}, profile), ready.schema)

    def _prepare(
        self, plan: Node, sources: Sources, *, as_cut: bool = False, whole: bool = True
    ) -> PreparedPlan | SpilledPlan:
        """The prepared plan of an expression; kept until the catalog changes.

        Parameters
        ----------
        plan, sources
            The expression.
        as_cut
            The result is wanted in the blocks that the plan promises.
        whole
            The caller holds all of the result.
        """
        ids = tuple(sorted((name, stored.id) for name, stored in sources.items()))
        counter = self._store.catalog.change_counter()
        key = (fingerprint(plan), as_cut, whole, self.execution, ids, counter)
        if key not in self._prepared:
            self._check_current(sources)
            source = StoredSource(self._store, sources.__getitem__)
            # Only the relational form keeps the blocks, and the missing ones missing.
            execution = "relational" if as_cut else self.execution
            rules = choose_execution(plan, source, execution).rules
            ready = self._join(plan, source, rules, as_cut)
            placement = ready.place({}, self._memory_limit)
            self._make_room(placement)
            if placement.mode == "refused" and can_spill(ready):
                self._prepared[key] = plan_spilled(
                    self._join(plan, source, RELATIONAL, as_cut),
                    self._store.folder,
                    self._memory_limit,
                    whole_nbytes=placement.needed_nbytes,
                    dense=whole,
                )
            else:
                self._prepared[key] = ready.placed(placement)
        self._prepared.move_to_end(key)
        return self._prepared[key]

    def _join(
        self, plan: Node, source: StoredSource, rules: tuple[Rule, ...], as_cut: bool
    ) -> PreparedPlan:
        best = optimize(plan, rules)
        if as_cut and best.schema.block != plan.schema.block:
            best = Reblock(best, plan.schema.block)
        return join_keys(lower(best), self.backend, source)

    def _make_room(self, placement: Placement) -> None:
        """Forget plans, the oldest first, whose weights would be too much beside a new one."""
        room = self._memory_limit - placement.needed_nbytes
        while self._prepared and (
            len(self._prepared) >= PREPARED_KEPT
            or sum(plan.resident_nbytes for plan in self._prepared.values()) > room
        ):
            self._prepared.popitem(last=False)

    def _check_computes(self, name: str) -> None:
        if not self.backend.computes:
            raise DeviceError(
                f"storing {name!r}: device {self.backend.name} computes shapes, no numbers; "
                "connect with another device"
            )

    def _check_current(self, sources: Sources) -> None:
        """Raise for a tensor that is gone: its blocks, all missing, would count as zeros."""
        for name, stored in sources.items():
            found = tensor(self._store.catalog, stored.schema.name, stored.version)
            if found != stored:
                raise CatalogError(
                    f"tensor {name!r} was replaced since this expression was written: found "
                    f"{found.schema}, expected {stored.schema}; write it again over the new one"
                )
