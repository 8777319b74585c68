"""Runs of a model's plan that are recorded and launched again at once.

A launch costs a GPU's driver microseconds, a small kernel takes less: so what a batch launches is
recorded, where the device can do that, and batches of about the same size use it again. Sizes go in
steps of an eighth; rows and sequences that a batch lacks are filled up, belong to no sequence and
are dropped from the result. On a CPU, where Python takes as long between two kernels, one recording
is good for batches of any size: see :meth:`gpudb.backend.Backend.repeats`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TypeAlias

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.backend.base import Repeats
from gpudb.exec.parallel import single_threaded_blas
from gpudb.exec.prepared import PreparedPlan
from gpudb.models.batches import Batch
from gpudb.types import HostArray, Sizes

LEAST = 8
"""Rows and sequences of the smallest size."""
KEPT = 16
"""Recorded sizes; the one not used for longest goes."""

Replay: TypeAlias = Callable[[Mapping[str, HostArray]], Array]


def size_step(n: int) -> int:
    """The next size that is recorded: at most an eighth above ``n``, or :data:`LEAST`."""
    step = max(LEAST, 1 << max(0, n.bit_length() - 4))
    return max(LEAST, -(-n // step) * step)


@dataclass(slots=True, eq=False)
class Recordings:
    """Of one plan on one device."""

    plan: PreparedPlan
    backend: Backend
    _kept: OrderedDict[tuple[int, int], Replay] = field(default_factory=OrderedDict)
    _records: bool = True
    """Whether anything is recorded: that the device can is known after the first batch."""
    _lock: Lock = field(default_factory=Lock)
    _repeats: Repeats | None = None

    def __post_init__(self) -> None:
        self._repeats = self.backend.repeats("sequences")
        # How many pairs of rows a batch has, its rows and sequences do not say.
        self._records = not any("pairs" in step.op.out.shape for step in self.plan.steps)

    def run(self, batch: Batch, inputs: Mapping[str, HostArray]) -> tuple[HostArray, int] | None:
        """The result of a batch, and the rows computed for it; None where nothing is recorded.

        Parameters
        ----------
        batch
            Its sequences.
        inputs
            ``sequences``, and one value or row for each row of the batch.
        """
        if self._repeats is not None:
            run = partial(self._run, batch.sizes)
            result = self._repeats(run, inputs)
            return None if result is None else (result, len(batch.rows))
        if not self._records:
            return None
        rows = size_step(len(batch.rows))
        sequences = size_step(len(batch.sequences))
        padded = {
            name: _padded(x, sequences + 1, int(x[-1]))
            if name == "sequences"
            else _padded(x, rows, 0)
            for name, x in inputs.items()
        }
        with self._lock:
            replay = self._recorded(padded, {**batch.sizes, "tokens": rows, "sequences": sequences})
            if replay is None:
                return None
            result = self.backend.to_host(replay(padded))[0]
        pooled = self.plan.schema.shape[0] == "sequences"
        return result[: len(batch.sequences) if pooled else len(batch.rows)], rows

    def _run(self, sizes: Sizes, arrays: Mapping[str, Array]) -> Array:
        with single_threaded_blas():
            return self.plan.run(arrays, sizes).data

    def _recorded(self, inputs: Mapping[str, HostArray], sizes: Sizes) -> Replay | None:
        key = (sizes["tokens"], sizes["sequences"])
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        on_device = self.backend.upload(inputs, "sequences")
        replay = self.backend.record(partial(self._run, sizes), on_device)
        self._records = replay is not None
        if replay is not None:
            self._kept[key] = replay
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return replay


def _padded(x: HostArray, rows: int, value: int) -> HostArray:
    missing = np.full((rows - len(x), *x.shape[1:]), value, x.dtype)
    return np.concatenate([x, missing])
