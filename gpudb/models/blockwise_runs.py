"""A model's encoder run as joins and aggregates over small blocks, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.missing import dense_result
from gpudb.exec.operator import Source
from gpudb.exec.parallel import single_threaded_blas
from gpudb.exec.placement import Placement
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.exec.profile import Profile
from gpudb.lower import lower
from gpudb.models.batches import Batch
from gpudb.plan.blockwise import ENDS, SEGMENTS, SHARES, STARTED, STARTS, blockwise
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, optimize
from gpudb.types import HostArray


@dataclass(frozen=True, slots=True, eq=False)
class BlockwiseRuns:
    """Plans of one encoder, one for each batch; they share the weights that they cut."""

    plan: Node
    """As stored, before any rule."""
    backend: Backend
    source: Source
    block: int
    """Rows and columns of a block."""
    _arranged: dict[str, Array] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def joined(self, offsets: HostArray) -> PreparedPlan:
        """The plan for sequences with these offsets; its keys are joined anew, nothing is read."""
        plan = optimize(blockwise(self.plan, tuple(offsets.tolist()), self.block), RELATIONAL)
        return join_keys(lower(plan), self.backend, self.source)

    def placed(self, plan: PreparedPlan, placement: Placement) -> PreparedPlan:
        """One of these plans, ready to run; resident weights are shared with the others."""
        with self._lock:
            return plan.placed(placement, self._arranged)

    def inputs(self, offsets: HostArray) -> Mapping[str, Array]:
        """The relations that a blockwise plan reads beside the encoder's own inputs."""
        lengths = np.diff(offsets)
        rows = np.repeat(lengths, lengths)  # in the sequence of each row
        places = np.arange(1, len(rows) + 1) - np.repeat(offsets[:-1], lengths)
        sequences = {
            SEGMENTS: np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
            STARTS: offsets[:-1][lengths > 0].astype(np.int32),
            ENDS: offsets[1:][lengths > 0].astype(np.int32) - 1,
            STARTED: np.flatnonzero(lengths).astype(np.int32),
            SHARES["root_mean"]: (1 / np.sqrt(rows)).astype(np.float32),
            SHARES["rising_mean"]: (2 * places / (rows * (rows + 1))).astype(np.float32),
        }
        return {name: self.backend.to_device(column) for name, column in sequences.items()}


@dataclass(frozen=True, slots=True, eq=False)
class BlockwiseBatches:
    """The batches of one call, each with a plan of its own."""

    runs: BlockwiseRuns
    batches: Sequence[Batch]
    plan: PreparedPlan
    """Of the first batch, placed."""
    label: str
    """Of the model, for errors."""

    def run(
        self, batch: Batch, inputs: Mapping[str, HostArray], profile: Profile
    ) -> tuple[HostArray, int]:
        """The result of a batch on the host, and the rows computed for it.

        Plans of other batches have other steps: the first of all is measured.
        """
        backend = self.runs.backend
        first = batch is self.batches[0]
        plan = self.plan if first else self._like_first(batch.offsets)
        on_device = {name: backend.to_device(x) for name, x in inputs.items()}
        on_device |= self.runs.inputs(batch.offsets)
        measured = profile if first and not profile.runs else None
        with single_threaded_blas():
            result = plan.run(on_device, batch.sizes, measured)
        return dense_result(backend, result, plan.schema), len(batch.rows)

    def count(self, batches: Sequence[Batch], profile: Profile) -> None:
        """Nothing: each batch has steps of its own."""

    def _like_first(self, offsets: HostArray) -> PreparedPlan:
        plan = self.runs.joined(offsets)
        first = self.plan.placement
        placement = plan.place({}, first.limit, first.runs, resident=first.mode == "resident")
        placement.check(f"model {self.label} over blocks")
        return self.runs.placed(plan, placement)
