"""A physical plan, each of its operators predicted for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gpudb.exec.graph import Step
from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.sequence_attention import SequenceAttention
from gpudb.predict.model import (
    Setting,
    host_seconds,
    least_seconds,
    start_seconds,
    work_seconds,
)
from gpudb.types import Sizes

HALF = ("float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class StepPrediction:
    """One operator."""

    operator: str
    detail: str
    launches: int
    flops: int
    moved_nbytes: int
    """Bytes read and written by its launches."""
    least_nbytes: int
    """Bytes that any way of doing it reads and writes."""
    has_product: bool
    """True where the library multiplies matrices; else it is one kernel of ours."""
    seconds: float
    """Predicted, with the start of each launch."""
    least_seconds: float
    """What the data sheet allows."""

    @property
    def moved_share(self) -> float:
        """Bytes moved over the least; 1 where nothing is moved."""
        return self.moved_nbytes / self.least_nbytes if self.least_nbytes else 1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """One run of a plan on one GPU; every time is predicted, none was measured."""

    setting: Setting
    sizes: Sizes
    steps: tuple[StepPrediction, ...]
    launches_per_layer: int | None
    """None for a plan of less than two layers of attention."""

    @property
    def launches(self) -> int:
        """Of the whole run."""
        return sum(step.launches for step in self.steps)

    @property
    def seconds(self) -> float:
        """Of the GPU, or of the host where that is slower."""
        device = sum(step.seconds for step in self.steps)
        return max(device, host_seconds(self.launches, self.setting))

    @property
    def tokens_per_second(self) -> float:
        """Tokens of the texts; there is no padding."""
        return self.sizes["tokens"] / self.seconds if self.seconds else 0.0

    @property
    def roofline_share(self) -> float:
        """Time that the data sheet allows, step by step, over the time predicted."""
        return sum(s.least_seconds for s in self.steps) / self.seconds if self.seconds else 0.0


def predict(steps: Sequence[Step], sizes: Sizes, setting: Setting) -> Prediction:
    """Predict one run of a plan in its fused form.

    Parameters
    ----------
    steps
        Of a plan over one-block operators: those over stored blocks launch by pairs, which are not
        counted here.
    sizes
        Named extents of the run.
    setting
        The GPU, and how it is used.
    """
    setting.gpu.product_rate(setting.precision)  # refused before anything is counted
    if setting.precision in HALF:
        steps = in_half(steps, setting.precision)
    working = [step.op for step in steps if not step.constant and step.op.launches(sizes)]
    predicted = tuple(_step(op, sizes, setting) for op in working)
    return Prediction(setting, sizes, predicted, _launches_per_layer(working, sizes))


def in_half(steps: Sequence[Step], dtype: str) -> tuple[Step, ...]:
    """The same steps with results of two bytes where they had four or eight; shapes only."""
    ops: list[PhysicalOp] = []
    for step in steps:
        out = step.op.out
        if out.dtype in ("float32", "float64"):
            out = replace(out, dtype=dtype)
        children = tuple(ops[i] for i in step.inputs)
        ops.append(replace(step.op, children=children, out=out))
    return tuple(replace(step, op=op) for step, op in zip(steps, ops, strict=True))


def _step(op: PhysicalOp, sizes: Sizes, setting: Setting) -> StepPrediction:
    launches, cost = op.launches(sizes), op.cost(sizes)
    least = cost.read + cost.written
    started = len(launches) * start_seconds(setting)
    return StepPrediction(
        operator=type(op).__name__,
        detail=op.detail(),
        launches=len(launches),
        flops=cost.flops,
        moved_nbytes=sum(launch.moved for launch in launches),
        least_nbytes=least,
        has_product=any(launch.product is not None for launch in launches),
        seconds=started + sum(work_seconds(launch, setting) for launch in launches),
        least_seconds=least_seconds(launches, least, setting),
    )


def _launches_per_layer(ops: Sequence[PhysicalOp], sizes: Sizes) -> int | None:
    """Most launches from one attention up to the next."""
    starts = [i for i, op in enumerate(ops) if isinstance(op, SequenceAttention)]
    layers = [sum(len(op.launches(sizes)) for op in ops[a:b]) for a, b in pairwise(starts)]
    return max(layers, default=None)
