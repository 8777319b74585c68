"""A plan made ready: keys joined, stored tensors in place, lifetimes known.

Preparing costs what a database's planner costs and is done once; running launches GEMMs and
kernels and joins nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeAlias

import nvtx

from gpudb.backend import Array, Backend
from gpudb.exec import memory
from gpudb.exec.arrange import Arranger, Fills, filled
from gpudb.exec.batch import BlockBatch, Keys, grid_keys
from gpudb.exec.counting import Counting
from gpudb.exec.graph import Step, order_steps
from gpudb.exec.held import Held
from gpudb.exec.missing import rows_of_full_grid
from gpudb.exec.operator import Context, Joined, Panels, PhysicalOp, Source, lasting
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.exec.placement import Placement, place
from gpudb.exec.profile import Profile
from gpudb.exec.weights import ResidentWeights, StreamedWeights, Weights
from gpudb.types import HostArray, Sizes, TensorSchema


@dataclass(frozen=True, slots=True)
class PreparedPlan:
    """Runs any number of times, from any number of threads at once."""

    backend: Backend
    steps: tuple[Step, ...]
    joined: tuple[Joined, ...]
    """What each step's join decided."""
    fills: Fills
    """For a step that needs full grids but reads inputs that lack blocks: for each input, the
    number of the block at each position, -1 for zeros; None where nothing is missing."""
    source: Source
    """Where its stored tensors come from."""
    weights: Weights
    """The stored tensors as its steps read them."""
    seconds: float
    """Time it took to prepare."""
    placement: Placement
    """Where the stored tensors are, and why."""
    counting: Counting
    """What its runs take."""

    @property
    def schema(self) -> TensorSchema:
        """Of the result."""
        return self.steps[-1].op.out

    @property
    def resident_nbytes(self) -> int:
        """Bytes of stored tensors that stay with this plan between runs."""
        return self.placement.held_nbytes

    def peak_nbytes(self, sizes: Sizes) -> int:
        """Most bytes one run of these sizes holds at once, beside the resident ones."""
        return memory.peak_nbytes(self.steps, sizes, self._filled_nbytes(sizes))

    def place(self, sizes: Sizes, limit: int, runs: int = 1, *, resident: bool = True) -> Placement:
        """Where the stored tensors can be within a limit, see :func:`place`."""
        filled_nbytes = self._filled_nbytes(sizes)
        return place(self.steps, sizes, limit, runs=runs, filled=filled_nbytes, resident=resident)

    def placed(self, placement: Placement, arranged: Arranged | None = None) -> PreparedPlan:
        """The same plan with its stored tensors placed; resident ones are read and arranged now.

        ``arranged`` is as for :func:`prepare`.
        """
        started = perf_counter()
        arranger = Arranger(self.backend, self.steps, self.joined, self.fills, self.source)
        weights: Weights
        if placement.mode == "resident":
            weights = ResidentWeights(_arrange(arranger, {} if arranged is None else arranged))
        elif placement.mode == "streamed":
            weights = StreamedWeights.of(arranger, placement)
        else:
            weights = self.weights  # to be explained, never to be run
        seconds = self.seconds + perf_counter() - started
        return replace(self, weights=weights, seconds=seconds, placement=placement)

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
        ctx = Context(self.backend, NO_SOURCE, inputs, sizes)
        results: list[Array] = [None] * len(self.steps)
        seconds = [0.0] * len(self.steps)
        costs = self.counting.costs(sizes) if profile is not None else []
        held = Held()
        with self.weights.opened() as weights:
            for number, step in enumerate(self.steps):
                if step.constant:
                    continue
                started = perf_counter()
                weights.before(number)
                with nvtx.annotate(type(step.op).__name__, domain="gpudb"):
                    arguments = [
                        weights.get(i) if self.steps[i].constant else results[i]
                        for i in step.inputs
                    ]
                    results[number] = self._run_step(ctx, number, arguments)
                del arguments
                streamed = weights.nbytes
                weights.after(number)
                if profile is not None and profile.timed:
                    self.backend.synchronize()
                seconds[number] = perf_counter() - started
                if profile is not None:
                    nbytes = 0 if step.op.is_view else results[number].nbytes
                    held.add(number, nbytes, costs[number].scratch + streamed)
                    held.free(step.frees)
                for i in step.frees:
                    results[i] = None
            if self.steps[-1].constant:
                weights.before(len(self.steps) - 1)
                results[-1] = weights.get(len(self.steps) - 1)
        if profile is not None:
            profile.add(seconds, sizes, costs, held.peak_nbytes)
        return BlockBatch(self.joined[-1].keys, results[-1])

    def _run_step(self, ctx: Context, number: int, arguments: list[Array | Panels]) -> Array:
        op, joined = self.steps[number].op, self.joined[number]
        if any(isinstance(x, Panels) for x in arguments):
            return op.run_panels(ctx, joined, *arguments)
        if number in self.fills:
            arguments = filled(self.backend, arguments, self.fills[number])
        return op.run(ctx, joined, *arguments)


Arranged: TypeAlias = MutableMapping[str, Array]
"""Stored tensors as they were arranged for a plan, by what was done to them; plans over one source
may share them."""


def prepare(
    root: PhysicalOp, backend: Backend, source: Source, arranged: Arranged | None = None
) -> PreparedPlan:
    """Join the keys of every step and bring its stored tensors to the device, to stay.

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
    plan = join_keys(root, backend, source)
    return plan.placed(plan.placement, arranged)


def join_keys(root: PhysicalOp, backend: Backend, source: Source) -> PreparedPlan:
    """Join the keys of every step; no stored tensor is read before the plan is placed."""
    started = perf_counter()
    steps = order_steps(root)
    joined: list[Joined] = []
    fills: dict[int, tuple[HostArray | None, ...]] = {}
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
        joined.append(op.join(backend, *keys))
        for rows in (*joined[-1].rows, *fills.get(number, ())):
            if rows is not None:
                lasting(rows)
    counted = zip(steps, joined, strict=True)
    steps = tuple(replace(step, blocks=len(decided.keys)) for step, decided in counted)
    return PreparedPlan(
        backend,
        steps,
        tuple(joined),
        fills,
        source,
        ResidentWeights({}),
        perf_counter() - started,
        Placement("resident", memory.resident_nbytes(steps), 0, 1, 0),
        Counting(steps, tuple(joined)),
    )


def _arrange(arranger: Arranger, arranged: Arranged) -> Mapping[int, Array]:
    """Every constant that a run reads, those of other plans taken from ``arranged``."""
    made: dict[int, Array] = {}
    steps = arranger.steps
    identity: dict[int, str] = {}
    for number, step in enumerate(steps):
        if step.constant:
            inputs = ", ".join(identity[i] for i in step.inputs)
            identity[number] = f"{step.op.described()}({inputs}) -> {step.op.out}"
    for number in memory.kept_constants(steps):
        name = identity[number]
        if name not in arranged:
            arranged[name] = arranger.resident(number, made)
        made[number] = arranged[name]
    return made


def _completed(op: PhysicalOp, keys: list[Keys]) -> tuple[list[Keys], tuple[HostArray | None, ...]]:
    """Keys of full grids for each input, and where its blocks lie in them."""
    schemas = [child.out for child in op.children]
    fill = tuple(rows_of_full_grid(k, s) for k, s in zip(keys, schemas, strict=True))
    full = [
        k if rows is None else grid_keys(s) for k, rows, s in zip(keys, fill, schemas, strict=True)
    ]
    return full, fill


class _NoSource:
    """A run reads no stored tensor: preparing has done so."""

    def keys(self, name: str) -> Keys:
        raise AssertionError(f"{name} should have been read when the plan was prepared")

    def runs(self, name: str, rows: HostArray) -> list[HostArray]:
        raise AssertionError(f"{name} should have been read when the plan was prepared")

    def read(self, name: str, rows: HostArray) -> HostArray:
        raise AssertionError(f"{name} should have been read when the plan was prepared")


NO_SOURCE = _NoSource()
