"""What a run of a model reads of a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gpudb.models.batches import Batch
from gpudb.types import HostArray


@dataclass(frozen=True, slots=True)
class Reading:
    """Sequences of rows, and what the plan reads of them, batch by batch."""

    offsets: HostArray
    """``(n + 1,)``: sequence i has the rows ``offsets[i]:offsets[i + 1]``."""
    inputs: Callable[[Batch], Mapping[str, HostArray]]
    """Called by the thread that runs the batch."""
    seconds: float = 0.0
    """What tokenising took."""
