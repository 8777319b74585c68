"""Batches through a model's fused plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpudb.backend import Backend
from gpudb.exec.missing import dense_result
from gpudb.exec.parallel import single_threaded_blas
from gpudb.exec.prepared import PreparedPlan
from gpudb.exec.profile import Profile
from gpudb.models.batches import Batch
from gpudb.models.recordings import Recordings
from gpudb.types import HostArray


@dataclass(frozen=True, slots=True, eq=False)
class FusedRuns:
    """One plan for every batch; recorded and launched at once where the device can."""

    plan: PreparedPlan
    backend: Backend
    recordings: Recordings | None
    """None where stored tensors come in parts: nothing is in the same place twice."""

    def run(
        self, batch: Batch, inputs: Mapping[str, HostArray], profile: Profile
    ) -> tuple[HostArray, int]:
        """The result of a batch on the host, and the rows computed for it."""
        inputs = {**inputs, "sequences": batch.offsets}
        if self.recordings is not None and not profile.timed:
            replayed = self.recordings.run(batch, inputs)
            if replayed is not None:
                return replayed
        on_device = self.backend.upload(inputs, "sequences")
        with single_threaded_blas():
            result = self.plan.run(on_device, batch.sizes, profile if profile.timed else None)
        dense = dense_result(self.backend, result, self.plan.schema.bind(batch.sizes))
        return dense, len(batch.rows)

    def count(self, batches: Sequence[Batch], profile: Profile) -> None:
        """Note what all batches took, unless each was timed."""
        if not profile.timed:
            profile.count([batch.sizes for batch in batches], self.plan.counting)
