"""What a run launches, recorded once and launched again as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import cupy as cp
import numpy as np
from rmm.allocators.cupy import rmm_cupy_allocator

from gpudb.types import HostArray

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A recorded run. Calling it launches everything again, in one launch."""

    recorder: Recorder
    graph: Any
    inputs: Inputs
    """The arrays that the recorded run reads."""
    result: Any
    """Its memory may be written by every other replay of the recorder, too."""

    def __call__(self, inputs: Mapping[str, HostArray]) -> Any:
        """Bring other inputs of the same shapes to the device and launch; a copy of the result."""
        work, stream = cp.cuda.get_current_stream(), self.recorder.stream
        with self.recorder.lock:
            for name, x in inputs.items():
                self.inputs[name].set(np.asarray(x, order="C"), stream=work)
            stream.wait_event(work.record())
            self.graph.launch(stream)
            work.wait_event(stream.record())
            return self.result.copy()


@dataclass(slots=True, eq=False)
class Recorder:
    """Records runs that never overlap: they share the memory they work in.

    That memory is a pool above RMM's. Nothing may be allocated while the driver records, so a run
    is made once before: then the pool holds what it takes. Replays follow each other on one stream,
    so one may write where another has written, and the caller gets a copy of the result.
    """

    stream: Any = None
    pool: Any = None
    lock: Lock = field(default_factory=Lock)

    def record(self, run: Callable[[Inputs], Any], inputs: Inputs) -> Replay:
        """Record the launches of a function that reads the same arrays every time."""
        with self.lock:
            if self.stream is None:
                self.stream = cp.cuda.Stream(non_blocking=True)
                self.pool = cp.cuda.MemoryPool(rmm_cupy_allocator)
            self.stream.wait_event(cp.cuda.get_current_stream().record())
            with self.stream, cp.cuda.using_allocator(self.pool.malloc):
                run(inputs)
                self.stream.begin_capture()
                try:
                    result = run(inputs)
                finally:
                    graph = self.stream.end_capture()
            cp.cuda.get_current_stream().wait_event(self.stream.record())
            return Replay(self, graph, inputs, result)
