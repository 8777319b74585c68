"""A model's encoder run as joins and aggregates over small blocks, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.operator import Source
from gpudb.exec.placement import Placement
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.lower import lower
from gpudb.plan.blockwise import SEGMENTS, STARTED, STARTS, blockwise
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
        sequences = {
            SEGMENTS: np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
            STARTS: offsets[:-1][lengths > 0].astype(np.int32),
            STARTED: np.flatnonzero(lengths).astype(np.int32),
        }
        return {name: self.backend.to_device(rows) for name, rows in sequences.items()}
