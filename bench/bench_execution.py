"""Which execution takes less time, and whether ``auto`` finds it: relational, fused, auto."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import report, save, take_turns

import gpudb
from gpudb.layers import conv2d, feed_forward
from gpudb.relation import TensorRelation
from gpudb.types import HostArray

EXECUTIONS = ("relational", "fused", "auto")
TOLERANCE = 1e-5
"""Of the largest element of the answer in float64: float32 sums of up to 20,000 terms."""

ALLOWED = 1.1
"""What ``--check`` lets ``auto`` take, over the better one."""
SHORTEST = 5e-3
"""Seconds; ``--check`` does not judge what takes less, where the timer's noise is a tenth."""


@dataclass(frozen=True)
class Case:
    """One expression, and what it should give."""

    label: str
    expression: TensorRelation
    expected: HostArray


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="folder for execution.json")
    parser.add_argument("--tiny", action="store_true", help="small sizes, one round")
    parser.add_argument("--check", action="store_true", help="fail where auto is 10 %% slower")
    args = parser.parse_args()
    extent, features, classes = (64, 300, 200) if args.tiny else (1024, 20_000, 10_000)
    images = ((3, 8, 4),) if args.tiny else ((3, 128, 32), (64, 56, 64))
    measured: dict[str, dict[str, list[float]]] = {}
    with gpudb.connect(device="numpy") as db:
        cases = (
            *products(db, extent),
            *dense_products(db, extent),
            *classification(db, features, classes),
            *convolutions(db, images),
        )
        for case in cases:
            runners = {name: runner(db, case, name) for name in EXECUTIONS}
            measured[case.label] = take_turns(runners, 1 if args.tiny else args.rounds)
            print(f"\n{case.label}\n{chosen(db, case.expression)}")
            print(report(measured[case.label], 1, "runs", "auto"))
    print("\nauto over the better one: medians, least times")
    for label, seconds in measured.items():
        ratios = (over_the_better(seconds, typical) for typical in (np.median, min))
        print(f"{label:<48}", *(f"{ratio:>6.2f}" for ratio in ratios))
    if args.out is not None:
        save(args.out, "execution", measured)
    if args.check and (slow := too_slow(measured)):
        sys.exit(
            f"auto is more than {ALLOWED - 1:.0%} slower than the better one: {'; '.join(slow)}"
        )


def products(db: gpudb.Database, extent: int) -> Iterator[Case]:
    """Square matrices in panels and in blocks, with and without blocks missing on the left."""
    right = normal(extent, extent)
    cuts = {
        f"panels of {extent // 4} rows": (extent // 4, extent),
        f"panels of {extent // 16} rows": (extent // 16, extent),
        f"blocks of {extent // 4}": (extent // 4, extent // 4),
        f"blocks of {extent // 16}": (extent // 16, extent // 16),
    }
    for cut, block in cuts.items():
        for share in (1.0, 0.5, 0.1, 0.01):
            left = lacking_blocks((extent, extent), block, share)
            a, b = (
                db.create_tensor(f"{name}, {cut}, {share}", values, block=block, sparse=True)
                for name, values in (("a", left), ("b", right))
            )
            label = f"product, {cut}, {share:.0%} present"
            yield Case(label, a @ b, left.astype(np.float64) @ right)


def dense_products(db: gpudb.Database, extent: int) -> Iterator[Case]:
    """Square matrices of a quarter and of twice the extent, nothing missing."""
    for size in (extent // 4, 2 * extent):
        left, right = normal(size, size), normal(size, size).T.copy()
        for cut, block in (
            (f"panels of {size // 4} rows", (size // 4, size)),
            (f"blocks of {extent // 4}", (extent // 4, extent // 4)),
            (f"blocks of {extent // 16}", (extent // 16, extent // 16)),
        ):
            a, b = (
                db.create_tensor(f"{name} {size}, {cut}", values, block=block)
                for name, values in (("a", left), ("b", right))
            )
            yield Case(f"product of {size}, {cut}", a @ b, left.astype(np.float64) @ right)


def classification(db: gpudb.Database, features: int, classes: int) -> Iterator[Case]:
    """16 rows of many features, a hundredth present, and very many classes."""
    hidden = 128
    for size in (64, 256):
        x = lacking_blocks((16, features), (16, size), 0.01)
        weights = [normal(hidden, features), normal(hidden)]
        weights += [normal(classes, hidden), normal(classes)]
        tx = db.create_tensor(f"x {size}", x, block=(16, size), sparse=True)
        w0, b0, w1, b1 = (
            db.create_tensor(f"w{number} {size}", w, block=(size, size)[: w.ndim])
            for number, w in enumerate(weights)
        )
        w = [values.astype(np.float64) for values in weights]
        expected = np.maximum(x @ w[0].T + w[1], 0) @ w[2].T + w[3]
        label = f"classification, {size}×{size} blocks"
        yield Case(label, feed_forward(tx, [(w0, b0), (w1, b1)]), expected)


def convolutions(db: gpudb.Database, images: tuple[tuple[int, int, int], ...]) -> Iterator[Case]:
    """3×3 filters over square images (channels, rows, filters), in panels and in small cubes."""
    for channels, rows, out in images:
        image, filters, bias = (
            normal(channels, rows, rows),
            normal(out, channels, 3, 3),
            normal(out),
        )
        padded = np.pad(image.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
        patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        expected = np.einsum("crsij,ocij->ors", patches, filters, optimize=True)
        expected += bias[:, None, None]
        for size in (None, 16):
            cut = "panels" if size is None else f"blocks of {size}"
            label = f"convolution, {channels}×{rows}×{rows}, {cut}"
            tensors = [
                db.create_tensor(
                    f"{name}, {label}",
                    values,
                    block=None if size is None else (size,) * values.ndim,
                )
                for name, values in (("image", image), ("filters", filters), ("bias", bias))
            ]
            yield Case(label, conv2d(*tensors, padding=1), expected)


def lacking_blocks(shape: tuple[int, int], block: tuple[int, int], share: float) -> HostArray:
    """Standard normal in this share of the blocks, at least one; zero in the others."""
    grid = tuple(-(-extent // along) for extent, along in zip(shape, block, strict=True))
    blocks = grid[0] * grid[1]
    there = np.zeros(blocks, np.bool_)
    there[np.random.default_rng(1).permutation(blocks)[: max(1, round(share * blocks))]] = True
    cells = np.kron(there.reshape(grid), np.ones(block, np.bool_))
    return np.where(cells[: shape[0], : shape[1]], normal(*shape), np.float32(0))


def normal(*shape: int) -> HostArray:
    """Standard normal float32."""
    return np.random.default_rng([*shape]).standard_normal(shape, np.float32)


def runner(db: gpudb.Database, case: Case, execution: str) -> Callable[[], object]:
    """Computes the case in one execution; its answer has been checked."""

    def run() -> HostArray:
        db.set(execution=execution)
        return case.expression.collect()

    difference = float(np.abs(run() - case.expected).max() / np.abs(case.expected).max())
    if difference > TOLERANCE:
        sys.exit(f"{case.label}, {execution}: the answer is off by {difference:.1e}")
    return run


def chosen(db: gpudb.Database, expression: TensorRelation) -> str:
    """What ``auto`` takes, and why."""
    db.set(execution="auto")
    lines = expression.explain().splitlines()
    return next(line for line in lines if "execution:" in line)


def too_slow(measured: dict[str, dict[str, list[float]]]) -> list[str]:
    """Where the median of ``auto`` is longer than :data:`ALLOWED`."""
    return [
        label
        for label, seconds in measured.items()
        if min(np.median(seconds[name]) for name in ("relational", "fused")) > SHORTEST
        and over_the_better(seconds, np.median) > ALLOWED
    ]


def over_the_better(seconds: dict[str, list[float]], typical: Callable[..., float]) -> float:
    """The typical time of ``auto`` over that of the better of the two."""
    return float(
        typical(seconds["auto"]) / min(typical(seconds[name]) for name in ("relational", "fused"))
    )


if __name__ == "__main__":
    main()
