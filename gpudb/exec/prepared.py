"""A plan made ready: keys joined, stored tensors in place, lifetimes known.

Preparing costs what a database's planner costs and is done once; running launches GEMMs and
kernels and joins nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import nvtx

from gpudb.backend import Array, Backend
from gpudb.exec import memory
from gpudb.exec.batch import BlockBatch
from gpudb.exec.graph import Step, order_steps
from gpudb.exec.operator import Context, Joined, Load, PhysicalOp
from gpudb.exec.profile import Profile
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True)
class PreparedPlan:
    """Runs any number of times, from any number of threads at once."""

    backend: Backend
    steps: tuple[Step, ...]
    joined: tuple[Joined, ...]
    """What each step's join decided."""
    constants: Mapping[int, Array]
    """Results of the steps that arrange stored tensors and are read by others."""
    seconds: float
    """Time it took to prepare."""

    @property
    def resident_nbytes(self) -> int:
        """Bytes of stored tensors that stay with this plan."""
        return memory.resident_nbytes(self.steps)

    def peak_nbytes(self, sizes: Sizes) -> int:
        """Most bytes one run of these sizes holds at once, beside the resident ones."""
        return memory.peak_nbytes(self.steps, sizes)

    def run(
        self, inputs: Mapping[str, Array], sizes: Sizes, profile: Profile | None = None
    ) -> BlockBatch:
        """Run every step over one batch.

        Parameters
        ----------
        inputs
            The relations the plan reads, on the device, by name.
        sizes
            Numbers for the plan's named extents.
        profile
            Where to record times; None records nothing.
        """
        ctx = Context(self.backend, _no_load, inputs)
        results: list[Array] = [self.constants.get(i) for i in range(len(self.steps))]
        seconds = [0.0] * len(self.steps)
        for number, step in enumerate(self.steps):
            if step.constant:
                continue
            started = perf_counter()
            with nvtx.annotate(type(step.op).__name__, domain="gpudb"):
                arguments = [results[i] for i in step.inputs]
                results[number] = step.op.run(ctx, self.joined[number], *arguments)
            seconds[number] = perf_counter() - started
            del arguments
            for i in step.frees:
                results[i] = None
        if profile is not None:
            profile.add(seconds, sizes)
        return BlockBatch(self.joined[-1].keys, results[-1])


def prepare(root: PhysicalOp, backend: Backend, load: Load) -> PreparedPlan:
    """Join the keys of every step and bring its stored tensors to the device."""
    started = perf_counter()
    steps = order_steps(root)
    ctx = Context(backend, load, {})
    joined: list[Joined] = []
    constants: dict[int, Array] = {}
    for number, step in enumerate(steps):
        joined.append(step.op.join(*(joined[i].keys for i in step.inputs)))
        if step.constant:
            arguments = [constants[i] for i in step.inputs]
            constants[number] = step.op.run(ctx, joined[number], *arguments)
    read = {i for s in steps if not s.constant for i in s.inputs} | {len(steps) - 1}
    kept = {i: array for i, array in constants.items() if i in read}
    return PreparedPlan(backend, steps, tuple(joined), kept, perf_counter() - started)


def _no_load(tensor: object) -> list[Array]:
    raise AssertionError(f"{tensor} should have been read when the plan was prepared")
