"""A plan made ready: keys joined, stored tensors in place, lifetimes known.

Preparing costs what a database's planner costs and is done once; running launches GEMMs and
kernels and joins nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

import nvtx

from gpudb.backend import Array, Backend
from gpudb.exec import memory
from gpudb.exec.batch import BlockBatch, Keys, grid_keys
from gpudb.exec.graph import Step, order_steps
from gpudb.exec.held import Held
from gpudb.exec.missing import rows_of_full_grid, take_blocks
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp, Source
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.exec.profile import Profile
from gpudb.types import HostArray, Sizes


@dataclass(frozen=True, slots=True)
class PreparedPlan:
    """Runs any number of times, from any number of threads at once."""

    backend: Backend
    steps: tuple[Step, ...]
    joined: tuple[Joined, ...]
    """What each step's join decided."""
    fills: Mapping[int, tuple[HostArray | None, ...]]
    """For a step that needs full grids but reads inputs that lack blocks: for each input, the
    number of the block at each position, -1 for zeros; None where nothing is missing."""
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
        return memory.peak_nbytes(self.steps, sizes, self._filled_nbytes(sizes))

    def _filled_nbytes(self, sizes: Sizes) -> dict[int, int]:
        """For each step that gets zeros for missing blocks, the bytes of its completed inputs."""
        return {
            number: sum(
                child.out.bind(sizes).nbytes
                for child, rows in zip(self.steps[number].op.children, fill, strict=True)
                if rows is not None
            )
            for number, fill in self.fills.items()
        }

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
            Where to record times, costs and bytes held; None records nothing.
        """
        ctx = Context(self.backend, NO_SOURCE, inputs)
        results: list[Array] = [self.constants.get(i) for i in range(len(self.steps))]
        seconds = [0.0] * len(self.steps)
        costs, held = [Cost()] * len(self.steps), Held()
        for number, step in enumerate(self.steps):
            if step.constant:
                continue
            started = perf_counter()
            with nvtx.annotate(type(step.op).__name__, domain="gpudb"):
                arguments = [results[i] for i in step.inputs]
                if number in self.fills:
                    arguments = _filled(self.backend, arguments, self.fills[number])
                results[number] = step.op.run(ctx, self.joined[number], *arguments)
            seconds[number] = perf_counter() - started
            del arguments
            if profile is not None:
                pairing = self.joined[number].pairing
                costs[number] = step.op.cost(sizes).of_share(pairing.share if pairing else 1.0)
                nbytes = 0 if step.op.is_view else results[number].nbytes
                held.add(number, nbytes, costs[number].scratch)
                held.free(step.frees)
            for i in step.frees:
                results[i] = None
        if profile is not None:
            profile.add(seconds, sizes, costs, held.peak_nbytes)
        return BlockBatch(self.joined[-1].keys, results[-1])


Arranged: TypeAlias = MutableMapping[str, Array]
"""Stored tensors as they were arranged for a plan, by what was done to them; plans over one source
may share them."""


def prepare(
    root: PhysicalOp, backend: Backend, source: Source, arranged: Arranged | None = None
) -> PreparedPlan:
    """Join the keys of every step and bring its stored tensors to the device.

    Parameters
    ----------
    root
        The physical plan.
    backend
        The device.
    source
        Where stored tensors come from.
    arranged
        What other plans over the same source have arranged already; grows by what this one adds.
    """
    started = perf_counter()
    arranged = {} if arranged is None else arranged
    identity: dict[int, str] = {}
    steps = order_steps(root)
    ctx = Context(backend, source, {})
    joined: list[Joined] = []
    fills: dict[int, tuple[HostArray | None, ...]] = {}
    constants: dict[int, Array] = {}
    for number, step in enumerate(steps):
        op = step.op
        if isinstance(op, ScanBlocks):
            keys: list[Keys] = [source.keys(op.tensor.name)]
        else:
            keys = [joined[i].keys for i in step.inputs]
            if not op.takes_missing:
                keys, fill = _completed(op, keys)
                if any(rows is not None for rows in fill):
                    fills[number] = fill
        joined.append(op.join(*keys))
        if step.constant:
            inputs = ", ".join(identity[i] for i in step.inputs)
            identity[number] = f"{type(op).__name__}({op.detail()}; {inputs}) -> {op.out}"
            if identity[number] not in arranged:
                arguments = [constants[i] for i in step.inputs]
                if number in fills:
                    arguments = _filled(backend, arguments, fills[number])
                arranged[identity[number]] = op.run(ctx, joined[number], *arguments)
            constants[number] = arranged[identity[number]]
    read = {i for s in steps if not s.constant for i in s.inputs} | {len(steps) - 1}
    kept = {i: array for i, array in constants.items() if i in read}
    return PreparedPlan(backend, steps, tuple(joined), fills, kept, perf_counter() - started)


def _completed(op: PhysicalOp, keys: list[Keys]) -> tuple[list[Keys], tuple[HostArray | None, ...]]:
    """Keys of full grids for each input, and where its blocks lie in them."""
    schemas = [child.out for child in op.children]
    fill = tuple(rows_of_full_grid(k, s) for k, s in zip(keys, schemas, strict=True))
    full = [
        k if rows is None else grid_keys(s) for k, rows, s in zip(keys, fill, schemas, strict=True)
    ]
    return full, fill


def _filled(
    backend: Backend, inputs: list[Array], fill: tuple[HostArray | None, ...]
) -> list[Array]:
    return [take_blocks(backend, x, rows) for x, rows in zip(inputs, fill, strict=True)]


class _NoSource:
    """A run reads no stored tensor: preparing has done so."""

    def keys(self, name: str) -> Keys:
        raise AssertionError(f"{name} should have been read when the plan was prepared")

    def runs(self, name: str, rows: HostArray) -> list[HostArray]:
        raise AssertionError(f"{name} should have been read when the plan was prepared")


NO_SOURCE = _NoSource()
